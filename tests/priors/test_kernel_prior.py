"""GPJax kernels as priors, against scikit-learn, GPJax itself, quadrature and the package's own kernels."""

import gpjax as gpx
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import paramax
import pytest
from scipy import stats
from scipy.special import logsumexp
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process import kernels as sk

import bayes_nn as bnn
from bayes_nn import inference, priors

NOISE = bnn.Gaussian(0.3)
FIXED = {"lengthscale": 1.3, "variance": 0.8}


def sites(kernel, **parameters):
    return {name: prior.event_shape for name, prior in priors.KernelPrior(kernel, parameters).hyperparameters().items()}


def test_fixed_rbf_is_scikit_learns(small_data):
    X, y = small_data
    posterior = bnn.fit(priors.KernelPrior(gpx.kernels.RBF(), FIXED), X, y, NOISE, standardize=False)
    oracle = GaussianProcessRegressor(0.8 * sk.RBF(1.3), alpha=0.09 + 1e-10, optimizer=None).fit(X, y)
    assert posterior.log_evidence.method == "exact"
    assert posterior.log_evidence.value == pytest.approx(oracle.log_marginal_likelihood_value_, abs=1e-9)
    mean, std = oracle.predict(X[:7] + 0.3, return_std=True)
    predictive = posterior.predict(X[:7] + 0.3)
    np.testing.assert_allclose(predictive.mean, mean, atol=1e-9)
    np.testing.assert_allclose(predictive.std, np.sqrt(std**2 + 0.09), atol=1e-9)


def test_sums_and_products_have_gpjaxs_own_marginal_likelihood(small_data):
    """GPJax adds a jitter of its own to the Gram matrix: 1e-4 nats."""
    X, y = small_data
    kernels = gpx.kernels
    kernel = kernels.RBF(lengthscale=[1.0, 2.0, 0.7]) * kernels.Linear(variance=0.5) + kernels.Matern32(lengthscale=1.5)
    given = {
        "kernels_0_kernels_0_lengthscale": [1.0, 2.0, 0.7],
        "kernels_0_kernels_0_variance": 1.0,
        "kernels_0_kernels_1_variance": 0.5,
        "kernels_1_lengthscale": 1.5,
        "kernels_1_variance": 1.0,
    }
    evidence = inference.log_evidence(priors.KernelPrior(kernel, given), X, y, "exact", NOISE, standardize=False)
    prior = gpx.gps.Prior(mean_function=gpx.mean_functions.Zero(), kernel=kernel)
    model = prior * gpx.likelihoods.Gaussian(obs_stddev=jnp.array(0.3))
    expected = gpx.objectives.conjugate_mll(model, gpx.Dataset(jnp.asarray(X), jnp.asarray(y)[:, None]))
    assert evidence.value == pytest.approx(float(expected), abs=1e-4)


def test_values_reach_every_part_of_a_kernel(small_data):
    """Evidence under inferred values equals that of a kernel built with them."""
    X, _ = small_data
    kernel = gpx.kernels.RBF() + gpx.kernels.Polynomial(degree=2) * gpx.kernels.White()
    names = {"kernels_0_lengthscale": 0.5, "kernels_1_kernels_0_variance": 0.4, "kernels_1_kernels_1_variance": 0.2}
    K = (
        priors.KernelPrior(kernel, names | {"kernels_1_kernels_0_shift": 2.0, "kernels_0_variance": 0.9})
        .process({}, X)
        .K
    )
    distance2 = ((X[:, None] - X[None]) ** 2).sum(axis=-1)
    expected = 0.9 * np.exp(-0.5 * distance2 / 0.25) + (2.0 + 0.4 * X @ X.T) ** 2 * 0.2 * np.eye(len(X))
    np.testing.assert_allclose(K, expected, atol=1e-12)


