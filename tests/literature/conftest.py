"""What the claims find, once for all tests; a small lab: networks of a few hundred steps."""

from __future__ import annotations

from functools import cache

import pytest

from dfbench.literature.lab import StudyLab
from dfbench.literature.run import named
from dfbench.training.config import parse


@pytest.fixture(scope="session")
def findings():
    """What a claim, by its id, finds of the formula under test."""

    @cache
    def find(id):
        (claim,) = named([id])
        return claim(claim.subject())

    return find


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Eight modes in the plane, a small perceptron."""
    config = parse(
        {
            "data": {"kind": "mixture", "name": "ring-2d"},
            "model": {"kind": "mlp", "width": 48, "depth": 2},
            "levels": {"kind": "importance"},
            "loop": {"steps": 1500, "batch": 256, "learning_rate": 3e-3, "ema": 0.99},
        }
    )
    return StudyLab(config, tmp_path_factory.mktemp("lab"), steps=1500)
