"""Infinitely wide networks trained by gradient descent: the ensemble over initialisations, in closed form."""

from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.priors.kernels.kernel_recursion import Kernels

if TYPE_CHECKING:
    from gpjax.kernels import AbstractKernel


class GradientFlow(NamedTuple):
    """The Gaussian process of an infinite ensemble of trained networks.

    Attributes:
        mean: (T, C).
        covariance: of f between test inputs, without observation noise, the same for every output.

    Example:
        >>> GradientFlow(mean=jnp.zeros((2, 1)), covariance=jnp.eye(2)).mean.shape
        (2, 1)
    """

    mean: Float[Array, "T C"]
    covariance: Float[Array, "T T"]


def gradient_flow(
    kernel: "AbstractKernel",
    X: Float[Array, "N *shape"],
    Y: Float[Array, "N C"],
    X_new: Float[Array, "T *shape"],
    time: float | Array = jnp.inf,
    *,
    ridge: float | Array = 0.0,
) -> GradientFlow:
    """Networks of infinite width trained by gradient flow on ``|f - Y|^2 / (2 N C)`` for some time.

    With an NTK all layers are trained: the outputs start as draws of the NNGP and move by the NTK (Lee et al. 2019,
    arXiv:1902.06720, eqs. 14 and 15). With an NNGP kernel, or any other GPJax kernel, only the readout is trained
    (eqs. S9 and S10): at infinite time and without ridge that ensemble is the Bayesian posterior of noiseless data.
    The ensemble of networks whose layers are all trained is no Bayesian posterior. Time is the number of gradient
    steps times the learning rate.

    Args:
        kernel: ``priors.NTK(net).kernel``, ``priors.NNGP(net).kernel`` or any GPJax kernel.
        X: training inputs.
        Y: training targets, (N, C) or (N,).
        X_new: test inputs.
        time: zero or more; ``inf`` by default.
        ridge: added to the diagonal of the kernel that moves the outputs: weight decay towards the initial weights,
            and what keeps duplicate inputs from making it singular.

    Raises:
        ValueError: if X and Y have different lengths, or a time or ridge is negative.

    Example:
        >>> import bayes_nn as bnn, jax.numpy as jnp
        >>> x = jnp.linspace(-1, 1, 5)[:, None]
        >>> flow = gradient_flow(bnn.priors.NTK(bnn.mlp(depth=1)).kernel, x, x**2, x)
        >>> bool(jnp.allclose(flow.mean, x**2, atol=1e-6))
        True
    """
    X, Y, X_new = jnp.asarray(X), jnp.asarray(Y), jnp.asarray(X_new)
    Y = Y[:, None] if Y.ndim == 1 else Y
    if len(X) != len(Y):
        raise ValueError(f"X has {len(X)} rows but Y has {len(Y)}")
    for name, value in (("time", time), ("ridge", ridge)):
        if isinstance(value, (int, float)) and not value >= 0:
            raise ValueError(f"{name} must be zero or positive; got {value}")
    train, cross, new = (_kernels(kernel, *pair) for pair in ((X, None), (X_new, X), (X_new, None)))
    moving, moving_cross = (one.nngp if one.ntk is None else one.ntk for one in (train, cross))
    rates, modes = jnp.linalg.eigh(moving + ridge * jnp.eye(len(X), dtype=X.dtype))
    projected = moving_cross @ modes
    learned = _learned(rates, time / Y.size)
    mean = projected @ (learned[:, None] * (modes.T @ Y))
    if train.ntk is None:
        covariance = new.nngp - (projected * _learned(rates, 2.0 * time / Y.size)) @ projected.T
    else:
        response = (projected * learned) @ modes.T
        explained = response @ cross.nngp.T
        covariance = new.nngp + response @ train.nngp @ response.T - explained - explained.T
    return GradientFlow(mean, covariance)


def _kernels(kernel: "AbstractKernel", x: Array, y: Array | None) -> Kernels:
    """The kernel the outputs start with, and where all layers are trained the one that moves them."""
    from bayes_nn.priors.kernels.gpjax_kernel import InfiniteWidthKernel

    if isinstance(kernel, InfiniteWidthKernel) and kernel.kind == "ntk":
        return kernel.both(x, y)
    return Kernels(kernel.gram(x).as_matrix() if y is None else kernel.cross_covariance(x, y), None)


def _learned(rates: Float[Array, " N"], time: float | Array) -> Float[Array, " N"]:
    """``(1 - exp(-rate t)) / rate``; a mode whose rate is rounding noise is never learned."""
    smallest = jnp.finfo(rates.dtype).eps * len(rates) * jnp.max(jnp.abs(rates))
    moves = rates > smallest
    safe = jnp.where(moves, rates, 1.0)
    return jnp.where(moves, -jnp.expm1(-safe * time) / safe, 0.0)
