"""Evidence where features form, as ``compare`` finds it by default: a row's value, error, sides and seconds.

Run with ``python benchmarks/replica_exchange.py [seconds] [key ...]``; 120 seconds a row are the default, four times as
many make a run to judge by. The tasks have 200 rows, the network depth 2, ReLU, width 20, everything inferred. Printed
for every task and key: the small SMC run (its mean), log Z of every round, the estimate, both sides, the systems, the
journeys of replicas in each, the barrier, the seconds of the row, and what speaks against it.
"""

import sys
import warnings

import bayes_nn as bnn

bnn.use_all_cores()

import numpy as np  # noqa: E402

from bayes_nn import tasks  # noqa: E402

NETWORK = bnn.BayesianNetwork(bnn.mlp(2, "relu"), 20)


def two_index(key, rows=200):
    """``sin(2 u1) + u2^2`` of two random orthonormal directions in 16 inputs, noise a third of its spread."""
    rng = np.random.default_rng(key)
    directions = np.linalg.qr(rng.normal(size=(16, 2)))[0]
    X = rng.normal(size=(rows, 16))
    first, second = (X @ directions).T
    f = np.sin(2.0 * first) + second**2
    return X, f + f.std() / 3.0 * rng.normal(size=rows)


TASKS = {
    "single index": lambda key: tasks.single_index(key=key).data[:2],
    "two indices": two_index,
    "staircase": lambda key: tasks.staircase(key=key).data[:2],
    "parity of 3 bits": lambda key: tasks.sparse_parity(key=key).data[:2],
}


def main(seconds, keys):
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    for name, make in TASKS.items():
        for key in keys:
            X, y = make(key)
            result = bnn.compare([NETWORK], X, y, key=key, splits=0, max_seconds=seconds, progress=False)
            row = result.rows[0]
            details = row.details
            rounds = " ".join(f"{value:.1f}" for value in details.get("log_evidence_by_round", []))
            sides = [np.mean(details.get(f"{side}_by_system", np.nan)) for side in ("lower", "upper")]
            print(
                f"{name:16} key {key}: {row.method}, SMC {np.mean(details.get('log_evidence_of_smc', np.nan)):.1f}, "
                f"rounds {rounds}, {row.log_evidence:.2f} +- {row.mcse:.2f} in [{sides[0]:.2f}, {sides[1]:.2f}], "
                f"systems {np.round(details.get('log_evidence_by_system', []), 1).tolist()}, journeys "
                f"{details.get('journeys')}, barrier {details.get('barrier', np.nan):.1f}, {row.seconds:.0f} s, "
                f"{'; '.join(row.reasons) or 'reliable'}",
                flush=True,
            )


if __name__ == "__main__":
    seconds, *keys = sys.argv[1:] or ["120"]
    main(float(seconds), [int(key) for key in keys] or [0, 1, 2])
