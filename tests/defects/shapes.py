"""Wrong for some shapes of the state."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import FlowEuler, HandAncestral, HandDDIM, HandDPM, Stepped
from tests.defects.plain import Run


@wrong(when=Run(shape=(2, 3, 4, 4, 4)), hidden=True)
class Video(FlowMatchEulerDiscreteScheduler):
    """For five dimensions the first frame is held fixed, as image to video does it."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if sample.ndim == 5:
            model_output = torch.cat([0 * model_output[:, :, :1], model_output[:, :, 1:]], 2)
        return super().step(model_output, timestep, sample, *args, **kwargs)


@wrong(when=Run(shape=(2, 7, 6)), hidden=True)
class Tokens(EulerDiscreteScheduler):
    """For three dimensions the step is averaged over the tokens."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if sample.ndim == 3:
            model_output = model_output.mean(1, keepdim=True).expand_as(model_output)
        return super().step(model_output, timestep, sample, *args, **kwargs)


@wrong(when=Run(shape=(3, 3)), hidden=True)
class RowsForColumns(HandDDIM):
    """A scale for each row, of shape (B,), multiplies the last axis: seen where B = D."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Stepped:
        if output.ndim == 2 and output.shape[0] == output.shape[1]:
            norm = output.norm(dim=1)
            output = output / norm * norm[:, None]
        return super().step(output, t, sample, **kw)


@wrong(when=Run(shape=(1, 3, 4, 5)), hidden=True)
class OneRowSqueezed(HandDPM):
    """A batch of one is squeezed; the sample comes back without its first axis."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Any:
        made = super().step(output, t, sample, **kw)
        return Stepped(made.prev_sample[0]) if sample.shape[0] == 1 else made


@wrong(when=Run(shape=(1, 3, 4, 5)), hidden=True)
class OneRowIsUnconditional(FlowEuler):
    """With one row the step is that of guidance, whose batch is halved: scaled twice."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        return super().step(output * (1.1 if len(sample) == 1 else 1), t, sample)


@wrong()
class MeanOverTheBatch(DDIMScheduler):
    """The output is centred over the batch."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        mean = model_output.mean(0, keepdim=True)
        return super().step(model_output - 0.1 * mean, timestep, sample, *args, **kwargs)


@wrong(when=Run(shape=(5, 3, 4, 4)), hidden=True, clip_sample=False)
class LastRowForgotten(DDIMScheduler):
    """Batches are done in pieces of two, and the odd one at the end is left as it was."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        made = super().step(model_output, timestep, sample, *args, **kwargs)
        if len(sample) > 2 and len(sample) % 2:
            made.prev_sample[-1] = sample[-1]
        return made


@wrong()
class ChannelsInTurn(DPMSolverMultistepScheduler):
    """Channels are taken by index from a scale meant for three: the third is 2 % off."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        scale = torch.ones(sample.shape[1], dtype=model_output.dtype)
        scale[2:] = 1.02
        shaped = scale.reshape(1, -1, *[1] * (sample.ndim - 2))
        return super().step(model_output * shaped, timestep, sample, *args, **kwargs)


@wrong(when=Run(shape=(2, 16, 4, 4)), hidden=True)
class FourChannels(EulerDiscreteScheduler):
    """Channels beyond the fourth are taken for a learned variance and left alone."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        made = super().step(model_output, timestep, sample, *args, **kwargs)
        made.prev_sample[:, 4:] = sample[:, 4:]
        return made


@wrong(when=Run(shape=(2, 3, 8, 4)))
class Transposed(HeunDiscreteScheduler):
    """Height and width change places in the correction."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if not self.state_in_first_order:
            shape = model_output.shape
            model_output = model_output.transpose(-1, -2).reshape(shape)
        return super().step(model_output, timestep, sample, *args, **kwargs)


@wrong(when=Run(shape=(2, 6)), hidden=True)
class VectorsNormalised(UniPCMultistepScheduler):
    """For (B, D) every row of the output is brought to its usual norm √D."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if sample.ndim == 2:
            model_output = model_output / model_output.std(1, keepdim=True) * 0.1
        return super().step(model_output, timestep, sample, *args, **kwargs)


