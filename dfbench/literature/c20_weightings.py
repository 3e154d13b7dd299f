"""20. Flow matching's weighting is that of v with the cosine schedule; SD3's is close to EDM's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from dfbench.levels import Array
from dfbench.literature.statement import largest, row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.schedules import Cosine, FlowMatching
from dfbench.weightings import (
    EDM,
    P2,
    WEIGHTINGS,
    EDMMonotonic,
    LogitNormal,
    MinSNR,
    Weighting,
    cosine_density,
    effective_weighting,
    flow_density,
    log_snr_density,
    normalised,
    total_variation,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Function = Callable[[Array], Array]
LAM = np.linspace(-20.0, 20.0, 401)
RANGE = (-30.0, 30.0)


#: The same formulas with other constants: a constant that is one or zero hides where it stands.
OTHERS: dict[str, Weighting] = {
    "min_snr, other constants": MinSNR(gamma=2.0),
    "p2, other constants": P2(gamma=0.5, k=0.3),
    "sd3, other constants": LogitNormal(mean=0.3, std=0.8, shift=2.0),
    "edm, other constants": EDM(p_mean=-0.4, p_std=1.0, sigma_data=0.7),
    "edm_monotonic, other constants": EDMMonotonic(p_mean=-0.4, p_std=1.0, sigma_data=0.7),
}


def derived() -> dict[str, Function]:
    """Every weighting that is a loss in t, from its prediction, schedule and factor."""
    cosine, flow = Cosine(), FlowMatching()
    edm = _edm(norm(2.4, 2.4), 0.5)
    other = _edm(norm(0.8, 2.0), 0.7)
    # logit t ~ N(0.3, 0.8²), σ/α = 2 t/(1 − t): λ = −2 logit t − 2 log 2
    shifted = norm(-0.6 - 2 * math.log(2.0), 1.6)
    return {
        "elbo": lambda lam: np.full_like(lam, 0.5),
        "sigmoid": lambda lam: 0.5 / (1 + np.exp(lam - 2)),
        "eps_cosine": effective_weighting("eps", cosine),
        "v_cosine": effective_weighting("v", cosine),
        "flow_matching": effective_weighting("u", flow),
        "indi": effective_weighting("x", flow),
        "min_snr": effective_weighting("x", cosine, lambda lam: np.minimum(np.exp(lam), 5.0)),
        "min_snr, other constants": effective_weighting(
            "x", cosine, lambda lam: np.minimum(np.exp(lam), 2.0)
        ),
        "truncated_snr": effective_weighting("x", cosine, lambda lam: np.maximum(np.exp(lam), 1)),
        "p2": effective_weighting("eps", cosine, lambda lam: 1 / (1 + np.exp(lam))),
        "p2, other constants": effective_weighting(
            "eps", cosine, lambda lam: (0.3 + np.exp(lam)) ** -0.5
        ),
        "sd3": effective_weighting("u", flow, None, norm(0.0, 2.0).pdf),
        "sd3, other constants": effective_weighting("u", flow, None, shifted.pdf),
        "edm": edm,
        "edm, other constants": other,
        "edm_monotonic": _held(edm),
        "edm_monotonic, other constants": _held(other),
    }


def _edm(law: Any, sigma_data: float) -> Function:
    """EDM's loss, with λ drawn from a law."""
    flow = FlowMatching()
    return effective_weighting("edm", flow, None, law.pdf, sigma_data=sigma_data)


