"""All states come out, stacked; the field is called b, as in stochastic interpolants."""

import torch

BUG = None


def trajectory(b, x0, n_steps):
    states = [x0]
    for i in range(n_steps):
        v = b(states[-1], torch.tensor(i / n_steps, dtype=torch.float64))
        states.append(states[-1] + (0.9 * v if i == BUG else v) / n_steps)
    return torch.stack(states)
