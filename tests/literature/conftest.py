"""A small lab: networks of a few hundred steps, trained once for all tests."""

from __future__ import annotations

import pytest

from dfbench.literature.lab import StudyLab
from dfbench.training.config import parse


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
