"""The verdict on tasks whose answer is known, hyperparameters inferred.

Run with ``python benchmarks/known_answers.py [seeds] [task ...]``. 200 rows, depth 2, ReLU, width 20 (identity
units on the deep linear teacher). For every task and seed: evidences, RMSE on test data, log Bayes factor
network : NNGP, gains with errors, feature information, the verdict, and its seconds. Keys are the seeds.
"""

import sys
import time
import warnings

import bayes_nn as bnn

bnn.use_all_cores()

from bayes_nn import inference, priors, tasks  # noqa: E402

WIDTH = 20
RELU, LINEAR = bnn.mlp(2, "relu"), bnn.mlp(2, "identity", bias_std=0.0)
#: The posterior of the single index is far from the prior and stiff: its particles need more and longer trajectories.
SETTINGS = {"single index": inference.SMC(particles=96, accepted_moves=4.0, max_steps=256)}

TASKS = {
    "NNGP draw": (RELU, lambda key: tasks.nngp_draw(bnn.mlp(2, "relu", 2**0.5, 0.1), inputs=10, key=key)),
    "deep linear teacher": (LINEAR, lambda key: tasks.deep_linear_teacher(depth=2, width=WIDTH, scale=2.0, key=key)),
    "single index": (RELU, lambda key: tasks.single_index(key=key)),
    "diabetes": (RELU, lambda key: tasks.diabetes(key=key)),
}


def main(seeds, names):
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    for name in names:
        net, make = TASKS[name]
        for seed in range(seeds):
            task, started = make(seed), time.perf_counter()
            candidates = [priors.NNGP(net), priors.ScaleMixture(net, WIDTH), bnn.BayesianNetwork(net, WIDTH)]
            result = bnn.compare(
                candidates, task.X, task.y, task.X_test, task.y_test, key=seed, standardize=name == "diabetes",
                sampler=SETTINGS.get(name, inference.SMC(particles=96)), progress=False,
            )  # fmt: skip
            rows = {row.kind: row for row in result.rows}
            evidences = ", ".join(
                f"{kind} {row.log_evidence:.2f} +- {row.mcse:.2f} (RMSE {row.rmse:.3g})" for kind, row in rows.items()
            )
            verdict = result.verdict
            print(f"{name}, seed {seed}, {time.perf_counter() - started:.0f} s: {verdict.outcome}")
            print(f"  {evidences}")
            print(
                f"  log Bayes factor {verdict.log_bayes_factor:+.2f} +- {verdict.log_bayes_factor_error:.2f}; gain"
                f" {verdict.gain:+.4f} +- {verdict.gain_error:.4f}, over {verdict.best_feature_free}"
                f" {verdict.gain_over_best:+.4f} +- {verdict.gain_over_best_error:.4f}; feature information"
                f" {verdict.feature_information:.2f}"
            )
            print(*(f"  {row.kind}: {reason}" for row in result.rows for reason in row.reasons), sep="\n", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2:] or list(TASKS))
