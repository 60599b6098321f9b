"""The mean-field parameterisation against the NTK's with another readout, and what grows with the width."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.architecture.network import READOUT_SCALE, init
from bayes_nn.inference.problem.collapsed import CollapsedProblem

WIDTH = 16
HIDDEN = (bnn.Dense(1.4, 0.3), bnn.Relu(), bnn.Dense(1.2, 0.2), bnn.Relu())
NET = bnn.Serial(*HIDDEN, bnn.Dense(1.5, 0.4))
#: The network of the NTK parameterisation that the mean-field one is at this width: its bias is not scaled.
SCALED = bnn.Serial(*HIDDEN, bnn.Dense(1.5 / WIDTH**0.5, 0.4))
MEAN_FIELD = bnn.BayesianNetwork(NET, (8, WIDTH), parameterization="mean-field")


def problems(small_data, likelihood, y=None, mean_field=MEAN_FIELD, scaled=SCALED):
    X, target = small_data
    Y = jnp.asarray(target if y is None else y)[:, None]
    X = jnp.asarray(X)
    return (
        CollapsedProblem.of(mean_field, X, Y, likelihood),
        CollapsedProblem.of(bnn.BayesianNetwork(scaled, mean_field.widths), X, Y, likelihood),
    )


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", [bnn.Gaussian(0.3), bnn.Bernoulli()])
def test_it_is_the_network_of_another_readout(small_data, likelihood):
    """The same likelihood, gradients and predictions, the readout integrated out or sampled."""
    y = None if likelihood.conjugate else np.sign(small_data[1]) > 0
    one, other = problems(small_data, likelihood, y)
    u, angle = one.sample_prior(jax.random.key(0)), jnp.array(0.1)
    np.testing.assert_allclose(one.log_likelihood(u), other.log_likelihood(u), rtol=1e-12)
    for mine, others in zip(one.gradients(u, angle), other.gradients(u, angle), strict=True):
        np.testing.assert_allclose(mine, others, rtol=1e-4, atol=1e-4)
    X_new = one.X[:4] + 0.1
    values, key = one.values(u), jax.random.key(1)
    np.testing.assert_allclose(
        one.draw_function_at(X_new, values, key), other.draw_function_at(X_new, values, key), rtol=1e-9
    )
    np.testing.assert_allclose(one.draw_prior(key)[1], other.draw_prior(key)[1], rtol=1e-12)


@pytest.mark.slow
def test_evidence_of_a_fit_is_that_of_the_other_readout(small_data):
    """SMC with the same key on the two networks, to rounding."""
    few = inference.SMC(particles=16, islands=2)
    net, scaled = bnn.mlp(1, "erf", 1.4, 0.3), bnn.Serial(bnn.Dense(1.4, 0.3), bnn.Erf(), bnn.Dense(0.7, 0.3))
    mean_field = bnn.BayesianNetwork(net, 4, parameterization="mean-field")
    keywords = {"likelihood": bnn.Gaussian(0.5), "sampler": few, "progress": False}
    with pytest.warns(bnn.ConvergenceWarning):
        found = [bnn.fit(prior, *small_data, **keywords) for prior in (mean_field, bnn.BayesianNetwork(scaled, 4))]
    values = [posterior.log_evidence.value for posterior in found]
    assert values[0] == pytest.approx(values[1], abs=1e-6)
    tree = found[0].to_datatree()
    assert tree.posterior["readout"].shape[-2:] == (5, 1)


@pytest.mark.statistical
def test_the_variance_of_f_falls_like_one_over_the_width():
    """n Var f(x) is the NNGP's variance without biases; 20,000 draws, relative error 1.5 %, 4 of them."""
    net, x = bnn.mlp(1, "erf", 1.4, 0.0), jnp.array([[0.5, -1.0]])
    nngp = priors.NNGP(net)
    expected = float(nngp.process(nngp.numbers(), x).K[0, 0])
    for width in (4, 16, 64):
        network = bnn.BayesianNetwork(net, width, parameterization="mean-field")
        problem = CollapsedProblem.of(network, x, jnp.zeros((1, 1)), bnn.Gaussian(0.1))
        f = jax.jit(jax.vmap(lambda key, problem=problem: problem.draw_prior(key)[1][0, 0]))(
            jax.random.split(jax.random.key(width), 20_000)
        )
        assert width * float(jnp.var(f)) == pytest.approx(expected, rel=0.06)


