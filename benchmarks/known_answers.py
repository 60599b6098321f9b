"""The verdict on tasks whose answer is known, hyperparameters inferred, everything else as by default.

Run with ``python benchmarks/known_answers.py [seeds] [task ...]``. 200 rows, depth 2, ReLU, width 20 (identity units on
the deep linear teacher; 100 rows, 3 inputs and depth 1 for the kinks). For every task and seed: evidences and RMSE of
every prior, the verdict with its numbers, and the seconds. Keys are the seeds.
"""

import sys
import time
import warnings

import bayes_nn as bnn

bnn.use_all_cores()

from replica_exchange import two_index  # noqa: E402

from bayes_nn import priors, tasks  # noqa: E402

WIDTH = 20
RELU, LINEAR = bnn.mlp(2, "relu"), bnn.mlp(2, "identity", bias_std=0.0)


def two_indices(key):
    """The two-index target of ``replica_exchange.py``, with 500 test rows."""
    X, y = two_index(key, 700)
    return X[:200], y[:200], X[200:], y[200:]


def data_of(task):
    return task.X, task.y, task.X_test, task.y_test


TASKS = {
    "NNGP draw": (RELU, lambda key: data_of(tasks.nngp_draw(bnn.mlp(2, "relu", 2**0.5, 0.1), inputs=10, key=key))),
    "deep linear teacher": (
        LINEAR,
        lambda key: data_of(tasks.deep_linear_teacher(depth=2, width=WIDTH, scale=2.0, key=key)),
    ),
    "single index": (RELU, lambda key: data_of(tasks.single_index(key=key))),
    "two indices": (RELU, two_indices),
    "staircase": (RELU, lambda key: data_of(tasks.staircase(key=key))),
    "parity": (RELU, lambda key: data_of(tasks.sparse_parity(key=key))),
    "kinks": (
        bnn.mlp(1, "relu"),
        lambda key: data_of(tasks.multi_index(100, 3, noise_std=0.1, count=3, link="kinks", key=key)),
    ),
    "diabetes": (RELU, lambda key: data_of(tasks.diabetes(key=key))),
}


def main(seeds, names):
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    for name in names:
        net, make = TASKS[name]
        for seed in range(seeds):
            started = time.perf_counter()
            candidates = [
                priors.NNGP(net), priors.ScaleMixture(net, WIDTH), priors.InputMetric(net),
                priors.InputMetric(net, rank=2), bnn.BayesianNetwork(net, WIDTH),
            ]  # fmt: skip
            result = bnn.compare(candidates, *make(seed), key=seed, standardize=name == "diabetes", progress=False)
            print(f"{name}, seed {seed}, {time.perf_counter() - started:.0f} s")
            for row in result.rows:
                low, high = row.bounds
                print(
                    f"  {row.name:40} {row.log_evidence:8.2f} +- {row.mcse:.2f} in [{low:.2f}, {high:.2f}], "
                    f"{row.method}, RMSE {row.rmse:.3f}, {row.seconds:.0f} s; {'; '.join(row.reasons) or 'reliable'}"
                )
            print("  " + str(result.verdict).replace("\n", "\n  "), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2:] or list(TASKS))
