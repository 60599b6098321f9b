"""Evidence where features form: replica exchange with default settings, against the SMC run that it begins with.

Run with ``python benchmarks/replica_exchange.py [key ...]``; the tasks have 200 rows, the network depth 2, ReLU, width
20, everything inferred. Printed for every task and key: log Z of the small SMC run (mean over its two islands), log Z
of every round, both sides, the error, the journeys of replicas in each system, seconds, and what speaks against it.
"""

import sys
import time

import bayes_nn as bnn

bnn.use_all_cores()

import numpy as np  # noqa: E402

from bayes_nn import inference, tasks  # noqa: E402

NETWORK = bnn.BayesianNetwork(bnn.mlp(2, "relu"), 20)
#: Seconds after which no round is begun that would end later: those of ``compare``.
MAX_SECONDS = 240.0


def two_index(key):
    """``sin(2 u1) + u2^2`` of two random orthonormal directions in 16 inputs, noise a third of its spread."""
    rng = np.random.default_rng(key)
    directions = np.linalg.qr(rng.normal(size=(16, 2)))[0]
    X = rng.normal(size=(200, 16))
    first, second = (X @ directions).T
    f = np.sin(2.0 * first) + second**2
    return X, f + f.std() / 3.0 * rng.normal(size=200)


TASKS = {
    "single index": lambda key: tasks.single_index(key=key).data[:2],
    "two indices": two_index,
    "staircase": lambda key: tasks.staircase(key=key).data[:2],
    "parity of 3 bits": lambda key: tasks.sparse_parity(key=key).data[:2],
}


def main(keys):
    for name, make in TASKS.items():
        for key in keys:
            X, y = make(key)
            started = time.perf_counter()
            found = inference.log_evidence(
                NETWORK, X, y, "replica_exchange", key=key, tolerance=0.2, max_seconds=MAX_SECONDS, progress=False
            )
            seconds, details = time.perf_counter() - started, found.details
            rounds = " ".join(f"{value:.1f}" for value in details["log_evidence_by_round"])
            print(
                f"{name:17} key {key}: SMC {np.mean(details['log_evidence_of_smc']):.1f}, rounds {rounds}, "
                f"{found.value:.2f} +- {found.mcse:.2f} in [{found.lower:.2f}, {found.upper:.2f}], systems "
                f"{np.round(details['log_evidence_by_system'], 1).tolist()}, journeys {details['journeys']}, "
                f"barrier {details['barrier']:.1f}, {seconds:.0f} s, {'; '.join(found.reasons) or 'reliable'}",
                flush=True,
            )


if __name__ == "__main__":
    main([int(key) for key in sys.argv[1:]] or [0, 1, 2])
