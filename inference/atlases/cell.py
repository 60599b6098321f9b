"""A cell of an atlas: one data set, one architecture, one width, and the identity that gives it its seed and files."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from bayes_nn.architecture.serial import Serial
from bayes_nn.inference.atlases.data_set import Table
from bayes_nn.inference.comparison.compare import compare
from bayes_nn.inference.comparison.result import Comparison
from bayes_nn.inference.comparison.splits import FOLDS, RowPair, folds, random_splits
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.priors.prior import Prior
from bayes_nn.runtime.state_file import state_digest


@dataclass(frozen=True, eq=False)
class Cell:
    """One comparison of an atlas, and all that its numbers depend on.

    Attributes:
        table: the data set, checked.
        architecture: its name in tables.
        net: the architecture.
        width: of its hidden layers.
        candidates: the priors that are compared.
        sampler: settings.
        splits: a number of random splits; None for folds.
        seed: of the atlas.
    """

    table: Table
    architecture: str
    net: Serial
    width: int
    candidates: Sequence[Prior]
    sampler: SMC | SMCFirst
    splits: int | None
    seed: int

    @cached_property
    def identity(self) -> str:
        """Sixteen hexadecimal digits, the same on every machine, whatever else is in the atlas.

        Raises:
            ValueError: for an architecture or a likelihood with code of its own, which cannot be told from others.
        """
        named = [prior.name for prior in self.candidates]
        try:
            return state_digest(
                {
                    "set": self.table.name,
                    "data": self.table.digest,
                    "likelihood": self.table.likelihood,
                    "net": self.net,
                    "width": self.width,
                    "candidates": named,
                    "sampler": self.sampler,
                    "splits": self.splits,
                    "seed": self.seed,
                }
            )[:16]
        except TypeError as error:
            raise ValueError(f"{self.name} cannot be told from others, since it holds your own code: {error}") from None

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.table.name}, {self.architecture}, width={self.width}"

    @property
    def labels(self) -> dict[str, Any]:
        """The first columns of the table of an atlas."""
        return {
            "set": self.table.name,
            "architecture": self.architecture,
            "width": self.width,
            "rows": len(self.table.X),
            "inputs": int(self.table.X[0].size),
            "likelihood": type(self.table.likelihood).__name__,
            "tested_on": f"{FOLDS} folds" if self.splits is None else f"random splits: {self.splits}",
        }

    def row_pairs(self) -> list[RowPair]:
        """Training and test rows of every fold or split, the same for all cells of a data set.

        Raises:
            ValueError: for what is no number of splits.
        """
        table = self.table
        digest = hashlib.sha256(f"{table.name} {table.digest} {self.seed}".encode()).hexdigest()
        rows, own_seed = len(table.X), int(digest[:16], 16)
        return folds(rows, own_seed) if self.splits is None else random_splits(rows, self.splits, own_seed)

    def compare(self, checkpoint: Any) -> Comparison:
        """The comparison.

        Args:
            checkpoint: folder of its state.

        Raises:
            ValueError: as :func:`bayes_nn.compare`.
        """
        table = self.table
        found = compare(
            self.candidates,
            table.X,
            table.y,
            key=int(self.identity, 16),
            likelihood=table.likelihood,
            splits=self.row_pairs(),
            sampler=self.sampler,  # type: ignore[arg-type]
            duplicates=table.duplicates,
            checkpoint=checkpoint,
            progress=False,
        )
        cell = self.labels | {"cell": self.identity, "rows_before": table.rows_before}
        return replace(found, settings=found.settings | {"cell": cell})
