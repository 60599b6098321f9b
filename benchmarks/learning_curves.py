"""Evidence and test scores against the number of rows: diabetes, and a target that depends on one direction of 20.

Run with ``python benchmarks/learning_curves.py [sizes ...]``. ReLU, depth 2, width 20, standard deviations and noise
inferred; beside the priors, ten networks of the same width trained by Adam. Diabetes: three random orders of the rows,
small SMC runs. Single index: one order, with the particles that its posterior needs. Keys fixed. Prints means over the
orders and the wall time, part of which compiles, once for every size and account. Writes docs/learning_curves.png.

Runs that cannot be trusted have hollow markers: on the single index the network's at 100 and 200 rows, whose features
move by tens of nats, so that the islands disagree on log Z.
"""

import sys
import time
import warnings
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

from matplotlib.figure import Figure  # noqa: E402

from bayes_nn import inference, priors, tasks  # noqa: E402

WIDTH = 20
#: Particles, and random orders of the rows.
TASKS = (
    (tasks.diabetes, 200, inference.SMC(particles=64, islands=2, max_steps=32), 3),
    (tasks.single_index, 500, inference.SMC(particles=96, accepted_moves=4.0, max_steps=256), 1),
)


def main(sizes):
    net = bnn.mlp(depth=2)
    candidates = [priors.NNGP(net), priors.ScaleMixture(net, WIDTH), bnn.BayesianNetwork(net, WIDTH)]
    figure = Figure(figsize=(11.0, 7.8), layout="constrained")
    rows = max(sizes)

    def ensemble(X, y, key):
        return bnn.train(net, X, y, WIDTH, optimizer="adam", key=key, progress=False)

    panels = figure.subfigures(len(TASKS), 1)
    for panel, (make, test_rows, settings, repeats) in zip(panels, TASKS, strict=True):
        task, started = make(rows=rows, test_rows=test_rows), time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bnn.ConvergenceWarning)  # the column `reliable` says it
            curves = inference.learning_curves(
                candidates, *task.data, sizes, ensemble=ensemble, repeats=repeats, sampler=settings
            )
        print(f"{task}, {time.perf_counter() - started:.0f} s")
        means = curves.frame.drop(columns="repeat").groupby(["rows", "account"], sort=False).mean()
        print(means.round(3).to_string(), flush=True)
        curves.plot(panel)
        panel.suptitle(task.name)
    figure.savefig(Path(__file__).parent.parent / "docs" / "learning_curves.png", dpi=150)


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [25, 50, 100, 200])
