"""The neural tangent kernel of a finite network at given parameters."""

import itertools
from functools import partial
from typing import Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture.forward_pass import Rules, affine, forward_all, receptive_fields
from bayes_nn.architecture.layers import Affine
from bayes_nn.architecture.network import READOUT_SCALE, Values, has_bias, layer_stds, std_values
from bayes_nn.architecture.serial import Serial


class HasArchitecture(Protocol):
    """Anything with an architecture, such as :class:`bayes_nn.BayesianNetwork`.

    Example:
        >>> import bayes_nn as bnn
        >>> bnn.BayesianNetwork(bnn.mlp(depth=1), width=8).net
        Serial(relu, depth=1)
    """

    net: Serial


def empirical_ntk(
    network: Serial | HasArchitecture,
    parameters: Values,
    x1: Float[Array, "N *shape"],
    x2: Float[Array, "M *shape"] | None = None,
) -> Float[Array, "N M C C"]:
    """``J(x1) J(x2)'``, with J the derivatives of the C outputs in all weights, biases and the readout.

    Standard deviations are no parameters in this sense (Jacot et al. 2018, arXiv:1806.07572, section 3). The Jacobian
    is never formed: a layer with weights contributes the product of two Gram matrices, of what enters its units and of
    the derivatives of the outputs in what leaves them (Novak, Sohl-Dickstein and Schoenholz 2022, arXiv:2206.08720,
    section 3.3).

    Args:
        network: the architecture, or a prior that has one, whose scale of the readout is then taken over.
        parameters: as :func:`bayes_nn.network.init` returns, of any width; inferred standard deviations by site
            name, or at their prior's median.
        x1: inputs.
        x2: other inputs; ``x1`` when left out.

    Returns:
        (N, M, C, C); ``[..., 0, 0]`` for a single output.

    Raises:
        ValueError: if ``network`` has no architecture, or the parameters lack the readout.

    Example:
        >>> import bayes_nn as bnn
        >>> net, x = bnn.mlp(depth=1), jnp.ones((5, 3))
        >>> parameters = bnn.network.init(net, jax.random.key(0), (3,), width=8)
        >>> empirical_ntk(net, parameters, x).shape
        (5, 5, 1, 1)
    """
    net = getattr(network, "net", network)
    if not isinstance(net, Serial):
        raise ValueError(f"expected an architecture or a BayesianNetwork; got {network!r}")
    if "readout" not in parameters:
        raise ValueError("the parameters lack 'readout': take them from bayes_nn.architecture.network.init, or add it")
    x1 = jnp.asarray(x1)
    scale = getattr(network, "readout_scale", None)
    if isinstance(scale, float):
        parameters = {READOUT_SCALE: jnp.asarray(scale, x1.dtype)} | parameters
    parameters = parameters | std_values(net, parameters, x1.dtype)
    return _empirical_ntk(net.without_numbers, parameters, x1, x1 if x2 is None else jnp.asarray(x2))


@partial(jax.jit, static_argnames="net")
def _empirical_ntk(net: Serial, parameters: Values, x1: Array, x2: Array) -> Array:
    stds = layer_stds(net, parameters, x1.dtype)
    rows, columns = (_fields_and_slopes(net, stds, parameters, x) for x in (x1, x2))
    total = jnp.zeros(())
    for layer, (w, b), row, column in zip(net.affine, stds, rows, columns, strict=True):
        (fields1, slopes1), (fields2, slopes2) = row, column
        inputs = (w**2 / fields1.shape[-1]) * jnp.einsum("nsf,mtf->nmst", fields1, fields2)
        total = total + jnp.einsum("nmst,nsou,mtpu->nmop", inputs, slopes1, slopes2, optimize="optimal")
        if has_bias(layer):
            total = total + b**2 * jnp.einsum("nou,mpu->nmop", slopes1.sum(axis=1), slopes2.sum(axis=1))
    return total


def _fields_and_slopes(net: Serial, stds: list, parameters: Values, x: Array) -> list[tuple[Array, Array]]:
    """Per layer with weights: what enters its units (N, S, F), the outputs' derivatives in its units (N, S, C, U)."""
    hidden = len(net.affine) - 1

    def outputs(x: Array, shifts: list[Array] | None) -> tuple[Array, tuple[list[Array], list[Array]]]:
        """The outputs at one input, with a shift added to every layer's units; fields and units beside them."""
        index, fields, units = itertools.count(), [], []

        def weigh(layer: Affine, value: Array) -> Array:
            i = next(index)
            fields.append(receptive_fields(layer, value))
            weight = parameters[f"hidden_weight_{i}"] if i < hidden else parameters["readout"][: fields[-1].shape[-1]]
            bias = parameters.get(f"hidden_bias_{i}") if i < hidden else None
            if i == hidden and has_bias(layer):
                bias = parameters["readout"][-1]
            units.append(affine(layer, fields[-1], stds[i], weight, bias))
            return units[-1] if shifts is None else units[-1] + shifts[i]

        return forward_all(net.layers, x[None], Rules(weigh))[0], (fields, units)

    def one(x: Array) -> list[tuple[Array, Array]]:
        shapes = jax.eval_shape(lambda x: outputs(x, None)[1][1], x)
        slopes, (fields, _) = jax.jacrev(lambda shifts: outputs(x, shifts), has_aux=True)(
            [jnp.zeros(shape.shape, shape.dtype) for shape in shapes]
        )
        flat = []
        for field, slope in zip(fields, slopes, strict=True):
            by_position = slope.reshape(len(slope), -1, slope.shape[-1])
            flat.append((field.reshape(-1, field.shape[-1]), jnp.swapaxes(by_position, 0, 1)))
        return flat

    return jax.vmap(one)(x)
