"""Ensembles of trained networks: parameters, losses and predictions."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from bayes_nn.architecture.network import Values, apply
from bayes_nn.architecture.serial import Serial
from bayes_nn.data.checks import as_new_inputs
from bayes_nn.data.predictive import Predictive
from bayes_nn.data.scale import Scale
from bayes_nn.runtime.mapping import map_each
from bayes_nn.training.gradient_descent import linearize, weights_of

#: A loss that falls by less than this fraction over the last tenth of the steps counts as settled.
SETTLED = 0.01
#: So does one below this fraction of the variance of the targets.
INTERPOLATES = 1e-4


@dataclass(frozen=True, eq=False)
class TrainedEnsemble:
    """Independently initialised networks after training on the same data: what :func:`bayes_nn.train` returns.

    Attributes:
        net: the architecture.
        parameters: after training, with a leading axis over members; standard deviations included.
        initial: before training, likewise.
        scale: the way to the model's scale and back.
        linearized: whether the members are first-order expansions about their initial parameters.
        noise_std: of every member's predictive distribution, on the model's scale.
        steps: gradient steps of every member.
        recorded: the steps at which the losses were taken.
        loss: half the mean squared error of every member on the training rows, (M, R), on the model's scale.
        held_out_loss: likewise of the mean of members that have not seen the row, by cross-validation, at the steps
            ``held_out_recorded``; empty where there was none.
        held_out_recorded: its steps.
        gradient_norm: of every member's objective at the end, (M,).
        stopped_early: whether held-out rows chose the number of steps.
        learning_rate: of the named optimizers; NaN for an optax transformation, which has its own.
        seconds: wall time.
        columns: names of the input columns, where the data came as a frame.

    Example:
        >>> import bayes_nn as bnn
        >>> x = np.linspace(-1, 1, 20)
        >>> ensemble = bnn.train(bnn.mlp(depth=1), x, x**2, width=8, members=2, steps=500, stop="steps", noise_std=0.1)
        >>> len(ensemble), ensemble.steps
        (2, 500)
    """

    net: Serial
    parameters: Values
    initial: Values
    scale: Scale
    linearized: bool
    noise_std: float
    steps: int
    recorded: Int[np.ndarray, " R"]
    loss: Float[np.ndarray, "M R"]
    held_out_recorded: Int[np.ndarray, " H"]
    held_out_loss: Float[np.ndarray, " H"]
    gradient_norm: Float[np.ndarray, " M"]
    stopped_early: bool
    learning_rate: float
    seconds: float
    columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of members."""
        return len(self.gradient_norm)

    def predict(self, X: Any) -> Predictive:
        """The equally weighted mixture of N(f_m(x), noise_std^2) over members, on the user's scale.

        Args:
            X: inputs, as in :meth:`bayes_nn.Posterior.predict`.

        Returns:
            The predictive distribution; ``component_means`` are the members' predictions.

        Raises:
            ValueError: for missing values, or other columns than the training data's.
        """
        change = jax.tree.map(jnp.subtract, weights_of(self.parameters), weights_of(self.initial))
        inputs = self.scale.inputs(as_new_inputs(X, self.scale.input_shape, self.columns))
        f = _functions(self.net, self.linearized, self.parameters, self.initial, change, inputs)
        means = self.scale.original(np.asarray(f))
        return Predictive(means, np.broadcast_to(self.scale.original_std(self.noise_std), means.shape))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why training may have ended too soon; empty where it has settled."""
        if self.stopped_early:
            before = self.held_out_loss[np.searchsorted(self.held_out_recorded, 0.9 * self.held_out_recorded[-1])]
            if self.steps < self.held_out_recorded[-1] or self.held_out_loss[-1] > (1.0 - SETTLED) * before:
                return ()
            return (f"the held-out error still falls after {self.steps} steps: raise steps",)
        earlier = self.loss[:, np.searchsorted(self.recorded, 0.9 * self.steps)]
        last = self.loss[:, -1]
        falling = (last < (1.0 - SETTLED) * earlier) & (last > 0.5 * INTERPOLATES)
        if not falling.any():
            return ()
        fall = 100.0 * float(np.median(1.0 - last[falling] / earlier[falling]))
        return (
            f"the training loss of {falling.sum()} of {len(self)} members still falls, by {fall:.0f} % over the last "
            f"tenth of {self.steps} steps: raise steps, or say so when quoting",
        )

    @property
    def convergence(self) -> str:
        """How training ended, in plain language."""
        end = f"{self.steps} steps" + (", chosen by held-out rows" if self.stopped_early else "")
        lines = [
            f"{len(self)} members, {end}: half mean squared error {self.loss[:, -1].min():.3g} to "
            f"{self.loss[:, -1].max():.3g} on the training rows, gradient norm {self.gradient_norm.min():.2g} to "
            f"{self.gradient_norm.max():.2g}"
        ]
        if len(self.held_out_loss):
            at = int(np.searchsorted(self.held_out_recorded, self.steps))
            lines.append(f"{self.held_out_loss[at]:.3g} on rows left out, for the mean of the members")
        return "; ".join([*lines, *self.reasons])

    def __repr__(self) -> str:
        kind = "linearized " if self.linearized else ""
        return f"TrainedEnsemble({kind}{self.net.name}, {len(self)} members, {self.steps} steps)"


@partial(jax.jit, static_argnames=("net", "linearized"))
def _functions(
    net: Serial, linearized: bool, parameters: Values, initial: Values, change: Values, X: Array
) -> Float[Array, "M T C"]:
    if linearized:
        return map_each(lambda member: linearize(net, member[0])(member[1], X), (initial, change))
    return map_each(lambda one: apply(net, one, X), parameters)
