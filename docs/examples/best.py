"""The whole error of each sampler at each number of evaluations."""

import pandas as pd

rows = pd.read_csv("results/measurements.csv")
rows = rows[(rows.metric == "w2") & (rows.source == "all")]
print(rows.pivot(index="sampler", columns="nfe", values="value").round(3))
