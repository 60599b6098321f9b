"""Whether the evidence says so where few particles miss modes: sparse parity.

Run with ``python benchmarks/parity.py [seeds]``. 3-bit parity of 12 signs, 200 rows, noise 0.3, depth 2, width 20,
standard deviations fixed. For every seed and two sizes of SMC: estimate, error, and whether and why it is not reliable.
A confident wrong number would be two reliable runs further apart than their errors allow. Keys are the seeds.
"""

import sys
import time

import bayes_nn as bnn

bnn.use_all_cores()

import numpy as np  # noqa: E402

from bayes_nn import inference, tasks  # noqa: E402


def main(seeds):
    task = tasks.sparse_parity(bits=3, inputs=12, rows=200, noise_std=0.3, key=0)
    network = bnn.BayesianNetwork(bnn.mlp(2, "relu", 2**0.5, 0.1), 20)
    nngp = inference.log_evidence(bnn.priors.NNGP(network.net), task.X, task.y, likelihood=bnn.Gaussian(0.3))
    print(f"NNGP: {nngp}")
    found = []
    for seed in range(seeds):
        for particles, budget in ((64, 60.0), (256, 180.0)):
            started = time.perf_counter()
            evidence = inference.log_evidence(
                network, task.X, task.y, "smc", bnn.Gaussian(0.3), key=seed, tolerance=0.3,
                max_seconds=budget, sampler=inference.SMC(particles=particles), progress=False,
            )  # fmt: skip
            found.append(evidence)
            print(f"seed {seed}, {particles} particles, {time.perf_counter() - started:.0f} s: {evidence}", flush=True)
            print("   islands: " + " ".join(f"{one:.1f}" for one in evidence.details["log_evidence_by_island"]))
    trusted = [one for one in found if one.reliable]
    values, errors = np.array([(one.value, one.mcse) for one in trusted]).reshape(-1, 2).T
    z = [abs(values[i] - values[j]) / np.hypot(errors[i], errors[j]) for i in range(len(values)) for j in range(i)]
    largest = max(z, default=0.0)
    print(f"{len(trusted)} of {len(found)} runs call themselves reliable; largest z between them {largest:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