def _held(weight: Function) -> Function:
    """A weighting with one maximum, held at it below its place."""
    low = minimize_scalar(
        lambda at: -float(weight(np.array(at))),
        bounds=(-10, 10),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return lambda lam: np.where(lam < low.x, -low.fun, weight(lam))


def _distance_error() -> float:
    """Of the total variation of N(0, 2²) and N(1, 2²), 2 Φ(¼) − 1, whatever their factors."""
    found = total_variation(lambda lam: 3 * norm.pdf(lam, 0, 2), norm(1, 2).pdf, *RANGE)
    return float(abs(found - (2 * norm.cdf(0.25) - 1)))


def _mass_error() -> float:
    """Of the integral 1 of a normalised weighting, over a range that cuts it at both ends."""
    bell = normalised(lambda lam: 3 * norm.pdf(lam, 1, 2), -2.0, 6.0)
    return float(abs(quad(bell, -2.0, 6.0, epsabs=1e-13)[0] - 1))


def broken(size: float) -> dict[str, Function]:
    """v's weighting tilted by e^(size λ)."""
    good = derived()
    return good | {"v_cosine": lambda lam: good["v_cosine"](lam) * np.exp(size * lam)}


def figure(finding: Finding) -> Figure:
    """All named weightings over λ, each divided by its largest value in sight."""
    import seaborn as sns

    from dfbench.literature.drawing import frame

    series = finding.series or {}
    fig, (axis,) = frame("log-SNR λ", "w(λ) / value at λ = 0", yscale="log")
    names = list(series)[1:]
    dashes = ["-", "--", ":", "-."]
    colours = sns.color_palette("colorblind", 6)
    for i, name in enumerate(names):
        sns.lineplot(
            x=series["log-SNR"],
            y=series[name],
            ax=axis,
            label=name,
            estimator=None,
            color=colours[i % 6],
            linestyle=dashes[i // 6],
            linewidth=1.4,
        )
    axis.set_ylim(1e-3, 1e2)
    axis.legend(fontsize=7, ncol=2, loc="upper right")
    return fig


@row(
    20,
    "Weightings",
    r"w_{\mathrm{FM}}(\lambda)=\tfrac12e^{-\lambda/2}=\tfrac\pi2\,w_{v,\cos}(\lambda),\qquad"
    r"\tfrac12\int|w_{\mathrm{SD3}}-w_{\mathrm{EDM}}|\,d\lambda\le0.1\text{ (normalised)}",
    source="KG, GAO",
    condition="SD3 with location 0, scale 1 and no shift, EDM with σ_data = 0.5, at the same λ; "
    "with λ counted from the variance of the data they are further apart",
    subject=derived,
    control=broken,
    control_size=1e-6,
    figure=figure,
)
def check(weights: dict[str, Function]) -> Finding:
    """The named formulas against those derived from each paper's loss, and the two equalities."""
    derivation = "round-off: at |λ| = 20 a time keeps 1e-16/e^(−10) = 5e-12 of its distance to 1"
    named = {name: make() for name, make in WEIGHTINGS.items()}
    every = named | OTHERS
    gaps = {
        name: float(np.abs(weight(LAM) / every[name](LAM) - 1).max())
        for name, weight in weights.items()
    }
    densities = {cosine_density: Cosine(), flow_density: FlowMatching()}
    drawn = [np.abs(log_snr_density(by, LAM) / law(LAM) - 1).max() for law, by in densities.items()]
    ratio = weights["flow_matching"](LAM) / weights["v_cosine"](LAM)
    constant = float(np.abs(ratio / (math.pi / 2) - 1).max())
    sd3, edm = named["sd3"], named["edm"]
    apart = total_variation(sd3, edm, *RANGE)
    # λ of data with unit variance: EDM's data has the standard deviation 0.5
    unit = EDM(p_mean=-1.2 - math.log(0.5), sigma_data=1.0)
    both = [normalised(each, *RANGE)(LAM) for each in (sd3, edm)]
    bulk = np.minimum(*both) > 0.1 * max(map(np.max, both))
    ends = np.array([-5.0, 6.0])  # of a part of the schedule, on which t is uniform
    part = float(np.diff(2 / np.pi * np.arctan(np.exp(ends / 2)))[0])
    cut = effective_weighting("v", Cosine(*ends))
    beyond = float(
        np.abs(
            np.append(
                cut(ends) * part / weights["v_cosine"](ends) - 1,
                [
                    *cut(np.array([-5.1, 6.1, 9.0])),
                    *log_snr_density(Cosine(*ends), np.array([-5.1, 6.1])),
                ],
            )
        ).max()
    )
    found = worst_of(
        judge(
            beyond,
            1e-10,
            unit="of its value, at the ends of a schedule and beyond them",
            derivation=derivation,
        ),
        judge(float(np.max(list(gaps.values()))), 1e-10, derivation=derivation),
        judge(float(np.max(drawn)), 1e-10, derivation=derivation),
        judge(_mass_error(), 1e-12, derivation="Gauss–Legendre of an entire function"),
        judge(_distance_error(), 1e-5, derivation="quadrature with a kink in one panel of 0.3"),
        judge(constant, 1e-10, derivation=derivation),
        judge(
            apart,
            0.1,
            unit="total variation",
            derivation="'close': one draw of λ tells the two apart with probability at most 0.55",
        ),
    )
    at = np.linspace(-12.0, 12.0, 97)
    return replace(
        found,
        quantities={
            "flow matching / v-cosine": float(ratio.mean()),
            "largest relative error of flow matching / v-cosine = π/2": constant,
            "largest relative error of a named formula": largest(*gaps.values()),
            "total variation SD3, EDM": apart,
            "total variation SD3, EDM, λ of unit-variance data": total_variation(sd3, unit, *RANGE),
            "total variation SD3 shifted by 3, EDM": total_variation(
                LogitNormal(shift=3.0), edm, *RANGE
            ),
            "largest ratio SD3 / EDM where both exceed 10% of the peak": float(
                np.exp(np.abs(np.log(both[0] / both[1]))[bulk].max())
            ),
            "correlation SD3, EDM": float(np.corrcoef(both[0], both[1])[0, 1]),
            "λ of SD3's peak": round(float(LAM[both[0].argmax()]), 1),
            "λ of EDM's peak": round(float(LAM[both[1].argmax()]), 1),
        },
        series={"log-SNR": at.tolist()}
        | {name: (w(at) / float(w(0.0))).tolist() for name, w in named.items()},
    )
