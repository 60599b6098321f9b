"""Feature information: how far the data moved what shapes the kernel from its prior, and what the rest of z took."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import arviz as az
import numpy as np
from jaxtyping import Float
from numpyro.distributions import biject_to

from bayes_nn.inference.posterior.draws import Draws
from bayes_nn.inference.posterior.scale_information import information_on_scale
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.monte_carlo_errors import jackknife_error
from bayes_nn.priors.prior import GaussianProcessMixture


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
        on_scale: nats spent on the overall scale of the kernel. Where the prior has scales for latents
            (``ScaleMixture``, ``StudentT``) their part of ``hyperparameters``, given the others; for a network the
            part of ``value`` that is about the scale of its last hidden layer, a lower bound
            (:mod:`bayes_nn.inference.posterior.scale_information`); 0 for others.
        on_scale_mcse: its standard error.
        upper: bound on ``value`` from above, nats: the information of hidden weights and readout together, where the
            readout is sampled and the evidence known; else ``value``.

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
    on_scale: float = 0.0
    on_scale_mcse: float = 0.0
    upper: float = float("nan")

    @property
    def on_shape(self) -> float:
        """Nats that hidden weights spent on all but the overall scale: an upper bound; 0 without hidden weights."""
        return 0.0 if self.value == 0.0 else self.value - self.on_scale

    @property
    def on_shape_mcse(self) -> float:
        """Its standard error, the two it is the difference of taken as independent."""
        return 0.0 if self.value == 0.0 else float(np.hypot(self.mcse, self.on_scale_mcse))

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
        if self.on_scale > 0.0:
            parts.append(f"on scale {self.on_scale:.3f} +- {self.on_scale_mcse:.3f}")
        return "; ".join(parts)


def feature_information(
    posterior: Draws, evidence_of: Callable[[], Evidence], known: Evidence | None = None
) -> FeatureInformation:
    """Feature information by the identity I = E_post[log p(y|z)] - log Z.

    Where hyperparameters h are inferred the identity gives the divergence of all of z, and by the chain
    rule ``KL(h, w) = KL(h) + E_h KL(w | h)``. The first part is estimated by a Gaussian fit to the
    draws of h on the unconstrained scale, an approximation, and subtracted. With scales s among the hyperparameters,
    ``KL(h, s) - KL(h)`` is what was spent on them.

    NaN where the readout is not integrated out: the identity then holds for hidden weights and readout together, and
    bounds their own part from above (``upper``). For a NumPyro model, whose latents may depend on each other, there is
    no decomposition.

    Args:
        posterior: the draws.
        evidence_of: gives log Z, and is asked only where it is needed.
        known: log Z where it has been estimated already.
    """
    problem, nan = posterior.problem, float("nan")
    mean, mean_error = float(posterior.log_likelihood.mean()), _error_of_mean(posterior)
    if not problem.latents_independent:
        own = nan if problem.has_shape_latents else 0.0
        return FeatureInformation(own, own, nan, mean, nan, mean_error, on_scale=own, on_scale_mcse=own)
    of_hyperparameters, hyperparameters_error, each = hyperparameter_divergence(posterior)
    rest = of_hyperparameters, mean, hyperparameters_error, mean_error, each
    if not problem.has_shape_latents or not problem.prior.updated:
        scales = tuple(problem.prior.scales()) if isinstance(problem.prior, GaussianProcessMixture) else ()
        if not scales:
            return FeatureInformation(0.0, 0.0, *rest, upper=0.0)
        others, others_error, _ = hyperparameter_divergence(posterior, without=scales)
        if not problem.likelihood.conjugate:  # the whitened f is a latent besides
            spent = of_hyperparameters - others, float(np.hypot(hyperparameters_error, others_error))
        else:
            evidence = evidence_of()
            error = np.hypot(_error_of_difference(posterior, evidence, mean_error), others_error)
            spent = mean - evidence.value - others, float(error)
        return FeatureInformation(0.0, 0.0, *rest, *spent, upper=0.0)
    on_scale = information_on_scale(posterior) if problem.has_hidden_weights else (0.0, 0.0)
    if not problem.likelihood.conjugate:
        upper = nan if known is None else mean - known.value - of_hyperparameters
        return FeatureInformation(nan, nan, *rest, *on_scale, upper=upper)
    evidence = evidence_of()
    value = float(mean - evidence.value - of_hyperparameters)
    error = _error_of_difference(posterior, evidence, mean_error)
    mcse = float(np.hypot(max(error, evidence.mcse), hyperparameters_error))
    return FeatureInformation(value, mcse, *rest, *on_scale, upper=value)


def _error_of_difference(posterior: Draws, evidence: Evidence, mean_error: float) -> float:
    """Standard error of E_post[log p(y|z)] - log Z; of SMC's islands, whose errors in the two go together."""
    of_islands = evidence.details.get("log_evidence_by_island")
    if posterior.sampler != "smc" or of_islands is None:
        return float(np.hypot(mean_error, evidence.mcse))
    difference = posterior.log_likelihood.mean(axis=1) - np.asarray(of_islands)
    return float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else 0.0


def _error_of_mean(posterior: Draws) -> float:
    """Standard error of E_post[log p(y|z)]: over islands of SMC, by autocorrelation for chains."""
    log_likelihood = posterior.log_likelihood
    if np.ptp(log_likelihood) == 0.0:
        return 0.0
    if posterior.sampler == "smc" and len(log_likelihood) > 1:
        return float(log_likelihood.mean(axis=1).std(ddof=1) / np.sqrt(len(log_likelihood)))
    return float(az.mcse(log_likelihood))


def hyperparameter_divergence(posterior: Draws, without: tuple[str, ...] = ()) -> tuple[float, float, dict[str, float]]:
    """KL( p(h | D) || p(h) ) in nats, its standard error, and the same for the marginal of every hyperparameter.

    p(h | D) is taken as Gaussian on the unconstrained scale, where h has to be estimated.

    Args:
        posterior: the draws.
        without: sites to leave out.
    """
    kept = posterior.values.keys() - set(without)
    latents = {name: prior for name, prior in posterior.problem.hyperparameters.items() if name in kept}
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
    whole, error = _gaussian_divergence(joint, joint_prior), jackknife_error(_gaussian_divergence, joint, joint_prior)
    return whole, error, {name: _gaussian_divergence(h[name], log_prior[name]) for name in latents}


def _gaussian_divergence(h: Float[np.ndarray, "chains draws H"], log_prior: Float[np.ndarray, "chains draws"]) -> float:
    """``-entropy - E[log p(h)]`` with the entropy of the Gaussian that has the covariance of the draws."""
    covariance = np.atleast_2d(np.cov(h.reshape(-1, h.shape[2]), rowvar=False))
    entropy = 0.5 * np.linalg.slogdet(2.0 * math.pi * math.e * covariance)[1]
    return float(-entropy - log_prior.mean())
