"""The covariance of an infinitely wide layer's units between inputs, at one position or between pairs of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture.layers import AvgPool, GlobalAvgPool, Layer, Residual

LinearMap = Callable[[Array], Array]


@dataclass(frozen=True)
class Covariance:
    """Covariance of one unit between row and column inputs, and its tangent kernel.

    Attributes:
        nngp: (N, M), (*positions, N, M), or (N, *positions, M, *positions) where ``paired``.
        ntk: of the same shape; None where it is 0 (the data) or not wanted.
        paired: whether every pair of positions is there.

    Example:
        >>> Covariance(jnp.eye(3)).map(lambda k: 2.0 * k).nngp[0, 0].item()
        2.0
    """

    nngp: Array
    ntk: Array | None = None
    paired: bool = False

    @property
    def kernels(self) -> list[Array]:
        """The NNGP kernel and, where there is one, the NTK."""
        return [self.nngp] if self.ntk is None else [self.nngp, self.ntk]

    @property
    def spatial(self) -> int:
        """Number of spatial axes."""
        return (self.nngp.ndim - 2) // (2 if self.paired else 1)

    def map(self, linear: LinearMap, **changes: bool) -> "Covariance":
        """The same linear map of both kernels."""
        return replace(self, nngp=linear(self.nngp), ntk=None if self.ntk is None else linear(self.ntk), **changes)

    def same_positions(self) -> "Covariance":
        """Positions with themselves only."""
        if not self.paired:
            return self
        s = _letters(self.spatial)
        return self.map(lambda k: jnp.einsum(f"a{s}b{s}->{s}ab", k), paired=False)


def _letters(spatial: int) -> str:
    """Subscripts of the spatial axes; their capitals are those of the column inputs."""
    return "hwuv"[:spatial]


def pools_later(layers: tuple[Layer, ...]) -> bool:
    """Whether a later layer averages over positions, so that pairs of positions matter.

    Example:
        >>> from bayes_nn.architecture.layers import Conv, Dense, Flatten
        >>> pools_later((Conv(), GlobalAvgPool(), Dense())), pools_later((Conv(), Flatten(), Dense()))
        (True, False)
    """
    return any(
        isinstance(layer, (AvgPool, GlobalAvgPool))
        or (isinstance(layer, Residual) and (pools_later(layer.branch) or pools_later(layer.shortcut)))
        for layer in layers
    )


def input_covariance(X: Float[Array, "N *s C"], Y: Float[Array, "M *s C"], paired: bool) -> Covariance:
    """``x . x' / C`` between the positions of two sets of inputs.

    Example:
        >>> input_covariance(jnp.ones((5, 8, 8, 3)), jnp.ones((2, 8, 8, 3)), paired=False).nngp.shape
        (8, 8, 5, 2)
    """
    s = _letters(X.ndim - 2)
    subscripts = f"a{s}z,b{s.upper()}z->a{s}b{s.upper()}" if paired else f"a{s}z,b{s}z->{s}ab"
    return Covariance(jnp.einsum(subscripts, X, Y) / X.shape[-1], paired=paired and X.ndim > 2)


def input_variance(X: Float[Array, "N *s C"], paired: bool) -> Covariance:
    """Every input with itself: a covariance of N row inputs with one column input each.

    Example:
        >>> input_variance(jnp.ones((5, 8, 8, 3)), paired=False).nngp.shape
        (8, 8, 5, 1)
    """
    s = _letters(X.ndim - 2)
    subscripts = f"a{s}z,a{s.upper()}z->a{s}{s.upper()}" if paired else f"a{s}z,a{s}z->{s}a"
    k = jnp.expand_dims(jnp.einsum(subscripts, X, X) / X.shape[-1], 1 + len(s))
    return Covariance(k, paired=paired and X.ndim > 2)


@dataclass
class Variances:
    """The variance of every input at every position where a nonlinearity needs it, in order.

    Recorded in a first pass through the layers, of each input with itself; read in a second, of pairs of inputs.

    Example:
        >>> variances = Variances.record()
        >>> p, q = variances.of(input_variance(jnp.ones((5, 3)), paired=False))
        >>> p.shape, len(variances.recorded)
        ((5, 1), 1)
    """

    recorded: list[Array] = field(default_factory=list)
    pairs: Iterator[tuple[Array, Array]] | None = None

    @classmethod
    def record(cls) -> "Variances":
        """To be filled."""
        return cls()

    @classmethod
    def known(cls, rows: list[Array], columns: list[Array]) -> "Variances":
        """As recorded for the row inputs and for the column inputs."""
        return cls(pairs=zip(rows, columns, strict=True))

    def of(self, state: Covariance) -> tuple[Array, Array]:
        """Variances of rows and of columns, broadcastable against the covariance."""
        if self.pairs is None:
            p = q = jnp.moveaxis(state.same_positions().nngp[..., 0], -1, 0)
            self.recorded.append(p)
        else:
            p, q = next(self.pairs)
        itself = self.pairs is None
        if not state.paired:
            p, q = jnp.moveaxis(p, 0, -1)[..., :, None], jnp.moveaxis(q, 0, -1)
            return p, q[..., :, None] if itself else q[..., None, :]
        ones = (1,) * state.spatial
        columns = (len(q), *ones, 1) if itself else (1, *ones, len(q))
        return p.reshape(*p.shape, 1, *ones), q.reshape(*columns, *q.shape[1:])
