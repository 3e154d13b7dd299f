"""Networks F(z, λ): the state and the log-SNR in, a prediction of the state's shape out.

The level enters as λ = log(α²/σ²), one number a row. What the network returns is the study's
`prediction`; its input comes normalised (`loop.normalise`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from dfbench.errors import Unusable
from dfbench.loading import CodeName, load_module
from dfbench.training.mixtures import Shape


class Fourier(nn.Module):
    """sin and cos of ω λ, ω from 1/32 to 2 in geometric steps: λ from −20 to 20 is resolved."""

    def __init__(self, features: int) -> None:
        super().__init__()
        omega = torch.logspace(-5, 1, features, base=2.0)
        self.register_buffer("omega", omega, persistent=False)
        self.size = 2 * features

    def forward(self, log_snr: Tensor) -> Tensor:
        angle = log_snr[:, None] * cast(Tensor, self.omega)
        return torch.cat([angle.sin(), angle.cos()], dim=1)


class MLP(nn.Module):
    """A residual perceptron; every block is told λ."""

    def __init__(self, dim: int, width: int, depth: int, features: int) -> None:
        super().__init__()
        self.fourier = Fourier(features)
        self.levels = nn.Linear(self.fourier.size, depth * width)
        self.start = nn.Linear(dim, width)
        self.inner = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.stop = nn.Linear(width, dim)
        nn.init.zeros_(self.stop.weight)
        nn.init.zeros_(self.stop.bias)

    def forward(self, z: Tensor, log_snr: Tensor) -> Tensor:
        levels = self.levels(self.fourier(log_snr)).chunk(len(self.inner), dim=1)
        h = self.start(z.flatten(1))
        for told, layer in zip(levels, self.inner, strict=True):
            h = h + layer(nn.functional.silu(h + told))
        out: Tensor = self.stop(nn.functional.silu(h))
        return out.reshape(z.shape)


class OfTimesteps(nn.Module):
    """A network of diffusers: it takes a number for the timestep and gets 25 λ.

    Its features are sines of frequencies from 1 down to 1e-4, made for 0 … 1000: λ from −20 to 20
    takes up as much of them.
    """

    def __init__(self, model: nn.Module, **fixed: int) -> None:
        super().__init__()
        self.model, self.fixed = model, fixed

    def forward(self, z: Tensor, log_snr: Tensor) -> Tensor:
        labels = {
            name: torch.full((len(z),), value, device=z.device, dtype=torch.long)
            for name, value in self.fixed.items()
        }
        return cast(Tensor, self.model(z, 25 * log_snr, return_dict=False, **labels)[0])


def mlp(shape: Shape, *, width: int = 128, depth: int = 3, features: int = 8) -> nn.Module:
    """A residual perceptron on the flattened point."""
    _positive(width=width, depth=depth, features=features)
    return MLP(math.prod(shape), width, depth, features)


def unet(
    shape: Shape,
    *,
    channels: tuple[int, ...] = (64, 128),
    layers: int = 2,
    attention: tuple[bool, ...] = (),
    head: int = 16,
    groups: int = 8,
    dropout: float = 0.0,
) -> nn.Module:
    """diffusers' UNet2DModel (HO; SDE): one resolution for each entry of `channels`.

    Args:
        channels: of each resolution, multiples of `groups`.
        layers: residual blocks of each.
        attention: whether each attends; by default the coarsest does.
        head: channels of an attention head.
        groups: of the group norms.
        dropout: in the residual blocks.
    """
    c, side = _image(shape)
    _positive(layers=layers, head=head, groups=groups)
    attention = attention or (*[False] * (len(channels) - 1), True)
    if not channels or len(attention) != len(channels):
        raise ValueError("attention must have as many entries as channels")
    if any(width % groups or width < 1 for width in channels):
        raise ValueError(f"channels must be multiples of groups = {groups}, got {channels}")
    if side % 2 ** (len(channels) - 1):
        raise ValueError(f"{side} pixels cannot be halved {len(channels) - 1} times")
    from_diffusers = _diffusers()
    model = from_diffusers.UNet2DModel(
        sample_size=side,
        in_channels=c,
        out_channels=c,
        down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attention),
        up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in attention[::-1]),
        block_out_channels=channels,
        layers_per_block=layers,
        attention_head_dim=head,
        norm_num_groups=groups,
        dropout=dropout,
    )
    return OfTimesteps(model)


def dit(
    shape: Shape,
    *,
    patch: int = 2,
    layers: int = 6,
    heads: int = 4,
    head: int = 32,
    dropout: float = 0.0,
) -> nn.Module:
    """diffusers' DiT (Peebles and Xie, arXiv 2212.09748), heads · head wide, without classes."""
    c, side = _image(shape)
    _positive(patch=patch, layers=layers, heads=heads, head=head)
    if side % patch:
        raise ValueError(f"{side} pixels are not a multiple of patch = {patch}")
    model = _diffusers().DiTTransformer2DModel(
        num_attention_heads=heads,
        attention_head_dim=head,
        in_channels=c,
        out_channels=c,
        num_layers=layers,
        dropout=dropout,
        sample_size=side,
        patch_size=patch,
        num_embeds_ada_norm=1,
    )
    # Label 1 of 1 class is the one that it learns for "no class", with or without label dropout.
    return OfTimesteps(model, class_labels=1)


