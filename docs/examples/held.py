"""What the network was held to, and how large its excess loss is by noise level."""

import pandas as pd

print(pd.read_csv("trained/results/claims.csv").iloc[:, :5].to_string(index=False))
print(pd.read_csv("trained/results/excess.csv").head(4).to_string(index=False))
