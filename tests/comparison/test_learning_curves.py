"""Learning curves against exact Gaussian process formulas, single fits and each other."""

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.comparison.learning_curves import ENSEMBLE, LearningCurves, learning_curves, row_order
from bayes_nn.priors.gaussian.log_marginal import JITTER

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
NOISE = bnn.Gaussian(0.3)
SIZES = (5, 12, 20)
CANDIDATES = [priors.NNGP(NET), priors.NTK(NET, output_scale=1.0)]
COLUMNS = ["account", "rows", "repeat", "log_evidence", "mcse", "lpd_test", "lpd_test_se", "rmse", "reliable", "rung"]


def relu_kernel(A, B):
    """NNGP of NET by the arc-cosine formula (Cho & Saul 2009)."""
    w2, b2, d = 1.4**2, 0.2**2, A.shape[1]
    K, a, b = (b2 + w2 * product / d for product in (A @ B.T, (A**2).sum(axis=1)[:, None], (B**2).sum(axis=1)[None]))
    angle = np.arccos(np.clip(K / np.sqrt(a * b), -1.0, 1.0))
    return b2 + w2 * np.sqrt(a * b) * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)


def gaussian_process(X, y, X_new, variance=0.09 + JITTER):
    """Predictive mean and variance of y at new inputs."""
    A = relu_kernel(X, X) + variance * np.eye(len(X))
    cross = relu_kernel(X_new, X)
    mean = cross @ np.linalg.solve(A, y)
    own = np.diag(relu_kernel(X_new, X_new))
    return mean, own - np.einsum("ij,ji->i", cross, np.linalg.solve(A, cross.T)) + variance


@pytest.fixture(scope="module")
def data(small_data):
    X, y = small_data
    return X[:20], 5.0 + 3.0 * y[:20], X[20:], 5.0 + 3.0 * y[20:]


@pytest.fixture(scope="module")
def curves(data):
    """As given, two repeats, the NNGP's own posterior in the place of a trained ensemble."""

    def posterior(X, y, key):
        return bnn.fit(priors.NNGP(NET), X, y, NOISE, standardize=False, key=key)

    return learning_curves(
        CANDIDATES, *data, SIZES, ensemble=posterior, repeats=2, key=3, likelihood=NOISE, standardize=False
    )  # fmt: skip


def of(curves, account, repeat=0):
    frame = curves.frame
    return frame[(frame.account == account) & (frame.repeat == repeat)].set_index("rows")


def test_the_frame_is_tidy(curves):
    frame = curves.frame
    assert list(frame.columns) == COLUMNS
    assert len(frame) == 3 * len(SIZES) * 2
    assert not frame.duplicated(["account", "rows", "repeat"]).any()
    assert list(frame.account[:3]) == [*(prior.name for prior in CANDIDATES), ENSEMBLE]
    assert frame.reliable.all()


@pytest.mark.parametrize("repeat", [0, 1])
def test_log_evidence_is_the_prequential_sum(curves, data, repeat):
    """Exact: sum_i log p(y_i | y_<i) over the rows in their order, each factor from a regression of its own."""
    X, y = data[0], data[1]
    order = row_order(jax.random.key(3), repeat, 20)
    X, y = X[order], y[order]
    losses = [stats.norm.logpdf(y[0], 0.0, np.sqrt(relu_kernel(X[:1], X[:1])[0, 0] + 0.09 + JITTER))]
    for i in range(1, 20):
        mean, variance = gaussian_process(X[:i], y[:i], X[i : i + 1])
        losses.append(stats.norm.logpdf(y[i], mean[0], np.sqrt(variance[0])))
    found = of(curves, CANDIDATES[0].name, repeat)
    np.testing.assert_allclose(found.log_evidence, np.cumsum(losses)[np.array(SIZES) - 1], rtol=1e-8)
    assert (found.mcse == 0.0).all()


