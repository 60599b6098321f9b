"""Kernels against outside figures, and 40-digit recursions where there are any."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_diabetes

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.gaussian.log_marginal import JITTER
from bayes_nn.priors.kernels.kernel_recursion import kernel_matrix

#: Not carried: no finite network (ExpNormalized), the standard parameterisation, attention, and two that other layers
#: give (ABRelu is LeakyRelu after a change of weight_std) or that quadrature cannot give to 1e-7 (a kink).
LEFT_OUT = {
    "fc_expnormalized_d1",
    "fc_standard_relu_d2",
    "attn_linear_softmax_rows",
    "fc_abrelu_d2",
    "fc_rectmonomial2_d1",
}

#: Accuracy of the reference itself where it is not to rounding and there are no exact figures beside it.
QUADRATURE_OF_THE_REFERENCE = {"fc_tanh_num32_d1": 1e-4, "fc_gaussian_d1": 1e-7}


@pytest.fixture(scope="module")
def reference(shared, layers_of):
    folder = shared / "reference" / "kernels"
    entries = json.loads((folder / "reference_open.json").read_text())["entries"]
    nets = {e["name"]: (e, bnn.Serial(*layers_of(e["layers"]))) for e in entries if e["arch"] not in LEFT_OUT}
    return nets, np.load(folder / "reference_open.npz")


def test_every_core_architecture_is_compared(reference, shared):
    entries = json.loads((shared / "reference" / "kernels" / "reference_open.json").read_text())["entries"]
    core = {entry["name"] for entry in entries if entry["tier"] == "core"}
    assert core <= set(reference[0])
    assert len(core) == 34
    assert {entry["arch"] for entry in entries} - LEFT_OUT == {entry["arch"] for entry, _ in reference[0].values()}


def test_kernels_match(reference):
    nets, numbers = reference
    worst = {}
    for name, (entry, net) in nets.items():
        X = jnp.asarray(numbers[f"input/{entry['input']}"])
        kernel = priors.NTK(net).kernel
        for kind, gram, cross in zip(("nngp", "ntk"), kernel.both(X), kernel.both(X, X), strict=True):
            label, outside = f"{name}/{kind}", numbers[f"{name}/{kind}"]
            size = np.abs(outside).max()
            np.testing.assert_allclose(gram, gram.T, rtol=0, atol=1e-14 * size, err_msg=label)
            tolerance = QUADRATURE_OF_THE_REFERENCE.get(entry["arch"], 1e-7) * size
            np.testing.assert_allclose(gram, outside, rtol=0, atol=tolerance, err_msg=label)
            np.testing.assert_allclose(
                cross[:16, 16:], numbers[f"{label}_cross"], rtol=0, atol=tolerance, err_msg=label
            )
            if f"{label}_exact" in numbers:
                exact = numbers[f"{label}_exact"]
                worst[label] = max(np.abs(gram - exact).max(), np.abs(cross - exact).max()) / np.abs(exact).max()
    assert {label: error for label, error in worst.items() if not error <= 1e-12} == {}
    assert len(worst) == 80


@partial(jax.jit, static_argnames=("net", "kind"))
def evidence_and_gradient(weight_std, bias_std, noise_variance, X, y, net, kind):
    """Log evidence under one W_std and one b_std for all layers, with its derivatives in these and the noise."""

    def evidence(weight_std, bias_std, noise_variance):
        stds = {f"weight_std_{i}": weight_std for i in range(4)} | {f"bias_std_{i}": bias_std for i in range(4)}
        return KernelProcess(kernel_matrix(net, stds, X, kind=kind)).log_marginal(y, noise_variance)

    return jax.value_and_grad(evidence, argnums=(0, 1, 2))(weight_std, bias_std, noise_variance)


def test_evidence_and_its_derivatives_match(reference, shared):
    """Log evidence of ReLU, erf and GELU networks, depth 3, and its derivatives in W_std, b_std and noise variance."""
    figures = json.loads((shared / "reference" / "kernels" / "lml_grad_reference.json").read_text())
    X, y = load_diabetes(return_X_y=True)
    y = jnp.asarray((y - y.mean()) / y.std())[:24, None]
    compared = 0
    for name, figure in figures.items():
        inputs, activation, kind = name.split("/")
        X = jnp.asarray(reference[1][f"input/{inputs}"])
        net = bnn.mlp(depth=3, activation=activation[:-3].lower(), weight_std=1.0, bias_std=1.0)

        at = figure["W_std"], figure["b_std"], figure["noise_var"]
        value, gradient = evidence_and_gradient(*at, X, y, net, kind)
        assert float(value) == pytest.approx(figure["lml"], abs=1e-7), name
        expected = [figure["grad_W_std"], figure["grad_b_std"], figure["grad_noise_var"]]
        np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-7, err_msg=name)
        compared += 1
    assert compared == len(figures) == 12


def test_evidence_of_the_predictions_file_matches(reference, shared, layers_of):
    """Log evidences computed in NumPy beside the reference's predictions."""
    folder = shared / "reference" / "kernels"
    for entry in json.loads((folder / "predict_open.json").read_text()):
        figures = np.load(folder / "predict_open.npz")
        X = jnp.asarray(reference[1][f"input/{entry['input']}"])[:16]
        kernels = priors.NTK(bnn.Serial(*layers_of(entry["layers"]))).kernel.both(X)
        Y, noise_variance = jnp.asarray(figures[f"{entry['name']}/y_train"]), entry["diag_reg"] - JITTER
        for K, key in ((kernels.nngp, "logml_nngp"), (kernels.ntk, "logml_ntkgp")):
            expected = float(figures[f"{entry['name']}/{key}"])
            assert float(KernelProcess(K).log_marginal(Y, noise_variance)) == pytest.approx(expected, abs=1e-6)
