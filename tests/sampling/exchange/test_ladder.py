"""Levels of equal rejection, and how many of them."""

import numpy as np

from bayes_nn.inference.sampling.exchange.ladder import MOST, count_levels, place_levels, rejections_along

PRECISION = 500.0


def rejections(tempering, draws=4000):
    """Of a Gaussian whose log likelihood is -PRECISION u^2/2 under a standard normal prior."""
    rng = np.random.default_rng(0)
    u = rng.normal(size=(len(tempering), draws)) / np.sqrt(1.0 + PRECISION * tempering[:, None])
    return rejections_along(tempering, -0.5 * PRECISION * u**2)


def test_levels_placed_again_refuse_equally_often():
    tempering = np.linspace(0.0, 1.0, 9)
    for _ in range(6):
        tempering = place_levels(tempering, rejections(tempering), 9)
    found = rejections(tempering)
    assert tempering[0] == 0.0
    assert tempering[-1] == 1.0
    assert np.all(np.diff(tempering) > 0.0)
    assert found.max() - found.min() < 0.1


def test_the_barrier_does_not_depend_on_the_number_of_levels():
    sums = []
    for count in (12, 40):
        tempering = np.linspace(0.0, 1.0, count) ** 3
        for _ in range(4):
            tempering = place_levels(tempering, rejections(tempering), count)
        sums.append(rejections(tempering).sum())
    assert abs(sums[1] - sums[0]) < 0.1 * sums[1]


def test_more_levels_for_a_higher_barrier_up_to_a_limit():
    counts = [count_levels(barrier) for barrier in (0.0, 5.0, 10.0, 1e6)]
    assert counts == sorted(counts)
    assert counts[-1] == MOST
