"""A linear network beats the NNGP of fixed scale without learning features: the confound, shown and defused.

Run with ``python benchmarks/scale_confound.py``. A linear target four times as large as the prior expects, 200 rows, 10
inputs, noise 0.3 known. With weight_std fixed (and wrong) the network gains tens of nats on the NNGP of fixed scale;
the table then attributes the gain to scale, by ``ScaleMixture`` and ``StudentT``, and once more by inferring
weight_std. Key fixed.
"""

import time
import warnings

import bayes_nn as bnn

bnn.use_all_cores()

import numpyro.distributions as dist  # noqa: E402

from bayes_nn import inference, priors, tasks  # noqa: E402

WIDTH = 20


def main():
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    task = tasks.deep_linear_teacher(depth=2, width=WIDTH, scale=4.0, key=1)
    for title, weight_std in (("fixed", 1.0), ("inferred", bnn.Shared(dist.LogNormal(0.0, 0.5)))):
        net = bnn.mlp(2, "identity", weight_std, bias_std=0.0)
        candidates = [priors.NNGP(net), priors.ScaleMixture(net, WIDTH), priors.RenormalisedKernel(net, WIDTH)]
        candidates += [priors.StudentT(net, df=4), bnn.BayesianNetwork(net, WIDTH)]
        started = time.perf_counter()
        result = bnn.compare(
            candidates, task.X, task.y, task.X_test, task.y_test, likelihood=bnn.Gaussian(0.3), standardize=False,
            sampler=inference.SMC(particles=96), progress=False,
        )  # fmt: skip
        print(f"weight_std {title}, {time.perf_counter() - started:.0f} s")
        print(
            result.table[["log_evidence", "mcse", "lpd_test", "lpd_test_se", "rmse", "reliable"]].round(4).to_string()
        )
        print(result.verdict, "\n", flush=True)


if __name__ == "__main__":
    main()
