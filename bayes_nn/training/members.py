"""All members of an ensemble together: the weights they start from, and their training side by side."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.architecture.network import Values, init
from bayes_nn.architecture.serial import Serial
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.training.gradient_descent import (
    Setup,
    Training,
    TrainingData,
    advance,
    largest_curvature,
    stds_of,
    weights_of,
)

#: Members of an ensemble where nothing else is asked for.
MEMBERS = 10
#: Training is interrupted at about so many numbers of steps, in geometric progression.
RECORDS = 100


def starting_weights(
    net: Serial,
    widths: tuple[int, ...],
    input_shape: tuple[int, ...],
    outputs: int,
    members: int | None,
    start: Values | None,
    new_readout: bool,
    values: Values | None,
    key: Array,
) -> Values:
    """Weights to start from with a leading axis over members, and values of standard deviations, likewise.

    Args:
        net: the architecture.
        widths: of the hidden layers.
        input_shape: of one input.
        outputs: C.
        members: M; None for 10, or for as many as ``start`` has.
        start: weights of an earlier ensemble, with a leading axis over members.
        new_readout: whether its readout is drawn anew.
        values: standard deviations by site name, in place of the architecture's own.
        key: for weights that are drawn.

    Raises:
        ValueError: if ``start`` or ``values`` do not belong to the network.

    Example:
        >>> import bayes_nn as bnn
        >>> net, key = bnn.mlp(depth=1), jax.random.key(0)
        >>> starting_weights(net, (8,), (3,), 1, 5, None, False, None, key)["hidden_weight_0"].shape
        (5, 3, 8)
    """
    known = {f"{kind}_std_{i}" for kind in ("weight", "bias") for i in range(net.depth + 1)}
    if unknown := set(values or {}) - known:
        raise ValueError(f"values names {', '.join(sorted(unknown))}; the network has {', '.join(sorted(known))}")
    if start is None and new_readout:
        raise ValueError("new_readout redraws the readout of start: pass start too")
    count = len(start["readout"]) if start is not None else members or MEMBERS
    if members not in (None, count):
        raise ValueError(f"start has {count} members, so members cannot be {members}: leave it out")
    initial = jax.vmap(lambda one: init(net, one, input_shape, widths, outputs))(jax.random.split(key, count))  # type: ignore[arg-type]
    stds = {name: jnp.full(count, float(value)) for name, value in (values or {}).items()}
    if start is None:
        return initial | stds
    earlier = {name: value for name, value in weights_of(start).items() if not (new_readout and name == "readout")}
    for name, value in initial.items():
        if (name in earlier and earlier[name].shape != value.shape) or (name not in earlier and name != "readout"):
            raise ValueError(
                f"start has {name} of shape {getattr(earlier.get(name), 'shape', None)}, where this network and these "
                f"data need {value.shape}" + ("; new_readout=True redraws it" if name == "readout" else "")
            )
    return initial | earlier | stds_of(start) | stds


def untrained(setup: Setup, initial: Values, included: np.ndarray, key: Array) -> Training:
    """All members before training, with a leading axis.

    Args:
        setup: settings of the training.
        initial: from :func:`starting_weights`.
        included: True for the rows they are to be trained on, (N,).
        key: draws the batches.
    """
    weights, stds = weights_of(initial), stds_of(initial)
    count = len(weights["readout"])
    return Training(
        start=weights,
        stds=stds,
        included=jnp.tile(jnp.asarray(included, float), (count, 1)),
        key=jax.random.split(jax.random.fold_in(key, 2), count),
        weights=weights,
        memory=jax.vmap(setup.optimizer.init)(weights),
        step=jnp.zeros(count, int),
    )


def stable_rate(setup: Setup, data: TrainingData, members: Training) -> float:
    """A learning rate of gradient descent that is stable at the start for every member.

    The inverse of the largest curvature (:func:`largest_curvature`), over the members.
    """
    return 1.0 / float(_largest_curvatures(setup, data, members).max())


@partial(jax.jit, static_argnames="setup")
def _largest_curvatures(setup: Setup, data: TrainingData, members: Training) -> Float[Array, " M"]:
    return map_over_devices(partial(largest_curvature, setup), len(members.key))(data, members)


class Record(NamedTuple):
    """Training after a number of steps: the members, their outputs at all rows, the norms of their gradients."""

    step: int
    members: Training
    f: Float[np.ndarray, "M N C"]
    gradient_norm: Array


def records(setup: Setup, data: TrainingData, members: Training, steps: int) -> Iterator[Record]:
    """Training, interrupted at numbers of steps in geometric progression.

    Args:
        setup: settings of the training.
        data: all rows.
        members: before training, with a leading axis.
        steps: the last number of steps.

    Raises:
        ValueError: if it diverges.
    """
    for until in np.unique(np.round(np.geomspace(1, steps, RECORDS)).astype(int)):
        members, f, gradient_norm = _advance_all(setup, data, jnp.asarray(until), members)
        f = np.asarray(f)
        broken = ~np.isfinite(f).all(axis=(1, 2))
        if broken.any():
            raise ValueError(
                f"{broken.sum()} of {len(f)} networks diverged within {until} steps of size "
                f"{abs(float(data.step_size)):.3g}: choose a smaller learning_rate"
            )
        yield Record(int(until), members, f, gradient_norm)


@partial(jax.jit, static_argnames="setup")
def _advance_all(setup: Setup, data: TrainingData, until: Array, members: Training) -> Any:
    def each(common: tuple[TrainingData, Array], own: Training) -> Any:
        return advance(setup, *common, own)

    return map_over_devices(each, len(members.key))((data, until), members)
