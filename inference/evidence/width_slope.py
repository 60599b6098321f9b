"""The first-order effect of finite width on the evidence, without sampling any posterior over weights.

With all hidden widths n, ``log Z_n = log Z_inf + c1/n + O(1/n^2)`` at fixed depth. Derivation: let G_l be the mean of
``phi phi'`` over the n_l neurons of hidden layer l, and Z_l(G_l) the evidence given G_l. Given the layer before,
``G_l = E[phi phi'] + delta`` with delta of mean 0 and covariance ``Cov(phi phi')/n_l``, phi the output of one neuron,
so that ``Z_(l-1) = E Z_l(G_l)`` is ``Z_l(E[phi phi'])`` plus half its second derivative along delta, in the mean. From
the readout down, every layer adds its own fluctuation, seen through the infinite-width limit of the layers after it::

    c1 = sum_l c_l (and log Z_n = log Z_inf + sum_l c_l/n_l),    c_l = 1/2 E[ (d log Z)^2 + d^2 log Z ],

with d and d^2 the derivatives of ``log Z(F_l(G_l + e D))`` in e at 0 along ``D = phi phi' - E[phi phi']``, and F_l the
kernel recursion from that layer to the readout's covariance K. With C outputs Y that share K,
``A = K + noise^2 I``, ``a = A^-1 Y``, ``H = (a a' - C A^-1)/2`` and ``R = F_l'[D]``::

    d log Z = tr(H R),    d^2 log Z = tr(H F_l''[D, D]) + C/2 tr(A^-1 R A^-1 R) - tr(a'R A^-1 R a).

At the last hidden layer ``R = psi psi' - E[psi psi']``, with psi the neuron times the readout's weight_std, and F'' is
0: all follows from ``t = |a'psi|^2`` and ``q = psi'A^-1 psi``. At deeper layers the trace is the mean of
``s'R A^-1 R s`` over s ~ N(0, A^-1), an ``a`` of data drawn from the NNGP itself; c1 is 0 in the mean over such data.
Where all activations are the identity the means are known; :mod:`bayes_nn.inference.evidence.layer_slope` has the
formulas.

With inferred standard deviations h, ``Z_n = E_p(h)[ Z_inf(h) (1 + c1(h)/n) ]``, so that c1 is the mean of c1(h) over
the posterior of h under the NNGP. Expansions in 1/n: Yaida 2020, arXiv:1910.00019; Zavatone-Veth, Canatar, Ruben and
Pehlevan 2021, arXiv:2106.00651.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.architecture.serial import Serial, checked_width
from bayes_nn.data.dataset import Dataset
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.inference.evidence.layer_slope import layer_samples
from bayes_nn.inference.posterior.fit import checked_likelihood
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.evidence import Evidence, exact_evidence
from bayes_nn.inference.sampling.smc_settings import SMCSettings
from bayes_nn.priors.infinite_width import NNGP
from bayes_nn.priors.kernels.kernel_derivatives import hidden_activations
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.mapping import map_each
from bayes_nn.runtime.progress import Report, progress_bar
from bayes_nn.runtime.random_keys import checked_key

#: Sampler of inferred standard deviations.
HYPERPARAMETERS = SMCSettings(particles=64)
#: Neurons drawn from each layer in one batch, at least from each set of standard deviations, and in all.
BATCH, SMALLEST_SET, LARGEST_DRAWS = 2**14, 2**8, 2**20
#: Most numbers in one array of neurons.
BLOCK = 2**20
#: Share of the error that may come from the neurons where that of the hyperparameters' draws is what limits it.
SMALL_SHARE = 0.5
#: Standard errors that count as a difference.
ERRORS = 2.0


@dataclass(frozen=True)
class WidthSlope:
    """c1 of ``log Z_n = log Z_inf + c1/n + O(1/n^2)``, in nats times neurons.

    Attributes:
        value: the estimate.
        mcse: its Monte-Carlo standard error; 0 where it is exact (linear networks).
        log_evidence: of the NNGP, log Z_inf.
        by_layer: what the fluctuation of every hidden layer adds, in order.
        draws: neurons drawn per layer.

    Example:
        >>> slope = WidthSlope(-8.0, 0.5, Evidence(-100.0, 0.0, "exact"), (-8.0,), 1000)
        >>> slope.effect, slope.log_evidence_at(64)
        ('hurts', -100.125)
    """

    value: float
    mcse: float
    log_evidence: Evidence
    by_layer: tuple[float, ...]
    draws: int

    def log_evidence_at(self, width: int | tuple[int, ...] | list[int]) -> float:
        """``log Z_inf + sum_l c_l/n_l``, nats: to first order, so for widths well above ``abs(value)``.

        Args:
            width: width of every hidden layer, or one per layer.

        Raises:
            ValueError: if a width is not a positive integer.
        """
        widths = checked_width(width, len(self.by_layer))
        return self.log_evidence.value + float(np.sum(np.array(self.by_layer) / widths))

    @property
    def effect(self) -> Literal["helps", "hurts", "cannot be told"]:
        """Whether finite width raises the evidence, lowers it, or is within two standard errors of neither."""
        if abs(self.value) <= ERRORS * self.mcse:
            return "cannot be told"
        return "helps" if self.value > 0 else "hurts"

    def __str__(self) -> str:
        words = {
            "helps": "finite width improves the prior for these data",
            "hurts": "finite width makes the prior worse for these data",
            "cannot be told": "whether finite width helps cannot be told",
        }
        trust = "" if self.log_evidence.reliable else f"  NOT RELIABLE: {'; '.join(self.log_evidence.reasons)}"
        return (
            f"{words[self.effect]}: log Z_n = {self.log_evidence.value:.2f} {self.value:+.4g}/n nats, "
            f"slope +- {self.mcse:.2g} (first order: for widths well above {abs(self.value) + ERRORS * self.mcse:.2g})"
            f"{trust}"
        )


def width_slope(
    net: Serial,
    X: Any,
    y: Any,
    likelihood: Likelihood | None = None,
    standardize: bool = True,
    key: int | Array = 0,
    *,
    tolerance: float = 0.05,
    duplicates: str = "error",
    progress: bool = True,
) -> WidthSlope:
    """Whether a slightly finite width improves the prior for these data: c1 of ``log Z_n = log Z_inf + c1/n``.

    No posterior over weights is sampled: the expectation is over single neurons of the infinitely wide network, and
    where standard deviations or the noise are inferred, over their posterior under the NNGP. A positive slope says that
    wide networks explain the data better than their limit. It does not say whether by their features or by their free
    scale: :class:`bayes_nn.priors.ScaleMixture` tells. The formula is in the docstring of the module.

    Args:
        net: an architecture of ``Dense`` layers and activations. A function passed as ``Activation`` must be smooth.
        X: inputs, (N,) or (N, d); NumPy, JAX or pandas.
        y: targets, (N,) or (N, C).
        likelihood: ``Gaussian()`` when left out, whose noise_std is then inferred.
        standardize: as in :func:`bayes_nn.fit`; the evidence is that of the standardised y.
        key: a JAX key or an integer seed.
        tolerance: relative standard error to reach; a slope near 0 ends at ``LARGEST_DRAWS`` neurons instead.
        duplicates: as in :func:`bayes_nn.fit`.
        progress: show a progress bar on a terminal.

    Returns:
        The slope with its error.

    Raises:
        ValueError: for bad data, a layer other than ``Dense`` and activations, a likelihood of labels, or a noise_std
            too small for double precision.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> net = bnn.mlp(depth=1, activation="identity", weight_std=1.0, bias_std=0.0)
        >>> slope = width_slope(net, X, 3.0 * X[:, 0], bnn.Gaussian(0.5), standardize=False)
        >>> slope.effect, slope.mcse  # the prior expects a smaller scale; finite width lets it vary
        ('helps', 0.0)
    """
    if not tolerance > 0.0:
        raise ValueError(f"tolerance must be positive; got {tolerance}")
    prior, likelihood = NNGP(net), checked_likelihood(likelihood)
    hidden_activations(net)
    if not likelihood.conjugate:
        raise ValueError(f"the width slope is known under Gaussian noise only; got {likelihood}")
    dataset = Dataset.of(X, y, likelihood, standardize, duplicates)
    prior.check_inputs(dataset.inputs.shape[1:])
    problem = CollapsedProblem.of(prior, dataset.X, dataset.Y, dataset.likelihood)
    key_hyperparameters, key_neurons = jax.random.split(checked_key(key))
    with progress_bar(f"width slope of {net.name}", enabled=progress) as report, one_blas_thread_per_device():
        evidence, u = _hyperparameters(problem, key_hyperparameters, report)
        if not np.isfinite(evidence.value):
            raise ValueError("the covariance of y is not positive definite to rounding: raise noise_std")
        return _estimate(problem, evidence, u, key_neurons, tolerance, report)


def _hyperparameters(problem: CollapsedProblem, key: Array, report: Report) -> tuple[Evidence, Float[Array, "I S H"]]:
    """The NNGP's evidence, and posterior draws of what is inferred; one empty draw per island where nothing is."""
    islands = HYPERPARAMETERS.islands
    if not problem.latents:
        nothing = jnp.zeros((islands, 1, 0))
        return exact_evidence(problem), nothing
    from bayes_nn.inference.sampling.smc_run import run_smc

    run = run_smc(problem, HYPERPARAMETERS, key, report)
    return run.evidence, jnp.asarray(run.u)


