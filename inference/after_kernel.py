"""The after kernel: a Gaussian process with the posterior mean of a network's kernel, beside that before the data."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.data import as_matrix
from bayes_nn.environment import one_blas_thread_per_device
from bayes_nn.inference.draw_averages import average_over_draws, checked_network, of_every_draw, pieces
from bayes_nn.inference.evidence import Evidence
from bayes_nn.inference.target import Target
from bayes_nn.likelihood import Gaussian
from bayes_nn.parallel import map_islands
from bayes_nn.predictive import Predictive
from bayes_nn.priors.gaussian_process import KernelProcess
from bayes_nn.priors.kernel_priors import NNGP
from bayes_nn.progress import Report, progress_bar

if TYPE_CHECKING:
    from bayes_nn.inference.posterior import Posterior


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
    _posterior: "Posterior" = field(repr=False)
    _target: Target = field(repr=False)

    def predict(self, X: Any) -> Predictive:
        """Predictive distribution of y at new inputs, on the user's scale.

        Args:
            X: inputs, as in :meth:`bayes_nn.Posterior.predict`.

        Raises:
            ValueError: for missing values or a wrong number of columns.
        """
        with one_blas_thread_per_device(), progress_bar("prediction of the mean kernel") as report:
            process = _mean_process(self._posterior, self._target, self._posterior.scale.inputs(X), report)
        return _predictive(self._posterior, process, self.noise_variance)


@dataclass(frozen=True)
class AfterKernel(MeanKernel):
    """The Gaussian process with the kernel that the data left the network with.

    It saw y when its kernel was chosen, so its evidence is a diagnosis and ranks no priors; its test score is honest.

    Attributes:
        before: the NNGP at the posterior's hyperparameters: the kernel before hidden weights learnt anything.
    """

    before: MeanKernel

    def __str__(self) -> str:
        lines = [f"{'':14}{'log evidence':>14}{'lpd (test)':>12}{'RMSE':>10}"]
        for name, one in (("NNGP kernel", self.before), ("after kernel", self)):
            lpd = one.lpd_test.mean() if len(one.lpd_test) else float("nan")
            lines.append(f"{name:14}{one.log_evidence.value:14.2f}{lpd:12.4f}{one.rmse:10.4g}")
        return "\n".join(lines)


def after_kernel(
    posterior: "Posterior", X_test: Any = None, y_test: Any = None, *, progress: bool = True
) -> AfterKernel:
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
    network = checked_network(posterior)
    target = posterior.target
    if not isinstance(target.likelihood, Gaussian):
        raise ValueError(f"the after kernel is for Gaussian noise; the likelihood is {target.likelihood!r}")
    if (X_test is None) != (y_test is None):
        raise ValueError("give both X_test and y_test, or neither")
    inputs = None if X_test is None else posterior.scale.inputs(X_test)
    targets = None if y_test is None else as_matrix(y_test, "y_test")
    if inputs is not None and targets is not None and targets.shape != (len(inputs), target.Y.shape[1]):
        raise ValueError(f"y_test has shape {targets.shape}; expected {(len(inputs), target.Y.shape[1])}")
    noise_std = {name: jnp.asarray(posterior.values[name]) for name in target.likelihood.hyperparameter_priors()}
    noise_variance = np.broadcast_to(target.likelihood.noise_variance(noise_std), posterior.shape)
    with one_blas_thread_per_device(), progress_bar("after kernel", enabled=progress) as report:
        after_process = _mean_process(posterior, target, inputs, report)
        nngp = replace(target, prior=NNGP(network.net))
        before_process = _mean_process(posterior, nngp, inputs, report)
        mcse = _evidence_error(posterior, after_process, noise_variance, report)
    v = float(noise_variance.mean())

    def judge(process: KernelProcess, target: Target, mcse: float) -> MeanKernel:
        evidence = Evidence(float(process.log_marginal(target.Y, jnp.asarray(v))), mcse, "mean kernel")
        lpd, rmse = np.empty(0), float("nan")
        if targets is not None:
            predictive = _predictive(posterior, process, v)
            lpd = predictive.log_prob(targets)
            rmse = float(np.sqrt(np.mean((predictive.component_means[0] - targets) ** 2)))
        return MeanKernel(np.asarray(process.K), v, evidence, lpd, rmse, posterior, target)

    after, before = judge(after_process, target, mcse), judge(before_process, nngp, 0.0)
    return AfterKernel(**vars(after), before=before)


def _predictive(posterior: "Posterior", process: KernelProcess, noise_variance: float) -> Predictive:
    scale = posterior.scale
    mean, variance = process.predict(posterior.target.Y, jnp.asarray(noise_variance))
    std = np.sqrt(np.asarray(variance) + noise_variance)[:, None]
    return Predictive((np.asarray(mean) * scale.y_std + scale.y_mean)[None], (std * scale.y_std)[None])


def kernels_of(target: Target, values: dict[str, Array], X_new: Array | None = None) -> KernelProcess:
    """The process given z, by its kernel matrices."""
    process = target.prior.process(values, target.X, X_new)
    if isinstance(process, KernelProcess):
        return process
    Phi, Phi_new = process.Phi, process.Phi_new
    if Phi_new is None:
        return KernelProcess(Phi @ Phi.T)
    return KernelProcess(Phi @ Phi.T, Phi_new @ Phi.T, jnp.sum(Phi_new**2, axis=1))


def _mean_process(posterior: "Posterior", target: Target, X_new: Array | None, report: Report) -> KernelProcess:
    """The kernel matrices of a prior averaged over draws of what they depend on."""
    if not (target.prior.hyperparameters() or target.has_hidden_weights):
        return kernels_of(target, {}, X_new)
    total: Any = 0.0
    for values, cut in pieces(posterior):
        one = _sum_of_kernels((target, X_new), values)
        total = one if cut.start == 0 else jax.tree.map(jnp.add, total, one)
        report(cut.stop / posterior.shape[1], f"kernel of {target.prior.name}")
    return jax.tree.map(lambda each: jnp.sum(each, axis=0) / np.prod(posterior.shape), total)


@jax.jit
def _sum_of_kernels(shared: tuple[Target, Array | None], values: dict[str, Array]) -> KernelProcess:
    """Sums over the draws of a piece, one for every chain."""
    chains = len(jax.tree.leaves(values)[0])

    def one_chain(shared: tuple[Target, Array | None], values: dict[str, Array]) -> KernelProcess:
        def kernels(values: dict[str, Array]) -> KernelProcess:
            return kernels_of(shared[0], values, shared[1])

        first = jax.tree.map(lambda value: value[0], values)
        zeros = jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), jax.eval_shape(kernels, first))
        return jax.lax.scan(lambda sum, one: (jax.tree.map(jnp.add, sum, kernels(one)), None), zeros, values)[0]

    return map_islands(one_chain, chains)(shared, values)


def _evidence_error(
    posterior: "Posterior", process: KernelProcess, noise_variance: Float[np.ndarray, "chains draws"], report: Report
) -> float:
    """MCSE of log p(y | mean kernel, mean noise): the linear part of every draw's influence, tr(G K_z) + g v_z."""
    target, v = posterior.target, jnp.asarray(noise_variance.mean())
    G, g = jax.grad(lambda K, v: KernelProcess(K).log_marginal(target.Y, v), argnums=(0, 1))(process.K, v)
    influence = of_every_draw(posterior, _influences, (target, G), jnp.zeros(posterior.shape), report, "error")
    return average_over_draws(influence + float(g) * noise_variance, posterior.sampler).mcse


@jax.jit
def _influences(shared: tuple[Target, Array], values: dict[str, Array], _: Array) -> Float[Array, "chains piece"]:
    def one(shared: tuple[Target, Array], values: dict[str, Array]) -> Array:
        return jnp.vdot(shared[1], kernels_of(shared[0], values).K)

    chains = len(jax.tree.leaves(values)[0])
    return map_islands(lambda shared, chain: jax.lax.map(partial(one, shared), chain), chains)(shared, values)