def user(shape: Shape, *, name: CodeName, **options: Any) -> nn.Module:
    """A user's own: `path/to/file.py:NAME` or `package.module:NAME`.

    NAME is a torch.nn.Module, or a class or function that makes one of the options (and of the
    shape of a point, if it has an argument `shape`); called as `module(z, log_snr)`.
    """
    where, colon, attribute = name.rpartition(":")
    if not (colon and where and attribute):
        raise ValueError(f"name must be path/to/file.py:NAME or package.module:NAME, got {name!r}")
    module = load_module(where)
    if not hasattr(module, attribute):
        raise Unusable(f"{where} has no {attribute}")
    made = getattr(module, attribute)
    if not isinstance(made, nn.Module):
        try:
            if "shape" in inspect.signature(made).parameters:
                options = {"shape": shape} | options
            made = made(**options)
        except Exception as error:
            raise Unusable(f"{name} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(made, nn.Module):
        raise Unusable(f"{name} is not a torch.nn.Module and does not make one")
    return made


KINDS: dict[str, Callable[..., nn.Module]] = {"mlp": mlp, "unet": unet, "dit": dit, "user": user}
"""Kind → function of the shape of a point and its options."""


def check(module: nn.Module, shape: Shape, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse a module that does not map a batch of states to their shape.

    Raises:
        Unusable: it raises, or returns something else.
    """
    z = torch.zeros((2, *shape), device=device, dtype=dtype)
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            out = module(z, torch.zeros(2, device=device, dtype=dtype))
    except Exception as error:
        raise Unusable(
            f"[model] module(z, log_snr) with z of shape {tuple(z.shape)} and log_snr of shape "
            f"(2,) raised {type(error).__name__}: {error}"
        ) from error
    finally:
        module.train(training)
    if not isinstance(out, Tensor) or out.shape != z.shape:
        got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise Unusable(f"[model] must return a tensor of the state's shape {z.shape}, got {got}")


def _image(shape: Shape) -> tuple[int, int]:
    if len(shape) != 3 or shape[1] != shape[2]:
        raise ValueError(f"needs square images (c, h, h), the data has shape {shape}")
    return shape[0], shape[1]


def _positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def _diffusers() -> Any:
    try:
        import diffusers
    except ImportError as error:
        raise Unusable(
            "U-Net and DiT are those of diffusers, which is not installed "
            "(pip install 'dfbench[train]')"
        ) from error
    return diffusers
