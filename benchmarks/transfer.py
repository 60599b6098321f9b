"""Transfer between two tasks of one direction each: the same, or orthogonal ones.

Run with ``python benchmarks/transfer.py [seeds]``. Single-index targets (second Hermite polynomial), 10 inputs, 120
rows of task a, then 40 of task b; depth 2, width 20, noise 0.3, standard deviations fixed. Nats, with the errors of
both evidences; kernel priors share nothing. Beside it ensembles of 10 networks trained by Adam, pre-trained on one
task and fine-tuned on the other, in both orders, against training from scratch: on the same tasks, and on easier ones
(5 inputs, 400 and 40 rows, noise 0.1). Keys are the seeds.
"""

import sys
import time
import warnings

import bayes_nn as bnn

bnn.use_all_cores()

from bayes_nn import inference, priors, tasks  # noqa: E402

INPUTS, WIDTH = 10, 20


def pair(seed, shared, inputs, rows, noise_std):
    """Task a of many rows and task b of 40, of the same direction or of orthogonal ones."""
    U = tasks.orthonormal_directions(inputs, 2, key=seed)
    of_b = tasks.single_index(40, inputs, noise_std=noise_std, direction=U[:, 0], key=100 + seed)
    of_a = tasks.single_index(rows, inputs, noise_std=noise_std, direction=U[:, 0 if shared else 1], key=200 + seed)
    return of_a, of_b


def main(seeds):
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    net = bnn.mlp(2, "relu", 2**0.5, 0.1)
    accounts = [priors.NNGP(net), priors.NTK(net, output_scale=1.0), bnn.BayesianNetwork(net, WIDTH)]
    for seed in range(seeds):
        for shared in (True, False):
            which = f"seed {seed}, {'shared' if shared else 'orthogonal'}"
            of_a, of_b = pair(seed, shared, INPUTS, 120, 0.3)
            for prior in accounts:
                started = time.perf_counter()
                found = inference.transfer(
                    prior, (of_a.X, of_a.y), (of_b.X, of_b.y), bnn.Gaussian(0.3), standardize=False, key=seed,
                    tolerance=0.4, max_seconds=300.0, progress=False,
                )  # fmt: skip
                seconds = time.perf_counter() - started
                print(f"{which}, {prior.name}: {found}, {seconds:.0f} s", flush=True)
            for title, (a, b) in {"the same": (of_a, of_b), "easier": pair(seed, shared, 5, 400, 0.1)}.items():
                started = time.perf_counter()
                tuned = inference.fine_tuning(net, a.data, b.data, WIDTH, steps=3000, key=seed, progress=False)
                seconds = time.perf_counter() - started
                print(f"{which}, fine-tuning, {title} tasks, {seconds:.0f} s\n{tuned}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
