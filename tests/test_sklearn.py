"""Priors as scikit-learn estimators: its own checks, pipelines, searches, and the same numbers as ``fit``."""

import subprocess
import sys
from dataclasses import dataclass

import jax
import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import bayes_nn as bnn
from bayes_nn.inference.sampling.sampler import SampledDraws, Sampler, all_values, silent
from bayes_nn.sklearn import PriorClassifier, PriorRegressor

NNGP = bnn.priors.NNGP(bnn.mlp(1, "identity", 1.4, 0.1))


@jax.jit
def minus_log_density(problem, u):
    prior, gradient = jax.value_and_grad(problem.log_prior)(u)
    likelihood, more = problem.log_likelihood_and_gradient(u)
    return -(prior + likelihood), -(gradient + more)


@dataclass(frozen=True)
class Peak(Sampler):
    """The peak of the posterior as its only draw: little to compile for each of the many shapes of the checks."""

    name = "peak"

    def draw(self, problem, key, *, report=silent, checkpoint=None, good_enough=None):
        def target(u):
            return tuple(np.asarray(part) for part in minus_log_density(problem, u))

        u = minimize(target, np.zeros(problem.dimension), jac=True, method="L-BFGS-B").x
        log_likelihood = float(problem.log_prior(u)) - float(target(u)[0])
        return SampledDraws(all_values(problem, u[None, None]), np.full((1, 1), log_likelihood))


ESTIMATORS = [PriorRegressor(NNGP, bnn.Gaussian(0.3)), PriorClassifier(NNGP, sampler=Peak())]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_own_checks(estimator, check):
    """None is expected to fail."""
    check(estimator)


def test_predictions_are_those_of_fit(small_data):
    X, y = small_data
    model = PriorRegressor(NNGP, bnn.Gaussian(0.3)).fit(X, y)
    mean, std = model.predict(X[:5], return_std=True)
    predictive = bnn.fit(NNGP, X, y, bnn.Gaussian(0.3)).predict(X[:5])
    np.testing.assert_allclose(mean, predictive.mean, rtol=1e-10)
    np.testing.assert_allclose(std, predictive.std, rtol=1e-10)
    np.testing.assert_allclose(model.score(X, y), 1 - np.sum((model.predict(X) - y) ** 2) / np.sum((y - y.mean()) ** 2))


def test_pipelines_and_searches_take_it(small_data):
    """The search prefers the noise that made the data to one ten times as strong."""
    X, y = small_data
    pipeline = make_pipeline(StandardScaler(), PriorRegressor(NNGP, bnn.Gaussian(0.3)))
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.5
    search = GridSearchCV(pipeline, {"priorregressor__likelihood": [bnn.Gaussian(0.3), bnn.Gaussian(3.0)]}, cv=3)
    assert search.fit(X, y).best_params_["priorregressor__likelihood"].noise_std == 0.3


def test_rows_drawn_twice_are_accepted(small_data):
    X, y = small_data
    again = np.r_[0:30, 0:5]
    assert PriorRegressor(NNGP, bnn.Gaussian(0.3)).fit(X[again], y[again]).posterior_.dataset.inputs.shape == (35, 3)


def test_a_clone_is_equal_and_compiles_nothing(small_data):
    X, y = small_data
    model = PriorRegressor(NNGP, bnn.Gaussian(0.3))
    expected = model.fit(X, y).predict(X)
    copy = clone(model)
    assert not hasattr(copy, "posterior_")
    assert copy.prior == model.prior
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, *_, **__: compiled.append(name) if name.endswith("backend_compile_duration") else None
    )
    np.testing.assert_array_equal(copy.fit(X, y).predict(X), expected)
    assert compiled == []


def test_labels_keep_their_names(small_data):
    X = small_data[0]
    labels = np.where(X[:, 0] > 0.5, "up", np.where(X[:, 0] < -0.5, "down", "level"))
    model = PriorClassifier(NNGP, sampler=Peak())
    with pytest.warns(bnn.ConvergenceWarning):
        model.fit(X, labels)
    assert model.classes_.tolist() == ["down", "level", "up"]
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (model.predict(X) == model.classes_[probabilities.argmax(axis=1)]).all()
    assert model.score(X, labels) > 0.8


@pytest.mark.slow
def test_the_package_does_without_scikit_learn():
    program = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import bayes_nn as bnn; bnn.compare\n"
        "try: import bayes_nn.sklearn\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'bayes_nn[data]'" in done.stdout
