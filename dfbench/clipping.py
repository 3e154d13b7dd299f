"""What samplers do to a predicted clean sample that leaves the range of the data.

Static: x̂ is cut at ±r. Dynamic (Imagen, 2205.11487, sec. 2.3): s is a quantile of |x̂| over all
elements of a row, but no less than 1 and no more than a maximum; x̂ is cut at ±s and divided by s.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Clipping:
    """How a sampler clips x̂.

    Attributes:
        reach: r of the static kind; None: dynamic.
        ratio, most: quantile and largest threshold of the dynamic kind.
        keeps_eps: what was predicted of the noise stays as it was (as DDIM does, unless asked), and
            is not derived anew from the state and the clipped x̂; None: either.
    """

    reach: float | None = 1.0
    ratio: float = 0.995
    most: float = 1.0
    keeps_eps: bool | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """x̂ of shape (rows, …) clipped."""
        if self.reach is not None:
            return x.clamp(-self.reach, self.reach)
        flat = x.reshape(len(x), -1)
        s = torch.quantile(flat.abs().double(), self.ratio, dim=1).clamp(1.0, max(1.0, self.most))
        s = s.to(x.dtype)[:, None]
        return (torch.minimum(torch.maximum(flat, -s), s) / s).reshape(x.shape)
