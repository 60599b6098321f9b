"""Feature information: how far the data moved the hidden weights from their prior."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import arviz as az
import numpy as np
from numpyro.distributions import biject_to

if TYPE_CHECKING:
    from bayes_nn.inference.posterior import Posterior


@dataclass(frozen=True)
class FeatureInformation:
    """An estimate of I = KL( p(hidden weights | D) || p(hidden weights) ).

    Attributes:
        value: nats.
        mcse: Monte-Carlo standard error, nats; 0 where I is exactly 0.
        hyperparameters: the part of E_post[log p(y|z)] - log Z that the hyperparameters account for.
        expected_log_likelihood: E_post[log p(y | z)], nats.
    """

    value: float
    mcse: float
    hyperparameters: float = 0.0
    expected_log_likelihood: float = float("nan")

    def __float__(self) -> float:
        return self.value


def feature_information(posterior: "Posterior") -> FeatureInformation:
    """Feature information by the identity I = E_post[log p(y|z)] - log Z.

    Where hyperparameters h are inferred the identity gives the divergence of all of z, and by the chain
    rule ``KL(h, w) = KL(h) + E_h KL(w | h)``. The first part is taken off by a Gaussian fit to the
    draws of h on the unconstrained scale, an approximation; what is left is the hidden weights' own.

    NaN where the readout is not integrated out: the identity then holds for hidden weights and readout together.
    """
    target = posterior.target
    mean = float(posterior.log_likelihood.mean())
    if not target.has_hidden_weights or not target.prior.updated:
        return FeatureInformation(0.0, 0.0, 0.0, mean)
    if not target.likelihood.conjugate:
        return FeatureInformation(float("nan"), float("nan"), float("nan"), mean)
    evidence = posterior.log_evidence
    of_hyperparameters = hyperparameter_divergence(posterior)
    if posterior.sampler == "smc":
        difference = posterior.log_likelihood.mean(axis=1) - np.asarray(evidence.details["log_evidence_by_island"])
        error = difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else 0.0
    else:
        error = np.hypot(float(az.mcse(posterior.log_likelihood)), evidence.mcse)
    value = mean - evidence.value - of_hyperparameters
    return FeatureInformation(float(value), float(max(error, evidence.mcse)), of_hyperparameters, mean)


def hyperparameter_divergence(posterior: "Posterior") -> float:
    """KL( p(h | D) || p(h) ) in nats, with p(h | D) taken as Gaussian on the unconstrained scale."""
    latents = posterior.target.hyperparameters
    if not latents:
        return 0.0
    h = np.stack([np.ravel(biject_to(p.support).inv(posterior.values[n])) for n, p in latents.items()], axis=1)
    covariance = np.atleast_2d(np.cov(h, rowvar=False))
    entropy = 0.5 * np.linalg.slogdet(2.0 * np.pi * np.e * covariance)[1]
    log_prior = sum(
        np.asarray(
            p.log_prob(posterior.values[n]).ravel()
            + biject_to(p.support).log_abs_det_jacobian(h[:, i], posterior.values[n].ravel())
        )
        for i, (n, p) in enumerate(latents.items())
    )
    return float(-entropy - np.mean(log_prior))
