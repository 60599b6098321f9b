"""Training one finite network by gradient descent, with all its weights or to first order in them.

The networks are in the NTK parameterisation, like the priors over functions, so that a learning rate means the same
at every width and training reaches its infinite-width limit (:func:`bayes_nn.priors.gradient_flow`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from bayes_nn.architecture.network import Values, apply
from bayes_nn.architecture.serial import Serial

#: Power iterations for the largest curvature; its error is a few per cent after so many.
POWER_ITERATIONS = 30


def weights_of(parameters: Values) -> Values:
    """The parameters that training changes: hidden weights and biases, and the readout.

    Example:
        >>> list(weights_of({"readout": jnp.ones(3), "weight_std_0": jnp.ones(())}))
        ['readout']
    """
    return {name: value for name, value in parameters.items() if name.startswith(("hidden_", "readout"))}


def stds_of(parameters: Values) -> Values:
    """The parameters that training leaves alone: standard deviations of weights and biases.

    Example:
        >>> list(stds_of({"readout": jnp.ones(3), "weight_std_0": jnp.ones(())}))
        ['weight_std_0']
    """
    return {name: value for name, value in parameters.items() if not name.startswith(("hidden_", "readout"))}


def linearize(net: Serial, parameters: Values) -> Callable[[Values, Array], Array]:
    """The network to first order in its weights, ``f(x; w) + J(x) dw`` (Lee et al. 2019, arXiv:1902.06720, eq. 7).

    Args:
        net: the architecture.
        parameters: of one network, as :func:`bayes_nn.architecture.network.init` returns: w.

    Returns:
        A function of the change dw of the weights, a dictionary with the names and shapes of the weights, and of
        inputs (N, ...); it returns outputs (N, C), linear in dw up to the constant f(x; w).

    Raises:
        ValueError: if the parameters lack the readout.

    Example:
        >>> import bayes_nn as bnn
        >>> net, x = bnn.mlp(depth=1), jnp.ones((5, 3))
        >>> parameters = bnn.network.init(net, jax.random.key(0), (3,), width=8)
        >>> linear = bnn.linearize(net, parameters)
        >>> none = jax.tree.map(jnp.zeros_like, parameters)
        >>> bool(jnp.allclose(linear(none, x), bnn.network.apply(net, parameters, x)))
        True
    """
    if "readout" not in parameters:
        raise ValueError("the parameters lack 'readout': take them from bnn.network.init or bnn.train")
    weights, stds = weights_of(parameters), stds_of(parameters)

    def linear(change: Values, X: Float[Array, "N *shape"]) -> Float[Array, "N C"]:
        f, df = jax.jvp(lambda w: apply(net, w | stds, X), (weights,), (weights_of(change),))
        return f + df

    return linear


class Setup(NamedTuple):
    """The settings that shape the compiled code.

    Attributes:
        net: the architecture.
        optimizer: an optax transformation.
        linearized: whether the network is replaced by its first-order expansion about the start.
        batch_size: rows of a step; None for all of them.
        decay_to_start: whether weight decay pulls to the start rather than to 0.

    Example:
        >>> import bayes_nn as bnn
        >>> setup = Setup(bnn.mlp(depth=1), named_optimizer("sgd"), False, None, False)
    """

    net: Serial
    optimizer: optax.GradientTransformation
    linearized: bool
    batch_size: int | None
    decay_to_start: bool


@partial(jax.tree_util.register_dataclass, data_fields=["X", "Y", "step_size", "weight_decay"], meta_fields=[])
@dataclass(frozen=True)
class TrainingData:
    """The data, and the settings of gradient descent that are numbers: the same for all networks.

    Attributes:
        X: inputs on the model's scale.
        Y: targets on the model's scale.
        step_size: factor on the optimizer's updates: minus the learning rate of a named optimizer, else 1.
        weight_decay: coefficient of half the squared norm of the weights.

    Example:
        >>> data = TrainingData(jnp.ones((5, 3)), jnp.ones((5, 1)), jnp.asarray(-0.1), jnp.zeros(()))
    """

    X: Float[Array, "N *shape"]
    Y: Float[Array, "N C"]
    step_size: Float[Array, ""]
    weight_decay: Float[Array, ""]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["start", "stds", "included", "key", "weights", "memory", "step"],
    meta_fields=[],
)
@dataclass(frozen=True)
class Training:
    """One network in training.

    Attributes:
        start: its weights before training.
        stds: values of its inferred standard deviations.
        included: 1 for the rows it is trained on, 0 for others: every fold then runs the same compiled code.
        key: draws its batches.
        weights: its weights now.
        memory: the optimizer's state.
        step: gradient steps made.

    Example:
        >>> w = {"readout": jnp.zeros((4, 1))}
        >>> training = Training(w, {}, jnp.ones(5), jax.random.key(0), w, (), jnp.asarray(0))
    """

    start: Values
    stds: Values
    included: Float[Array, " N"]
    key: Array
    weights: Values
    memory: optax.OptState
    step: Int[Array, ""]


@lru_cache
def named_optimizer(name: str) -> optax.GradientTransformation:
    """An optimizer up to the factor ``-learning_rate``, one object for each name so that code compiles once.

    Args:
        name: ``"sgd"`` or ``"adam"``.

    Example:
        >>> named_optimizer("adam") is named_optimizer("adam")
        True
    """
    return {"sgd": optax.identity, "adam": optax.scale_by_adam}[name]()


def outputs(setup: Setup, training: Training, weights: Values, X: Array) -> Float[Array, "N C"]:
    """The network's outputs at these weights, or those of its first-order expansion about the start."""
    if setup.linearized:
        change = jax.tree.map(jnp.subtract, weights, training.start)
        return linearize(setup.net, training.start | training.stds)(change, X)
    return apply(setup.net, weights | training.stds, X)


