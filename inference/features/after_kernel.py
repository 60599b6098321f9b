"""The after kernel: a Gaussian process with the posterior mean of a network's kernel, beside that before the data."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.data.predictive import Predictive
from bayes_nn.inference.posterior.draws import checked_network, of_every_draw, pieces
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.monte_carlo_errors import average_over_draws
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.infinite_width import NNGP
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.mapping import map_each
from bayes_nn.runtime.progress import Report, progress_bar


@dataclass(frozen=True)
class MeanKernel:
    """A Gaussian process whose kernel is an average of K_z over draws of z.

    Attributes:
        K: the average at the training inputs, on the model's scale, (N, N).
        noise_variance: average noise variance, on the model's scale.
        log_evidence: log N(y; 0, K + noise_variance I), nats, for y on the model's scale.
        lpd_test: log predictive density of every test row, nats, on the user's scale; empty without test data.
        rmse: root mean squared error of the predictive mean, on the user's scale; NaN without test data.
    """

    K: Float[np.ndarray, "N N"]
    noise_variance: float
    log_evidence: Evidence
    lpd_test: Float[np.ndarray, " T"]
    rmse: float
    _posterior: Posterior = field(repr=False)
    _problem: CollapsedProblem = field(repr=False)

    def predict(self, X: Any) -> Predictive:
        """Predictive distribution of y at new inputs, on the user's scale.

        Args:
            X: inputs, as in :meth:`bayes_nn.Posterior.predict`.

        Raises:
            ValueError: for missing values or a wrong number of columns.
        """
        inputs = self._posterior.dataset.new_inputs(X)
        with one_blas_thread_per_device(), progress_bar("prediction of the mean kernel") as report:
            process = _mean_process(self._posterior, self._problem, inputs, report)
        return _predictive(self._posterior, process, self.noise_variance)


@dataclass(frozen=True)
class AfterKernel(MeanKernel):
    """The Gaussian process with the kernel that the data left the network with.

    It saw y when its kernel was chosen, so its evidence is a diagnosis and ranks no priors; its test score is honest.

    Attributes:
        before: the NNGP at the posterior's hyperparameters: the kernel before hidden weights learnt anything.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), width=20)
        >>> posterior = bnn.fit(network, X, X[:, 0], bnn.Gaussian(0.3), bnn.inference.InfiniteHMC(draws=50))
        >>> after_kernel(posterior, X[:5], X[:5, 0]).lpd_test.shape
        (5,)
    """

    before: MeanKernel

    def __str__(self) -> str:
        lines = [f"{'':14}{'log evidence':>14}{'lpd (test)':>12}{'RMSE':>10}"]
        for name, one in (("NNGP kernel", self.before), ("after kernel", self)):
            lpd = one.lpd_test.mean() if len(one.lpd_test) else float("nan")
            lines.append(f"{name:14}{one.log_evidence.value:14.2f}{lpd:12.4f}{one.rmse:10.4g}")
        return "\n".join(lines)


def after_kernel(posterior: Posterior, X_test: Any = None, y_test: Any = None, *, progress: bool = True) -> AfterKernel:
    """The posterior mean E_post[K_z] of a network's kernel as a Gaussian process, beside its kernel before the data.

    Were the gain of a network all in one better kernel, this process would have it: what the network gains beyond it
    comes from averaging over different kernels. (Kernels after training as Gaussian processes: Fort et al. 2020,
    arXiv:2010.15110; E_post[K_z] at leading order in 1/n: Zavatone-Veth et al. 2021, arXiv:2106.00651.)

    The covariance of y given z is ``K_z + noise_z^2 I``; its posterior mean is the mean kernel plus the mean noise
    *variance*, and this one process is what is scored. (A mixture over the draws' noise would be no Gaussian process.)
    The kernel before is ``E[K_NNGP(h)]`` over the same draws of the hyperparameters h, with the same noise: the prior
    mean of K_z given h, exactly for one hidden layer and up to order 1/n for more.

    Args:
        posterior: of a network, with Gaussian noise.
        X_test: test inputs, or None.
        y_test: test targets, or None.
        progress: show a progress bar on a terminal.

    Returns:
        The process, with ``.before`` beside it. The error of its evidence comes from the finite number of draws, by
        the delta method.

    Raises:
        ValueError: for another prior or likelihood, or test inputs without targets.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), width=20)
        >>> posterior = bnn.fit(network, X, X[:, 0], bnn.Gaussian(0.3), bnn.inference.InfiniteHMC(draws=50))
        >>> after = after_kernel(posterior)
        >>> after.log_evidence.value > after.before.log_evidence.value
        True
    """
    network, problem = checked_network(posterior), posterior.problem
    assert isinstance(problem, CollapsedProblem)
    if not problem.likelihood.conjugate:
        raise ValueError(f"the after kernel is for Gaussian noise; the likelihood is {posterior.dataset.likelihood}")
    if (X_test is None) != (y_test is None):
        raise ValueError("give both X_test and y_test, or neither")
    inputs = targets = None
    if X_test is not None:
        inputs, targets = posterior.dataset.new_inputs(X_test, "X_test"), posterior.dataset.new_targets(y_test)
        if len(targets) != len(inputs):
            raise ValueError(f"y_test has shape {targets.shape}; expected {(len(inputs), targets.shape[1])}")
    likelihood_values = {
        name: jnp.asarray(posterior.values[name]) for name in problem.likelihood.hyperparameter_priors()
    }
    noise_variance = np.broadcast_to(problem.noise_variance(likelihood_values), posterior.shape)
    nngp = problem.with_prior(NNGP(network.net))
    with one_blas_thread_per_device(), progress_bar("after kernel", enabled=progress) as report:
        after_process = _mean_process(posterior, problem, inputs, report)
        before_process = _mean_process(posterior, nngp, inputs, report)
        mcse = _evidence_error(posterior, problem, after_process, noise_variance, report)
    v = float(noise_variance.mean())

    def judge(process: KernelProcess, problem: CollapsedProblem, mcse: float) -> MeanKernel:
        evidence = Evidence(float(_log_marginal(process, problem.Y, v)), mcse, "mean kernel")
        lpd, rmse = np.empty(0), float("nan")
        if targets is not None:
            predictive = _predictive(posterior, process, v)
            lpd = predictive.log_prob(targets)
            rmse = float(np.sqrt(np.mean((predictive.component_means[0] - targets) ** 2)))
        return MeanKernel(np.asarray(process.K), v, evidence, lpd, rmse, posterior, problem)

    after, before = judge(after_process, problem, mcse), judge(before_process, nngp, 0.0)
    return AfterKernel(**vars(after), before=before)


def _predictive(posterior: Posterior, process: KernelProcess, noise_variance: float) -> Predictive:
    mean, variance = _predict(process, posterior.problem.Y, noise_variance)
    std, scale = np.sqrt(np.asarray(variance) + noise_variance)[:, None], posterior.dataset.scale
    return Predictive(scale.original(np.asarray(mean))[None], scale.original_std(std)[None])


@jax.jit
def _log_marginal(process: KernelProcess, Y: Array, noise_variance: Array | float) -> Array:
    return process.log_marginal(Y, jnp.asarray(noise_variance))


@jax.jit
def _predict(process: KernelProcess, Y: Array, noise_variance: Array | float) -> tuple[Array, Array]:
    return process.predict(Y, jnp.asarray(noise_variance))


def kernels_of(problem: CollapsedProblem, values: dict[str, Array], X_new: Array | None = None) -> KernelProcess:
    """The process given z, by its kernel matrices.

    Args:
        problem: prior and training inputs.
        values: of the latents.
        X_new: new inputs on the model's scale, or None.

    Example:
        >>> import bayes_nn as bnn
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> kernels_of(CollapsedProblem.of(nngp, jnp.ones((3, 2)), jnp.zeros((3, 1)), bnn.Gaussian(0.5)), {}).K.shape
        (3, 3)
    """
    process = problem.process(values, X_new)
    if isinstance(process, KernelProcess):
        return process
    Phi, Phi_new = process.Phi, process.Phi_new
    if Phi_new is None:
        return KernelProcess(Phi @ Phi.T)
    return KernelProcess(Phi @ Phi.T, Phi_new @ Phi.T, jnp.sum(Phi_new**2, axis=1))


def _mean_process(
    posterior: Posterior, problem: CollapsedProblem, X_new: Array | None, report: Report
) -> KernelProcess:
    """The kernel matrices of a prior averaged over draws of what they depend on."""
    if not (problem.prior.hyperparameters() or problem.has_shape_latents):
        return kernels_of(problem, {}, X_new)
    total: Any = 0.0
    for values, cut in pieces(posterior):
        one = _sum_of_kernels((problem, X_new), values)
        one = jax.tree.map(np.asarray, one)
        total = one if cut.start == 0 else jax.tree.map(np.add, total, one)
        report(cut.stop / posterior.shape[1], f"kernel of {problem.prior.name}")
    return jax.tree.map(lambda each: np.sum(each, axis=0) / np.prod(posterior.shape), total)


@jax.jit
def _sum_of_kernels(shared: tuple[CollapsedProblem, Array | None], values: dict[str, Array]) -> KernelProcess:
    """Sums over the draws of a piece, one for every chain."""
    chains = len(jax.tree.leaves(values)[0])

    def one_chain(shared: tuple[CollapsedProblem, Array | None], values: dict[str, Array]) -> KernelProcess:
        def kernels(values: dict[str, Array]) -> KernelProcess:
            return kernels_of(shared[0], values, shared[1])

        first = jax.tree.map(lambda value: value[0], values)
        zeros = jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), jax.eval_shape(kernels, first))
        return jax.lax.scan(lambda sum, one: (jax.tree.map(jnp.add, sum, kernels(one)), None), zeros, values)[0]

    return map_over_devices(one_chain, chains)(shared, values)


def _evidence_error(
    posterior: Posterior,
    problem: CollapsedProblem,
    process: KernelProcess,
    noise_variance: Float[np.ndarray, "chains draws"],
    report: Report,
) -> float:
    """MCSE of log p(y | mean kernel, mean noise): the linear part of every draw's influence, tr(G K_z) + g v_z."""
    G, g = _gradients(process.K, problem.Y, noise_variance.mean())
    influence = of_every_draw(posterior, _influences, (problem, G), jnp.zeros(posterior.shape), report, "error")
    return average_over_draws(influence + float(g) * noise_variance, posterior.sampler).mcse


@jax.jit
def _gradients(K: Float[Array, "N N"], Y: Array, v: Array | float) -> tuple[Float[Array, "N N"], Array]:
    """Of log N(y; 0, K + v I) in K and v."""
    return jax.grad(lambda K, v: KernelProcess(K).log_marginal(Y, v), argnums=(0, 1))(K, jnp.asarray(v))


@jax.jit
def _influences(
    shared: tuple[CollapsedProblem, Array], values: dict[str, Array], _: Array
) -> Float[Array, "chains piece"]:
    def one(shared: tuple[CollapsedProblem, Array], values: dict[str, Array]) -> Array:
        return jnp.vdot(shared[1], kernels_of(shared[0], values).K)

    chains = len(jax.tree.leaves(values)[0])
    return map_over_devices(lambda shared, chain: map_each(partial(one, shared), chain), chains)(shared, values)
