"""States come back from disk as they were, and a file can make nothing but states."""

import collections
import io
import json

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import bayes_nn as bnn
from bayes_nn.architecture.standard_deviations import TAKEN_OUT
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.sampling.moves.move import Particle
from bayes_nn.runtime.sealed_file import write_sealed
from bayes_nn.runtime.state_file import LAYOUT, read_state, write_state


def write_archive(path, *arrays):
    archive = io.BytesIO()
    np.savez(archive, *arrays)
    write_sealed(path, "state", LAYOUT, archive.getvalue())


def test_nested_states_come_back_to_the_last_bit(tmp_path):
    draws = np.random.default_rng(0).normal(size=(3, 2))
    particle = Particle(jnp.asarray(draws), np.float64(-0.1), np.array([-np.inf, np.nan]))
    evidence = Evidence(-1 / 3, 0.1, "smc", False, ("a reason",), {"by_island": [1e-300, float("inf")]}, lower=-1.0)
    write_state(tmp_path / "state.npz", ([particle, None], {"evidence": evidence, "text": 'a "b"'}, (True, 3), []))
    (found, nothing), named, numbers, empty = read_state(tmp_path / "state.npz", "start anew")
    assert type(found) is Particle
    np.testing.assert_array_equal(found.u, draws)
    assert type(found.log_prior) is np.float64
    np.testing.assert_array_equal(found.log_likelihood, particle.log_likelihood)
    assert (nothing, numbers, empty) == (None, (True, 3), [])
    assert named == {"evidence": evidence, "text": 'a "b"'}
    assert named["evidence"].details == evidence.details
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


@pytest.mark.parametrize("state", [{1: 2}, {3}, print, np.array([{}], object), collections.OrderedDict(a=1)])
def test_what_is_no_state_is_not_written(tmp_path, state):
    with pytest.raises(TypeError, match="a state cannot hold"):
        write_state(tmp_path / "state.npz", state)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["os:system", "subprocess:Popen", "bayes_nn:fit", "bayes_nn.runtime.state_file:io"])
def test_a_file_can_call_nothing(tmp_path, name):
    write_archive(tmp_path / "state.npz", np.array(json.dumps(["record", name, {}])))
    with pytest.raises(ValueError, match="not written by bayes_nn"):
        read_state(tmp_path / "state.npz", "start anew")


def test_pickled_arrays_are_refused(tmp_path):
    write_archive(tmp_path / "state.npz", np.array(json.dumps(["array", 1])), np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_state(tmp_path / "state.npz", "start anew")


def test_objects_shared_by_two_others_are_shared_again(tmp_path):
    shared, own = bnn.Shared(dist.LogNormal(0.3, 0.5)), bnn.Shared(dist.LogNormal(0.3, 0.5))
    layers = (bnn.Dense(shared, TAKEN_OUT), bnn.Dense(shared, 0.1), bnn.Dense(own, 0.1))
    write_state(tmp_path / "state.npz", layers)
    first, second, third = read_state(tmp_path / "state.npz", "start anew")
    assert first.weight_std is second.weight_std
    assert third.weight_std is not first.weight_std
    assert first.bias_std is TAKEN_OUT
    assert (first, second, third) == layers


@pytest.mark.parametrize(
    "prior", [dist.LogNormal(0.3, 0.5), dist.HalfNormal(2.0), dist.Gamma(np.arange(1.0, 3.0), 1.0)]
)
def test_distributions_are_made_again(tmp_path, prior):
    write_state(tmp_path / "state.npz", prior)
    again = read_state(tmp_path / "state.npz", "start anew")
    assert type(again) is type(prior)
    np.testing.assert_array_equal(again.log_prob(0.7), prior.log_prob(0.7))


def test_distributions_that_hold_more_than_their_parameters_are_refused(tmp_path):
    truncated = dist.TruncatedNormal(0.0, 1.0, low=0.5)
    for prior in (truncated, dist.TransformedDistribution(dist.Normal(), dist.transforms.ExpTransform())):
        with pytest.raises(TypeError, match="a state cannot hold a"):
            write_state(tmp_path / "state.npz", prior)


def test_numpy_reads_the_arrays_by_itself(tmp_path):
    write_state(tmp_path / "state.npz", [np.arange(3), "text"])
    with np.load(tmp_path / "state.npz") as arrays:
        np.testing.assert_array_equal(arrays["arr_1"], [0, 1, 2])
