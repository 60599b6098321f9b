"""Feature information: how far the data moved what shapes the kernel from its prior, and what the rest of z took."""

from collections.abc import Callable
from dataclasses import dataclass, field

import arviz as az
import numpy as np
from jaxtyping import Float
from numpyro.distributions import biject_to

from bayes_nn.inference.posterior.draws import Draws
from bayes_nn.inference.problem.evidence import Evidence


@dataclass(frozen=True)
class FeatureInformation:
    """An estimate of I = KL( p(hidden weights | D) || p(hidden weights) ), and the decomposition it is part of.

    Under an :class:`~bayes_nn.priors.InputMetric` the metric stands in place of hidden weights: I is what the data
    spend on the shape of its kernel, without a feature. For all other kernels I is 0.

    ``log p(y) = expected_log_likelihood - hyperparameters - value``: how well the posterior fits, less what was paid to
    find it, in hyperparameters and in hidden weights (or the metric).

    Attributes:
        value: nats.
        mcse: Monte-Carlo standard error, nats; 0 where I is exactly 0.
        hyperparameters: the part of E_post[log p(y|z)] - log Z that the hyperparameters account for, nats.
        expected_log_likelihood: E_post[log p(y | z)], nats.
        hyperparameters_mcse: standard error of ``hyperparameters``, by leaving out one chain (island) at a time.
        expected_log_likelihood_mcse: standard error of ``expected_log_likelihood``.
        by_hyperparameter: divergence of the marginal of every hyperparameter from its prior, nats. They add up to
            ``hyperparameters`` less what their dependence under the posterior is worth.

    Example:
        >>> print(FeatureInformation(1.5, 0.1, expected_log_likelihood=-20.0))
        feature information 1.500 +- 0.100 nats; expected log likelihood -20.000 +- 0.000
    """

    value: float
    mcse: float
    hyperparameters: float = 0.0
    expected_log_likelihood: float = float("nan")
    hyperparameters_mcse: float = 0.0
    expected_log_likelihood_mcse: float = 0.0
    by_hyperparameter: dict[str, float] = field(default_factory=dict)

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        parts = [
            f"feature information {self.value:.3f} +- {self.mcse:.3f} nats",
            f"expected log likelihood {self.expected_log_likelihood:.3f} +- {self.expected_log_likelihood_mcse:.3f}",
        ]
        if self.by_hyperparameter:
            each = ", ".join(f"{name} {value:.2f}" for name, value in self.by_hyperparameter.items())
            parts.append(f"hyperparameters {self.hyperparameters:.3f} +- {self.hyperparameters_mcse:.3f} ({each})")
        return "; ".join(parts)


def feature_information(posterior: Draws, evidence_of: Callable[[], Evidence]) -> FeatureInformation:
    """Feature information by the identity I = E_post[log p(y|z)] - log Z.

    Where hyperparameters h are inferred the identity gives the divergence of all of z, and by the chain
    rule ``KL(h, w) = KL(h) + E_h KL(w | h)``. The first part is estimated by a Gaussian fit to the
    draws of h on the unconstrained scale, an approximation, and subtracted.

    NaN where the readout is not integrated out: the identity then holds for hidden weights and readout together. For a
    NumPyro model, whose latents may depend on each other, there is no decomposition.

    Args:
        posterior: the draws.
        evidence_of: gives log Z, and is asked only where it is needed.
    """
    problem = posterior.problem
    mean, mean_error = float(posterior.log_likelihood.mean()), _error_of_mean(posterior)
    if not problem.latents_independent:
        nan = float("nan")
        own = nan if problem.has_shape_latents else 0.0
        return FeatureInformation(own, own, nan, mean, nan, mean_error)
    of_hyperparameters, hyperparameters_error, each = hyperparameter_divergence(posterior)
    known = mean, hyperparameters_error, mean_error, each
    if not problem.has_shape_latents or not problem.prior.updated:
        return FeatureInformation(0.0, 0.0, of_hyperparameters, *known)
    if not problem.likelihood.conjugate:
        return FeatureInformation(float("nan"), float("nan"), of_hyperparameters, *known)
    evidence = evidence_of()
    if posterior.sampler == "smc":
        difference = posterior.log_likelihood.mean(axis=1) - np.asarray(evidence.details["log_evidence_by_island"])
        error = difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else 0.0
    else:
        error = np.hypot(mean_error, evidence.mcse)
    value = mean - evidence.value - of_hyperparameters
    mcse = float(np.hypot(max(error, evidence.mcse), hyperparameters_error))
    return FeatureInformation(float(value), mcse, of_hyperparameters, *known)


def _error_of_mean(posterior: Draws) -> float:
    """Standard error of E_post[log p(y|z)]: over islands of SMC, by autocorrelation for chains."""
    log_likelihood = posterior.log_likelihood
    if np.ptp(log_likelihood) == 0.0:
        return 0.0
    if posterior.sampler == "smc" and len(log_likelihood) > 1:
        return float(log_likelihood.mean(axis=1).std(ddof=1) / np.sqrt(len(log_likelihood)))
    return float(az.mcse(log_likelihood))


def hyperparameter_divergence(posterior: Draws) -> tuple[float, float, dict[str, float]]:
    """KL( p(h | D) || p(h) ) in nats, its standard error, and the same for the marginal of every hyperparameter.

    p(h | D) is taken as Gaussian on the unconstrained scale, where h has to be estimated.
    """
    latents = {name: prior for name, prior in posterior.problem.hyperparameters.items() if name in posterior.values}
    if not latents:
        return 0.0, 0.0, {}
    chains, draws = posterior.shape
    h, log_prior = {}, {}
    for name, prior in latents.items():
        values = posterior.values[name].reshape(-1, *prior.event_shape)
        transform = biject_to(prior.support)
        unconstrained = transform.inv(values)
        density = np.asarray(prior.log_prob(values) + transform.log_abs_det_jacobian(unconstrained, values))
        h[name] = np.asarray(unconstrained).reshape(chains, draws, -1)
        log_prior[name] = density.reshape(chains, draws)
    joint, joint_prior = np.concatenate(list(h.values()), axis=2), np.sum(list(log_prior.values()), axis=0)
    whole = _gaussian_divergence(joint, joint_prior)
    error = 0.0
    if chains > 1:
        without = [
            _gaussian_divergence(np.delete(joint, i, axis=0), np.delete(joint_prior, i, axis=0)) for i in range(chains)
        ]
        error = float(np.sqrt((chains - 1) * np.var(without)))
    return whole, error, {name: _gaussian_divergence(h[name], log_prior[name]) for name in latents}


def _gaussian_divergence(h: Float[np.ndarray, "chains draws H"], log_prior: Float[np.ndarray, "chains draws"]) -> float:
    """``-entropy - E[log p(h)]`` with the entropy of the Gaussian that has the covariance of the draws."""
    covariance = np.atleast_2d(np.cov(h.reshape(-1, h.shape[2]), rowvar=False))
    entropy = 0.5 * np.linalg.slogdet(2.0 * np.pi * np.e * covariance)[1]
    return float(-entropy - log_prior.mean())
