"""Probabilities of functions, against orthant probabilities, closed forms and networks counted one by one."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from scipy.stats import multivariate_normal
from sklearn.linear_model import PoissonRegressor

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.features.function_draws import Chosen, functions_at
from bayes_nn.inference.features.function_probabilities import FunctionProbabilities
from bayes_nn.inference.problem.collapsed import CollapsedProblem

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.5)
CUBE = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
X, X_TEST = CUBE[[0, 3, 5, 6, 7]], CUBE[[1, 2, 4]]
Y = np.array([-1.0, 1.0, 1.0, -1.0, 1.0])
NOISE = 0.6


def conditional(K, y, rows, v):
    """Mean and covariance of f at all inputs given noisy y at the first of them, by inverting matrices."""
    weights = K[:, :rows] @ np.linalg.inv(K[:rows, :rows] + v * np.eye(rows))
    return weights @ y, K - weights @ K[:rows]


@pytest.fixture(scope="module")
def posterior():
    return bnn.fit(priors.NNGP(NET), X, Y, bnn.Gaussian(NOISE), standardize=False)


@pytest.fixture(scope="module")
def ensemble():
    """Trained for so short a time that some networks label a training row wrongly."""
    settings = {"optimizer": "sgd", "learning_rate": 0.3, "steps": 20, "stop": "steps", "noise_std": NOISE}
    return bnn.train(NET, X, Y, 16, members=40, standardize=False, progress=False, **settings)


@pytest.fixture(scope="module")
def found(posterior, ensemble):
    return inference.function_probabilities(posterior, ensemble, X_TEST, [1.0, 1.0, -1.0], draws=50_000)


pytestmark = pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")


def test_bayes_has_orthant_probabilities(found):
    """Given that the training rows are right, as they are for 61 % of draws. 9 numbers at 4 errors: 6e-4 by chance."""
    K = np.asarray(priors.NNGP(NET).kernel.gram(jnp.asarray(np.vstack([X, X_TEST]))).as_matrix())
    mean, covariance = conditional(K, Y, len(X), NOISE**2)

    def probability(labels):
        signs = 2.0 * np.asarray(labels, float) - 1.0
        size = len(signs)
        return multivariate_normal(np.zeros(size), np.outer(signs, signs) * covariance[:size, :size]).cdf(
            signs * mean[:size], rng=np.random.default_rng(0)
        )

    training = (Y > 0).tolist()
    right = probability(training)
    assert found.fitting[0] == pytest.approx(right, abs=4.0 * (right * (1.0 - right) / 50_000) ** 0.5)
    assert right < 0.7
    assert len(found.table) == 8
    assert found.table.draws.sum() == found.draws
    for labels in itertools.product([0, 1], repeat=3):
        row = found.table.loc["".join(map(str, labels))]
        exact = probability([*training, *labels]) / right
        assert 10**row.log10_bayes == pytest.approx(exact, abs=4.0 * (exact * (1.0 - exact) / found.draws) ** 0.5)
        # The error of the logarithm is that of a fraction of independent draws.
        assert row.log10_bayes_se == pytest.approx(
            ((1.0 - exact) / exact / found.draws) ** 0.5 / np.log(10.0), rel=0.15
        )


def test_training_counts_networks_one_by_one(found, ensemble):
    everything = jnp.asarray(np.vstack([X, X_TEST]))
    counts, right = {}, 0
    for member in range(len(ensemble)):
        f = bnn.network.apply(NET, jax.tree.map(lambda leaf: leaf[member], ensemble.parameters), everything)  # noqa: B023
        labels = "".join("1" if one > 0.0 else "0" for one in np.asarray(f)[:, 0])
        if labels.startswith("01101"):
            right += 1
            counts[labels[5:]] = counts.get(labels[5:], 0) + 1
    assert 0 < right < 40
    assert (found.members, found.fitting[1]) == (right, right / 40)
    assert found.table.members[found.table.members > 0].to_dict() == counts
    assert found.common == len(counts)
    assert found.covered[0] == found.table.draws[list(counts)].sum() / found.draws
    assert found.covered[1] == 1.0


def test_wrong_labels_are_counted(found):
    assert found.table.wrong["110"] == 0
    assert found.table.wrong["001"] == 3
    assert found.table.wrong["100"] == 1


def test_labels_may_be_any_two_numbers_and_data_standardised(ensemble):
    """The posterior of 0 and 1, standardised, is that of -1 and 1, standardised: the same draws."""
    tables = []
    for y in (Y, 0.5 * (Y + 1.0)):
        trained = bnn.train(NET, X, y, 16, members=4, steps=60, stop="steps", noise_std=NOISE, progress=False)
        posterior = bnn.fit(priors.NNGP(NET), X, y, bnn.Gaussian(NOISE))
        tables.append(inference.function_probabilities(posterior, trained, X_TEST, draws=2000).table)
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("prior", [priors.NNGP(NET), bnn.BayesianNetwork(NET, width=6)], ids=["kernel", "features"])
def test_draws_of_f_are_joint(prior):
    """Means and covariances of 40,000 draws, at all inputs, are the closed form's: 72 numbers at 4.5 errors, 5e-4."""
    problem = CollapsedProblem.of(prior, jnp.asarray(X), jnp.asarray(Y[:, None]), bnn.Gaussian(NOISE))
    values = {name: jnp.asarray(one.sample(jax.random.key(1))) for name, one in problem.latents.items()}
    f = np.asarray(functions_at(problem, jnp.asarray(X_TEST), 40_000, values, jax.random.key(2)))
    process = prior.process(problem.fixed | values, jnp.asarray(np.vstack([X, X_TEST])))
    K = np.asarray(process.Phi @ process.Phi.T if hasattr(process, "Phi") else process.K)
    mean, covariance = conditional(K, Y, len(X), NOISE**2)
    variances = np.diag(covariance)
    assert (np.abs(f.mean(axis=1) - mean) < 4.5 * np.sqrt(variances / 40_000) + 1e-6).all()
    # Isserlis: the variance of a sample covariance of Gaussians.
    error = np.sqrt((np.outer(variances, variances) + covariance**2) / 40_000)
    assert (np.abs(np.cov(f) - covariance) < 4.5 * error + 1e-6).all()