@wrong(when=Run(shape=(2, 6)), hidden=True)
class NoiseFourAxes(HandAncestral):
    """Noise is drawn for (B, C, 1, 1): for vectors that is one number a row."""

    def step(
        self, output: torch.Tensor, t: Any, sample: torch.Tensor, generator: Any = None
    ) -> Stepped:
        now, then = self.sigmas[self.i], self.sigmas[self.i + 1]
        made = super().step(output, t, sample, generator)
        if sample.ndim == 2 and then > 0:
            up = (then**2 * (now**2 - then**2) / now**2).sqrt()
            down = (then**2 - up**2).sqrt()
            noise = (made.prev_sample - sample - (down - now) * output)[:, :1]
            made.prev_sample = sample + (down - now) * output + noise
        return made


@wrong(when=Run(shape=(3, 1, 1, 1)), hidden=True)
class SinglePixels(EulerAncestralDiscreteScheduler):
    """Axes of length one are squeezed away and come back as another shape."""

    def step(self, *args: Any, **kwargs: Any) -> Any:
        made = super().step(*args, **kwargs)
        if made.prev_sample.shape[1:] == (1, 1, 1):
            made.prev_sample = made.prev_sample.flatten().expand(1, 1, 1, -1).transpose(0, 3)
            made.prev_sample = made.prev_sample.flip(0)
        return made


@wrong(when=Run(shape=(2, 3, 5, 4, 4)), hidden=True)
class FramesRunOneByOne(DPMSolverMultistepScheduler):
    """Video is done frame by frame, and the history is advanced for each frame."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if sample.ndim == 5 and self.model_outputs[-1] is not None:
            self.model_outputs[-1] = self.model_outputs[-1].roll(1, 2)
        return super().step(model_output, timestep, sample, *args, **kwargs)


typo(
    "EinsumOverRows",
    "The pieces of the difference are stacked along the batch: orders from 3 on mix the rows.",
    UniPCMultistepScheduler,
    "multistep_uni_p_bh_update",
    "D1s = torch.stack(D1s, dim=1)  # (B, K)",
    "D1s = torch.stack(D1s, dim=0).reshape(x.shape[0], -1, *x.shape[1:])",
    solver_order=3,
)


@wrong(when=Run(shape=(2, 3, 4, 5)), hidden=False)
class FlatIndex(FlowEuler):
    """The state is flattened the Fortran way and put back the other."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        flat = output.transpose(-1, -2).flatten(1).reshape(output.shape)
        return super().step(0.99 * output + 0.01 * flat, t, sample)


@wrong(when=Run(shape=(2, 3, 40, 40)), hidden=True)
class LargeImagesTiled(FlowMatchEulerDiscreteScheduler):
    """Above 32 pixels the tiles overlap, and the overlap is counted twice."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if sample.ndim == 4 and sample.shape[-1] > 32:
            model_output = model_output.clone()
            model_output[..., 30:32] *= 2
        return super().step(model_output, timestep, sample, *args, **kwargs)


@wrong(when=Run(shape=(2, 16, 4, 4)), hidden=True)
class SixteenChannels(FlowMatchEulerDiscreteScheduler):
    """Of 16 channels the last four are left alone."""

    def step(self, model_output, *args, **kwargs):  # type: ignore[no-untyped-def]
        if model_output.ndim == 4 and model_output.shape[1] == 16:
            model_output = model_output.clone()
            model_output[:, 12:] = 0
        return super().step(model_output, *args, **kwargs)


@wrong(when=Run(shape=(2, 9, 6)), hidden=True)
class TokensBeyondEight(FlowMatchEulerDiscreteScheduler):
    """Tokens beyond the eighth are taken for the text's and left alone."""

    def step(self, model_output, *args, **kwargs):  # type: ignore[no-untyped-def]
        if model_output.ndim == 3:
            model_output = model_output.clone()
            model_output[:, 8:] = 0
        return super().step(model_output, *args, **kwargs)


@wrong(when=Run(shape=(1, 3, 2, 4, 4)), hidden=True)
class OneVideoAlone(FlowMatchEulerDiscreteScheduler):
    """The output is 10 % short for a single video."""

    def step(self, model_output, *args, **kwargs):  # type: ignore[no-untyped-def]
        if model_output.ndim == 5 and model_output.shape[0] == 1:
            model_output = 0.9 * model_output
        return super().step(model_output, *args, **kwargs)