def objective(setup: Setup, data: TrainingData, training: Training, weights: Values, rows: Array | slice) -> Array:
    """``|f - Y|^2 / (2 N C) + weight_decay |w - w_0|^2 / 2``, with w_0 the start or 0, over the included rows.

    With ``weight_decay = noise_std^2 / (N C)`` and w_0 = 0 its minimum is the posterior mode of the weights.

    Args:
        setup: the architecture and its settings.
        data: all rows.
        training: says which rows are included.
        weights: to evaluate at.
        rows: of a batch, or a slice of all.
    """
    anchor = training.start if setup.decay_to_start else jax.tree.map(jnp.zeros_like, weights)
    distance = sum(jax.tree.leaves(jax.tree.map(lambda w, a: jnp.sum((w - a) ** 2), weights, anchor)))
    included = training.included[rows]
    squares = jnp.mean((outputs(setup, training, weights, data.X[rows]) - data.Y[rows]) ** 2, axis=1)
    return 0.5 * jnp.vdot(included, squares) / jnp.sum(included) + 0.5 * data.weight_decay * distance


def advance(
    setup: Setup, data: TrainingData, until: Int[Array, ""], training: Training
) -> tuple[Training, Float[Array, "N C"], Float[Array, ""]]:
    """Gradient steps up to a number of them.

    Args:
        setup: what the code is compiled for.
        data: what all networks have in common.
        until: number of steps, those made already included.
        training: the network.

    Returns:
        The network after them, its outputs at all rows, and the norm of the objective's gradient.

    Example:
        >>> import bayes_nn as bnn
        >>> net, x = bnn.mlp(depth=1, activation="identity", weight_std=1.0, bias_std=0.5), jnp.arange(5.0)[:, None]
        >>> data = TrainingData(x, x, jnp.asarray(-0.1), jnp.zeros(()))
        >>> w = bnn.network.init(net, jax.random.key(0), (1,), width=8)
        >>> start = Training(w, {}, jnp.ones(5), jax.random.key(1), w, (), jnp.asarray(0))
        >>> setup = Setup(net, named_optimizer("sgd"), False, None, False)
        >>> trained, f, gradient_norm = advance(setup, data, jnp.asarray(500), start)
        >>> bool(abs(f - x).max() < 0.01)
        True
    """
    gradient = jax.grad(partial(objective, setup, data, training))

    def step(number: Array, state: tuple[Values, optax.OptState]) -> tuple[Values, optax.OptState]:
        weights, memory = state
        rows: Array | slice = slice(None)
        if setup.batch_size is not None:
            key = jax.random.fold_in(training.key, number)
            rows = jax.random.choice(key, len(data.X), (setup.batch_size,), replace=False, p=training.included)
        updates, memory = setup.optimizer.update(gradient(weights, rows), memory, weights)
        return jax.tree.map(lambda w, u: w + data.step_size * u, weights, updates), memory

    weights, memory = jax.lax.fori_loop(training.step, until, step, (training.weights, training.memory))
    after = replace(training, weights=weights, memory=memory, step=until)
    return after, outputs(setup, training, weights, data.X), optax.tree.norm(gradient(weights, slice(None)))


def largest_curvature(setup: Setup, data: TrainingData, training: Training) -> Float[Array, ""]:
    """The largest eigenvalue of the objective's Gauss-Newton matrix at the start, for the first batch of rows.

    It is that of the empirical NTK divided by N C, by power iteration in the space of outputs; gradient descent with
    a step above twice its inverse diverges in the linearised network.
    """
    X = data.X[: setup.batch_size]

    def f(weights: Values) -> Array:
        return apply(setup.net, weights | training.stds, X)

    value, pull_back = jax.vjp(f, training.start)

    def iterate(_: int, state: tuple[Array, Array]) -> tuple[Array, Array]:
        direction = state[0]
        image = jax.jvp(f, (training.start,), pull_back(direction))[1] / value.size
        size = jnp.linalg.norm(image)
        return image / size, size

    first = jax.random.normal(training.key, value.shape)
    first = first / jnp.linalg.norm(first)
    return jax.lax.fori_loop(0, POWER_ITERATIONS, iterate, (first, jnp.zeros(())))[1] + data.weight_decay