def test_errors_are_those_of_repeated_draws():
    """Groups of 5 draws that are alike, a random part of which is right: by far not 5 independent draws.

    The spread of 400 fractions is known to 4 %; 15 % are 4 such errors, of which 6e-5 fail by chance.
    """
    rng, right = np.random.default_rng(3), np.array([True])
    found = []
    for _ in range(400):
        labels = rng.random((200, 5, 2)) < rng.beta(0.2, 0.2, size=(200, 1, 2))
        chosen = Chosen.of("draw", labels, right)
        counts, errors = chosen.frequencies(chosen.functions[:, 0].astype(int), 2, (1, 200), "frozen")
        found.append((counts[1] / counts.sum(), errors[1]))
    fractions, errors = np.array(found).T
    assert fractions.std() == pytest.approx(errors.mean(), rel=0.15)
    assert errors.mean() > 1.5 * (0.5 * 0.5 / (0.5 * 1000)) ** 0.5


def counted(p, q, draws=100_000, members=2_000):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"draws": rng.multinomial(draws, p), "members": rng.multinomial(members, q)})
    return FunctionProbabilities(table, draws, members, (1.0, 1.0))


@pytest.mark.parametrize("power", [1.0, 0.5])
def test_slope_is_the_power_of_the_law(power):
    """Within 4 errors (6e-5 by chance), functions that training never found among them; the fit is scikit-learn's."""
    p = np.random.default_rng(1).dirichlet(np.full(2000, 0.2))
    found = counted(p, p**power / (p**power).sum())
    slope, error = found.slope
    assert (found.compared.members == 0).any()
    assert slope == pytest.approx(power, abs=4.0 * error)
    assert error < 0.1
    x = np.log(found.compared.draws.to_numpy())[:, None]
    other = PoissonRegressor(alpha=0.0, tol=1e-8, max_iter=1000).fit(x - x.mean(), found.compared.members)
    assert slope == pytest.approx(other.coef_[0], abs=1e-3)


def test_error_of_the_slope_is_that_of_repeated_samples():
    """The spread of 200 slopes is known to 5 %; 4 such errors, of which 6e-5 fail by chance."""
    p = np.random.default_rng(1).dirichlet(np.full(300, 0.3))
    found = counted(p, p)
    rng = np.random.default_rng(2)
    again = [replace(found, table=found.table.assign(members=rng.multinomial(2_000, p))).slope for _ in range(200)]
    slopes, errors = np.array(again).T
    assert slopes.std() == pytest.approx(errors.mean(), rel=0.2)


def test_too_few_functions_have_no_slope():
    assert np.isnan(counted(np.array([0.5, 0.5]), np.array([0.5, 0.5])).slope).all()


def test_plot_shows_every_function_and_the_line_of_equality(found):
    ax = found.plot().axes[0]
    points = np.vstack([drawn.get_offsets() for drawn in ax.collections if isinstance(drawn, PathCollection)])
    expected = np.maximum(found.table[["draws", "members"]], 0.5) / [found.draws, found.members]
    np.testing.assert_allclose(sorted(map(tuple, points)), sorted(map(tuple, expected.to_numpy())))
    line = ax.lines[0].get_xydata()
    np.testing.assert_array_equal(line[:, 0], line[:, 1])
    assert f"of {len(found.table)} by {found.draws} draws" in str(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X_test": X_TEST[:, :2]}, "X_test has 2 columns"),
        ({"y_test": [1.0, 1.0]}, "one label for each of the 3 test inputs"),
        ({"y_test": [1.0, 0.0, 1.0]}, "the labels -1 and 1"),
        ({"draws": 0}, "at least 1 draw"),
    ],
)
def test_bad_arguments_are_refused(posterior, ensemble, change, message):
    settings = {"posterior": posterior, "ensemble": ensemble, "X_test": X_TEST} | change
    with pytest.raises(ValueError, match=message):
        inference.function_probabilities(**settings)


def test_posteriors_that_do_not_fit_are_refused(posterior, ensemble):
    wide = bnn.fit(priors.NNGP(NET), X, Y, bnn.Gaussian(NOISE))
    with pytest.raises(ValueError, match="different data"):
        inference.function_probabilities(wide, ensemble, X_TEST)
    several = bnn.fit(priors.NNGP(NET), X, np.arange(5.0), bnn.Gaussian(NOISE), standardize=False)
    with pytest.raises(ValueError, match="two different numbers; got 1 columns, 5 numbers"):
        inference.function_probabilities(several, ensemble, X_TEST)
    noisy = bnn.fit(priors.NNGP(NET), X, Y, bnn.Gaussian(1e4), standardize=False)
    assert inference.function_probabilities(noisy, ensemble, X_TEST, draws=20_000).fitting[0] < 0.2
    never = replace(ensemble, parameters=jax.tree.map(jnp.zeros_like, ensemble.parameters))
    with pytest.raises(ValueError, match="no trained network labels all training rows correctly"):
        inference.function_probabilities(posterior, never, X_TEST, draws=10)
