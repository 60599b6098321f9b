"""What priors have in common: equality, fixed numbers taken out, and the NumPyro model."""

import copy
import pickle

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

import bayes_nn as bnn
from bayes_nn import priors

KINDS = {
    "NNGP": priors.NNGP,
    "NTK": priors.NTK,
    "ScaleMixture": lambda net: priors.ScaleMixture(net, 8),
    "StudentT": priors.StudentT,
    "RenormalisedKernel": lambda net: priors.RenormalisedKernel(net, 8),
    "BayesianNetwork": lambda net: bnn.BayesianNetwork(net, 8),
    "FrozenFeatures": lambda net: priors.FrozenFeatures(net, 8),
}


class Basis(priors.GaussianProcessMixture):
    """A Gaussian process with features given by an array."""

    def __init__(self, centres):
        self.name, self.centres = "Basis", centres

    def hyperparameters(self):
        return {}

    def process(self, values, X, X_new=None):
        raise NotImplementedError


def test_array_attributes_compare_by_value():
    one, same, other = (Basis(np.array([1.0, 2.0])), Basis(np.array([1.0, 2.0])), Basis(np.array([1.0, 3.0])))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != Basis(np.array([1.0, 2.0], np.float32))
    assert Basis(jnp.array([1.0])) == Basis(jnp.array([1.0]))
    assert one != "Basis"


def test_an_attribute_set_later_counts():
    one, other = Basis(np.ones(2)), Basis(np.ones(2))
    assert one == other
    other.name = "Other"
    assert one != other


@pytest.mark.parametrize("kind", KINDS)
def test_priors_on_newly_made_equal_nets_are_equal(kind):
    make = KINDS[kind]
    one, same = make(bnn.mlp(2)), make(bnn.mlp(2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != make(bnn.mlp(2, bias_std=0.1))
    assert one != make(bnn.mlp(2, "erf"))
    assert one == copy.deepcopy(one)
    assert one == pickle.loads(pickle.dumps(one))


def test_kinds_widths_and_degrees_of_freedom_tell_priors_apart():
    net = bnn.mlp(1)
    assert len({make(net) for make in KINDS.values()}) == len(KINDS)
    assert bnn.BayesianNetwork(net, 8) != bnn.BayesianNetwork(net, 9)
    assert priors.StudentT(net, 4) != priors.StudentT(net, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_prior_without_its_numbers_gives_the_same_process(kind):
    prior = KINDS[kind](bnn.mlp(1, weight_std=1.4, bias_std=dist.HalfNormal()))
    assert prior.numbers() == {"weight_std_0": 1.4, "weight_std_1": 1.4}
    bare = prior.without_numbers()
    assert bare.numbers() == {}
    assert bare == KINDS[kind](bnn.mlp(1, weight_std=1.5, bias_std=dist.HalfNormal())).without_numbers()
    X = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)))
    values = {name: jnp.full(one.event_shape, 0.7) for name, one in prior.latents(bnn.Gaussian(0.1), X, 1).items()}
    whole, of_bare = prior.process(values, X), bare.process(prior.numbers() | values, X)
    for ours, theirs in zip(vars(whole).values(), vars(of_bare).values(), strict=True):
        if ours is not None:
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="taken out"):
        bare.process(values, X)


@pytest.mark.parametrize("likelihood", [bnn.Gaussian(0.3), bnn.Bernoulli((0, 1))], ids=str)
@pytest.mark.parametrize("kind", ["NNGP", "BayesianNetwork"])
def test_the_model_of_fixed_numbers_draws_and_scores(kind, likelihood):
    prior = KINDS[kind](bnn.mlp(1, weight_std=1.4, bias_std=0.2))
    X = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)))
    model = prior.model(likelihood)
    drawn = numpyro.handlers.trace(numpyro.handlers.seed(model, 0)).get_trace(X)
    assert set(drawn) - {"y"} == set(prior.latents(likelihood, X, 1))
    values = {name: site["value"] for name, site in drawn.items() if name != "y"}
    log_density, _ = numpyro.infer.util.log_density(model, (X, jnp.ones((5, 1))), {}, values)
    assert np.isfinite(float(log_density))


def test_only_mixtures_have_a_process():
    def line(X, y=None):
        numpyro.sample("y", dist.Normal(X[:, 0], 0.5), obs=y)

    prior = priors.NumPyroPrior(line)
    assert not isinstance(prior, priors.GaussianProcessMixture)
    assert not hasattr(prior, "process")
    assert prior == priors.NumPyroPrior(line)
    assert prior != priors.NumPyroPrior(line, learns_features=True)
