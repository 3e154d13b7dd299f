"""Certificates made by hand: small ones, a nasty one, and one as large as a whole library's."""

from __future__ import annotations

import math
import random

from dfbench.outcome import Certificate, Finding, SubjectReport

NASTY = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)> [red]\x1b[31m 噪声 σ"

CLAIMS = (
    "affine",
    "bookkeeping",
    "told-level",
    "identity",
    "law",
    "order",
    "weights",
    "evaluations",
)
CLAIMS += ("noise-contract", "generator", "batch", "dtype", "predictions", "scaling", "reuse")
CLAIMS += ("last-step",)

ENVIRONMENT = {
    "dfbench": "0.1.0",
    "python": "3.11.7 (CPython)",
    "platform": "Linux x86_64",
    "cpus": 2,
    "packages": {"numpy": "2.4.1", "torch": "2.13.0", "diffusers": "0.40.0"},
    "seed": 0,
    "command": "dfbench certify diffusers --report reports/diffusers.html",
}


def order_series(order: float, rng: random.Random) -> dict[str, list[float]]:
    steps = [6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0]
    error = [0.3 * (n / 4) ** -order * rng.uniform(0.95, 1.05) for n in steps]
    return {"steps": steps, "error": error, "interval": [order - 0.11, order + 0.11]}


def law_series(order: float) -> dict[str, list[float]]:
    std = [10 ** (-2 + i / 8) for i in range(33)]
    series = {"data_std": std}
    for n in (10, 20, 50, 100):
        series[f"N={n}"] = [
            0.8 * math.sin(5 * s) * (s + 0.02 / s) / (1 + s**2) / n**order for s in std
        ]
    return series


def finding(claim: str, order: float, rng: random.Random, verdict: str | None = None) -> Finding:
    drawn = verdict or rng.choices(["pass", "fail", "inconclusive", "skip"], [85, 3, 1, 8])[0]
    statement = f"With the exact model, {claim} is what the method says, for every state α_j x₀."
    if drawn == "skip":
        return Finding(claim, "skip", statement, why="the subject draws no noise", seconds=1e-4)
    if drawn == "inconclusive":
        return Finding(
            claim,
            "inconclusive",
            statement,
            unit="order",
            seconds=0.2,
            why="fewer than four step counts above round-off",
        )
    failed = drawn == "fail"
    series = None
    measured, bound = 3e-7 * rng.random(), 1e-6
    unit = "of the state's size"
    if claim == "order":
        series, measured, bound, unit = order_series(order, rng), order, order - 0.3, "order"
    if claim == "law":
        series, measured, bound, unit = law_series(order), 0.8 / 100**order, 0.1, "relative error"
    return Finding(
        claim,
        "fail" if failed else "pass",
        statement,
        measured=measured * (1e5 if failed and claim != "order" else 1),
        bound=bound,
        unit=unit,
        derivation="8 (step + 1) κ u: float32 tables, κ the condition of each state",
        where="state at evaluation 7 (step 7): mean 0.132 x₀, should be 0.128 x₀"
        if failed
        else None,
        why="the sampler adds the noise of the next step" if failed else None,
        counterexample={"steps": 3} if failed else None,
        reproduce="import dfbench\nprint(dfbench.certify('diffusers:DDIMScheduler'))\n"
        if failed
        else None,
        expected="biased by design, as its paper says" if failed and rng.random() < 0.4 else None,
        series=series,
        seconds=0.03,
        sense="at least" if claim == "order" else "at most",
    )


def subject(name: str, findings: list[Finding], **more: object) -> SubjectReport:
    values: dict[str, object] = {
        "kind": "sampler",
        "library": "diffusers",
        "version": "0.40.0",
        "config": {},
        "traits": {"order": 2.0, "stochastic": False, "scale_invariant": True, "biased": ""},
        "seconds": 0.5,
    } | more
    return SubjectReport(name, findings=tuple(findings), **values)  # type: ignore[arg-type]


def large(subjects: int = 200) -> Certificate:
    """Many subjects, all verdicts, figures for each; the same every time."""
    rng = random.Random(3)
    names = (
        "DDIMScheduler",
        "DDPMScheduler",
        "DPMSolverMultistepScheduler",
        "UniPCMultistepScheduler",
    )
    names += ("EulerDiscreteScheduler", "HeunDiscreteScheduler", "LMSDiscreteScheduler")
    names += ("FlowMatchEulerDiscreteScheduler", "DEISMultistepScheduler", "EDMEulerScheduler")
    settings = (
        "",
        "eta=1",
        "timestep_spacing=trailing, rescale_betas_zero_snr=True",
        "solver_order=3",
    )
    reports = []
    for i in range(subjects):
        order = float(rng.choice([1, 2, 3]))
        name = names[i // 4 % len(names)] + (str(i // 40) if i >= 40 else "")
        setting = settings[i % 4]
        config = dict(part.split("=") for part in setting.split(", ")) if setting else {}
        library = "diffusers" if i < subjects * 3 // 4 else "k-diffusion"
        clean = rng.random() < 0.6
        found = [finding(claim, order, rng, "pass" if clean else None) for claim in CLAIMS]
        reports.append(
            subject(
                f"{library}:{name}",
                found,
                config=config,
                library=library,
                version="0.40.0" if i < subjects * 3 // 4 else "0.1.1.post1",
                traits={
                    "order": order,
                    "stochastic": i % 5 == 0,
                    "scale_invariant": True,
                    "evaluations": 1,
                    "biased": "",
                },
            )
        )
    return Certificate(tuple(reports), ENVIRONMENT, 312.4)


def nasty() -> Certificate:
    """Every string is hostile, and every number that can be is not a number."""
    bad = Finding(
        NASTY,
        "fail",
        NASTY,
        measured=math.inf,
        bound=math.nan,
        unit=NASTY,
        derivation=NASTY,
        where=NASTY,
        why=NASTY,
        counterexample={NASTY: NASTY},
        reproduce=NASTY,
        series={NASTY: [1.0, 2.0, math.nan], f"{NASTY}2": [1.0, -math.inf, 3.0, 4.0]},
    )
    declared = Finding("order", "fail", measured=1.0, bound=2.0, unit="order", expected=NASTY)
    unknown = Finding("law", "inconclusive", why=NASTY, series={"data_std": [1.0], "N=1": [0.0]})
    report = SubjectReport(
        NASTY,
        NASTY,
        NASTY,
        NASTY,
        {NASTY: NASTY},
        {NASTY: NASTY, "order": NASTY},
        (bad, declared, unknown),
        1.0,
    )
    return Certificate((report,), {NASTY: NASTY, "command": NASTY}, 1.0)


def small(verdict: str = "pass", **more: object) -> Certificate:
    """One subject with one finding."""
    why = {"inconclusive": "too few steps", "skip": "draws no noise"}.get(verdict)
    found = Finding(
        "bookkeeping",
        verdict,
        "States are where they should be.",
        measured=2e-3,
        bound=1e-6,
        unit="of the state",
        why=why,
        **more,
    )
    return Certificate((subject("diffusers:DDIMScheduler", [found]),), {"seed": 0}, 0.1)
