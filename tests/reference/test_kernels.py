"""Kernels of fully connected networks against outside figures, and 40-digit recursions where there are any."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_diabetes

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.priors.gaussian_process import KernelProcess
from bayes_nn.priors.infinite_width import kernel_matrix

LAYERS = {"Relu": bnn.Relu, "Erf": bnn.Erf, "Identity": bnn.Identity}


def architecture(layers):
    """The architecture of a reference entry, or None where it has a layer that is not built yet."""
    built = []
    for layer in layers:
        if layer["op"] == "Dense":
            built.append(bnn.Dense(layer["W_std"], layer["b_std"] or 0.0))
        elif layer["op"] in LAYERS and {k: v for k, v in layer.items() if k != "op"} in (
            {},
            {"a": 1.0, "b": 1.0, "c": 0.0},
        ):
            built.append(LAYERS[layer["op"]]())
        else:
            return None
    return bnn.Serial(*built)


@pytest.fixture(scope="module")
def reference(shared):
    folder = shared / "reference" / "kernels"
    entries = json.loads((folder / "reference_open.json").read_text())["entries"]
    numbers = np.load(folder / "reference_open.npz")
    nets = {e["name"]: (e, architecture(e["layers"])) for e in entries if e["parameterization"] == "ntk"}
    return {name: pair for name, pair in nets.items() if pair[1] is not None}, numbers


def test_enough_architectures_are_compared(reference):
    assert len(reference[0]) >= 12


@pytest.mark.parametrize("kind", ["nngp", "ntk"])
def test_kernels_match(reference, kind):
    nets, numbers = reference
    make = {"nngp": priors.NNGP, "ntk": priors.NTK}[kind]
    for name, (entry, net) in nets.items():
        X = jnp.asarray(numbers[f"input/{entry['input']}"])
        kernel = make(net).kernel
        gram, cross = kernel.gram(X).as_matrix(), kernel.cross_covariance(X[:16], X[16:])
        exact = numbers[f"{name}/{kind}_exact"]
        assert np.abs(gram - exact).max() <= 1e-12 * np.abs(exact).max(), name
        assert np.abs(cross - exact[:16, 16:]).max() <= 1e-12 * np.abs(exact).max(), name
        outside = numbers[f"{name}/{kind}"]
        assert np.abs(gram - outside).max() <= 1e-7 * np.abs(outside).max(), name


def test_evidence_and_its_derivatives_match(reference, shared):
    """Log evidence of ReLU and erf networks, depth 3, and its derivatives in W_std, b_std and noise variance."""
    figures = json.loads((shared / "reference" / "kernels" / "lml_grad_reference.json").read_text())
    X, y = load_diabetes(return_X_y=True)
    y = jnp.asarray((y - y.mean()) / y.std())[:24, None]
    compared = 0
    for name, figure in figures.items():
        inputs, activation, kind = name.split("/")
        if not activation.endswith("_d3") or activation[:-3].lower() not in ("relu", "erf"):
            continue
        X = jnp.asarray(reference[1][f"input/{inputs}"])
        net = bnn.mlp(depth=3, activation=activation[:-3].lower(), weight_std=1.0, bias_std=1.0)

        def evidence(weight_std, bias_std, noise_variance, net=net, kind=kind, X=X):
            K = kernel_matrix(net, [weight_std] * 4, [bias_std] * 4, X, kind=kind)
            return KernelProcess(K).log_marginal(y, noise_variance)

        at = figure["W_std"], figure["b_std"], figure["noise_var"]
        value, gradient = jax.value_and_grad(evidence, argnums=(0, 1, 2))(*at)
        assert float(value) == pytest.approx(figure["lml"], abs=1e-7), name
        expected = [figure["grad_W_std"], figure["grad_b_std"], figure["grad_noise_var"]]
        np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-7, err_msg=name)
        compared += 1
    assert compared >= 4
