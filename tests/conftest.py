"""What holds for every test: a fixed sequence of examples, and one thread.

Hypothesis runs under the profile `ci`, the same examples each time, however slow the machine;
`pytest --hypothesis-profile=thorough` draws new ones, and many more.
"""

import os

from hypothesis import HealthCheck, settings

# Tests are many and small, and what a sum comes to must not hang on the number of cores. The
# libraries read these when they are first imported, so nothing has to be imported here.
for variable in ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

#: Nothing that is counted in seconds.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}

settings.register_profile("ci", derandomize=True, **PATIENT)
settings.register_profile("thorough", derandomize=False, max_examples=2000, **PATIENT)
settings.load_profile("ci")
