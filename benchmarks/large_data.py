"""Peak memory and seconds of large data: an NNGP's exact fit, and a network's gradient and short chain.

Every size runs in a child process of its own, whose peak resident memory is what the operating system counted.

    python benchmarks/large_data.py            # both tables
    python benchmarks/large_data.py nngp 1000 10000
    python benchmarks/large_data.py network 1000 100000
"""

import resource
import subprocess
import sys
import time

import numpy as np

#: Rows of each table where none are named.
SIZES = {"nngp": (1_000, 2_000, 5_000, 10_000), "network": (1_000, 10_000, 30_000, 100_000)}
TEST_ROWS, INPUTS, WIDTH, MOVES, STEPS = 1_000, 8, 64, 50, 16


def data(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A smooth target of 8 inputs with noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, INPUTS))
    return X, np.sin(X[:, 0]) + 0.5 * X[:, 1] * X[:, 2] + 0.1 * rng.normal(size=rows)


def nngp(rows: int) -> dict[str, float]:
    """Seconds of a fit with its evidence, and of predictions at 1,000 new inputs, compilation included."""
    import bayes_nn as bnn

    X, y = data(rows + TEST_ROWS)
    began = time.perf_counter()
    prior = bnn.priors.NNGP(bnn.mlp(1, "relu", 1.4, 0.1))
    posterior = bnn.fit(prior, X[:rows], y[:rows], bnn.Gaussian(0.1), progress=False)
    evidence = posterior.log_evidence.value
    fitted = time.perf_counter()
    predictive = posterior.predict(X[rows:])
    ended = time.perf_counter()
    rmse = float(np.sqrt(np.mean((predictive.mean - y[rows:]) ** 2)))
    return {"fit s": fitted - began, "predict s": ended - fitted, "evidence": evidence, "rmse": rmse}


def network(rows: int) -> dict[str, float]:
    """Milliseconds of one gradient of a network of width 64, and seconds of a fit by 50 moves of at most 16 steps."""
    import jax

    import bayes_nn as bnn
    from bayes_nn.data.dataset import Dataset
    from bayes_nn.inference.problem.problem_of import problem_of

    X, y = data(rows)
    prior, likelihood = bnn.BayesianNetwork(bnn.mlp(1, "relu", 1.4, 0.1), WIDTH), bnn.Gaussian(0.1)
    problem = problem_of(prior, Dataset.of(X, y, likelihood))
    u = problem.sample_prior(jax.random.key(0))
    gradient = jax.jit(lambda problem, u: problem.log_likelihood_and_gradient(u))
    jax.block_until_ready(gradient(problem, u))
    began = time.perf_counter()
    repeats = max(1, 100_000 // rows)
    for _ in range(repeats):
        jax.block_until_ready(gradient(problem, u))
    one = (time.perf_counter() - began) / repeats
    began = time.perf_counter()
    settings = bnn.inference.InfiniteHMC(chains=1, warmup=MOVES // 2, draws=MOVES // 2, max_steps=STEPS)
    bnn.fit(prior, X, y, likelihood, settings, progress=False)
    return {"gradient ms": 1e3 * one, "50 moves s": time.perf_counter() - began}


def child(kind: str, rows: int) -> None:
    """Print one line of a table."""
    found = {"nngp": nngp, "network": network}[kind](rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures = "".join(f"  {name} {value:10.3f}" for name, value in found.items())
    print(f"{kind:8} N {rows:7,}  peak GiB {peak:6.2f}{figures}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], int(sys.argv[3]))
    else:
        for kind in sys.argv[1:2] or list(SIZES):
            for rows in map(int, sys.argv[2:]) if sys.argv[2:] else SIZES[kind]:
                subprocess.run([sys.executable, __file__, "child", kind, str(rows)], check=False)