def test_arc_cosine_and_a_constant_are_the_relu_nngp(small_data):
    """w^2 ReLU: variance w^2/2, weight variance w^2/d, bias variance b^2, plus b^2 of the readout."""
    X, y = small_data
    w, b = 1.4, 0.3
    kernel = gpx.kernels.ArcCosine(order=1) + gpx.kernels.Constant()
    parameters = {
        "kernels_0_variance": w**2 / 2,
        "kernels_0_weight_variance": w**2 / 3,
        "kernels_0_bias_variance": b**2,
        "kernels_1_constant": b**2,
    }
    ours = bnn.fit(priors.NNGP(bnn.mlp(1, weight_std=w, bias_std=b)), X, y, NOISE)
    theirs = bnn.fit(priors.KernelPrior(kernel, parameters), X, y, NOISE)
    assert theirs.log_evidence.value == pytest.approx(ours.log_evidence.value, abs=1e-6)
    np.testing.assert_allclose(theirs.predict(X).mean, ours.predict(X).mean, atol=1e-6)


@pytest.mark.statistical
def test_inferred_lengthscale_against_quadrature(small_data):
    """4 standard errors: a false alarm once in 16,000; the seed is fixed."""
    X, y = small_data
    prior = priors.KernelPrior(gpx.kernels.RBF(), {"variance": 0.8})
    grid = np.linspace(-4.0, 4.0, 801)
    squared = ((X[:, None] - X[None]) ** 2).sum(axis=-1)
    terms = [
        stats.multivariate_normal(None, 0.8 * np.exp(-0.5 * squared / np.exp(2 * g)) + 0.09 * np.eye(len(y))).logpdf(y)
        for g in grid
    ]
    exact = logsumexp(np.array(terms) + stats.norm(0.0, 0.75).logpdf(grid)) + np.log(grid[1] - grid[0])
    evidence = inference.log_evidence(prior, X, y, "smc", NOISE, standardize=False, key=1)
    assert evidence.reliable, evidence.reasons
    assert abs(evidence.value - exact) < 4 * evidence.mcse


@pytest.mark.slow
@pytest.mark.statistical
def test_vector_of_lengthscales(small_data):
    """The divergence of the Gaussian fit obeys KL(h) = E[log p(y|h)] - log Z to 0.3 nats, its own error and the fit's.

    Laplace's method, which unlike SMC takes gradients, agrees with SMC to 0.5 nats: the posterior is nearly Gaussian.
    """
    X, y = small_data
    prior = priors.KernelPrior(gpx.kernels.RBF(lengthscale=[1.0, 1.0, 1.0]))
    posterior = bnn.fit(prior, X, y, NOISE, sampler=inference.SMC(particles=256))
    assert posterior.problem.n_hyperparameters == 4
    assert posterior.values["lengthscale"].shape == (*posterior.shape, 3)
    lengthscale = posterior.to_datatree().posterior["lengthscale"]
    assert lengthscale.shape == (*posterior.shape, 3)
    relevant = lengthscale.mean(["chain", "draw"]).values
    assert relevant[2] > 1.3 * relevant[0]
    expected = posterior.log_likelihood.mean() - posterior.log_evidence.value
    parts = posterior.feature_information
    assert parts.hyperparameters == pytest.approx(expected, abs=0.3)
    assert sorted(parts.by_hyperparameter) == ["lengthscale", "variance"]
    laplace = inference.log_evidence(prior, X, y, "laplace", NOISE)
    assert laplace.value == pytest.approx(posterior.log_evidence.value, abs=0.5)
    assert posterior.predict(X[:4]).mean.shape == (4,)


