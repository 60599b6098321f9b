"""Priors of standard deviations made wider and narrower about their median."""

import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

from bayes_nn.architecture.standard_deviations import median, same_std
from bayes_nn.architecture.widened import widened

GRID = np.geomspace(1e-3, 30.0, 13)


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize(
    ("prior", "scipys"),
    [
        (dist.HalfCauchy(0.3), stats.halfcauchy(0.0, 0.3)),
        (dist.Exponential(2.0), stats.expon(0.0, 0.5)),
        (dist.Gamma(2.0, 3.0), stats.gamma(2.0, 0.0, 1.0 / 3.0)),
    ],
)
def test_density_is_that_of_the_log_spread_about_its_median(prior, scipys, factor):
    m = median(prior)
    before = m * (GRID / m) ** (1.0 / factor)
    expected = scipys.logpdf(before) + np.log(before) - np.log(factor) - np.log(GRID)
    found = widened(prior, factor)
    np.testing.assert_allclose(found.log_prob(GRID), expected, rtol=1e-4)
    assert m == pytest.approx(scipys.median(), rel=0.02)
    assert median(found) == pytest.approx(m, rel=0.02)


def test_log_normal_stays_one():
    assert same_std(widened(dist.LogNormal(0.25, 0.5), 2.0), dist.LogNormal(0.25, 1.0))
    np.testing.assert_allclose(widened(dist.HalfCauchy(0.3), 1.0).log_prob(GRID), dist.HalfCauchy(0.3).log_prob(GRID))


def test_what_cannot_be_widened_is_refused():
    with pytest.raises(ValueError, match="prior on all positive numbers"):
        widened(dist.Uniform(0.1, 1.0), 2.0)
    for factor in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="factor is a positive number"):
            widened(dist.LogNormal(), factor)
