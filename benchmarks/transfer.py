"""Transfer between two tasks of one direction each: the same, or orthogonal ones.

Run with ``python benchmarks/transfer.py [seeds]``. Single-index targets (second Hermite polynomial), 10 inputs, 120
rows of task a, then 40 of task b; depth 2, width 20, noise 0.3, standard deviations fixed. Nats, with the errors of
both evidences; kernel priors share nothing. Keys are the seeds.
"""

import sys
import time

import bayes_nn as bnn

bnn.use_all_cores()

import numpy as np  # noqa: E402

from bayes_nn import inference, priors, tasks  # noqa: E402

INPUTS, WIDTH = 10, 20


def main(seeds):
    net = bnn.mlp(2, "relu", 2**0.5, 0.1)
    accounts = [priors.NNGP(net), priors.NTK(net), bnn.BayesianNetwork(net, WIDTH)]
    for seed in range(seeds):
        U = tasks.orthonormal_directions(INPUTS, 2, key=seed)
        of_b = tasks.single_index(40, INPUTS, direction=U[:, 0], key=100 + seed)
        for which, direction in (("shared", U[:, 0]), ("orthogonal", U[:, 1])):
            of_a = tasks.single_index(120, INPUTS, direction=direction, key=200 + seed)
            for prior in accounts:
                started = time.perf_counter()
                found = inference.transfer(
                    prior, (of_a.X, of_a.y), (of_b.X, of_b.y), bnn.Gaussian(0.3), standardize=False, key=seed,
                    tolerance=0.4, max_seconds=300.0, progress=False,
                )  # fmt: skip
                seconds = time.perf_counter() - started
                print(f"seed {seed}, {which:10} {prior.name:38} {found}, {seconds:.0f} s", flush=True)
    assert np.allclose(U.T @ U, np.eye(2))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