def test_which_parameters_are_inferred():
    kernels = gpx.kernels
    frozen = kernels.RBF(lengthscale=paramax.non_trainable(kernels.RBF().lengthscale))
    assert sites(frozen) == {"variance": ()}
    assert sites(kernels.ArcCosine(bias_variance=0.0)) == {"variance": (), "weight_variance": ()}
    assert sites(kernels.Polynomial()) == {"variance": ()}
    assert sites(kernels.Polynomial(), shift=dist.Normal(0.0, 1.0), variance=2.0) == {"shift": ()}
    assert sites(kernels.RBF(lengthscale=[1.0, 2.0]), lengthscale=dist.Gamma(2.0, 1.0)) == {
        "lengthscale": (2,),
        "variance": (),
    }
    assert sites(kernels.RBF() + kernels.Linear()) == {
        f"kernels_{name}": () for name in ("0_lengthscale", "0_variance", "1_variance")
    }
    median = priors.KernelPrior(kernels.RBF(lengthscale=2.5)).hyperparameters()["lengthscale"].icdf(0.5)
    assert float(median) == pytest.approx(2.5)


def test_equality_is_that_of_the_kernel_object_and_the_parameters():
    kernel, prior = gpx.kernels.RBF(lengthscale=[1.0, 2.0]), dist.LogNormal(0.0, 1.0)
    one, same = (priors.KernelPrior(kernel, {"lengthscale": [1.0, 3.0], "variance": prior}) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != priors.KernelPrior(kernel, {"lengthscale": [1.0, 4.0], "variance": prior})
    assert one == priors.KernelPrior(kernel, {"lengthscale": [1.0, 3.0], "variance": dist.LogNormal(0.0, 1.0)})
    assert one != priors.KernelPrior(kernel, {"lengthscale": [1.0, 3.0], "variance": dist.LogNormal(0.0, 1.1)})
    assert one != priors.KernelPrior(kernel, {"lengthscale": [1.0, 3.0]})
    assert one != priors.KernelPrior(gpx.kernels.RBF(lengthscale=[1.0, 2.0]), {"lengthscale": [1.0, 3.0]})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lengthscales": 1.0}, "no parameter 'lengthscales'; it has lengthscale, variance"),
        ({"lengthscale": -1.0}, "lies between 0 and inf"),
        ({"lengthscale": 0.0}, "lies between 0 and inf"),
        ({"lengthscale": [1.0, 2.0]}, "numbers of shape"),
        ({"lengthscale": "long"}, "must be a NumPyro distribution or numbers"),
        ({"lengthscale": dist.Normal(0.0, 1.0)}, "its prior Normal has support"),
        ({"lengthscale": dist.Poisson(1.0)}, "its prior Poisson has support"),
        ({"lengthscale": dist.LogNormal(0.0, 1.0).expand([2])}, "its prior LogNormal has shape|has shape"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        priors.KernelPrior(gpx.kernels.RBF(), parameters)


def test_bad_inputs_are_refused(small_data):
    X, y = small_data
    with pytest.raises(ValueError, match="expected a GPJax kernel"):
        priors.KernelPrior("rbf")
    with pytest.raises(ValueError, match="takes inputs"):
        bnn.fit(priors.KernelPrior(gpx.kernels.RBF()), X.reshape(30, 3, 1, 1), y)
    with pytest.raises(ValueError, match="reads columns"):
        bnn.fit(priors.KernelPrior(gpx.kernels.RBF(active_dims=[0, 3]) + gpx.kernels.Linear()), X, y)
    with pytest.raises(ValueError, match="does not fit inputs of 3 columns"):
        bnn.fit(priors.KernelPrior(gpx.kernels.RBF(lengthscale=[1.0, 2.0])), X, y)


def test_comparison_with_a_kernel(small_data):
    X, y = small_data
    net = bnn.mlp(1, weight_std=1.4, bias_std=0.3)
    candidates = [priors.NNGP(net), priors.KernelPrior(gpx.kernels.RBF(), FIXED, name="RBF")]
    table = bnn.compare(candidates, X[:20], y[:20], X[20:], y[20:], likelihood=NOISE).table
    assert set(table.index) == {candidates[0].name, "RBF"}
    assert np.isfinite(table[["log_evidence", "lpd_test", "rmse"]]).all(axis=None)
    assert (table["feature_information"] == 0.0).all()
    assert table["reliable"].all()