@pytest.mark.parametrize("repeat", [0, 1])
def test_test_scores_are_those_of_the_first_rows(curves, data, repeat):
    X, y, X_test, y_test = data
    order = row_order(jax.random.key(3), repeat, 20)
    found = of(curves, CANDIDATES[0].name, repeat)
    for size in SIZES:
        mean, variance = gaussian_process(X[order[:size]], y[order[:size]], X_test)
        lpd = stats.norm.logpdf(y_test, mean, np.sqrt(variance))
        assert found.lpd_test[size] == pytest.approx(lpd.mean(), rel=1e-7)
        assert found.lpd_test_se[size] == pytest.approx(lpd.std(ddof=1) / 10**0.5, rel=1e-7)
        assert found.rmse[size] == pytest.approx(np.sqrt(np.mean((mean - y_test) ** 2)), rel=1e-7)


def test_repeats_differ_and_meet_where_all_rows_are_used(curves):
    for prior in CANDIDATES:
        first, second = of(curves, prior.name, 0), of(curves, prior.name, 1)
        assert first.log_evidence[20] == pytest.approx(second.log_evidence[20], rel=1e-9)
        assert abs(first.log_evidence[5] - second.log_evidence[5]) > 1e-3


def test_an_ensemble_is_scored_like_a_prior_and_by_its_code_in_blocks(curves, data):
    """The rows that a size adds are predicted, each on its own, from those before; the first by the moments of y."""
    X, y = data[0], data[1]
    for repeat in (0, 1):
        ensemble, prior = of(curves, ENSEMBLE, repeat), of(curves, CANDIDATES[0].name, repeat)
        for column in ("lpd_test", "lpd_test_se", "rmse"):
            np.testing.assert_allclose(ensemble[column], prior[column], rtol=1e-9)
        order = row_order(jax.random.key(3), repeat, 20)
        blocks = [stats.norm.logpdf(y[order[:5]], y.mean(), y.std()).sum()]
        for size, larger in ((5, 12), (12, 20)):
            added = order[size:larger]
            mean, variance = gaussian_process(X[order[:size]], y[order[:size]], X[added])
            blocks.append(stats.norm.logpdf(y[added], mean, np.sqrt(variance)).sum())
        np.testing.assert_allclose(ensemble.log_evidence, np.cumsum(blocks), rtol=1e-8)
        assert ensemble.mcse.isna().all()


def test_subsets_are_nested_and_the_ensemble_sees_data_as_given(data):
    seen = []

    def watch(X, y, key):
        seen.append((X, y, jax.random.key_data(key).tolist()))
        return bnn.fit(priors.NNGP(NET), X, y, NOISE)

    learning_curves(CANDIDATES[:1], *data, (5, 12), ensemble=watch, repeats=2, likelihood=NOISE)
    pairs = {(*x, target) for x, target in zip(data[0].tolist(), data[1].tolist(), strict=True)}
    for X, y, _ in seen:
        assert {(*x, target) for x, target in zip(X.tolist(), y.tolist(), strict=True)} <= pairs
    small, other_small, large, other_large = seen
    np.testing.assert_array_equal(small[0], large[0][:5])
    np.testing.assert_array_equal(other_small[1], other_large[1][:5])
    assert not np.array_equal(small[0], other_small[0])
    assert len({tuple(key) for *_, key in seen}) == 4


def test_all_rows_standardised_agree_with_compare(data):
    """The scale is fixed by all rows, so the largest size is ``bnn.compare`` itself."""
    curves = learning_curves(CANDIDATES, *data, (6, 20), likelihood=NOISE)
    table = bnn.compare(CANDIDATES, *data, likelihood=NOISE).table
    for prior in CANDIDATES:
        for column in ("log_evidence", "lpd_test", "lpd_test_se", "rmse"):
            assert of(curves, prior.name)[column][20] == pytest.approx(table.loc[prior.name, column], rel=1e-9)


def test_two_outputs_and_pandas(data):
    X, y, X_test, y_test = data
    Y, Y_test = np.stack([y, X[:, 0]], axis=1), np.stack([y_test, X_test[:, 0]], axis=1)
    frames = pd.DataFrame(X), pd.DataFrame(Y), pd.DataFrame(X_test), pd.DataFrame(Y_test)
    found = learning_curves(CANDIDATES[:1], *frames, (20,), likelihood=NOISE).frame.iloc[0]
    table = bnn.compare(CANDIDATES[:1], X, Y, X_test, Y_test, likelihood=NOISE).table.iloc[0]
    for column in ("log_evidence", "lpd_test", "rmse"):
        assert found[column] == pytest.approx(table[column], rel=1e-9)


