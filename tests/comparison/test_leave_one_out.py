"""Leave-one-out scores of every kind of row, and the evidence curve of learned metrics, against brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.comparison.leave_one_out import leave_one_out
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.partly_observed import PartlyObserved

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.3)
NOISE = bnn.Gaussian(0.5)
ROWS, DRAWS = 8, 8000
SAMPLED = [
    priors.ScaleMixture(NET, 8),
    priors.StudentT(NET, 4),
    priors.InputMetric(NET),
    priors.ARDKernel("matern52"),
    bnn.BayesianNetwork(NET, 4),
]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(ROWS, 2))
    return X, np.sin(1.5 * X[:, 0]) + 0.5 * X[:, 1] + 0.5 * rng.normal(size=ROWS)


@pytest.fixture(scope="module")
def by_brute_force(data):
    """log p(y), every log p(y_i | y_-i) by refits to 7 rows, and draws from the posterior, all by 8,000 prior draws."""
    X, y = (jnp.asarray(one) for one in data)

    def of(prior):
        problem = CollapsedProblem.of(prior, X, y[:, None], NOISE)
        u = problem.sample_prior(jax.random.key(5), (DRAWS,))
        likelihoods = jax.jit(lambda problem, u: jax.lax.map(problem.log_likelihood, u))
        whole, others = np.asarray(likelihoods(problem, u)), (np.delete(np.arange(ROWS), i) for i in range(ROWS))
        without = [
            logsumexp(likelihoods(CollapsedProblem.of(prior, X[rest], y[rest, None], NOISE), u)) for rest in others
        ]
        weights = np.exp(whole - logsumexp(whole))
        assert 1.0 / np.sum(weights**2) > 300.0
        drawn = np.random.default_rng(0).choice(DRAWS, 4 * 500, p=weights)
        log_evidence = float(logsumexp(whole) - np.log(DRAWS))
        return problem, log_evidence, logsumexp(whole) - np.array(without), u[drawn].reshape(4, 500, -1)

    return of


@pytest.mark.statistical
@pytest.mark.parametrize("prior", SAMPLED, ids=repr)
def test_importance_weights_find_what_refits_find(data, by_brute_force, prior):
    """Both rest on the same prior draws; resampling 2,000 of them moved the sum by 0.02 to 0.06 nats over 20 seeds."""
    problem, _, expected, u = by_brute_force(prior)
    observed = PartlyObserved.of_rows(problem, jnp.ones(ROWS))
    found = leave_one_out(observed, u, ROWS)
    assert found.pareto_k < 0.7
    # Ten islands of 200 draws each know their error to a quarter.
    assert 0.01 < leave_one_out(observed, u.reshape(10, 200, -1), ROWS).mcse < 0.15
    assert found.elpd == pytest.approx(expected.sum(), abs=0.3)
    assert found.se == pytest.approx(ROWS**0.5 * expected.std(), rel=0.2)


def test_the_renormalised_kernel_is_scored_at_the_saddle_point_of_the_other_rows():
    """Twenty refits, each without its row, of which the predictive density is read off."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(20, 2))
    y = 3.0 * np.sin(1.5 * X[:, 0]) + 0.3 * rng.normal(size=20)
    prior, noise = priors.RenormalisedKernel(NET, 8), bnn.Gaussian(0.3)
    curve = inference.evidence_curve(prior, X, y, [20], noise, standardize=False, shuffle=False)
    predict = jax.jit(lambda problem, X_new: problem.predict(X_new, {}, jax.random.key(0)))
    scores = []
    for i in range(20):
        rest = np.delete(np.arange(20), i)
        mean, variance = predict(
            CollapsedProblem.of(prior, jnp.asarray(X[rest]), jnp.asarray(y[rest, None]), noise), X[i : i + 1]
        )
        scores.append(float(jax.scipy.stats.norm.logpdf(y[i], mean[0, 0], jnp.sqrt(variance[0, 0]))))
    assert curve.loo[-1].elpd == pytest.approx(sum(scores), abs=1e-6)
    unscaled = inference.evidence_curve(priors.NNGP(NET), X, y, [20], noise, standardize=False, shuffle=False)
    assert abs(unscaled.loo[-1].elpd - sum(scores)) > 0.1


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("prior", [priors.InputMetric(NET), priors.ARDKernel("matern52")], ids=repr)
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_evidence_curves_of_learned_metrics(data, by_brute_force, prior):
    """Evidence within 4 standard errors of the truth, a false alarm in 5,000; its own error is about 0.05 nats."""
    _, log_evidence, expected, _ = by_brute_force(prior)
    settings = inference.SMC(particles=128, islands=2)
    curve = inference.evidence_curve(
        prior, *data, [4], NOISE, standardize=False, shuffle=False, sampler=settings, progress=False
    )
    whole = curve.conditional(0)
    assert abs(whole.value - log_evidence) < 4.0 * np.hypot(whole.mcse, 0.05)
    assert curve.conditional(0, 4).value + curve.conditional(4).value == pytest.approx(whole.value, abs=0.2)
    assert curve.loo[-1].elpd == pytest.approx(expected.sum(), abs=0.5)
