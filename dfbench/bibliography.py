"""The literature, by the keys that sources are cited with: `GAO`, `SDE eq. 39`, `arXiv 2405.14250`.

`WORKS` is the one place that says what a key stands for. `cited` finds the works that a source
names, by key or by arXiv number; `expanded` writes authors and year behind each key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """A paper, a set of notes or an essay.

    Attributes:
        authors: surnames, as they are cited.
        title: in full.
        year: of the first version.
        link: where it can be read.
    """

    authors: str
    title: str
    year: int
    link: str

    @property
    def short(self) -> str:
        """Authors and year; of more than two authors the first."""
        first, *others = self.surnames
        who = self.authors if len(others) < 2 else f"{first} et al."
        return f"{who} {self.year}"

    @property
    def surnames(self) -> list[str]:
        return re.split(r", | and | et al\.", self.authors)

    def __str__(self) -> str:
        return f"{self.authors}, {self.title} ({self.year}), {self.link}"


def _arxiv(number: str, authors: str, title: str, year: int) -> Work:
    return Work(authors, title, year, f"https://arxiv.org/abs/{number}")


WORKS: dict[str, Work] = {
    "ALB": _arxiv(
        "2303.08797",
        "Albergo, Boffi and Vanden-Eijnden",
        "Stochastic Interpolants: A Unifying Framework for Flows and Diffusions",
        2023,
    ),
    "AYS": _arxiv(
        "2404.14507",
        "Sabour, Fidler and Kreis",
        "Align Your Steps: Optimizing Sampling Schedules in Diffusion Models",
        2024,
    ),
    "BETA": _arxiv("2407.12173", "Lee et al.", "Beta Sampling is All You Need", 2024),
    "CM": _arxiv("2303.01469", "Song, Dhariwal, Chen and Sutskever", "Consistency Models", 2023),
    "CUT": _arxiv(
        "1306.0895",
        "Cuturi",
        "Sinkhorn Distances: Lightspeed Computation of Optimal Transportation Distances",
        2013,
    ),
    "DEIS": _arxiv(
        "2204.13902",
        "Zhang and Chen",
        "Fast Sampling of Diffusion Models with Exponential Integrator",
        2022,
    ),
    "DIT": _arxiv(
        "2212.09748", "Peebles and Xie", "Scalable Diffusion Models with Transformers", 2022
    ),
    "DPM-Solver": _arxiv(
        "2206.00927",
        "Lu et al.",
        "DPM-Solver: A Fast ODE Solver for Diffusion Probabilistic Model Sampling in Around 10 "
        "Steps",
        2022,
    ),
    "DPM-Solver++": _arxiv(
        "2211.01095",
        "Lu et al.",
        "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models",
        2022,
    ),
    "EDM": _arxiv(
        "2206.00364",
        "Karras et al.",
        "Elucidating the Design Space of Diffusion-Based Generative Models",
        2022,
    ),
    "GAO": Work(
        "Gao, Hoogeboom, Heek, De Bortoli, Murphy and Salimans",
        "Diffusion Meets Flow Matching",
        2024,
        "https://diffusionflow.github.io",
    ),
    "HANG": _arxiv(
        "2303.09556",
        "Hang et al.",
        "Efficient Diffusion Training via Min-SNR Weighting Strategy",
        2023,
    ),
    "HE": _arxiv(
        "2506.02070",
        "Holderrieth and Erives",
        "An Introduction to Flow Matching and Diffusion Models",
        2025,
    ),
    "HO": _arxiv(
        "2006.11239", "Ho, Jain and Abbeel", "Denoising Diffusion Probabilistic Models", 2020
    ),
    "HYV": Work(
        "Hyvärinen",
        "Estimation of Non-Normalized Statistical Models by Score Matching",
        2005,
        "https://www.jmlr.org/papers/v6/hyvarinen05a.html",
    ),
    "iDDPM": _arxiv(
        "2102.09672",
        "Nichol and Dhariwal",
        "Improved Denoising Diffusion Probabilistic Models",
        2021,
    ),
    "INDI": _arxiv(
        "2303.11435",
        "Delbracio and Milanfar",
        "Inversion by Direct Iteration: An Alternative to Denoising Diffusion for Image "
        "Restoration",
        2023,
    ),
    "KG": _arxiv(
        "2303.00848",
        "Kingma and Gao",
        "Understanding Diffusion Objectives as the ELBO with Simple Data Augmentation",
        2023,
    ),
    "LCM": _arxiv(
        "2310.04378",
        "Luo et al.",
        "Latent Consistency Models: Synthesizing High-Resolution Images with Few-Step Inference",
        2023,
    ),
    "LDM": _arxiv(
        "2112.10752",
        "Rombach et al.",
        "High-Resolution Image Synthesis with Latent Diffusion Models",
        2021,
    ),
    "LIN": _arxiv(
        "2305.08891",
        "Lin et al.",
        "Common Diffusion Noise Schedules and Sample Steps are Flawed",
        2023,
    ),
    "LIP": _arxiv("2210.02747", "Lipman et al.", "Flow Matching for Generative Modeling", 2022),
    "LIU": _arxiv(
        "2209.03003",
        "Liu, Gong and Liu",
        "Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified Flow",
        2022,
    ),
    "NCSN": _arxiv(
        "1907.05600",
        "Song and Ermon",
        "Generative Modeling by Estimating Gradients of the Data Distribution",
        2019,
    ),
    "NCSNv2": _arxiv(
        "2006.09011",
        "Song and Ermon",
        "Improved Techniques for Training Score-Based Generative Models",
        2020,
    ),
    "P2": _arxiv(
        "2204.00227", "Choi et al.", "Perception Prioritized Training of Diffusion Models", 2022
    ),
    "PD": _arxiv(
        "2202.00512",
        "Salimans and Ho",
        "Progressive Distillation for Fast Sampling of Diffusion Models",
        2022,
    ),
    "PG": _arxiv(
        "2405.14250",
        "Pierret and Galerne",
        "Diffusion models for Gaussian distributions: Exact solutions and Wasserstein errors",
        2024,
    ),
    "PNDM": _arxiv(
        "2202.09778",
        "Liu, Ren, Lin and Zhao",
        "Pseudo Numerical Methods for Diffusion Models on Manifolds",
        2022,
    ),
    "SA-Solver": _arxiv(
        "2309.05019",
        "Xue et al.",
        "SA-Solver: Stochastic Adams Solver for Fast Sampling of Diffusion Models",
        2023,
    ),
    "SAHARIA": _arxiv(
        "2205.11487",
        "Saharia et al.",
        "Photorealistic Text-to-Image Diffusion Models with Deep Language Understanding",
        2022,
    ),
    "SD3": _arxiv(
        "2403.03206",
        "Esser et al.",
        "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis",
        2024,
    ),
    "SDE": _arxiv(
        "2011.13456",
        "Song et al.",
        "Score-Based Generative Modeling through Stochastic Differential Equations",
        2020,
    ),
    "SID": _arxiv(
        "2301.11093",
        "Hoogeboom, Heek and Salimans",
        "simple diffusion: End-to-end diffusion for high resolution images",
        2023,
    ),
    "SID2": _arxiv(
        "2410.19324",
        "Hoogeboom et al.",
        "Simpler Diffusion (SiD2): 1.5 FID on ImageNet512 with pixel-space diffusion",
        2024,
    ),
    "SLICED": _arxiv(
        "1905.07088",
        "Song, Garg, Shi and Ermon",
        "Sliced Score Matching: A Scalable Approach to Density and Score Estimation",
        2019,
    ),
    "SONG": _arxiv(
        "2010.02502", "Song, Meng and Ermon", "Denoising Diffusion Implicit Models", 2020
    ),
    "SU": Work(
        "Su",
        "Essays on generative diffusion models 5: the general framework, SDEs (in Chinese)",
        2022,
        "https://kexue.fm/archives/9209",
    ),
    "TCD": _arxiv("2402.19159", "Zheng et al.", "Trajectory Consistency Distillation", 2024),
    "TONG": _arxiv(
        "2302.00482",
        "Tong et al.",
        "Improving and Generalizing Flow-Based Generative Models with Minibatch Optimal Transport",
        2023,
    ),
    "TRIG": _arxiv(
        "2410.11081",
        "Lu and Song",
        "Simplifying, Stabilizing and Scaling Continuous-Time Consistency Models",
        2024,
    ),
    "UniPC": _arxiv(
        "2302.04867",
        "Zhao et al.",
        "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models",
        2023,
    ),
    "VDM": _arxiv(
        "2107.00630", "Kingma, Salimans, Poole and Ho", "Variational Diffusion Models", 2021
    ),
    "VIN": Work(
        "Vincent",
        "A Connection Between Score Matching and Denoising Autoencoders",
        2011,
        "https://doi.org/10.1162/NECO_a_00142",
    ),
}
"""Key → work. A key is what the code cites; those that it cites by number have one as well."""

ALIASES = {"DDPM": "HO", "DDIM": "SONG"}
"""Names that a source uses for a key."""

_NAMES = sorted([*WORKS, *ALIASES], key=len, reverse=True)
#: At the head of a reference: "the backward SDE" is none.
_KEY = re.compile(rf"(?:^|(?<=[;:,] )|(?<=\())({'|'.join(map(re.escape, _NAMES))})(?![\w+-])")
_NUMBER = re.compile(r"(?<![\d.])\d{4}\.\d{4,5}(?!\d)")
_NUMBERED = {
    work.link.removeprefix("https://arxiv.org/abs/"): key
    for key, work in WORKS.items()
    if "arxiv.org" in work.link
}


def cited(source: str) -> list[str]:
    """The keys of the works that a source names, each once, in the order in which it does."""
    found = [(m.start(), ALIASES.get(m[1], m[1])) for m in _KEY.finditer(source)]
    found += [(m.start(), _NUMBERED[m[0]]) for m in _NUMBER.finditer(source) if m[0] in _NUMBERED]
    return list(dict.fromkeys(key for _, key in sorted(found)))


def expanded(source: str) -> str:
    """A source with authors and year behind the first mention of each key."""
    seen: set[str] = set()

    def told(match: re.Match[str]) -> str:
        key = ALIASES.get(match[1], match[1])
        if key in seen or _names_it(source, key):
            return match[1]
        seen.add(key)
        return f"{match[1]} ({WORKS[key].short})"

    return _KEY.sub(told, source)


def _names_it(source: str, key: str) -> bool:
    """Whether it gives the work's number, and so needs no more, or its first author."""
    work = WORKS[key]
    return work.link.rpartition("/")[2] in source or work.surnames[0] in source
