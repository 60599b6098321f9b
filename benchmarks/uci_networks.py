"""Bayesian networks on the first standard UCI splits, all standard deviations inferred, by the default sampler.

Run with ``python benchmarks/uci_networks.py ../shared [splits] [data ...]``. One hidden layer of 50 ReLU units,
as in the published figures, which are printed beside ours with those of NNGP regression on the same splits, and with
by how many standard errors of ours we do better (negative: worse). No figure of HMC is among them. Key: the number of
the split.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import numpy as np  # noqa: E402

from bayes_nn import inference  # noqa: E402


def main(shared, splits, names):
    reference = json.loads((shared / "reference" / "uci_nngp.json").read_text())
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    for name in names:
        with np.load(shared / "data" / "uci_regression" / f"{name}.npz") as file:
            X, y, tests = file["X"], file["y"].ravel(), file["test_idx"]
        scores, started, diagnoses = [], time.perf_counter(), []
        for split in range(splits):
            test = tests[split]
            train = np.setdiff1d(np.arange(len(y)), test)
            network = bnn.BayesianNetwork(bnn.mlp(depth=1), width=50)
            settings = inference.InfiniteHMC(chains=4, warmup=200, draws=200)
            posterior = bnn.fit(network, X[train], y[train], sampler=settings, key=split, duplicates="keep")
            p = posterior.predict(X[test])
            scores.append((np.sqrt(np.mean((p.mean - y[test]) ** 2)), p.log_prob(y[test]).mean()))
            diagnoses.append(posterior.convergence)
            print(
                f"  {name} split {split}: RMSE {scores[-1][0]:.3f}, log density {scores[-1][1]:.3f}, {diagnoses[-1]}",
                flush=True,
            )
        rmse, ll = np.array(scores).T
        error = [v.std(ddof=1) / len(v) ** 0.5 for v in (rmse, ll)]
        print(
            f"{name}: RMSE {rmse.mean():.3f} +- {error[0]:.3f}, log density {ll.mean():.3f} +- {error[1]:.3f}, "
            f"{sum(one.converged for one in diagnoses)} of {splits} converged, {time.perf_counter() - started:.0f} s"
        )
        for row in reference["nngp_ntk_type2_map"]:
            if row["data"] == name and row["kernel"] == "NNGP":
                own = np.array(row["per_split_rmse_ll"][:splits]).mean(axis=0)
                print(f"  NNGP, depth {row['L']}, same splits: RMSE {own[0]:.3f}, log density {own[1]:.3f}")
        published = reference["published"]
        methods = ("PBP", "dropout", "deep ensemble")
        others = zip(methods, published["rmse"][name], published["nll"][name], strict=True)
        figures = {method: (r, -nll) for method, r, nll in others}
        figures["converged dropout"] = published["converged_dropout_rmse_ll"][name]
        for method, (r, density) in figures.items():
            better = (r - rmse.mean()) / error[0], (ll.mean() - density) / error[1]
            print(
                f"  {method}, published: RMSE {r:.3f}, log density {density:.3f}; ours better by {better[0]:+.1f} and"
                f" {better[1]:+.1f} errors",
                flush=True,
            )


if __name__ == "__main__":
    chosen = sys.argv[3:] or ["yacht", "energy", "concrete"]
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5, chosen)
