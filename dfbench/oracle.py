"""The fields of a Gaussian mixture in torch, for large targets and on accelerators.

The closed forms are those of `analytic`, which they are held to and share no code with. With
`z = α x + σ ε`, per component `v = α² s + σ²` in its eigenbasis and responsibilities r_k,

    E[x|z] = Σ_k r_k (μ_k + α s_k/v_k (z − α μ_k)),   ε̂ = (z − α E[x|z])/σ,   score = −ε̂/σ.

Distances come from one matrix product, |z − α μ|² = |z|² − 2 α z·μ + α² |μ|², centred on the mean
of the mixture. That loses digits where σ is small beside the spread of the means: a logit is off by
up to 4 u (|z|² + α² |μ|²)/v, so that logits are computed in double precision whatever the dtype
(u = 1.1e-16); only then are they rounded. What is multiplied by them stays in the dtype.

Sources: HE, SU (the path and its marginals), VIN (Tweedie).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from analytic import GaussianMixture

BLOCK = 1 << 25  # numbers of a temporary: 256 MiB in double precision


class TorchMixture(torch.nn.Module):
    """A mixture of any covariance on a device.

    Args:
        mixture: of which the fields are.
        dtype: of the states, and of what is returned: float32 or float64.
        device: where everything lies.

    Raises:
        ValueError: the dtype is another.
    """

    log_weights: Tensor
    center: Tensor
    means: Tensor
    spectra: Tensor
    bases: Tensor | None

    def __init__(
        self,
        mixture: GaussianMixture,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(f"dtype must be float32 or float64, got {dtype}")
        self.dtype = dtype

        def kept(values: object) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float64, device=device)

        spectra = kept(mixture.spectra)
        round_ = mixture.bases is None and bool((spectra == spectra[:, :1]).all())
        center = kept(mixture.mean)
        self.register_buffer("log_weights", kept(mixture.weights).log())
        self.register_buffer("center", center)
        self.register_buffer("means", kept(mixture.means) - center)
        self.register_buffer("spectra", spectra[:, :1] if round_ else spectra)
        self.register_buffer("bases", None if mixture.bases is None else kept(mixture.bases))

    def posterior_mean(self, z: Tensor, alpha: float, sigma: float) -> Tensor:
        """E[x|z] of states (n, d) at a level, (n, d).

        Raises:
            ValueError: the level is none, or z has another shape or dtype.
        """
        return torch.cat([x for x, _ in self._blocks(z, alpha, sigma)])

    def posterior_eps(self, z: Tensor, alpha: float, sigma: float) -> Tensor:
        """E[ε|z] = (z − α E[x|z])/σ, (n, d); σ > 0."""
        if not sigma > 0:
            raise ValueError(f"sigma must be positive, got {sigma}")
        return (z - alpha * self.posterior_mean(z, alpha, sigma)) / sigma

    def score(self, z: Tensor, alpha: float, sigma: float) -> Tensor:
        """∇ log p(z) = −E[ε|z]/σ, (n, d); σ > 0."""
        return -self.posterior_eps(z, alpha, sigma) / sigma

    def log_density(self, z: Tensor, alpha: float, sigma: float) -> Tensor:
        """log p(z), (n,), in double precision."""
        return torch.cat([log for _, log in self._blocks(z, alpha, sigma)])

    def _blocks(self, z: Tensor, alpha: float, sigma: float) -> Iterator[tuple[Tensor, Tensor]]:
        if not (0 <= alpha < math.inf and 0 <= sigma < math.inf and alpha + sigma > 0):
            raise ValueError(f"no level: alpha = {alpha}, sigma = {sigma}")
        size, dim = self.means.shape
        if z.ndim != 2 or z.shape[1] != dim or z.dtype != self.dtype:
            raise ValueError(
                f"states must be (n, {dim}) of {self.dtype}, got {tuple(z.shape)} of {z.dtype}"
            )
        if not bool((alpha**2 * self.spectra + sigma**2 > 0).all()):
            raise ValueError("at sigma = 0 a component without variance has no density")
        each = max(1, BLOCK // max(size, dim))
        for block in torch.split(z, each):
            yield self._fields(block, alpha, sigma)

    def _fields(self, z: Tensor, alpha: float, sigma: float) -> tuple[Tensor, Tensor]:
        """E[x|z] and log p(z) of a block."""
        dim = self.means.shape[1]
        v = alpha**2 * self.spectra + sigma**2  # (K, 1) or (K, d)
        y = z.double() - alpha * self.center
        square = self._square(y, alpha, v)
        log_v = v.log().sum(1) * (dim / v.shape[1])
        logits = self.log_weights - 0.5 * (square + log_v + dim * math.log(2 * math.pi))
        log_density = torch.logsumexp(logits, 1)
        r = (logits - log_density[:, None]).exp()
        gain, rest = alpha * self.spectra / v, sigma**2 / v
        if self.bases is not None:
            return self._rotated(y, r, gain, rest), log_density
        r, y, mu = r.to(self.dtype), y.to(self.dtype), self.means.to(self.dtype)
        gain, rest = gain.to(self.dtype), rest.to(self.dtype)
        x = (r @ gain) * y + (r @ (rest * mu) if v.shape[1] > 1 else (r * rest[:, 0]) @ mu)
        return x + self.center.to(self.dtype), log_density

    def _square(self, y: Tensor, alpha: float, v: Tensor) -> Tensor:
        """|z − α μ|²/v, (n, K), by matrix products."""
        mu = alpha * self.means
        if self.bases is None and v.shape[1] == 1:
            product = y @ mu.T
            whole = (y * y).sum(1, keepdim=True) - 2 * product + (mu * mu).sum(1)
            return (whole / v[:, 0]).clamp(min=0)
        if self.bases is None:
            whole = (y * y) @ (1 / v).T - 2 * y @ (mu / v).T + (mu * mu / v).sum(1)
            return whole.clamp(min=0)
        columns = []
        for k in range(len(v)):  # rotated, nothing large is subtracted
            c = (y - mu[k]) @ self.bases[k]
            columns.append((c * c / v[k]).sum(1))
        return torch.stack(columns, 1)

    def _rotated(self, y: Tensor, r: Tensor, gain: Tensor, rest: Tensor) -> Tensor:
        """E[x|z] of full covariances, a component at a time."""
        assert self.bases is not None
        x = torch.zeros_like(y)
        for k, basis in enumerate(self.bases):
            mean = (gain[k] * (y @ basis) + rest[k] * (self.means[k] @ basis)) @ basis.T
            x += r[:, k : k + 1] * mean
        return (x + self.center).to(self.dtype)
