"""The ladder of an architecture, and what a comparison takes as candidates."""

import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.priors.ladder import chosen_candidates, ladders

NET = bnn.mlp(1)
VECTORS = ["InputMetric", "InputMetric", "ARDKernel", "ARDKernel"]
KINDS = ["NNGP", "NTK", "ScaleMixture", "StudentT", *VECTORS, "BayesianNetwork"]


def kinds(candidates):
    return [type(prior).__name__ for prior in candidates]


def test_every_rung_in_order():
    assert kinds(bnn.ladder(NET, 8)) == KINDS
    assert bnn.ladder(NET, 8) == bnn.ladder(bnn.mlp(1), width=8)
    assert all(getattr(prior, "net", NET) == NET for prior in bnn.ladder(NET, 8))


@pytest.mark.parametrize(
    "layers",
    [
        [bnn.Conv(), bnn.Relu(), bnn.GlobalAvgPool()],
        [bnn.Flatten(), bnn.Dense(), bnn.Relu()],
        [bnn.Dense(), bnn.Residual(bnn.Relu(), bnn.Conv()), bnn.Relu(), bnn.Flatten()],
    ],
)
def test_kernels_of_vectors_are_left_out_for_images(layers):
    rungs = bnn.ladder(bnn.Serial(*layers, bnn.Dense()), 4)
    assert kinds(rungs) == [kind for kind in KINDS if kind not in VECTORS]
    for prior in rungs:
        prior.check_inputs((8, 8, 3))


def test_ladders_of_several_widths_and_depths_repeat_nothing():
    rungs = ladders([NET, bnn.mlp(2)], [4, 8])
    assert len(rungs) == len(set(rungs)) == 2 * 9 + 2
    assert kinds(rungs)[:11] == KINDS[:2] + ["ScaleMixture"] * 2 + KINDS[3:8] + ["BayesianNetwork"] * 2


def test_a_net_and_a_width_stand_for_the_ladder():
    assert list(chosen_candidates(None, NET, 8).values()) == bnn.ladder(NET, 8)


X = np.arange(6.0)[:, None]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"candidates": None}, "pass candidates"),
        ({"net": NET}, "both net and width"),
        ({"width": 8}, "both net and width"),
        ({"net": NET, "width": 0}, "width must be a positive integer"),
        ({"net": "relu", "width": 8}, "expected an architecture"),
        ({"candidates": [priors.NNGP(NET)], "net": NET, "width": 8}, "either candidates, or net and width"),
        ({"candidates": [priors.NNGP(NET)], "width": 8}, "either candidates, or net and width"),
        ({"candidates": []}, "at least one prior"),
        ({"net": NET, "width": 8, "y": None}, "X and y are needed"),
    ],
)
def test_bad_candidates(given, message):
    with pytest.raises(ValueError, match=message):
        bnn.compare(**({"X": X, "y": X[:, 0]} | given))
