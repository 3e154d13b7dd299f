"""The computed numbers beside the printed ones."""

import pandas as pd

from dfbench.sweep.published import side_by_side

for each in side_by_side("pierret_galerne", pd.read_csv("table/measurements.csv")):
    if each.printed.label == 250:
        print(each.printed.scheme, each.printed.value, round(each.computed, 4), each.reproduced)
