"""Is it the method it says it is, coefficient by coefficient?"""

from __future__ import annotations

from dataclasses import replace

from dfbench.claims.base import Finding, claim, judge, skip
from dfbench.claims.precision import TABLES, sensitivity
from dfbench.subjects.base import Sampler, Unsupported
from dfbench.subjects.reference import Defect, MethodSampler

STEPS = (1, 2, 3, 4, 5, 7, 10, 16)


def _wrong_weight(size: float) -> Sampler:
    """The weight of one model output is off by the factor 1 + size."""
    return MethodSampler(
        "ddim", defect=Defect(output=lambda m, j: m * (1 + size) if j == 4 else m)
    )


@claim(
    "identity",
    "On the same levels, every coefficient equals that of the published method.",
    source="the method's paper, see the reference sampler",
    control=_wrong_weight,
    control_size=1e-3,
    rows=(28, 34, 42),
)
def identity_check(subject: Sampler) -> Finding:
    """Table against reference table, at several step counts on the released grid."""
    closest: Finding | None = None
    for n in STEPS:
        try:
            session = subject.session(n)
            reference = subject.reference(session)
        except Unsupported as reason:
            if n >= 4:
                return skip(str(reason))
            continue
        if reference is None:
            return skip("no reference method is known for this class and these options")
        table = subject.affine_reading(n).table
        for name in ("nfe", "n_draws"):
            mine, other = getattr(table, name), getattr(reference.table, name)
            if mine != other:
                what = {"nfe": "model evaluations", "n_draws": "Gaussian draws"}[name]
                return judge(
                    float(mine), float(other) if mine > other else mine - 0.5,
                    unit=what, where=f"{n} steps",
                    why=f"spends {mine} {what} in {n} steps, {reference.name} spends {other}",
                    counterexample={"steps": n},
                )  # fmt: skip
        bound = 64 * TABLES + 4 * sensitivity(reference.build, reference.grid, TABLES)
        gaps = table.gaps(reference.table)
        ratio = gaps / bound
        worst = float(gaps.flat[ratio.argmax()]), float(bound.flat[ratio.argmax()])
        details = {
            "unit": "of the state's size",
            "derivation": "64 u + 4 × the change of the reference when its levels move by 4u "
            f"(u = 2⁻²⁴: tables in float32); reference {reference.name}",
        }
        if ratio.max() > 1:
            different = table.compare(reference.table, bound)
            assert different is not None
            return judge(
                different.size, float(bound[different.row, different.column]),
                where=f"{n} steps, {different.where}",
                why=f"differs from {reference.name} ({reference.source})",
                counterexample={"steps": n},
                reproduce=subject.coefficient_snippet(n, different, table),
                **details,
            )  # fmt: skip
        if closest is None or worst[0] / worst[1] > (closest.measured or 0) / (closest.bound or 1):
            closest = judge(*worst, **details)
    return replace(closest, claim="") if closest else skip("no step count could be run")
