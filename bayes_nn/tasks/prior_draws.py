"""Targets drawn from a prior over functions: an infinitely wide network's, and a deep linear one's."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayes_nn.architecture.serial import Serial, checked_net, checked_width
from bayes_nn.priors.kernels.kernel_recursion import kernel_matrix
from bayes_nn.tasks.task import Task, check_counts, checked_number, random_streams, with_noise


def nngp_draw(
    net: Serial,
    rows: int = 200,
    inputs: int = 10,
    noise_std: float = 0.3,
    test_rows: int = 500,
    *,
    outputs: int = 1,
    key: int | Array = 0,
) -> Task:
    """A draw from the NNGP prior of an architecture, at standard-normal inputs: a network gains nothing.

    The target is not scaled, since that would make it a draw from another prior: ``y`` at input x has variance
    ``K(x, x) + noise_std**2``. Compare priors on it with ``standardize=False``.

    Args:
        net: the architecture; inferred standard deviations are at their prior's median.
        rows: training rows.
        inputs: input columns.
        noise_std: of the noise on y.
        test_rows: test rows, drawn jointly with the training rows.
        outputs: independent draws at the same inputs; y is (N,) for one, else (N, outputs).
        key: a seed or a JAX key.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> import bayes_nn as bnn
        >>> nngp_draw(bnn.mlp(depth=2), rows=20, test_rows=5).y.shape
        (20,)
    """
    check_counts(rows=rows, inputs=inputs, test_rows=test_rows, outputs=outputs)
    noise_std = checked_number(noise_std, "noise_std", zero_allowed=True)
    target, at, noise = random_streams(key)
    X = at.standard_normal((rows + test_rows, inputs))
    K = np.asarray(kernel_matrix(checked_net(net), {}, jnp.asarray(X)))
    values, vectors = np.linalg.eigh(K)  # a symmetric root exists where K is singular, as it is for linear networks
    f = vectors @ (np.sqrt(np.maximum(values, 0.0))[:, None] * target.standard_normal((len(X), outputs)))
    return with_noise(
        f"draw from NNGP({net.name})",
        X,
        f[:, 0] if outputs == 1 else f,
        rows,
        noise_std,
        noise,
        answer="no finite-width gain: the NNGP is the prior that the target was drawn from",
        citation="Lee et al. 2018, arXiv:1711.00165",
    )


def deep_linear_teacher(
    depth: int = 2,
    width: int | tuple[int, ...] = 20,
    rows: int = 200,
    inputs: int = 10,
    noise_std: float = 0.3,
    test_rows: int = 500,
    *,
    scale: float = 1.0,
    key: int | Array = 0,
) -> Task:
    """A random deep linear network as the target: there is nothing to gain but its scale.

    ``f(x) = scale * x' W_0 ... W_L / sqrt(d n_1 ... n_L)``, all weights standard normal: at scale 1 a draw from the
    network prior of ``mlp(depth, "identity", weight_std=1.0, bias_std=0.0)``, and then of variance 1 on average over
    teachers. A scale far from 1 is what a prior of fixed weight_std does not expect, and finite width adapts to. It
    shows with ``standardize=False`` only.

    Args:
        depth: hidden layers of the teacher.
        width: of every hidden layer, or one per layer.
        rows: training rows.
        inputs: input columns, standard normal.
        noise_std: of the noise on y.
        test_rows: test rows.
        scale: factor on the target; the noise stays as it is.
        key: a seed or a JAX key.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> deep_linear_teacher(depth=1, width=8, scale=4.0).directions.shape
        (10, 1)
    """
    check_counts(depth=depth, rows=rows, inputs=inputs, test_rows=test_rows)
    widths = checked_width(width, depth)
    noise_std = checked_number(noise_std, "noise_std", zero_allowed=True)
    scale = checked_number(scale, "scale", zero_allowed=False)
    target, at, noise = random_streams(key)
    beta = np.eye(inputs)
    for fan_in, fan_out in zip((inputs, *widths), (*widths, 1), strict=True):
        beta = beta @ target.standard_normal((fan_in, fan_out)) / math.sqrt(fan_in)
    X = at.standard_normal((rows + test_rows, inputs))
    return with_noise(
        f"deep linear teacher, depth={depth}, scale={scale:g}",
        X,
        scale * (X @ beta)[:, 0],
        rows,
        noise_std,
        noise,
        answer="explained by a better prior, where there is a gain at all: a deep linear network adapts its scale and "
        "nothing else, so a kernel prior of free scale (ScaleMixture, or inferred weight_std) predicts as well",
        citation="Saxe et al. 2014, arXiv:1312.6120; Hanin & Zlokapa 2023, arXiv:2212.14457",
        directions=beta / np.linalg.norm(beta),
    )
