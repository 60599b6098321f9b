"""The published atlas: what explains the gain of finite networks on 23 regression and 6 classification data sets.

Run with ``python benchmarks/published/atlas.py ../shared`` (the folder that holds ``data``); the same command, stopped
or killed, goes on, and does nothing twice. Data sets that scikit-learn ships with, UCI sets in two collections, at most
``--rows`` rows of each, drawn at random with a fixed seed; rows that repeat others are left out, so that none is both
trained on and tested on. ReLU and erf, depths 1 and 2; all sets at the first width before any at the next, regression
before labels and small sets first. With ``--seconds`` the run stops after so long. Writes the cells, table.csv,
table.inc (for the documentation), atlas.png and report.html to ``--out``, and prints outcomes by rung, seconds of
cells, and what is not done.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.runtime.compilation_cache import use_compilation_cache

#: Folders of regression sets, and classification sets of the third; names that would come up twice are told apart.
REGRESSION = ("uci_regression", "uci_regression_10fold")
CLASSIFICATION = ("balance-scale", "breast-cancer-wisc-diag", "ionosphere", "iris", "pima", "statlog-heart")
RENAMED = {"wine": "wine quality", "parkinsons": "parkinsons telemonitoring"}


def without_repeats(name, X, y, likelihood):
    """A data set whose rows all differ, in their order."""
    _, first = np.unique(np.column_stack([X, y]), axis=0, return_index=True)
    kept = np.sort(first)
    return inference.DataSet(name, np.asarray(X, dtype=np.float64)[kept], y[kept], likelihood)


def data_sets(data):
    """All of them, regression first, since labels take several times as long; those with few rows before others."""
    sets = ["diabetes"]
    for folder in REGRESSION:
        for path in sorted((data / folder).glob("*.npz")):
            with np.load(path) as arrays:
                name = RENAMED.get(path.stem, path.stem)
                sets.append(without_repeats(name, arrays["X"], arrays["y"], bnn.Gaussian()))
    for name in CLASSIFICATION:
        with np.load(data / "uci_classification" / f"{name}.npz") as arrays:
            labels = arrays["y"].astype(int)
            likelihood = bnn.Bernoulli() if len(set(labels.tolist())) == 2 else bnn.Categorical()
            sets.append(without_repeats(name, arrays["X"], labels, likelihood))
    return sorted(sets, key=lambda one: (False, 442) if one == "diabetes" else (one.likelihood.labels, len(one.y)))


def in_markdown(table):
    """What the documentation shows of the cells that are done."""
    lines = ["| data set | rows, inputs | network | outcome | gain, nats per test point | log Bayes factor | minutes |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in table.itertuples():
        network = f"{row.architecture}, width {row.width}"
        gain = f"{row.gain:+.3f} \u00b1 {row.gain_se:.3f}"
        factor = f"{row.log_bayes_factor:+.1f} \u00b1 {row.mcse:.1f}" + ("" if row.reliable else " (not reliable)")
        size, minutes = f"{row.rows}, {row.inputs}", f"{row.seconds / 60.0:.1f}"
        lines.append(f"| {row.set} | {size} | {network} | {row.outcome} | {gain} | {factor} | {minutes} |")
    return "\n".join(lines) + "\n"


def numbers(text):
    """Whole numbers separated by commas."""
    return [int(part) for part in text.split(",")]


def main():
    """The atlas, as far as the time allows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder that holds data")
    parser.add_argument("--out", type=Path, default=Path("docs/atlas"))
    parser.add_argument("--widths", type=numbers, default=[64, 16, 256])
    parser.add_argument("--depths", type=numbers, default=[1, 2])
    parser.add_argument("--activations", default="relu,erf")
    parser.add_argument("--sets", help="names, separated by commas; all when left out")
    parser.add_argument("--rows", type=int, default=1000, help="of a data set at most")
    parser.add_argument("--splits", type=int, help="random splits, in place of five folds")
    parser.add_argument("--max-seconds", type=float, default=120.0, help="that a fit may take")
    parser.add_argument("--seconds", type=float, help="after which the run stops")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--seed", type=int, default=0, help="of the rows and of every cell; another one repeats cells")
    given = parser.parse_args()
    use_compilation_cache()
    sets = data_sets(given.shared / "data")
    if given.sets:
        chosen = given.sets.split(",")
        sets = [one for one in sets if (one if isinstance(one, str) else one.name) in chosen]
    nets = [bnn.mlp(depth, activation) for depth in given.depths for activation in given.activations.split(",")]
    began = time.perf_counter()
    found = inference.atlas(
        sets, nets, given.widths, given.out, rows=given.rows, splits=given.splits, max_seconds=given.max_seconds,
        seed=given.seed, workers=given.workers, seconds=given.seconds,
    )  # fmt: skip
    print(found)
    done = found.table[found.table.error == ""]
    if len(done):
        print(done.groupby("width").outcome.value_counts().unstack(fill_value=0).to_string())
        quartiles = done.seconds.quantile([0.0, 0.25, 0.5, 0.75, 1.0]).round().astype(int).to_list()
        print(f"seconds of a cell, quartiles: {quartiles}; this run took {time.perf_counter() - began:.0f} s")
        found.plot().savefig(given.out / "atlas.png", dpi=150)
        found.report(given.out / "report.html")
        (given.out / "table.inc").write_text(in_markdown(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
