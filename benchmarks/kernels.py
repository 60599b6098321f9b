"""Infinite-width kernels: ours against neural-tangents and against a floor in NumPy, in one run.

Run with ``python benchmarks/kernels.py``. neural-tangents 0.6.5 is installed into ``benchmarks/peers`` on first use,
without its dependencies. Both sides are compiled, in float64, on the same cores; the best of several runs counts.
"""

import subprocess
import sys
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from timing import best_seconds

import bayes_nn as bnn
from bayes_nn.priors.kernels.kernel_recursion import kernel_matrices

PEERS = Path(__file__).parent / "peers"
RNG = np.random.default_rng(0)


def neural_tangents_stax():
    """Its stax module, without executing the package's __init__, which current JAX breaks."""
    if not (PEERS / "neural_tangents").is_dir():
        wanted = ["neural-tangents==0.6.5", "frozendict", "tf2jax"]
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(PEERS), *wanted], check=True
        )
    sys.path.append(str(PEERS))
    package = types.ModuleType("neural_tangents")
    package.__path__ = [str(PEERS / "neural_tangents")]
    sys.modules["neural_tangents"] = package
    from neural_tangents import stax

    return stax


def floor(X, depth):
    """One product of matrices, then the transcendental passes of each layer, in NumPy."""
    K = X @ X.T / X.shape[1]
    K /= K.max() * 1.01
    for _ in range(depth):
        angle = np.arccos(K)
        sine = np.sqrt(1 - K * K)
    return angle, sine


def peers(stax, depth, head=None):
    layers = []
    for _ in range(depth):
        wide = stax.Dense(1, W_std=2**0.5, b_std=0.1)
        if head is not None:
            wide = stax.Conv(1, (3, 3), padding="SAME", W_std=2**0.5, b_std=0.1)
        layers += [wide, stax.Relu()]
    kernel = stax.serial(*layers, *([head] if head else []), stax.Dense(1, W_std=2**0.5, b_std=0.1))[2]
    return jax.jit(lambda x: tuple(kernel(x, None, ("nngp", "ntk"))))


def ours(depth, head=None):
    wide = (lambda: bnn.Dense(2**0.5, 0.1)) if head is None else lambda: bnn.Conv(weight_std=2**0.5, bias_std=0.1)
    layers = [layer for _ in range(depth) for layer in (wide(), bnn.Relu())]
    net = bnn.Serial(*layers, *([head] if head else []), bnn.Dense(2**0.5, 0.1))
    return lambda x: kernel_matrices(net, {}, x)


def exponent(sizes, times):
    return np.polyfit(np.log(sizes), np.log(times), 1)[0]


def main():
    stax = neural_tangents_stax()
    X = jnp.asarray(RNG.normal(size=(2000, 64)))
    images = jnp.asarray(RNG.normal(size=(200, 8, 8, 3)))
    cases = [
        ("dense, depth 3, N=2000, d=64", ours(3), peers(stax, 3), X, 0.35),
        ("conv x2, Flatten, N=200, 8x8", ours(2, bnn.Flatten()), peers(stax, 2, stax.Flatten()), images, 0.6),
        (
            "conv x2, GlobalAvgPool, N=64, 8x8",
            ours(2, bnn.GlobalAvgPool()),
            peers(stax, 2, stax.GlobalAvgPool()),
            images[:64],
            0.4,
        ),
    ]
    print(f"NNGP and NTK together{'':14} {'theirs':>8} {'ours':>8} {'ratio':>6} {'target':>7} {'difference':>11}")
    for name, mine, theirs, x, target in cases:
        a, b = best_seconds(theirs, x), best_seconds(mine, x)
        pairs = zip(mine(x), theirs(x), strict=True)
        gap = max(float(jnp.abs(k - t).max() / jnp.abs(t).max()) for k, t in pairs)
        print(f"{name:35} {a:8.4f} {b:8.4f} {b / a:6.2f} {target:7.2f} {gap:11.1e}", flush=True)
    plain = np.asarray(X)
    lower = best_seconds(lambda: floor(plain, 3), repeats=3)
    print(f"floor in NumPy, dense: {lower:.4f} s; ours / floor {best_seconds(ours(3), X) / lower:.2f}")
    sizes = (500, 1000, 2000, 4000)
    wide = jnp.asarray(RNG.normal(size=(max(sizes), 64)))
    by_size = [best_seconds(ours(3), wide[:n], repeats=5) for n in sizes]
    print(f"growth in N {sizes}: exponent {exponent(sizes, by_size):.2f}")
    depths = (2, 4, 8, 16)
    by_depth = [best_seconds(ours(depth), X[:1000], repeats=5) for depth in depths]
    print(f"growth in depth {depths}: exponent {exponent(depths, by_depth):.2f}")


if __name__ == "__main__":
    main()
