"""Equal architectures are equal, and code compiled for one serves the other."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import bayes_nn as bnn
from bayes_nn.architecture.equality import ByFields, key_of
from bayes_nn.architecture.network import fixed_stds, layer_stds, parameter_shapes
from bayes_nn.architecture.standard_deviations import TAKEN_OUT, median, same_std
from bayes_nn.priors.kernels.kernel_derivatives import activation_derivatives
from bayes_nn.priors.kernels.kernel_recursion import kernel_diagonal, kernel_matrices


def residual_net(std=1.3):
    return bnn.Serial(
        bnn.Conv((2, 2), None, "SAME", std, 0.3),
        bnn.Residual(bnn.Relu(), bnn.Conv((2, 2), None, "SAME", std, 0.3), shortcut=(bnn.Conv((1, 1)),)),
        bnn.LayerNorm(),
        bnn.LeakyRelu(0.2),
        bnn.AvgPool((2, 2), (1, 1)),
        bnn.Flatten(),
        bnn.Dense(std, 0.0),
    )


MAKERS = {
    "left out": lambda: bnn.mlp(2),
    "numbers": lambda: bnn.mlp(2, "erf", 1.4, 0.1),
    "distributions": lambda: bnn.mlp(1, bnn.Sin(1.3, 0.8), dist.Uniform(0.5, 2.0), dist.InverseGamma(2.0, 1.0)),
    "arrays": lambda: bnn.mlp(1, bnn.Erf(jnp.array(1.2)), dist.HalfNormal(jnp.array(0.7)), np.float32(0.5)),
    "transformed": lambda: bnn.mlp(
        1,
        weight_std=dist.TransformedDistribution(
            dist.Normal(0.0, 1.0), [dist.transforms.AffineTransform(0.1, 2.0), dist.transforms.ExpTransform()]
        ),
    ),
    "truncated": lambda: bnn.mlp(1, weight_std=dist.TruncatedNormal(1.0, 0.3, low=0.0)),
    "residual": residual_net,
}


@pytest.mark.parametrize("name", MAKERS)
def test_newly_made_equal_nets_are_equal(name):
    one, same = MAKERS[name](), MAKERS[name]()
    assert one == same
    assert hash(one) == hash(same)
    assert one.without_numbers == same.without_numbers
    assert one.layers == same.layers
    assert copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one


def test_other_nets_differ():
    nets = [
        *[make() for make in MAKERS.values()],
        bnn.mlp(3),
        bnn.mlp(2, "erf", 1.4, 0.2),
        bnn.mlp(2, "erf", 1.5, 0.1),
        bnn.mlp(2, bnn.Erf(1.1), 1.4, 0.1),
        bnn.mlp(1, bnn.Sin(1.3, 0.8), dist.Uniform(0.5, 2.5), dist.InverseGamma(2.0, 1.0)),
        bnn.mlp(1, weight_std=dist.LogNormal(0.0, 1.0)),
        bnn.mlp(1, weight_std=dist.HalfCauchy(1.0)),
        bnn.mlp(1, weight_std=dist.HalfNormal(1.0)),
        residual_net(1.2),
        bnn.Serial(*residual_net().layers[:-1], bnn.Dense(1.3)),
    ]
    assert len(set(nets)) == len(nets)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (dist.LogNormal(0.0, 1.0), dist.LogNormal(0.0, 1.1)),
        (dist.LogNormal(0.0, 1.0), dist.LogNormal(0.1, 1.0)),
        (dist.Gamma(2.0, 1.0), dist.InverseGamma(2.0, 1.0)),
        (dist.TruncatedNormal(1.0, 0.3, low=0.0), dist.TruncatedNormal(1.0, 0.3, low=0.1)),
        (
            dist.TransformedDistribution(dist.Normal(), dist.transforms.ExpTransform()),
            dist.TransformedDistribution(dist.Normal(0.0, 2.0), dist.transforms.ExpTransform()),
        ),
        (bnn.Shared(dist.LogNormal()), dist.LogNormal()),
        (0.5, TAKEN_OUT),
    ],
)
def test_other_standard_deviations_differ(one, other):
    assert not same_std(one, other)
    assert same_std(one, one)


def test_users_distributions_compare_by_all_their_attributes():
    class Scaled(dist.LogNormal):
        def __init__(self, factor):
            self.factor = factor
            super().__init__(0.0, 1.0)

    assert same_std(Scaled(2.0), Scaled(2.0))
    assert not same_std(Scaled(2.0), Scaled(3.0))


def test_which_layers_share_is_part_of_a_net():
    def net(first, second, third):
        return bnn.Serial(bnn.Dense(first, 0.1), bnn.Relu(), bnn.Dense(second, 0.1), bnn.Relu(), bnn.Dense(third, 0.1))

    def shared():
        return bnn.Shared(dist.LogNormal(0.3, 0.5))

    a, b, c, d = (shared() for _ in range(4))
    assert a == b
    assert net(a, a, b) == net(c, c, d)
    assert len({net(a, a, a), net(a, a, b), net(a, b, a), net(a, b, b), net(a, b, c)}) == 5
    assert bnn.Dense(a, a) == bnn.Dense(b, b)
    assert bnn.Dense(a, a) != bnn.Dense(a, b)
    assert net(a, a, b) == pickle.loads(pickle.dumps(net(c, c, d)))
    assert list(bnn.priors.NNGP(net(a, a, b).without_numbers).hyperparameters()) == ["weight_std_0", "weight_std_2"]


def test_functions_compare_by_identity():
    softplus = bnn.mlp(1, bnn.Activation(jax.nn.softplus), 1.4, 0.1)
    assert softplus == bnn.mlp(1, bnn.Activation(jax.nn.softplus), 1.4, 0.1)
    assert softplus != bnn.mlp(1, bnn.Activation(lambda x: jax.nn.softplus(x), "softplus"), 1.4, 0.1)


def test_values_that_are_being_traced_equal_themselves_alone():
    @jax.jit
    def outcome(location):
        prior = dist.LogNormal(location, 1.0)
        assert same_std(prior, prior)
        assert not same_std(prior, dist.LogNormal(2.0 * location, 1.0))
        return kernel_matrices(bnn.mlp(1, weight_std=prior), {"weight_std_0": 1.0, "weight_std_1": location}, X)

    X = jnp.ones((3, 2))
    assert outcome(jnp.array(1.0)).nngp.shape == (3, 3)


def test_keys_of_containers_and_odd_objects():
    class Odd(ByFields):
        def __init__(self, **fields):
            vars(self).update(fields)

    thing = [object()]
    assert Odd(a=(1, {"b": np.ones(2)}), c=None) == Odd(c=None, a=(1, {"b": np.ones(2)}))
    assert Odd(a=float("nan")) == Odd(a=float("nan"))
    assert Odd(a=1) != Odd(a=True)
    assert Odd(a=thing) == Odd(a=thing)
    assert Odd(a={1, 2}) != Odd(a={1, 2})
    assert key_of(jax.random.key(0)) is not None


def test_numbers_taken_out():
    net = residual_net()
    bare = net.without_numbers
    assert fixed_stds(net) == {
        **dict.fromkeys(("weight_std_0", "weight_std_1", "weight_std_3"), 1.3),
        **dict.fromkeys(("bias_std_0", "bias_std_1"), 0.3),
    }
    assert fixed_stds(bare) == {}
    assert bare == residual_net(1.1).without_numbers
    assert bare.without_numbers == bare
    assert bare.layers[0].weight_std is TAKEN_OUT
    assert bare.layers[-1].bias_std == 0.0
    assert pickle.loads(pickle.dumps(TAKEN_OUT)) is TAKEN_OUT
    assert copy.deepcopy(bare).layers[0].weight_std is TAKEN_OUT
    assert parameter_shapes(net, (4, 4, 2), (3, 3, 3)) == parameter_shapes(bare, (4, 4, 2), (3, 3, 3))
    np.testing.assert_array_equal(layer_stds(bare, fixed_stds(net)), layer_stds(net, {}))
    with pytest.raises(ValueError, match="fixed weight_std_0 was taken out"):
        layer_stds(bare, {})
    with pytest.raises(ValueError, match="taken out"):
        median(TAKEN_OUT)


@pytest.fixture
def compilations():
    """Number of programs compiled so far."""
    count = 0

    def listen(event, duration, **_):
        nonlocal count
        count += event == "/jax/core/compile/backend_compile_duration"

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield lambda: count
    jax.monitoring.unregister_event_duration_listener(listen)


def uses():
    """What is computed from a net: inputs of a shape that no other test has."""
    X = jnp.asarray(np.random.default_rng(0).normal(size=(7, 3)))
    parameters = bnn.network.init(bnn.mlp(2, bias_std=0.1), jax.random.key(0), (3,), 5)
    return {
        "kernel_matrices": lambda net: kernel_matrices(net, {}, X),
        "cross-covariance": lambda net: kernel_matrices(net, {}, X, X[:2], ntk=False),
        "kernel_diagonal": lambda net: kernel_diagonal(net, {}, X, "ntk"),
        "empirical_ntk": lambda net: bnn.priors.empirical_ntk(net, parameters, X),
        "shapes": lambda net: parameter_shapes(net, (3,), (5, 5)),
        "activation_derivatives": lambda net: activation_derivatives(net.layers[1], X @ X.T),
    }


@pytest.mark.parametrize("name", uses())
def test_equal_nets_and_other_fixed_numbers_compile_nothing(compilations, name):
    use = uses()[name]
    before = compilations()
    first = jax.block_until_ready(use(bnn.mlp(2, "relu", 1.4, 0.3)))
    assert name == "shapes" or compilations() > before
    before = compilations()
    again = use(bnn.mlp(2, "relu", 1.4, 0.3))
    other = jax.block_until_ready(use(bnn.mlp(2, "relu", 1.5, 0.2)))
    assert compilations() == before
    jax.tree.map(np.testing.assert_array_equal, first, again)
    if name not in ("shapes", "activation_derivatives"):
        assert not np.allclose(jax.tree.leaves(first)[0], jax.tree.leaves(other)[0])


def test_equal_inferred_nets_compile_nothing(compilations):
    X = jnp.ones((6, 3))
    values = {"weight_std_0": jnp.array(1.0)}
    kernel_matrices(bnn.mlp(2), values, X)
    before = compilations()
    nets = [bnn.mlp(2) for _ in range(2)]
    made = compilations() - before
    for net in nets:
        jax.block_until_ready(kernel_matrices(net, values, X))
    assert compilations() - before == made == 0