def test_kernel_priors_take_the_same_scale():
    """A number and a distribution alike; the NNGP of the same scale is the mean kernel of one hidden layer."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)))
    net = bnn.mlp(1, "relu", dist.LogNormal(0.3, 0.5), 0.2)
    scaled = priors.NNGP(net).with_readout_scale(0.5).with_readout_scale(0.5)
    values = {"weight_std_0": jnp.array(1.4), "weight_std_1": jnp.array(2.0)}
    other = {"weight_std_0": jnp.array(1.4), "weight_std_1": jnp.array(0.5)}
    np.testing.assert_allclose(scaled.process(values, x).K, priors.NNGP(net).process(other, x).K, rtol=1e-12)
    assert scaled.name == "NNGP(relu, depth=1, readout times 0.5, readout times 0.5)"
    with pytest.raises(ValueError, match="scale the weight_std"):
        _ = scaled.kernel
    for factor in (0.0, -1.0, float("nan"), "a", True):
        with pytest.raises(ValueError, match="positive number"):
            scaled.with_readout_scale(factor)


def test_before_the_data_the_kernel_has_the_same_scale(small_data):
    """The after kernel's counterpart, which stands for the prior mean of K_z, is that of the scaled readout."""
    net = bnn.mlp(1, "erf", 1.4, 0.3)
    network = bnn.BayesianNetwork(net, 4, parameterization="mean-field")
    chains = inference.InfiniteHMC(chains=2, warmup=10, draws=20)
    with pytest.warns(bnn.ConvergenceWarning):
        posterior = bnn.fit(network, *small_data, bnn.Gaussian(0.5), chains, progress=False)
    before = inference.after_kernel(posterior, progress=False).before
    half = priors.NNGP(net).with_readout_scale(0.5)
    np.testing.assert_allclose(before.K, half.process(half.numbers(), posterior.problem.X).K, rtol=1e-9)


def test_the_neural_tangent_kernel_of_a_network_is_that_of_its_readout():
    x, parameters = jnp.ones((2, 3)), init(NET, jax.random.key(0), (3,), (8, WIDTH))
    found = bnn.priors.empirical_ntk(MEAN_FIELD, parameters, x)
    np.testing.assert_allclose(found, bnn.priors.empirical_ntk(SCALED, parameters, x), rtol=1e-10)


def test_equal_networks_are_equal_and_a_missing_scale_is_told():
    again = bnn.BayesianNetwork(NET, (8, WIDTH), parameterization="mean-field")
    assert again == MEAN_FIELD
    assert again != bnn.BayesianNetwork(NET, (8, WIDTH))
    assert again.name == "BayesianNetwork(relu, depth=2, width=(8, 16), mean-field)"
    assert priors.FrozenFeatures(NET, 4, parameterization="mean-field").readout_scale == 0.5
    assert MEAN_FIELD.numbers()[READOUT_SCALE] == 0.25
    assert READOUT_SCALE not in bnn.BayesianNetwork(NET, 4).numbers()
    scaled = [MEAN_FIELD.with_readout_scale(factor) for factor in (0.5, 2.0)]
    assert scaled[0] != scaled[1]
    assert scaled[0].without_numbers() == scaled[1].without_numbers()
    values = {name: jnp.ones(prior.event_shape) for name, prior in MEAN_FIELD.hidden_weights((3,)).items()}
    with pytest.raises(ValueError, match="taken out"):
        MEAN_FIELD.without_numbers().process(values, jnp.ones((2, 3)))
    for wrong in ("mup", None, 1):
        with pytest.raises(ValueError, match="'ntk' or 'mean-field'"):
            bnn.BayesianNetwork(NET, 4, parameterization=wrong)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_features_survive_where_the_data_grow_with_the_width():
    """Single index, noise variance 1.44/n: from n = 16 to 64 feature information grows like n, or by half.

    Measured 13.2 +- 0.5 and 52.0 +- 0.6 nats, and 12.8 +- 0.4 and 19.0 +- 0.4 in the NTK parameterisation; the bounds
    are more than 8 errors away. At a fixed noise of 0.3 both fall, from 15 to 7 and from 13 to 5 nats.
    """
    rng = np.random.default_rng(2)
    X = rng.normal(size=(40, 3))
    y = np.sin(2.0 * X.sum(axis=1) / 3**0.5) + 0.1 * rng.normal(size=40)
    net, smc = bnn.mlp(1, "erf", 1.4, 0.3), inference.SMC(particles=32, islands=4)

    def information(width, parameterization):
        network = bnn.BayesianNetwork(net, width, parameterization)
        noise = bnn.Gaussian(1.2 / width**0.5)
        return float(bnn.fit(network, X, y, noise, smc, progress=False).feature_information)

    assert information(64, "mean-field") > 3.0 * information(16, "mean-field")
    assert information(64, "ntk") < 2.2 * information(16, "ntk")
