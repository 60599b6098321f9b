"""Matrices filled tile by tile, so that temporaries stay in the cache and symmetric work is done once."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.runtime.memory import refuse_beyond_memory

#: Entries of a tile; a few arrays of this many float64 fit in a core's cache.
TILE_ENTRIES = 80_000

#: Row or column of a matrix at which a tile begins.
Offset = Array | int
Block = tuple[Array, ...]


def fill(
    tile: Callable[[Offset, Offset, int, int], Block],
    shape: tuple[int, int],
    count: int,
    dtype: jnp.dtype,
    *,
    symmetric: bool,
    positions: int = 1,
    side: int | None = None,
) -> tuple[Float[Array, "N M"], ...]:
    """``count`` matrices of which ``tile(row, column, height, width)`` gives blocks.

    The last tiles overlap their neighbours instead of being padded. In reverse mode a tile is computed again rather
    than stored.

    Args:
        tile: blocks that begin at ``row`` and ``column``.
        shape: of the matrices, (N, M).
        count: how many matrices a tile gives.
        dtype: of the matrices.
        symmetric: whether the matrices are symmetric; only tiles on and above the diagonal are then computed.
        positions: numbers that a tile holds per entry of a matrix.
        side: most rows and columns of a tile; left out, as many as ``TILE_ENTRIES`` allows.

    Raises:
        ValueError: if the matrices do not fit the memory.

    Example:
        >>> tile = lambda i, j, height, width: (jnp.zeros((height, width)) + i - j,)
        >>> fill(tile, (3, 2), 1, jnp.dtype(float), symmetric=False)[0].shape
        (3, 2)
    """
    needed = 2.0 * count * shape[0] * shape[1] * jnp.dtype(dtype).itemsize  # the loop may hold them twice
    refuse_beyond_memory(
        needed, f"a kernel matrix of {shape[0]:,} x {shape[1]:,}", "use fewer rows, or a part at a time"
    )
    side = max(1, math.isqrt(TILE_ENTRIES // positions)) if side is None else side
    heights, widths = (Cuts(length, side) for length in shape)
    if heights.count == widths.count == 1:
        return tile(0, 0, *shape)
    if symmetric:
        rows, columns = np.triu_indices(heights.count)
    else:
        rows, columns = (one.ravel() for one in np.indices((heights.count, widths.count)))
    starts = jnp.asarray(np.stack([heights.starts[rows], widths.starts[columns]], axis=1))
    compute = jax.checkpoint(lambda start: tile(start[0], start[1], heights.length, widths.length))

    def write(number: Array, matrices: Block) -> Block:
        row, column = starts[number]
        blocks = compute((row, column))
        if symmetric:
            matrices = _updated(matrices, [block.T for block in blocks], column, row)
        return _updated(matrices, blocks, row, column)

    return jax.lax.fori_loop(0, len(rows), write, tuple(jnp.zeros(shape, dtype) for _ in range(count)))


class Cuts:
    """Tiles of equal length along one axis, as many as are needed for at most ``side`` each.

    The last one overlaps with the one before where they would reach too far.

    Args:
        total: length of the axis.
        side: most rows of a tile.

    Attributes:
        count: number of tiles.
        length: rows of every tile.
        starts: first row of each.

    Example:
        >>> Cuts(5, 3).starts.tolist()
        [0, 2]
    """

    def __init__(self, total: int, side: int) -> None:
        self.count = -(-total // side)
        self.length = -(-total // self.count)
        self.starts = np.minimum(np.arange(self.count) * self.length, total - self.length)


def _updated(matrices: Block, blocks: Block | list[Array], row: Array, column: Array) -> Block:
    update = jax.lax.dynamic_update_slice
    return tuple(update(matrix, block, (row, column)) for matrix, block in zip(matrices, blocks, strict=True))
