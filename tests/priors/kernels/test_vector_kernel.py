"""The hand-made derivative of the Gram matrix of vectors, against autodiff through the recursion and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn.architecture.network import hyperparameter_priors
from bayes_nn.priors.kernels import vector_kernel
from bayes_nn.priors.kernels.kernel_recursion import kernel_matrix
from bayes_nn.priors.kernels.vector_kernel import gram_of_vectors

BRANCHES = [bnn.Residual(layer, bnn.Dense()) for layer in (bnn.Relu(), bnn.Erf())]
RESIDUAL = bnn.Serial(bnn.Dense(), BRANCHES[0], bnn.LayerNorm(), BRANCHES[1], bnn.Dense())
NETS = {
    "relu": bnn.mlp(2, "relu"),
    "erf": bnn.mlp(1, "erf"),
    "tanh": bnn.mlp(1, "tanh"),
    "gelu without biases": bnn.mlp(2, "gelu", bias_std=0.0),
    "residual": RESIDUAL,
}


def inputs(rows, seed=0):
    """With a row twice, its mirror image, one that is nearly the same, and one of zeros."""
    Z = np.random.default_rng(seed).normal(size=(rows, 2))
    Z[5], Z[7], Z[9], Z[rows - 1] = Z[2], -Z[2], Z[2] + 1e-9, 0.0
    return jnp.asarray(Z)


def stds(net):
    rng = np.random.default_rng(1)
    return {name: jnp.asarray(rng.uniform(0.5, 1.5)) for name in hyperparameter_priors(net)}


@pytest.fixture(params=NETS)
def net(request):
    return NETS[request.param]


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Of 8 rows, so that 19 rows take three along each side and the last one overlaps with the one before."""
    monkeypatch.setattr(vector_kernel, "SIDE", 8)
    jax.clear_caches()


def test_value_and_derivative_are_those_of_the_recursion(net):
    """For a matrix of cotangents that is not symmetric."""
    Z, values = inputs(19), stds(net)
    H = jnp.asarray(np.random.default_rng(2).normal(size=(19, 19)))
    np.testing.assert_allclose(gram_of_vectors(net, values, Z), kernel_matrix(net, values, Z), rtol=1e-12, atol=1e-14)
    ours, plain = (
        jax.grad(lambda values, Z, gram=gram: jnp.vdot(H, gram(net, values, Z)), argnums=(0, 1))(values, Z)
        for gram in (gram_of_vectors, kernel_matrix)
    )
    assert ours[0].keys() == plain[0].keys()
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * float(jnp.abs(b).max()))


@pytest.mark.parametrize("name", ["relu", "residual"])
def test_derivative_is_that_of_differences(name):
    """Central differences along random directions of all inputs: equal rows move apart as well."""
    net, Z = NETS[name], inputs(12)[:11]  # a layer that normalises has no derivative at 0
    values, H = stds(net), jnp.asarray(np.random.default_rng(3).normal(size=(11, 11)))
    function = jax.jit(lambda Z: jnp.vdot(H, gram_of_vectors(net, values, Z)))
    gradient = jax.grad(function)(Z)
    for seed in range(3):
        direction = jnp.asarray(np.random.default_rng(seed).normal(size=Z.shape))
        step = 1e-5
        differences = (function(Z + step * direction) - function(Z - step * direction)) / (2.0 * step)
        assert float(jnp.vdot(gradient, direction)) == pytest.approx(float(differences), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["relu", "erf", "residual"])
def test_eager_compiled_and_differentiated_values_agree(name):
    """Diagonals and equal rows are where XLA's rewriting once changed an evidence by nats."""
    net = NETS[name]
    Z, values = inputs(12), stds(net)
    with jax.disable_jit():
        eager = gram_of_vectors(net, values, Z)
    compiled = jax.jit(lambda Z: gram_of_vectors(net, values, Z))(Z)
    value = jax.jit(jax.value_and_grad(lambda Z: jnp.sum(gram_of_vectors(net, values, Z))))(Z)[0]
    np.testing.assert_allclose(eager, compiled, rtol=1e-12, atol=1e-13)
    assert float(value) == pytest.approx(float(eager.sum()), rel=1e-12)


def test_inputs_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="needs inputs with 2 spatial axes"):
        gram_of_vectors(bnn.Serial(bnn.Conv(), bnn.Relu(), bnn.Flatten(), bnn.Dense()), {}, inputs(12))
