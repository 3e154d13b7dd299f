"""The error of each sampler at each number of evaluations."""

import pandas as pd

rows = pd.read_csv("results/measurements.csv")
print(
    rows[rows.metric == "w2"].pivot_table(index="sampler", columns="nfe", values="value").round(3)
)
