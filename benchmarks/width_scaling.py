"""The default sampler against width: acceptance, step size and function-space ESS per gradient, printed and plotted.

Run with ``python benchmarks/width_scaling.py [widths ...]``. Diabetes, 200 rows, ReLU, depth 1 and 2, standard
deviations and noise inferred, 2 chains. Writes docs/width_scaling.png. Key fixed.
"""

import sys
import time
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import arviz as az  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from sklearn.datasets import load_diabetes  # noqa: E402

from bayes_nn import inference  # noqa: E402
from bayes_nn.inference.problem.collapsed import CollapsedProblem  # noqa: E402
from bayes_nn.runtime.devices import map_over_devices  # noqa: E402

SETTINGS = inference.InfiniteHMC(chains=2, warmup=300, draws=200)


@jax.jit
def watched(problem, u):
    """E[f | z] at 50 training inputs, and the log likelihood, of every draw."""

    def one(problem, u):
        values = problem.values(u)
        process = problem.process(values, problem.X[:50])
        mean, _ = process.predict(problem.Y, problem.noise_variance(values))
        return jnp.append(mean[:, 0], problem.log_likelihood(u))

    flat = u.reshape(-1, u.shape[-1])
    return map_over_devices(one, len(flat))(problem, flat).reshape(*u.shape[:2], -1)


def main(widths):
    X, y = load_diabetes(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:200]
    X, y = (X[rows] - X[rows].mean(axis=0)) / X[rows].std(axis=0), (y[rows] - y[rows].mean()) / y[rows].std()
    figure = Figure(figsize=(9.0, 3.0), layout="constrained")
    panels = figure.subplots(1, 3)
    print(f"{'depth':>5} {'width':>6} {'acceptance':>11} {'step':>6} {'gradients/draw':>15} {'ESS/1000 gradients':>19}"
          f" {'R-hat':>6} {'seconds':>8}")  # fmt: skip
    for depth in (1, 2):
        found = []
        for width in widths:
            network = bnn.BayesianNetwork(bnn.mlp(depth), width)
            problem = CollapsedProblem.of(network, jnp.asarray(X), jnp.asarray(y)[:, None], bnn.Gaussian())
            started = time.perf_counter()
            u, _, stats = SETTINGS.draw_u(problem, jax.random.key(1))
            seconds = time.perf_counter() - started
            quantities = az.convert_to_dataset({"f": np.asarray(watched(problem, jnp.asarray(u)))})
            ess = 1e3 * float(np.median(az.ess(quantities)["f"])) / stats["n_steps"].sum()
            found.append((stats["acceptance_rate"].mean(), stats["step_size"].mean(), ess))
            print(f"{depth:5d} {width:6d} {found[-1][0]:11.3f} {found[-1][1]:6.3f} {stats['n_steps'].mean():15.1f}"
                  f" {ess:19.1f} {float(az.rhat(quantities)['f'].max()):6.3f} {seconds:8.1f}", flush=True)  # fmt: skip
        for panel, values in zip(panels, np.array(found).T, strict=True):
            panel.plot(widths, values, "o-", label=f"depth {depth}")
    labels = ("acceptance", "adapted step (radians)", "ESS of f per 1000 gradients")
    for panel, label in zip(panels, labels, strict=True):
        panel.set_xscale("log", base=2)
        panel.set_xticks(widths, [str(width) for width in widths])
        panel.set_ylim(0.0, 1.08 * panel.get_ylim()[1])
        panel.set_xlabel("width")
        panel.set_title(label, fontsize=10)
    panels[0].legend(frameon=False)
    figure.savefig(Path(__file__).parent.parent / "docs" / "width_scaling.png", dpi=150)


if __name__ == "__main__":
    main([int(width) for width in sys.argv[1:]] or [32, 64, 128, 256, 512, 1024])
