"""Verdicts on data that were once called for wrongly, with small samplers."""

import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors, tasks

FEW = inference.SMC(particles=48)
pytestmark = pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")


@pytest.mark.slow
def test_a_draw_from_the_nngp_needs_no_features_however_many_test_points():
    net = bnn.mlp(1, "relu", 2**0.5, 0.3)
    task = tasks.nngp_draw(net, rows=80, inputs=4, noise_std=0.1, test_rows=2000, key=3)
    candidates = [priors.NNGP(net), bnn.BayesianNetwork(net, 64)]
    result = bnn.compare(
        candidates, task.X, task.y, task.X_test, task.y_test, likelihood=bnn.Gaussian(0.1), standardize=False,
        sampler=FEW,
    )  # fmt: skip
    assert result.verdict.outcome == "no finite-width gain"
    # The error over points alone, which leaves out what other training rows would give, is a small part of it.
    points = result.rows[0].lpd_test[0] - result.rows[1].lpd_test[0]
    assert result.verdict.gain_error > 3.0 * points.std() / 2000**0.5


@pytest.mark.slow
@pytest.mark.parametrize("key", [1, 2])
def test_what_one_scalar_does_is_not_credited_to_features(key):
    """A deep linear network of scale 6: without a free scale in the table it is missing, with one it explains.

    Key 1 is a teacher whose scale is as expected, where there is no gain to explain.
    """
    net = bnn.mlp(2, "identity", 1.0, 0.0)
    task = tasks.deep_linear_teacher(depth=2, width=8, rows=12, inputs=4, scale=6.0, key=key)
    settings = {"likelihood": bnn.Gaussian(0.3), "standardize": False, "sampler": FEW}
    candidates = [priors.NNGP(net), bnn.BayesianNetwork(net, 8), priors.ScaleMixture(net, 8)]
    data = task.X, task.y, task.X_test, task.y_test
    without, whole = (bnn.compare(candidates[:count], *data, **settings).verdict for count in (2, 3))
    if key == 1:
        assert without.outcome == whole.outcome == "no finite-width gain"
        return
    assert without.outcome == "undecided"
    assert "ScaleMixture" in without.reasons[0]
    assert whole.outcome == "explained by scale"
    # The network is exactly its scale mixture.
    assert whole.log_e_value == pytest.approx(0.0, abs=2.0)


def test_a_linear_target_does_not_need_hidden_features():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(260, 8))
    f = X @ rng.normal(size=8)
    y = f + 0.3 * f.std() * rng.normal(size=260)
    net = bnn.mlp(2, "relu", 2**0.5, 0.1)
    candidates = [priors.NNGP(net), bnn.BayesianNetwork(net, 4)]
    result = bnn.compare(candidates, X[:60], y[:60], X[60:], y[60:], likelihood=bnn.Gaussian(0.3), sampler=FEW)
    assert result.verdict.outcome in ("undecided", "no finite-width gain")
