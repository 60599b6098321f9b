"""The random scale that a hidden layer of finite width gives to what the next layer weighs.

Given the layers below, the n units of a hidden layer are at one input independent and N(0, q), with q the kernel there.
The next layer weighs ``mean_i phi(u_i)^2 = s E[phi(u)^2]``, so its kernel is ``K_{l+1} = s_l w^2 E[phi phi] + b^2``
with a random s_l of mean 1. Its law does not depend on q where phi is linear on either side of 0:
``(a^2 chi2(k) + b^2 chi2(n - k)) / (n (a^2 + b^2) / 2)`` with k ~ Binomial(n, 1/2) positive units and slopes a and b
(Zavatone-Veth and Pehlevan 2021, arXiv:2104.11734; Noci et al. 2021, arXiv:2106.06615).
"""

from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro.distributions import constraints
from scipy.special import gammaln, logsumexp

from bayes_nn.architecture.activations import Abs, Elementwise, Identity, LeakyRelu, Relu
from bayes_nn.architecture.layers import Affine, Layer, LayerNorm, Residual
from bayes_nn.architecture.network import layer_stds
from bayes_nn.architecture.serial import Serial

#: Log weight below which a part of a mixture is left out, nats.
SMALLEST_LOG_WEIGHT = -690.0
#: Points of Gauss-Hermite quadrature; and the relative variance below which a scale is not random.
POINTS, SMALLEST_VARIANCE = 100, 1e-9


