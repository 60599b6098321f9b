"""The folder of an atlas: a sealed row and a comparison for every cell that is done, and the state of those under way.

``cells/`` holds ``ID.row`` and ``ID.nc``, which are written once and never changed, so that the folders of several
machines are merged by copying their files together. ``running/ID/`` holds the lock and the checkpoint of a cell.
``table.csv`` is made anew from the rows whenever the folder is read, for other programs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_nn.inference.comparison import storage
from bayes_nn.inference.comparison.result import Comparison
from bayes_nn.inference.comparison.sweep import numbers_of_verdict
from bayes_nn.runtime.sealed_file import PARTIAL, read_sealed, write_file, write_sealed

#: Of a row's seal, and of its layout, raised whenever that changes.
KIND, LAYOUT = "row", 2
#: Columns that rows are sorted by, and all columns.
ORDER = ["set", "architecture", "width", "cell"]
COLUMNS = [
    *ORDER[:3], "rows", "inputs", "likelihood", "tested_on", "outcome", "rung", "explained_by", "gain", "gain_se",
    "gain_over_best", "gain_over_best_se", "log_bayes_factor", "mcse", "log_e_value", "feature_information",
    "feature_information_mcse", "nats_on_shape", "network_log_evidence", "reliable", "seconds", "error", "cell",
    "rows_before",
]  # fmt: skip


@dataclass(frozen=True)
class Folder:
    """The folder of an atlas.

    Args:
        path: of the folder.

    Example:
        >>> Folder(Path("atlas")).comparison_path("0123456789abcdef").as_posix()
        'atlas/cells/0123456789abcdef.nc'
    """

    path: Path

    def comparison_path(self, identity: str) -> Path:
        """The file of a comparison."""
        return self.path / "cells" / f"{identity}.nc"

    def row_path(self, identity: str) -> Path:
        """The file of a row."""
        return self.path / "cells" / f"{identity}.row"

    def running(self, identity: str) -> Path:
        """The folder of a cell that is not done."""
        return self.path / "running" / identity

    def is_done(self, identity: str) -> bool:
        """Whether a cell has a row that is no error."""
        return not self.row(identity).get("error", "not begun")

    def row(self, identity: str) -> dict[str, Any]:
        """The row of a cell; empty where there is none.

        Raises:
            ValueError: if it is damaged.
        """
        path = self.row_path(identity)
        if not path.exists():
            return {}
        remedy = "remove it, and the cell is done anew from its comparison"
        return json.loads(read_sealed(path, KIND, LAYOUT, remedy))

    def save(self, identity: str, found: Comparison) -> None:
        """Write the comparison of a cell, then its row."""
        found.save(self.comparison_path(identity))
        self.save_row(identity, row_of(found))

    def save_row(self, identity: str, row: dict[str, Any]) -> None:
        """Write the row of a cell alone."""
        write_sealed(self.row_path(identity), KIND, LAYOUT, json.dumps(row).encode())

    def recover(self, identity: str) -> bool:
        """Make the row of a cell that was killed after its comparison had been written; False where it was not."""
        path = self.comparison_path(identity)
        if not path.exists():
            return False
        self.save_row(identity, row_of(Comparison(**storage.read(path))))
        return True

    def table(self) -> pd.DataFrame:
        """All rows, sorted by data set, architecture and width; ``table.csv`` is written again where it differs.

        Raises:
            ValueError: naming a file that is damaged.
        """
        rows = [self.row(path.stem) for path in sorted((self.path / "cells").glob("*.row"))]
        table = pd.DataFrame(rows, columns=COLUMNS).sort_values(ORDER, ignore_index=True)
        content, written = table.to_csv(index=False).encode(), self.path / "table.csv"
        if not written.exists() or written.read_bytes() != content:
            write_file(written, content)
        return table

    def clean(self, identity: str) -> None:
        """Remove files of a cell that a process killed while writing has left behind."""
        for path in (self.path / "cells").glob(f"{identity}.*{PARTIAL}"):
            path.unlink(missing_ok=True)


def row_of(found: Comparison) -> dict[str, Any]:
    """The row of a cell, from its comparison.

    Args:
        found: by :meth:`Cell.compare`, or read back.
    """
    verdict = found.verdict
    numbers = numbers_of_verdict(found)
    numbers["outcome"] = numbers.pop("verdict")
    best = next((row for row in found.rows if row.name == verdict.network), None)
    return {
        **found.settings["cell"],
        **{name: value if isinstance(value, str | bool) else float(value) for name, value in numbers.items()},
        "log_e_value": float(verdict.log_e_value),
        "nats_on_shape": float(verdict.nats_on_shape),
        "network_log_evidence": float("nan") if best is None else best.log_evidence,
        "rung": verdict.rung,
        "explained_by": verdict.explained_by,
        "seconds": float(sum(row.seconds for row in found.rows)),
        "error": "",
    }
