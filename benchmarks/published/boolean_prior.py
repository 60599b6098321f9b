"""Networks before training prefer functions of low entropy: figures of Mingard et al. 2019 (arXiv:1909.11522).

Run with ``python benchmarks/published/boolean_prior.py``. T counts the inputs of {0, 1}^n that a random classifier
``f > 0`` maps to 1. Published:

1. A perceptron without bias, with independent symmetric weights, has P(T = t) = 2^-n for t = 0 ... 2^n - 1 (theorem;
   abstract). Checked by chi-square tests of draws, for three laws of the weights and three n, each at a false-alarm
   rate of 0.1 %, so that one run in a hundred raises a false alarm; and without draws: two inputs at an angle a are
   labelled differently with probability a / pi under Gaussian weights, so that E[T (N - T)], N = 2^n - 1 being the
   inputs but 0, is the sum of those angles over pi, which under the uniform law is N (N - 1) / 6.
2. The bias towards low entropy becomes monotonically stronger with every ReLU layer (theorem, infinite width). Checked
   without draws by the same sum of angles, from the kernels of NNGPs without biases, which has to fall with depth; and
   by draws: the mean entropy H of T / N, in bits, and the probability that all inputs but 0 get one label. Finite
   networks of two widths beside them.
3. A bias term of larger variance does the same (published as an observation). Checked by draws of the perceptron.
"""

import argparse
import itertools
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.runtime.mapping import map_each

LAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "uniform": lambda rng, shape: rng.uniform(-1.0, 1.0, size=shape),
    "Laplace": lambda rng, shape: rng.laplace(size=shape),
}
FALSE_ALARM = 1e-3
PIECE = 20_000


def inputs_of(n):
    """All of {0, 1}^n but 0, where every function without biases is 0."""
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))[1:]


def counts(f):
    """T of every draw, from f at the inputs but 0, (inputs, draws)."""
    return (f > 0.0).sum(axis=0)


def in_pieces(draw, draws):
    """T of so many draws, a piece at a time."""
    return np.concatenate([counts(draw(min(PIECE, draws - start))) for start in range(0, draws, PIECE)])


def summary(T, N):
    """Mean entropy of T / N in bits, P(all alike) and E[T (N - T)] over its uniform value, with standard errors."""
    p = T / N
    entropy = stats.entropy(np.stack([p, 1.0 - p]), base=2)
    figures = entropy, (T == 0) | (T == N), T * (N - T) / (N * (N - 1) / 6.0)
    return [(float(np.mean(one)), float(np.std(one) / len(T) ** 0.5)) for one in figures]


def disagreement(K):
    """E[T (N - T)] of a Gaussian process, over the value N (N - 1) / 6 of the uniform law: sum of angles over pi."""
    std = np.sqrt(np.diag(K))
    angles = np.arccos(np.clip(K / np.outer(std, std), -1.0, 1.0))[np.triu_indices(len(K), 1)]
    return float(angles.sum() / np.pi / (len(K) * (len(K) - 1) / 6.0))


def network_draws(net, width, X, draws, key):
    """f of finite networks, (inputs, draws)."""

    def one(key):
        return bnn.network.apply(net, bnn.network.init(net, key, X.shape[1:], width), X)[:, 0]

    return np.asarray(jax.jit(lambda keys: map_each(one, keys))(jax.random.split(key, draws))).T


def perceptrons(draws, sizes, rng):
    """The first claim; whether it holds."""
    print("\n1. perceptron without bias: P(T = t) = 2^-n")
    print("   weights   n   chi-square   degrees   p-value   largest |P(T=t) 2^n - 1|")
    holds = True
    for n, (name, law) in itertools.product(sizes, LAWS.items()):
        X = inputs_of(n)
        T = in_pieces(lambda size, X=X, law=law: X @ law(rng, (X.shape[1], size)), draws)
        observed = np.bincount(T, minlength=2**n)
        test = stats.chisquare(observed)
        deviation = np.abs(observed / draws * 2**n - 1.0).max()
        print(f"   {name:8} {n:2}   {test.statistic:10.1f}   {2**n - 1:7}   {test.pvalue:7.3f}   {deviation:.4f}")
        holds &= bool(test.pvalue > FALSE_ALARM)
    for n in sizes:
        X = inputs_of(n)
        ratio = disagreement(X @ X.T)
        print(f"   n = {n}: E[T (N - T)] from angles, over that of the uniform law: {ratio:.12f} (published: 1)")
        holds &= abs(ratio - 1.0) < 1e-9
    return holds


