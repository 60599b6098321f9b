"""Training ensembles of finite networks: checks, cross-validation, and the loop over compiled steps."""

import math
import time
import warnings
from dataclasses import replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from bayes_nn.architecture.network import Values
from bayes_nn.architecture.serial import Serial, checked_net, checked_width
from bayes_nn.data.checks import as_new_inputs
from bayes_nn.data.dataset import Dataset
from bayes_nn.data.likelihoods.gaussian import Gaussian
from bayes_nn.runtime.progress import ConvergenceWarning, progress_bar
from bayes_nn.runtime.random_keys import checked_key
from bayes_nn.training.cross_validation import HeldOut, most_probable_noise, out_of_fold, random_folds
from bayes_nn.training.ensemble import TrainedEnsemble
from bayes_nn.training.gradient_descent import Setup, TrainingData, named_optimizer, stds_of
from bayes_nn.training.members import records, stable_rate, starting_weights, untrained

#: Adam's default learning rate times the width: a step changes f by about as much at every width, and early stopping
#: finds its place within tens of steps.
ADAM_STEP = 0.1


def train(
    net: Serial,
    X: Any,
    y: Any,
    width: int | tuple[int, ...],
    *,
    optimizer: Literal["adam", "sgd"] | optax.GradientTransformation = "adam",
    learning_rate: float | None = None,
    steps: int = 2000,
    stop: Literal["held_out", "steps"] = "held_out",
    batch_size: int | None = None,
    weight_decay: float = 0.0,
    decay_to: Literal["zero", "start"] = "zero",
    members: int | None = None,
    noise_std: float | None = None,
    folds: int = 5,
    linearized: bool = False,
    start: TrainedEnsemble | Values | None = None,
    new_readout: bool = False,
    values: Values | None = None,
    standardize: bool = True,
    duplicates: str = "error",
    key: int | Array = 0,
    progress: bool = True,
) -> TrainedEnsemble:
    """Train independently initialised copies of a finite network on squared error.

    Every member minimises ``|f - Y|^2 / (2 N C)``, so that steps times learning rate is the time of
    :func:`bayes_nn.priors.gradient_flow`. It starts from standard-normal weights in the NTK parameterisation, that is
    from a draw of the prior :class:`bayes_nn.BayesianNetwork` with its standard deviations at their median.

    Training residuals say little of the noise, since training makes them small. So the noise, and with
    ``stop="held_out"`` the number of steps, come from cross-validation: the ensemble is first trained with each fold
    left out in turn; the number of steps minimises the squared error of its mean on the rows left out, and noise_std
    maximises its predictive density there. The ensemble itself is then trained on all rows, so that it sees as much
    data as the posteriors it is compared with.

    Args:
        net: the architecture.
        X: inputs, (N,) or (N, d), or images (N, H, W, C) for architectures that convolve; NumPy, JAX,
            or a frame of pandas, Polars or PyArrow.
        y: targets, (N,) or (N, C).
        width: of every hidden layer, or one per hidden layer.
        optimizer: ``"adam"``, ``"sgd"`` (without momentum), or any optax transformation with its own learning rate.
        learning_rate: for the named ones. By default 1 / (largest curvature of the loss at the start, by power
            iteration) for SGD, half of what diverges in the linearised network; 0.1 / (largest width) for Adam.
        steps: gradient steps, the most of them where held-out rows choose.
        stop: ``"held_out"``, or ``"steps"`` for all of them.
        batch_size: rows of a step, drawn anew without replacement; None for all rows.
        weight_decay: coefficient of half the squared norm of the weights in the objective, under every optimizer.
            ``noise_std^2 / (N C)`` makes the minimum the posterior mode.
        decay_to: whether the norm is that of the weights or of their distance from the start.
        members: networks in the ensemble; 10, or as many as in ``start``.
        noise_std: of the predictive distribution, on the scale of y as the model sees it; None for cross-validation.
        folds: of the cross-validation, which takes up to ``folds`` times as long as the training.
        linearized: train the first-order expansion about the start (:func:`bayes_nn.linearize`) instead.
        start: an ensemble whose trained weights the members start from, to fine-tune it on a related task; inputs are
            then brought to the scale it was trained on. Or such weights themselves, with a leading axis over members.
        new_readout: redraw the readout of ``start``; needed where the number of outputs differs.
        values: standard deviations of weights and biases by site name, such as ``weight_std_0``, in place of the
            architecture's own.
        standardize: as in :func:`bayes_nn.fit`.
        duplicates: as in :func:`bayes_nn.fit`.
        key: a JAX key or an integer seed.
        progress: show a progress bar on a terminal.

    Returns:
        The ensemble: parameters before and after, losses, predictions, and how training ended, in words.

    Raises:
        ValueError: for bad data or settings, before any training; if training diverges.

    Warns:
        ConvergenceWarning: if the loss still falls at the last step.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> x = np.linspace(-1, 1, 20)
        >>> ensemble = bnn.train(bnn.mlp(depth=1), x, x**2, width=16, members=2, steps=50, stop="steps", noise_std=0.1)
        >>> ensemble.predict([0.0, 0.5]).component_means.shape
        (2, 2, 1)
    """
    started = time.perf_counter()
    widths = checked_width(width, checked_net(net).depth)  # type: ignore[arg-type]
    dataset = Dataset.of(X, y, Gaussian(), standardize, duplicates)
    _check_settings(locals(), len(dataset))
    if isinstance(start, TrainedEnsemble):
        dataset, start = _as_inputs_of(start, X, dataset), start.parameters
    key = checked_key(key)
    shapes = dataset.inputs.shape[1:], dataset.targets.shape[1]
    initial = starting_weights(net, widths, *shapes, members, start, new_readout, values, key)
    named = isinstance(optimizer, str)
    transformation = named_optimizer(optimizer) if isinstance(optimizer, str) else optimizer
    setup = Setup(net, transformation, linearized, batch_size, decay_to == "start")
    data = TrainingData(dataset.X, dataset.Y, jnp.ones(()), jnp.asarray(float(weight_decay)))
    everything, Y = untrained(setup, initial, np.ones(len(dataset)), key), np.asarray(dataset.Y)
    held_out = HeldOut()
    with progress_bar(f"training {net.name}", enabled=progress) as report:
        if named:
            adam = ADAM_STEP / max(widths)
            learning_rate = learning_rate or (adam if optimizer == "adam" else stable_rate(setup, data, everything))
            data = replace(data, step_size=jnp.asarray(-learning_rate))
        if noise_std is None or stop == "held_out":
            parts = random_folds(len(dataset), folds, jax.random.fold_in(key, 1))
            masks = [~np.isin(np.arange(len(dataset)), part) for part in parts]
            runs = [records(setup, data, untrained(setup, initial, mask, key), steps) for mask in masks]
            for of_each in zip(*runs, strict=True):
                step = of_each[0].step
                held_out.add(step, out_of_fold([record.f for record in of_each], parts), Y)
                report(step / steps, f"cross-validation: step {step}, held-out loss {held_out.loss[-1]:.4g}")
                if stop == "held_out" and held_out.past_its_best:
                    break
            steps = held_out.best_step if stop == "held_out" else steps
            f = held_out.best_f if stop == "held_out" else held_out.last_f
            noise_std = most_probable_noise(f, Y) if noise_std is None else noise_std
        losses: dict[int, np.ndarray] = {}
        for record in records(setup, data, everything, steps):
            losses[record.step] = 0.5 * np.mean((record.f - Y) ** 2, axis=(1, 2))
            report(record.step / steps, f"step {record.step}, training loss {losses[record.step].mean():.4g}")
    ensemble = TrainedEnsemble(
        net=net,
        parameters=record.members.weights | stds_of(initial),
        initial=initial,
        scale=dataset.scale,
        linearized=linearized,
        noise_std=float(noise_std),
        steps=steps,
        recorded=np.array(list(losses)),
        loss=np.stack(list(losses.values()), axis=1),
        held_out_recorded=np.array(held_out.recorded, int),
        held_out_loss=np.array(held_out.loss),
        gradient_norm=np.asarray(record.gradient_norm),
        stopped_early=stop == "held_out",
        learning_rate=float(learning_rate) if learning_rate else math.nan,
        seconds=time.perf_counter() - started,
        columns=dataset.columns,
    )
    for reason in ensemble.reasons:
        warnings.warn(reason, ConvergenceWarning, stacklevel=2)
    return ensemble


