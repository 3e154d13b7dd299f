"""Reading tables out of torch code: hand-written samplers against the reference methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dfbench.draws import GaussianDraws
from dfbench.errors import SubjectError
from dfbench.levels import Grid, Level
from dfbench.readout import Call, Reading, read_out
from dfbench.samplers import METHODS

T = torch.Tensor
Draw = Callable[[T, torch.Generator | None], T]


def vp(n: int, clean: bool = False) -> Grid:
    r = np.geomspace(6.0, 0.1, n + 1)
    alpha, sigma = 1 / np.hypot(1, r), r / np.hypot(1, r)
    return Grid(np.append(alpha, 1.0), np.append(sigma, 0.0)) if clean else Grid(alpha, sigma)


class Hand:
    """A run written by hand: `loop(network, z, grid, generator)`, the network told the level."""

    sigma_data = None

    def __init__(self, loop: Callable[..., T], n: int = 5, prediction: str = "eps") -> None:
        self.loop, self.n, self.prediction, self.grid = loop, n, prediction, vp(n)

    def __call__(self, model: Any, z: T, generator: torch.Generator | None = None) -> T:
        count = -1

        def network(state: T, level: Level) -> T:
            nonlocal count
            count += 1
            out: T = model(state, Call(level.ratio, level, level, count))
            return out

        return self.loop(network, z, self.grid, generator)


def ddim(draw: Draw | None = None, clip: float | None = None, cast: Any = None) -> Any:
    """DDIM in ε, with η = 1 where it draws."""

    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        for t, s in grid.steps():
            if cast is not None:
                z = cast(z)
            eps = network(z, t)
            x = (z - t.sigma * eps) / t.alpha
            if clip is not None:
                x = x.clamp(-clip, clip)
                eps = (z - t.alpha * x) / t.sigma
            fresh = 0.0
            if draw is not None:
                fresh = (1 - (t.alpha / s.alpha) ** 2) ** 0.5 * s.sigma / t.sigma
            z = s.alpha * x + (s.sigma**2 - fresh**2) ** 0.5 * eps
            if draw is not None:
                z = z + fresh * draw(z, generator)
        return z

    return loop


def read(loop: Callable[..., T], **options: Any) -> Reading:
    return read_out(lambda: Hand(loop), **options)


def difference(reading: Reading, name: str, **options: Any) -> float:
    table = METHODS[name].table(vp(5), "eps", **options)
    return float(reading.table.gaps(table).max())


# Tables ---------------------------------------------------------------------------------------


def test_ddim_is_read() -> None:
    reading = read(ddim())
    assert difference(reading, "ddim") < 1e-14
    assert reading.violated_at is None
    assert reading.offset == 0
    assert reading.draws == reading.other_random == ()
    assert [call.step for call in reading.calls] == reading.steps == [0, 1, 2, 3, 4]
    assert reading.table.prediction == "eps"
    assert [call.own for call in reading.calls] == list(vp(5))[:-1]


def test_levels_told_are_kept_apart_from_those_of_the_state() -> None:
    class Misinformed(Hand):
        def __call__(self, model: Any, z: T, generator: Any = None) -> T:
            def network(state: T, level: Level) -> T:
                out: T = model(state, Call(0.0, Level(0.5, 0.5), level, 0))
                return out

            return self.loop(network, z, self.grid, generator)

    reading = read_out(lambda: Misinformed(ddim()))
    assert list(reading.table.levels) == list(vp(5))
    assert list(reading.told.levels) == [Level(0.5, 0.5)] * 5 + [vp(5)[5]]
    assert (reading.told.rows == reading.table.rows).all()


@pytest.mark.parametrize("amplitude", [1.0, 1e-6, 32.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_neither_amplitude_nor_probes_matter(amplitude: float, seed: int) -> None:
    reading = read(ddim(), amplitude=amplitude, seed=seed)
    assert difference(reading, "ddim") < 1e-14
    assert reading.violated_at is None


def test_a_state_of_one_input_is_affine() -> None:
    """What is left of the others is round-off, which no probe may take for a violation."""

    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        for t in list(grid)[:-1]:
            z = 0.7 * z + network(z, t) - 0.3 * z - 0.4 * z
        return z

    for seed in range(150):
        reading = read(loop, seed=seed)
        assert reading.violated_at is None
        assert reading.superposition < 1e-12


# Draws ----------------------------------------------------------------------------------------


def _out(z: T, g: Any) -> T:
    made = torch.empty_like(z)
    torch.randn(z.shape, generator=g, out=made)
    return made


def _normal_out(z: T, g: Any) -> T:
    made = torch.empty_like(z)
    torch.normal(torch.zeros_like(z), torch.ones_like(z), generator=g, out=made)
    return made


SEEDED: dict[str, Draw] = {
    "randn": lambda z, g: torch.randn(z.shape, generator=g, dtype=z.dtype),
    "randn, sizes one by one": lambda z, g: torch.randn(*z.shape, generator=g, dtype=z.dtype),
    "randn(out=)": _out,
    "normal_": lambda z, g: torch.empty_like(z).normal_(generator=g),
    "normal_ of another law": lambda z, g: (
        (torch.empty_like(z).normal_(1.5, 2.0, generator=g) - 1.5) / 2
    ),
    "normal_ by keyword": lambda z, g: (
        (torch.empty_like(z).normal_(std=2.0, mean=1.5, generator=g) - 1.5) / 2
    ),
    "normal_, mean alone": lambda z, g: torch.empty_like(z).normal_(3.0, generator=g) - 3,
    "normal of numbers": lambda z, g: (
        (torch.normal(2.0, 3.0, z.shape, generator=g, dtype=z.dtype) - 2) / 3
    ),
    "normal of tensors": lambda z, g: (
        (torch.normal(torch.full_like(z, 2), torch.full_like(z, 3), generator=g) - 2) / 3
    ),
    "normal of a mean": lambda z, g: torch.normal(torch.ones_like(z), generator=g) - 1,
    "normal of a mean and a number": lambda z, g: (
        (torch.normal(torch.ones_like(z), 4.0, generator=g) - 1) / 4
    ),
    "normal of a spread": lambda z, g: torch.normal(0.0, torch.full_like(z, 2), generator=g) / 2,
    "normal(out=)": _normal_out,
    "float32": lambda z, g: torch.randn(z.shape, generator=g, dtype=torch.float32).to(z.dtype),
    "float16": lambda z, g: torch.randn(z.shape, generator=g, dtype=torch.float16).to(z.dtype),
    "a number a row": lambda z, g: torch.randn(len(z), generator=g, dtype=z.dtype).reshape(
        -1, 1, 1, 1
    ),
    "more than is used": lambda z, g: torch.randn((len(z), 3, 2, 2), generator=g, dtype=z.dtype)[
        :, :1, :1, :1
    ],
}
UNSEEDED: dict[str, Draw] = {
    "randn": lambda z, g: torch.randn(z.shape, dtype=z.dtype),
    "randn_like": lambda z, g: torch.randn_like(z),
    "normal_": lambda z, g: torch.empty_like(z).normal_(),
    "distributions": lambda z, g: torch.distributions.Normal(
        torch.zeros_like(z), torch.ones_like(z)
    ).sample(),
    "another generator": lambda z, g: torch.randn(
        z.shape, generator=torch.Generator().manual_seed(4), dtype=z.dtype
    ),
    "nn.init": lambda z, g: torch.nn.init.normal_(torch.empty_like(z)),
}
EVERY = [(name, draw, True) for name, draw in SEEDED.items()] + [
    (name, draw, False) for name, draw in UNSEEDED.items()
]


@pytest.mark.parametrize(
    ("draw", "seeded"),
    [case[1:] for case in EVERY],
    ids=[f"{name} {'' if seeded else 'un'}seeded" for name, _, seeded in EVERY],
)
def test_every_kind_of_draw_is_substituted(draw: Draw, seeded: bool) -> None:
    reading = read(ddim(draw))
    assert reading.violated_at is None
    assert reading.offset < 1e-15
    assert difference(reading, "ddim", eta=1.0) < 1e-14
    assert len(reading.draws) == 5
    assert all(d.seeded is seeded and d.per_row for d in reading.draws)
    assert reading.table.noise_cov is None


def test_a_draw_that_rows_share_is_reported() -> None:
    draw: Draw = lambda z, g: torch.randn((1, *z.shape[1:]), generator=g, dtype=z.dtype)  # noqa: E731
    reading = read(ddim(draw))
    assert [d.per_row for d in reading.draws] == [False] * 5
    assert reading.table.n_draws == 0


def test_other_random_operations_are_named() -> None:
    def draw(z: T, g: Any) -> T:
        return torch.rand(z.shape, generator=g, dtype=z.dtype) + torch.bernoulli(0.5 + 0 * z)

    reading = read(ddim(draw))
    assert set(reading.other_random) == {"rand", "bernoulli"}
    assert reading.offset > 0


def test_draws_come_in_the_order_in_which_they_are_made() -> None:
    """Draws before, between and after the evaluations; some never used."""

    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        one, _, three = torch.randn((3, *z.shape), generator=generator, dtype=z.dtype), 0, 0
        del one, three
        first = torch.randn_like(z)
        z = z + 2 * first
        m = network(z, grid[0])
        second, third = torch.randn_like(z), torch.randn_like(z)
        return 3 * z + 5 * m + 7 * third + 0 * second

    reading = read(loop)
    assert reading.table.rows.tolist() == [[1, 0, 2, 0, 0], [3, 5, 6, 0, 7]]
    assert [d.per_row for d in reading.draws] == [False, True, True, True]


def test_brownian_increments_keep_their_covariance() -> None:
    torchsde: Any = pytest.importorskip("torchsde")

    ways: list[Callable[[T], Any]] = [
        lambda z: torchsde.BrownianInterval(0.0, 4.0, size=z.shape, dtype=z.dtype, entropy=3),
        lambda z: torchsde.BrownianInterval(0.0, 4.0, z.shape, dtype=z.dtype),
        lambda z: torchsde.BrownianInterval(
            t0=torch.tensor(0.0), t1=torch.tensor(4.0), size=z.shape, dtype=z.dtype
        ),
        lambda z: torchsde.BrownianPath(0.0, torch.zeros_like(z)),
        lambda z: torchsde.BrownianPath(t0=0.0, w0=torch.zeros_like(z)),
        lambda z: torchsde.BrownianTree(0.0, torch.zeros_like(z), 4.0, entropy=3),
        lambda z: torchsde.BrownianTree(t0=0.0, w0=torch.zeros_like(z), t1=torch.tensor(4.0)),
    ]
    for way in ways:

        def loop(network: Any, z: T, grid: Grid, generator: Any, way: Any = way) -> T:
            path = way(z)
            z = z + path(1.0, 2.0)
            z = z + network(z, grid[0])
            return z + path(0.0, 4.0) + path(3.0, 3.0) + 3 * torch.randn_like(z)

        table = read(loop).table
        assert table.rows.tolist() == [[1, 0, 1, 0, 0], [1, 1, 1, 2, 3]]
        expected = [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]
        assert table.covariance == pytest.approx(np.array(expected))
    for name in ("BrownianInterval", "BrownianTree", "BrownianPath"):  # put back
        assert getattr(torchsde, name).__module__.startswith("torchsde")


def test_shared_draws_have_no_place_in_the_covariance() -> None:
    torchsde: Any = pytest.importorskip("torchsde")

    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        path = torchsde.BrownianInterval(0.0, 4.0, size=z.shape, dtype=z.dtype)
        torch.randn(1)
        return z + path(0, 1) + network(z, grid[0]) + torch.randn(1) + path(0, 4)  # type: ignore[no-any-return]

    table = read(loop).table
    assert table.covariance == pytest.approx(np.array([[1, 0.5], [0.5, 1]]))


def test_values_of_a_brownian_path() -> None:
    torchsde: Any = pytest.importorskip("torchsde")

    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        path = torchsde.BrownianTree(1.0, z, 9.0)
        return path(5.0) + network(z, grid[0])  # type: ignore[no-any-return]

    reading = read(loop)
    assert reading.table.rows.tolist() == [[1, 0, 0], [1, 1, 2]]
    assert [d.span for d in reading.draws] == [(1.0, 5.0)]


def test_the_brownian_reference_is_read_as_it_is_written() -> None:
    pytest.importorskip("torchsde")
    from dfbench.subjects.reference import MethodSampler

    subject = MethodSampler("dpmpp_sde")
    for n in (2, 5):
        session = subject.session(n)
        table = subject.affine_reading(n).table.normal_draws()
        expected = METHODS["dpmpp_sde"].table(session.grid, "eps").normal_draws()
        assert table.gaps(expected).max() < 1e-12
        assert table.covariance == pytest.approx(expected.covariance, abs=1e-12)


# Random state ---------------------------------------------------------------------------------


def test_random_state_is_left_alone() -> None:
    """Also where the run is broken off, and where the sampler seeds everything."""

    def seeds(z: T, g: Any) -> T:
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        return torch.randn_like(z)

    def breaks(network: Any, z: T, grid: Grid, generator: Any) -> T:
        torch.randn_like(z)
        raise SubjectError("broken")

    torch.manual_seed(77)
    np.random.seed(77)  # noqa: NPY002
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    read(ddim(seeds))
    read(ddim(UNSEEDED["randn_like"]), capacity=2)
    with pytest.raises(SubjectError, match="broken"):
        read(breaks)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002


def test_gradients_are_off() -> None:
    seen: list[bool] = []

    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        seen.append(torch.is_grad_enabled())
        return network(z, grid[0])  # type: ignore[no-any-return]

    read(loop)
    assert seen == [False]
    assert torch.is_grad_enabled()


# What is not affine, or breaks ----------------------------------------------------------------


def test_clipping_is_found_and_avoided() -> None:
    at_one = read(ddim(clip=1.0))
    assert at_one.violated_at == 1  # the first state that a clipped x̂ enters
    assert at_one.superposition > 1e-3
    small = read(ddim(clip=1.0), amplitude=1e-6)
    assert small.violated_at is None
    assert difference(small, "ddim") < 1e-12


@pytest.mark.parametrize("step", range(5))
def test_the_step_that_is_not_affine_is_found(step: int) -> None:
    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        for i, t in enumerate(list(grid)[:-1]):
            m = network(z, t)
            z = 0.9 * z + 0.1 * (m * m.abs() if i == step else m)
        return z

    assert read(loop).superposition > 1e-3
    for amplitude in (1.0, 1e-6):
        assert read(loop, amplitude=amplitude).violated_at == step + 1


def test_a_constant_is_found() -> None:
    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        return network(z, grid[0]) + z + 0.25  # type: ignore[no-any-return]

    reading = read(loop)
    assert reading.offset == 0.25
    assert reading.table.rows.tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize(("at", "place"), [(2, "the state at evaluation 2"), (5, "the sample")])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_named(at: int, place: str, value: float) -> None:
    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        for i, t in enumerate(list(grid)[:-1]):
            z = z + network(z * (value if i == at else 1), t)
        return z * (value if at == 5 else 1)

    with pytest.raises(SubjectError, match=f"^{place} of 5 steps is not finite$"):
        read(loop)


@pytest.mark.parametrize(
    "loop",
    [
        lambda network, z, grid, g: torch.cat([z, z], dim=1),
        lambda network, z, grid, g: z[:-1],
        lambda network, z, grid, g: z.mean(),
    ],
)
def test_a_sample_of_another_shape(loop: Any) -> None:
    with pytest.raises(SubjectError, match="the sample has shape"):
        read(loop)


def test_errors_of_the_sampler_come_through() -> None:
    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        read(loop)


# Size and precision ---------------------------------------------------------------------------


def test_as_many_inputs_as_there_are() -> None:
    """Six evaluations and six draws a step are more than are provided for."""

    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        for t in list(grid)[:-1]:
            for _ in range(6):
                z = 0.5 * z + 0.25 * network(z, t) + 0.125 * torch.randn_like(z)
        return z

    made = []

    def session() -> Hand:
        made.append(1)
        return Hand(loop)

    reading = read_out(session)
    assert (reading.table.nfe, reading.table.n_draws) == (30, 30)
    assert len(made) == 3  # 28 rows, 56, 112
    weights = 0.5 ** np.arange(29, -1, -1)
    assert reading.table.rows[-1, 0] == 0.5**30
    assert reading.table.B[-1].tolist() == (0.25 * weights).tolist()
    assert reading.table.C[-1].tolist() == (0.125 * weights).tolist()
    assert read_out(lambda: Hand(loop), capacity=1).table.rows.tolist() == (
        reading.table.rows.tolist()
    )


CASTS: dict[str, Callable[[T], T]] = {
    "to": lambda z: z.to(torch.float32),
    "float": lambda z: z.float(),
    "type": lambda z: z.type(torch.float32),
    "and back": lambda z: z.float().double(),
}


@pytest.mark.parametrize("cast", CASTS.values(), ids=CASTS)
def test_single_precision_is_seen_through(cast: Callable[[T], T]) -> None:
    reading = read(ddim(cast=cast))
    assert reading.single
    assert reading.violated_at is None
    assert difference(reading, "ddim") < 1e-14
    assert not read(ddim()).single


def test_what_is_no_state_is_rounded_as_it_is() -> None:
    third = torch.tensor([1 / 3], dtype=torch.float64)

    def loop(network: Any, z: T, grid: Grid, generator: Any) -> T:
        return z + third.to(torch.float32).item() * network(z, grid[0])  # type: ignore[no-any-return]

    reading = read(loop)
    assert reading.table.rows[1, 1] == np.float32(1 / 3)
    assert not reading.single


def test_half_precision_is_not_mistaken_for_exact() -> None:
    reading = read(ddim(cast=lambda z: z.half().double()))
    assert not reading.single
    assert difference(reading, "ddim") > 1e-5


def test_without_a_watch() -> None:
    assert difference(read(ddim(), watch=False), "ddim") < 1e-14
    drawn = read(ddim(UNSEEDED["randn_like"]), watch=False)
    assert drawn.violated_at is not None


def test_draws_can_be_watched_without_being_changed() -> None:
    seen: list[tuple[str, bool]] = []

    def keep(operation: str, out: T, seeded: bool) -> T:
        seen.append((operation, seeded))
        return out

    generator = torch.Generator().manual_seed(5)
    expected = torch.randn(3, generator=generator) + torch.empty(3).normal_(
        2.0, 3.0, generator=generator
    )
    generator.manual_seed(5)
    with GaussianDraws(keep, generator):
        got = torch.randn(3, generator=generator)
        got = got + torch.empty(3).normal_(2.0, 3.0, generator=generator)
    assert torch.allclose(got, expected, rtol=1e-6)
    assert seen == [("randn", True), ("normal_", True)]