def depths(draws, network_count, widths, deepest, n, rng):
    """The second claim; whether it holds."""
    X = inputs_of(n)
    N = len(X)
    print(f"\n2. ReLU layers, n = {n}: the bias grows with each (H: bits; D: E[T (N - T)], 1 under the uniform law)")
    print("   layers  network          D exact     D by draws         H by draws         P(all alike)")
    rows, exact_of_draws = [], []

    def show(layers, name, exact, figures):
        texts = [f"{value:.4f} +- {error:.4f}" for value, error in figures]
        shown = "      " if np.isnan(exact) else f"{exact:.4f}"
        print(f"   {layers:6}  {name:15}  {shown}      {texts[2]}   {texts[0]}   {texts[1]}", flush=True)

    uniform = np.arange(2**n)
    show(0, "uniform law", 1.0, [(value, 0.0) for value, _ in summary(uniform, N)])
    rows.append((1.0, summary(uniform, N)))
    for depth in range(1, deepest + 1):
        net = bnn.mlp(depth, "relu", weight_std=2**0.5, bias_std=0.0)
        K = np.asarray(priors.NNGP(net).kernel.gram(jnp.asarray(X)).as_matrix())
        L = np.linalg.cholesky(K + 1e-10 * K.diagonal().mean() * np.eye(N))
        figures = summary(in_pieces(lambda size, L=L: L @ rng.normal(size=(N, size)), draws), N)
        show(depth, "NNGP", disagreement(K), figures)
        rows.append((disagreement(K), figures))
        exact_of_draws.append((figures[2][0] - disagreement(K)) / figures[2][1])
        for width in widths:
            key = jax.random.fold_in(jax.random.key(width), depth)
            f = network_draws(net, width, jnp.asarray(X), network_count, key)
            show(depth, f"width {width}", np.nan, summary(counts(f), N))
    exact = [one for one, _ in rows]
    entropies = [figures[0][0] for _, figures in rows]
    falls = np.diff(exact) < 0.0, np.diff(entropies) < 0.0
    print(f"   D exact falls with every layer: {falls[0].all()}; H by draws too: {falls[1].all()} (published: yes)")
    print(f"   draws against exact D, in errors: {', '.join(f'{z:+.1f}' for z in exact_of_draws)}")
    return bool(falls[0].all() and falls[1].all() and np.abs(exact_of_draws).max() < 4.0)


def biases(draws, n, rng):
    """The third claim; whether it holds."""
    X = inputs_of(n)
    print(f"\n3. perceptron with a normal bias, n = {n}: the bias towards low entropy grows with its variance")
    print("   bias_std / weight_std   mean H, bits       P(all alike)")
    entropies = []
    for std in (0.0, 0.5, 1.0, 2.0, 4.0):
        T = in_pieces(lambda size, std=std: X @ rng.normal(size=(n, size)) + std * rng.normal(size=size), draws)
        (entropy, error), (alike, alike_error), _ = summary(T, len(X))
        print(f"   {std:21g}   {entropy:.4f} +- {error:.4f}   {alike:.4f} +- {alike_error:.4f}")
        entropies.append(entropy)
    return bool((np.diff(entropies) < 0.0).all())


def main():
    """All three claims."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400_000, help="of every perceptron and NNGP")
    parser.add_argument("--networks", type=int, default=20_000, help="draws of every finite network")
    parser.add_argument("--depth", type=int, default=6, help="ReLU layers at most")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    bnn.use_all_cores()
    rng, began = np.random.default_rng(given.seed), time.perf_counter()
    claims = {
        "perceptron, P(T = t) = 2^-n": perceptrons(given.draws, (3, 5, 7), rng),
        "stronger with every ReLU layer": depths(given.draws, given.networks, (8, 32), given.depth, 7, rng),
        "stronger with a larger bias term": biases(given.draws, 7, rng),
    }
    print("\nMingard, Skalse, Valle-Perez, Martinez-Rubio, Mikulik and Louis 2019, arXiv:1909.11522")
    for claim, holds in claims.items():
        print(f"   {claim}: {'reproduced' if holds else 'NOT reproduced'}")
    print(f"{time.perf_counter() - began:.0f} s")
    return 0 if all(claims.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
