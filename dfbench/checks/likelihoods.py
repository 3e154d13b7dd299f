"""What is asked of a log-likelihood: closed forms, rows, shapes, dtypes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from analytic import GaussianMixture, log_likelihood
from dfbench.checks.cases import judge_entries
from dfbench.errors import SubjectError
from dfbench.levels import Array
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.likelihood import (
    DIM,
    IMAGE,
    STEPS,
    UNITS,
    VECTOR,
    LikelihoodSubject,
    averaged,
    gaussian,
    modes,
)

SOURCE = "SDE eq. 39; HE; CLAIMS 44"
CLOSE = 5e-3  # nats a dimension, of a run without its error of first order
SIGMAS = 6.0


def _mine(
    *,
    divergence: float = 0.0,
    bent: float = 0.0,
    mixed: float = 0.0,
    half: float = 0.0,
    image: float = 0.0,
    broken: float = 0.0,
) -> LikelihoodSubject:
    """The exact divergence along Euler steps from data to noise, with a defect."""

    def log_likelihood(model: Any, x: torch.Tensor, steps: int) -> torch.Tensor:
        total = torch.zeros(len(x), dtype=x.dtype)
        if half and x.dtype == torch.float32:
            x = x.bfloat16().to(x)
        if image and x.ndim > 2:
            x = x.transpose(-1, -2).contiguous().view_as(x)
        for k in range(steps):
            t = 1 - (k + 0.5) / steps
            with torch.enable_grad():
                z = x.detach().requires_grad_(True)
                u = model(z, t)
                flat = u.reshape(len(x), -1)
                div = torch.zeros_like(total)
                for i in range(flat.shape[1]):
                    (g,) = torch.autograd.grad(flat[:, i].sum(), z, retain_graph=True)
                    div = div + g.reshape(len(x), -1)[:, i]
            x = (x - u / steps).detach()
            total = total - (1 + divergence) * div.detach() / steps
            total = total - bent * (div.detach() - div.detach().mean()) ** 2 / steps
        prior = -0.5 * (x**2 + math.log(2 * math.pi)).flatten(1).sum(1)
        found: torch.Tensor = prior + total
        found = (1 - mixed) * found + mixed * found.mean()
        return found * (math.nan if broken else 1.0)

    claims = {"kind": "likelihood", "predicts": "velocity", "level": "flow-up"}
    return LikelihoodSubject(log_likelihood, "dfbench:log_likelihood", claims=claims)


@claim(
    "likelihood-runs",
    "Every data point has a finite log-likelihood of its own.",
    source=SOURCE,
    control=lambda size: _mine(broken=1.0),
    control_size=1.0,
    sized=False,
    kind="likelihood",
    of_the_run=True,
    core="the run",
    formula="the number of points of four that have no finite value of their own",
    remedy="Return a value a row, not the mean of the batch, and keep gradients on where the "
    "divergence is taken.",
)
def runs_check(subject: LikelihoodSubject) -> Finding:
    """Four points of a Gaussian."""
    details: dict[str, Any] = {"unit": "points without one", "derivation": "none may be"}
    try:
        found = subject.values(gaussian(), subject.points(gaussian()))
    except SubjectError as error:
        return judge(math.inf, 0, failing={"why": str(error)}, **details)
    failing = {"why": f"returns {found[:4].tolist()}"}
    return judge(int((~np.isfinite(found)).sum()), 0, failing=failing, **details)


def _against(subject: LikelihoodSubject, mixture: GaussianMixture) -> Finding:
    """Its values against the closed form, in nats a dimension.

    Where it takes a number of steps, those of n and 2n steps without the error of first order.
    """
    x = subject.points(mixture)
    exact = mixture.log_density(x, 1.0, 0.0)
    factor = UNITS[subject.unit]
    many = subject.estimates(mixture, x)
    if {"steps", "times", "sigmas"} & subject.entry.roles:
        many = 2 * subject.estimates(mixture, x, 2 * STEPS) - many
    found, error = averaged(many / factor)
    off = abs(found - exact) / DIM
    bound = CLOSE + SIGMAS * error / DIM
    j = int(np.nanargmax(np.where(np.isfinite(off), off / bound, np.inf)))
    return judge_entries(
        off,
        bound,
        unit="nats a dimension",
        derivation="what is left of 128 steps, or of an adaptive run's tolerance"
        + ("; six standard errors" if subject.drawn else ""),
        failing={
            "where": f"log p = {found[j]:.6g}, should be {exact[j]:.6g}",
            "why": _instead(mixture, x, found, exact, 4 * bound * DIM),
            "counterexample": {"x": x[j].tolist(), "log p": float(exact[j])},
        },
    )


def _instead(
    mixture: GaussianMixture, x: Array, found: Array, exact: Array, near: Array
) -> str | None:
    """The value that it has instead, of the ones that mistakes give."""
    ends = log_likelihood(mixture, x).z
    prior = -0.5 * (ends**2 + math.log(2 * math.pi)).sum(1)
    of_x = -0.5 * (x**2 + math.log(2 * math.pi)).sum(1)
    divergence = exact - prior
    known = {
        "the divergence has the other sign": prior - divergence,
        "the divergence is missing": prior,
        "the divergence is halved": prior + divergence / 2,
        "the divergence is doubled": prior + 2 * divergence,
        "the prior is missing": divergence,
        "the prior is taken at the data, not at the noise": of_x + divergence,
        "the prior lacks its constant": exact + DIM * math.log(2 * math.pi) / 2,
    }
    for words, value in known.items():
        if (abs(found - value) < near).all():
            return words
    return None


@claim(
    "likelihood-gaussian",
    "log p of a Gaussian, with its exact network, is the closed form.",
    source=SOURCE,
    control=lambda size: _mine(divergence=size),
    control_size=1e-1,
    kind="likelihood",
    core="the value",
    formula="|log p − log N(x; μ, Σ)|/d, without the error of first order in the steps",
    chance="where the divergence is estimated, six standard errors are allowed besides: one in "
    "5·10⁸ for each point",
    remedy="The finding says which value it is instead: the divergence's sign, the prior at the "
    "wrong end, a missing constant.",
)
def gaussian_check(subject: LikelihoodSubject) -> Finding:
    """Another mean and variance along each of six axes."""
    return _against(subject, gaussian())


@claim(
    "likelihood-mixture",
    "log p of a mixture, whose field bends, is the closed form.",
    source=SOURCE,
    control=lambda size: _mine(bent=size),
    control_size=1e-1,
    kind="likelihood",
    formula="|log p − log Σ w_k N(x; μ_k, Σ_k)|/d, without the error of first order in the steps",
    chance="where the divergence is estimated, six standard errors are allowed besides: one in "
    "5·10⁸ for each point",
    remedy="If the Gaussian passes and this does not, the divergence is taken at the wrong states "
    "or estimated with draws that are not of unit variance.",
)
def mixture_check(subject: LikelihoodSubject) -> Finding:
    """Two modes in six dimensions; off the axes, signs and normal numbers estimate alike."""
    return _against(subject, modes())


@claim(
    "likelihood-rows",
    "A point's log-likelihood depends on no other point of the batch.",
    source="DESIGN: rows are independent",
    control=lambda size: _mine(mixed=size),
    control_size=1e-1,
    kind="likelihood",
    formula="|log p of a point alone − log p of it among others|/d",
    remedy="Take sums over the elements of a row only, and let the step size depend on the worst "
    "row, not on the mean.",
)
def rows_check(subject: LikelihoodSubject) -> Finding:
    """A point alone and among others; steps that are chosen for all may differ a little."""
    if subject.drawn:
        return skip("it draws its estimates, anew for each batch", "not asked")
    x = subject.points(modes())
    factor = UNITS[subject.unit]
    together = subject.values(modes(), x) / factor
    alone = subject.values(modes(), x[:1]) / factor
    return judge(
        float(abs(together[0] - alone[0]) / DIM),
        1e-3,
        unit="nats a dimension",
        derivation="steps that are chosen by the error of the whole batch",
        where=f"log p = {alone[0]:.6g} alone, {together[0]:.6g} among {len(x)}",
    )


@claim(
    "likelihood-shape",
    "Images have the log-likelihood of the vectors of their pixels.",
    source=SOURCE,
    control=lambda size: _mine(image=1.0),
    control_size=1.0,
    sized=False,
    kind="likelihood",
    harm="interface",
    formula="|log p of images − log p of their pixels as vectors|/d",
    remedy="Sum over all axes but the first, in any number of axes.",
)
def shape_check(subject: LikelihoodSubject) -> Finding:
    """The same points in both shapes, and the same seed."""
    if subject.facts.shape is not None or subject.shape != IMAGE:
        return skip("it takes one shape of data alone")
    x, factor = subject.points(modes()), UNITS[subject.unit]
    try:
        both = [subject.values(modes(), x, shape=s) / factor for s in (IMAGE, VECTOR)]
    except SubjectError:
        return skip("it takes images alone")
    return judge(
        float(abs(both[0] - both[1]).max() / DIM),
        1e-6 if subject.dtype == torch.float64 else 1e-3,
        unit="nats a dimension",
        derivation="the same sums in another order",
        where=f"log p = {both[0][0]:.6g} of an image, {both[1][0]:.6g} of its pixels",
    )


@claim(
    "likelihood-dtype",
    "It takes float64, and in float32 is the same to three digits.",
    source="DESIGN: numerical rules",
    control=lambda size: _mine(half=1.0),
    control_size=1.0,
    sized=False,
    kind="likelihood",
    formula="|log p in float32 − log p in float64|/d",
    chance="where the divergence is estimated, six standard errors are allowed besides: one in "
    "5·10⁸ for each point",
    remedy="Keep the dtype of the data, and accumulate the divergence in it or in a wider one.",
)
def dtype_check(subject: LikelihoodSubject) -> Finding:
    """The same points; the mean of many estimates, where they are drawn."""
    if subject.double:
        failing = {"why": subject.double}
        return judge(1, 0, unit="dtypes that break", failing=failing, harm="interface")
    x, factor = subject.points(gaussian()).astype(np.float32).astype(float), UNITS[subject.unit]
    single, error = averaged(subject.estimates(gaussian(), x, dtype=torch.float32) / factor)
    double, other = averaged(subject.estimates(gaussian(), x) / factor)  # of other draws, perhaps
    off = abs(single - double) / DIM
    j = int(np.nanargmax(off))
    return judge_entries(
        off,
        1e-3 + SIGMAS * (error + other) / DIM,
        unit="nats a dimension",
        derivation="three digits; float32 is good for five",
        failing={"where": f"{single[j]:.6g} in float32, {double[j]:.6g} in float64"},
    )