def _estimate(
    problem: CollapsedProblem,
    evidence: Evidence,
    u: Float[Array, "I S H"],
    key: Array,
    tolerance: float,
    report: Report,
) -> WidthSlope:
    """Batches of neurons until the error is small, or that of the hyperparameters' draws, or the draws are spent."""
    sets = u.shape[0] * u.shape[1]
    draws = max(SMALLEST_SET, min(BATCH // sets, BLOCK // len(problem.X)))
    batches: list[tuple[np.ndarray, np.ndarray]] = []
    while True:
        keys = jax.random.key_data(jax.random.split(jax.random.fold_in(key, len(batches)), u.shape[:2]))
        means, covariances = _batch(problem, u, keys, draws)
        batches.append((np.asarray(means), np.asarray(covariances)))
        neurons = len(batches) * sets * draws
        by_set, variance = _regressed(*(np.mean(each, axis=0) for each in zip(*batches, strict=True)))
        totals, of_neurons = by_set.sum(axis=-1), float(np.sqrt(variance / neurons))
        value, mcse = float(totals.mean()), of_neurons
        wanted = tolerance * abs(value)
        if problem.latents:
            mcse = max(mcse, _error_of_mean(totals))
            wanted = max(wanted, SMALL_SHARE * mcse)
        done = 1.0 if of_neurons <= wanted else max((wanted / of_neurons) ** 2, neurons / LARGEST_DRAWS)
        report(done, f"{value:.3g} +- {mcse:.2g}")
        if done >= 1.0:
            return WidthSlope(value, mcse, evidence, tuple(by_set.mean(axis=(0, 1)).tolist()), neurons)


def _regressed(
    means: Float[np.ndarray, "I S L 3"], covariances: Float[np.ndarray, "I S L 3 3"]
) -> tuple[Float[np.ndarray, "I S L"], float]:
    """Every layer's mean for every set of neurons less its regression on t and q, and the variance left."""
    pooled = covariances.mean(axis=(0, 1))
    slopes = np.einsum("lij,lj->li", np.linalg.pinv(pooled[:, 1:, 1:]), pooled[:, 1:, 0])
    left = pooled[:, 0, 0] - np.einsum("li,li->l", slopes, pooled[:, 1:, 0])
    return means[..., 0] - np.einsum("islj,lj->isl", means[..., 1:], slopes), float(np.maximum(left, 0.0).sum())


def _error_of_mean(by_set: Float[np.ndarray, "I S"]) -> float:
    """Of the mean over draws of the hyperparameters: between islands, or as if all were independent if that is more."""
    islands = by_set.mean(axis=1)
    return float(max(islands.std(ddof=1) / len(islands) ** 0.5, by_set.std(ddof=1) / by_set.size**0.5))


@partial(jax.jit, static_argnames="draws")
def _batch(
    problem: CollapsedProblem, u: Float[Array, "I S H"], keys: Array, draws: int
) -> tuple[Float[Array, "I S L 3"], Float[Array, "I S L 3 3"]]:
    """Mean and covariance over neurons of every layer's term and its control variates, for every draw of u."""

    def one(problem: CollapsedProblem, u: Array, key: Array) -> tuple[Array, Array]:
        samples = layer_samples(problem, u, jax.random.wrap_key_data(key), draws)
        # About the first sample, so that a term without any spread has no variance from rounding.
        above = samples - samples[:, :1]
        mean = jnp.mean(above, axis=1)
        centred = above - mean[:, None]
        return samples[:, 0] + mean, jnp.einsum("lmi,lmj->lij", centred, centred) / (draws - 1)

    def island(problem: CollapsedProblem, own: tuple[Array, Array]) -> tuple[Array, Array]:
        return map_each(lambda each: one(problem, *each), own)

    return map_over_devices(island, len(u))(problem, (u, keys))
