"""The finite network: its hidden weights and its last-hidden-layer features."""

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float

from bayes_nn.architecture import Serial, variance_scale
from bayes_nn.hyperparameters import is_inferred


def hyperparameter_priors(net: Serial) -> dict[str, dist.Distribution]:
    """The inferred standard deviations of an architecture, by site name (``weight_std_0``, ...)."""
    named = {f"weight_std_{i}": layer.weight_std for i, layer in enumerate(net.dense)}
    named |= {f"bias_std_{i}": layer.bias_std for i, layer in enumerate(net.dense)}
    return {name: std for name, std in named.items() if is_inferred(std)}


def layer_stds(net: Serial, values: dict[str, Array]) -> tuple[list[Array], list[Array]]:
    """Weight and bias standard deviation of every affine layer: the inferred value or the fixed number."""
    weight = [jnp.asarray(values.get(f"weight_std_{i}", layer.weight_std)) for i, layer in enumerate(net.dense)]
    bias = [jnp.asarray(values.get(f"bias_std_{i}", layer.bias_std)) for i, layer in enumerate(net.dense)]
    return weight, bias


def has_bias(net: Serial, layer: int) -> bool:
    """Whether an affine layer has a bias, that is its bias_std is not the number 0."""
    return is_inferred(net.dense[layer].bias_std) or net.dense[layer].bias_std != 0.0


def hidden_weight_priors(net: Serial, n_inputs: int, widths: tuple[int, ...]) -> dict[str, dist.Distribution]:
    """Standard-normal priors of the hidden weights and biases, by site name (``hidden_weight_0``, ...)."""
    priors: dict[str, dist.Distribution] = {}
    for layer, (fan_in, fan_out) in enumerate(zip((n_inputs, *widths[:-1]), widths, strict=True)):
        priors[f"hidden_weight_{layer}"] = dist.Normal(0.0, 1.0).expand([fan_in, fan_out]).to_event(2)
        if has_bias(net, layer):
            priors[f"hidden_bias_{layer}"] = dist.Normal(0.0, 1.0).expand([fan_out]).to_event(1)
    return priors


def readout_features(net: Serial, values: dict[str, Array], X: Float[Array, "N d"]) -> Float[Array, "N m"]:
    """Phi_z: activations of the last hidden layer times weight_std / sqrt(n), then the bias column.

    With a standard-normal readout v the network is ``f = Phi_z v``, so that ``f | z ~ GP(0, Phi_z Phi_z')``.

    Args:
        net: the architecture.
        values: hidden weights and inferred standard deviations by site name.
        X: inputs, (N, d).

    Returns:
        Features (N, n + 1), or (N, n) where the readout has no bias.
    """
    weight_std, bias_std = layer_stds(net, values)
    hidden = X
    for layer, activation in enumerate(net.activations):
        pre = variance_scale(weight_std[layer], hidden.shape[1]) * (hidden @ values[f"hidden_weight_{layer}"])
        if has_bias(net, layer):
            pre = pre + bias_std[layer] * values[f"hidden_bias_{layer}"]
        hidden = activation(pre)
    features = variance_scale(weight_std[-1], hidden.shape[1]) * hidden
    if has_bias(net, net.depth):
        features = jnp.concatenate([features, jnp.full((X.shape[0], 1), bias_std[-1])], axis=1)
    return features
