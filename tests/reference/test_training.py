"""Trained infinite ensembles, Gaussian-process regression and empirical NTKs against outside figures."""

import json
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import priors


@pytest.fixture(scope="module")
def predictions(shared, layers_of):
    folder = shared / "reference" / "kernels"
    entries = json.loads((folder / "predict_open.json").read_text())
    inputs, figures = np.load(folder / "reference_open.npz"), np.load(folder / "predict_open.npz")
    return [
        (entry, bnn.Serial(*layers_of(entry["layers"])), jnp.asarray(inputs[f"input/{entry['input']}"]), figures)
        for entry in entries
    ]


@pytest.mark.parametrize("trained", ["ntk", "nngp"])
def test_gradient_flow_matches(predictions, trained):
    make = {"ntk": priors.NTK, "nngp": priors.NNGP}[trained]
    for entry, net, X, figures in predictions:
        Y = jnp.asarray(figures[f"{entry['name']}/y_train"])
        for label, time in (("t1", 1.0), ("t10", 10.0), ("t1000", 1000.0), ("inf", jnp.inf)):
            flow = priors.gradient_flow(make(net).kernel, X[:16], Y, X[16:], time, ridge=entry["diag_reg"])
            for field in ("mean", "covariance"):
                expected = figures[f"{entry['name']}/ens_{trained}_{label}_{field[:4] if field == 'mean' else 'cov'}"]
                # The reference's NTK diagonal is off by up to 1.8e-8; a ridge of 0.01 amplifies it.
                np.testing.assert_allclose(getattr(flow, field), expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("kind", ["nngp", "ntkgp"])
def test_bayesian_predictions_match(predictions, kind):
    make = {"ntkgp": partial(priors.NTK, output_scale=1.0), "nngp": priors.NNGP}[kind]
    for entry, net, X, figures in predictions:
        name = entry["name"]
        process = make(net).process({}, X[:16], X[16:])
        mean, variance = process.predict(jnp.asarray(figures[f"{name}/y_train"]), jnp.asarray(entry["diag_reg"]))
        np.testing.assert_allclose(mean, figures[f"{name}/gp_{kind}_mean"], atol=2e-6)
        np.testing.assert_allclose(variance, np.diag(figures[f"{name}/gp_{kind}_cov"]), atol=2e-6)


def test_infinite_ntk_ensemble_has_the_mean_of_ntk_regression(predictions):
    for entry, net, X, figures in predictions:
        flow = priors.gradient_flow(
            priors.NTK(net).kernel, X[:16], figures[f"{entry['name']}/y_train"], X[16:], ridge=entry["diag_reg"]
        )
        np.testing.assert_allclose(flow.mean, figures[f"{entry['name']}/gp_ntk_mean"], atol=2e-6)
        np.testing.assert_allclose(flow.covariance, figures[f"{entry['name']}/gp_ntk_cov"], atol=2e-6)


def test_empirical_ntk_matches(shared):
    folder = shared / "reference" / "kernels"
    figures = np.load(folder / "empirical_open.npz")
    for entry in json.loads((folder / "empirical_open.json").read_text()):
        name, dims = entry["name"], entry["dims"]
        layers, parameters = [], {}
        for i, fan_in in enumerate(dims[:-1]):
            plain = entry["mode"] == "plain"
            stds = (fan_in**0.5, 1.0) if plain else (entry["W_std"], entry["b_std"])
            layers += [bnn.Dense(*stds), bnn.Tanh()]
            W, b = figures[f"{name}/W{i}"], figures[f"{name}/b{i}"]
            if i < len(dims) - 2:
                parameters |= {f"hidden_weight_{i}": W, f"hidden_bias_{i}": b}
            else:
                parameters["readout"] = np.vstack([W, b[None]])
        net = bnn.Serial(*layers[:-1])
        x = jnp.asarray(figures[f"{name}/x"])
        np.testing.assert_allclose(bnn.network.apply(net, parameters, x), figures[f"{name}/f"], atol=1e-13)
        ours = priors.empirical_ntk(net, parameters, x)
        np.testing.assert_allclose(ours, figures[f"{name}/ntk_full"], rtol=1e-12, atol=1e-12)
        cross = priors.empirical_ntk(net, parameters, x, x[-4:])
        trace = np.einsum("nmoo->nm", cross) / dims[-1]
        np.testing.assert_allclose(trace, figures[f"{name}/ntk_cross_trace"], rtol=1e-12, atol=1e-12)