class GammaMixture(dist.Distribution):
    """A mixture of Gamma distributions.

    Args:
        log_weights: of the parts, up to a constant.
        shapes: of the parts.
        rates: likewise.

    Example:
        >>> chi2 = GammaMixture(np.zeros(1), np.array([3.0]), np.array([0.5]))
        >>> float(chi2.mean), float(chi2.variance), round(float(chi2.cdf(jnp.array(5.35))), 2)
        (6.0, 12.0, 0.5)
    """

    arg_constraints = {  # noqa: RUF012
        "log_weights": constraints.real_vector,
        "shapes": constraints.independent(constraints.positive, 1),
        "rates": constraints.independent(constraints.positive, 1),
    }
    support = constraints.positive
    pytree_data_fields = ("log_weights", "shapes", "rates")

    def __init__(
        self,
        log_weights: Float[np.ndarray, " K"],
        shapes: Float[np.ndarray, " K"],
        rates: Float[np.ndarray, " K"],
        *,
        validate_args: bool | None = None,
    ) -> None:
        self.log_weights, self.shapes, self.rates = log_weights, shapes, rates
        super().__init__((), (), validate_args=validate_args)

    @property
    def _log_probabilities(self) -> Float[np.ndarray, " K"]:
        """Of the parts."""
        return self.log_weights - logsumexp(self.log_weights)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draws."""
        key_part, key_value = jax.random.split(key)
        part = jax.random.categorical(key_part, jnp.asarray(self.log_weights), shape=tuple(sample_shape))
        return jax.random.gamma(key_value, jnp.asarray(self.shapes)[part]) / jnp.asarray(self.rates)[part]

    def log_prob(self, value: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Log density, nats."""
        constants = self._log_probabilities + self.shapes * np.log(self.rates) - gammaln(self.shapes)
        value = jnp.asarray(value)[..., None]
        parts = constants + (self.shapes - 1.0) * jnp.log(value) - self.rates * value
        return jax.scipy.special.logsumexp(parts, axis=-1)

    def cdf(self, value: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Distribution function."""
        parts = jax.scipy.special.gammainc(self.shapes, self.rates * jnp.asarray(value)[..., None])
        return jnp.sum(np.exp(self._log_probabilities) * parts, axis=-1)

    @property
    def mean(self) -> np.floating:
        """Of the mixture."""
        return np.sum(np.exp(self._log_probabilities) * self.shapes / self.rates)

    @property
    def variance(self) -> np.floating:
        """Of the mixture."""
        squares = self.shapes * (self.shapes + 1.0) / self.rates**2
        return np.sum(np.exp(self._log_probabilities) * squares) - self.mean**2


class Read(NamedTuple):
    """What a layer with weights reads.

    Attributes:
        hidden: position, among the layers with weights, of the layer whose units are read; None for the data.
        activations: that the units have passed.
        variance: of a unit before them at a standardised input, stds at their prior median.
        normalised: whether a LayerNorm came last, so that the mean square over units is not random.
    """

    hidden: int | None
    activations: tuple[Elementwise, ...]
    variance: float
    normalised: bool = False

    def activate(self, x: Array) -> Array:
        """A unit after all activations."""
        return reduce(lambda value, activation: activation(value), self.activations, x)


class Scale(NamedTuple):
    """The law of the scale of a hidden layer.

    Attributes:
        law: its distribution.
        caveat: how it differs from that of finite networks at one input, in words; empty where it does not.
    """

    law: dist.Distribution
    caveat: str


def reads(net: Serial) -> list[Read]:
    """What every layer with weights reads, in their order.

    The units of a sum (:class:`Residual`) count as Gaussian and as those of the branch's last layer, pooled ones as
    those of one position.

    Args:
        net: the architecture, with its fixed numbers.

    Example:
        >>> import bayes_nn as bnn
        >>> [read.hidden for read in reads(bnn.mlp(depth=2))]
        [None, 0, 1]
    """
    stds = [(float(weight_std), float(bias_std)) for weight_std, bias_std in layer_stds(net, {})]
    found: list[Read] = []
    _follow(net.layers, Read(None, (), 1.0), iter(stds), found)
    return found


def _follow(layers: tuple[Layer, ...], now: Read, stds: Iterator[tuple[float, float]], found: list[Read]) -> Read:
    """What is read after layers in series; what their own layers with weights read is added to ``found``."""
    for layer in layers:
        if isinstance(layer, Residual):
            branch = _follow(layer.branch, now, stds, found)
            shortcut = _follow(layer.shortcut, now, stds, found)
            variance = _moment(branch, 2) + _moment(shortcut, 2)
            now = Read(shortcut.hidden if branch.hidden is None else branch.hidden, (), variance)
        elif isinstance(layer, Affine):
            weight_std, bias_std = next(stds)
            variance = weight_std**2 * _moment(now, 2) + bias_std**2
            found.append(now)
            now = Read(len(found) - 1, (), variance)
        elif isinstance(layer, LayerNorm):
            now = now._replace(variance=now.variance / (layer.eps + now.variance), normalised=True)
        elif isinstance(layer, Elementwise):
            now = now._replace(activations=(*now.activations, layer), normalised=False)
    return now


def _moment(read: Read, power: int) -> float:
    """``E[phi(u)^power]`` of a unit."""
    points, weights = np.polynomial.hermite_e.hermegauss(POINTS)
    with jax.ensure_compile_time_eval():
        values = np.asarray(read.activate(jnp.asarray(read.variance**0.5 * points)))
    return float(weights @ values**power / np.sqrt(2.0 * np.pi))


def scale_of(read: Read, width: int) -> Scale | None:
    """The scale of the hidden layer that is read; None where it is not random.

    Where phi is linear on either side of 0 it has the law in the docstring of the module: with slopes of one size
    chi2(n)/n; with one slope 0, as in ReLU, ``2 chi2(k)/n`` given k > 0, the atom at 0 of probability 2^-n being left
    out; with other slopes, for every k a Gamma distribution of the mean and variance that the sum of the two chi2 has
    (Satterthwaite 1946, Biometrics Bulletin 2). For all other activations it is a Gamma distribution of mean 1 and
    variance ``(E[phi^4]/E[phi^2]^2 - 1)/n``.

    Args:
        read: what is read.
        width: n, units or channels of the hidden layer.

    Example:
        >>> import bayes_nn as bnn
        >>> read = reads(bnn.mlp(1, "erf", weight_std=1.0, bias_std=0.0))[1]
        >>> found = scale_of(read, 10)
        >>> round(float(found.law.mean), 3), round(float(found.law.variance), 3), found.caveat
        (1.0, 0.056, 'a Gamma distribution of the right mean and variance at a standardised input')
    """
    if read.normalised:
        return None
    if all(isinstance(one, (Identity, Relu, LeakyRelu, Abs)) for one in read.activations):
        with jax.ensure_compile_time_eval():
            positive, negative = (float(read.activate(jnp.asarray(one))) for one in (1.0, -1.0))
        return _two_slopes(positive**2, negative**2, width)
    square = _moment(read, 2)
    if not square > 0.0:
        return None
    relative_variance = (_moment(read, 4) / square**2 - 1.0) / width
    if not relative_variance > SMALLEST_VARIANCE:
        return None
    law = dist.Gamma(1.0 / relative_variance, 1.0 / relative_variance)
    return Scale(law, "a Gamma distribution of the right mean and variance at a standardised input")


def _two_slopes(a: float, b: float, n: int) -> Scale | None:
    """Of n units with these squared slopes on the positive and on the negative side."""
    if a == b:
        return Scale(dist.Gamma(0.5 * n, 0.5 * n), "") if a > 0.0 else None
    k = np.arange(n + 1.0)
    log_weights = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0) - n * np.log(2.0)
    mean, variance = a * k + b * (n - k), 2.0 * (a**2 * k + b**2 * (n - k))
    kept = (mean > 0.0) & (log_weights > SMALLEST_LOG_WEIGHT)
    log_weights, mean, variance = log_weights[kept], mean[kept], variance[kept]
    law = GammaMixture(log_weights, mean**2 / variance, 0.5 * n * (a + b) * mean / variance)
    if a == 0.0 or b == 0.0:
        return Scale(law, f"without networks that have no active unit, of probability 2^-{n} in a layer")
    return Scale(law, "given the number of positive units, a Gamma distribution of the right mean and variance")