def _as_inputs_of(start: TrainedEnsemble, X: Any, dataset: Dataset) -> Dataset:
    """The data with inputs on the scale, and columns in the order, of those that an ensemble was trained on.

    Raises:
        ValueError: if the columns or shapes differ.
    """
    inputs = as_new_inputs(X, start.scale.input_shape, start.columns)
    scale = replace(dataset.scale, x_mean=start.scale.x_mean, x_std=start.scale.x_std)
    return replace(dataset, inputs=inputs, scale=scale, columns=start.columns or dataset.columns)


def _check_settings(settings: dict[str, Any], rows: int) -> None:
    """Refuse settings out of range.

    Raises:
        ValueError: naming the setting.
    """
    optimizer, rate, batch = settings["optimizer"], settings["learning_rate"], settings["batch_size"]
    if optimizer not in ("adam", "sgd") and not isinstance(optimizer, optax.GradientTransformation):
        raise ValueError(f"optimizer must be 'adam', 'sgd' or an optax transformation; got {optimizer!r}")
    if rate is not None and not isinstance(optimizer, str):
        raise ValueError("an optax transformation has a learning rate of its own: leave learning_rate out")
    for name, choices in {"stop": ("held_out", "steps"), "decay_to": ("zero", "start")}.items():
        if settings[name] not in choices:
            raise ValueError(f"{name} must be {choices[0]!r} or {choices[1]!r}; got {settings[name]!r}")
    for name in ("learning_rate", "noise_std"):
        if settings[name] is not None and not 0.0 < settings[name] < math.inf:
            raise ValueError(f"{name} must be a positive number; got {settings[name]}")
    for name in ("steps", "members"):
        if settings[name] is not None and settings[name] < 1:
            raise ValueError(f"{name} must be at least 1; got {settings[name]}")
    if not 0.0 <= settings["weight_decay"] < math.inf:
        raise ValueError(f"weight_decay must be zero or positive; got {settings['weight_decay']}")
    if not 2 <= settings["folds"] <= rows:
        raise ValueError(f"folds must lie between 2 and the {rows} rows; got {settings['folds']}")
    if batch is not None and not 1 <= batch <= rows - math.ceil(rows / settings["folds"]):
        raise ValueError(f"batch_size must be at least 1 and fit into the rows of all folds but one; got {batch}")