@pytest.mark.slow
def test_labels_keep_their_classes_where_a_part_lacks_one(data):
    """A small SMC run, so of the prior only bounds are checked; the ensemble always says 0.5, 0.3, 0.2."""
    X, _, X_test, _ = data
    labels, test_labels = np.array(["a", "b"] * 9 + ["c", "c"]), np.array(["a", "b", "c", "a", "b"] * 2)

    class Constant:
        def predict(self, X):
            return bnn.ClassPredictive(np.tile([0.5, 0.3, 0.2], (1, len(X), 1)), ("a", "b", "c"))

    with pytest.warns(bnn.ConvergenceWarning, match=r"NNGP\(relu, depth=1\), 6 rows, repeat 1"):
        curves = learning_curves(
            CANDIDATES[:1], X, labels, X_test, test_labels, (6,), likelihood=bnn.Categorical(),
            sampler=inference.SMC(particles=8, islands=2), ensemble=lambda X, y, key: Constant(),
        )  # fmt: skip
    prior, ensemble = (of(curves, name).loc[6] for name in (CANDIDATES[0].name, ENSEMBLE))
    assert -3.0 < prior.lpd_test < 0.0
    assert 0.0 < prior.rmse < 1.0
    assert ensemble.lpd_test == pytest.approx((4 * np.log(0.5) + 4 * np.log(0.3) + 2 * np.log(0.2)) / 10)
    squares = 4 * (0.5**2 + 0.3**2 + 0.2**2) + 4 * (0.5**2 + 0.7**2 + 0.2**2) + 2 * (0.5**2 + 0.3**2 + 0.8**2)
    assert ensemble.rmse == pytest.approx((squares / 30) ** 0.5)
    assert ensemble.log_evidence == pytest.approx(-6 * np.log(3.0))


def test_saved_and_reloaded_is_the_same_and_plots(curves, tmp_path):
    curves.frame.to_csv(tmp_path / "curves.csv", index=False)
    again = LearningCurves(pd.read_csv(tmp_path / "curves.csv"))
    pd.testing.assert_frame_equal(again.frame, curves.frame, rtol=1e-12)
    figure = again.plot()
    assert len(figure.axes) == 3
    containers = [len(ax.containers) for ax in figure.axes]
    assert containers == [3, 3, 3]
    nngp = figure.axes[2].containers[0].lines[0].get_ydata()
    np.testing.assert_array_equal(nngp, np.zeros(len(SIZES)))
    lpd = figure.axes[0].containers[1].lines[0].get_ydata().astype(float)
    np.testing.assert_allclose(lpd, curves.frame.groupby(["account", "rows"]).lpd_test.mean()[CANDIDATES[1].name])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [*(prior.name for prior in CANDIDATES), ENSEMBLE]
    doubtful = LearningCurves(curves.frame.assign(reliable=curves.frame.rows > 5)).plot()
    assert doubtful.legends[0].get_texts()[-1].get_text() == "not reliable"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": (12, 5)}, "must increase"),
        ({"sizes": (5, 5)}, "must increase"),
        ({"sizes": (1, 5)}, "at least 2"),
        ({"sizes": (5, 21)}, "at most the 20 training rows"),
        ({"sizes": ()}, "must increase"),
        ({"sizes": (5.0,)}, "whole numbers"),
        ({"repeats": 0}, "repeats at least 1"),
        ({"candidates": []}, "at least one prior"),
        ({"sampler": "smc"}, "sampler must be"),
        ({"key": "seed"}, "integer seed or a JAX key"),
        ({"X_test": np.zeros((3, 2)), "y_test": np.zeros(3)}, "3 inputs and 1 outputs, test data 2 and 1"),
        ({"y": np.r_[np.zeros(19), 1.0], "repeats": 4}, "y is constant"),
    ],
)
def test_bad_arguments_are_refused(data, change, message):
    arguments = dict(zip(("X", "y", "X_test", "y_test"), data, strict=True))
    arguments |= {"candidates": CANDIDATES, "sizes": (5, 20), "likelihood": NOISE} | change
    with pytest.raises(ValueError, match=message):
        learning_curves(**arguments)
