"""Training real networks, and the trained network as something every other layer can use.

A study is a TOML file (`config`): data, model, objective, levels, pairs, loop. `loop.train` runs it
into a folder and resumes there; `trained.Trained.load` gives the network back.
"""
