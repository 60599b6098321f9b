"""Evidence of one prior by the method the user asks for."""

from dataclasses import replace
from typing import Any, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayes_nn.inference.evidence import Evidence, Method, approximate
from bayes_nn.inference.fit import Sampler, checked_likelihood, choose_sampler, prepare
from bayes_nn.inference.rounds import Round, repeat_rounds
from bayes_nn.inference.settings import LARGEST_TARGET_ESS, SMC, Chains
from bayes_nn.inference.target import Target
from bayes_nn.likelihood import Likelihood
from bayes_nn.priors.prior import Prior
from bayes_nn.progress import Report, progress_bar
from bayes_nn.random_keys import checked_key

#: Least effective fraction of particles that thermodynamic integration steps by, for temperatures close together; the
#: rest falls with the square of the effort, as the error of the rule does.
INTEGRATION_ESS = 0.9

#: Standard error to reach, nats, and seconds after which nothing more is begun, where the user names none.
TOLERANCE, MAX_SECONDS = 0.1, 600.0


def log_evidence(
    prior: Prior,
    X: Any,
    y: Any,
    method: Method | None = None,
    likelihood: Likelihood | None = None,
    standardize: bool = True,
    key: int | Array = 0,
    *,
    tolerance: float = TOLERANCE,
    max_seconds: float = MAX_SECONDS,
    sampler: Sampler = None,
    duplicates: str = "error",
    progress: bool = True,
) -> Evidence:
    """Estimate log p(y) in nats, for y on the standardised scale by default.

    Args:
        prior: any of :mod:`bayes_nn.priors`, or :class:`bayes_nn.BayesianNetwork`.
        X: inputs, as in :func:`bayes_nn.fit`.
        y: targets, likewise.
        method: ``"exact"`` (no latents), ``"smc"`` (the choice where there are latents), ``"thermodynamic"`` (the same
            runs, the mean log likelihood integrated over the temperature), ``"bridge"`` (Markov chains against a
            reference; needs a posterior that is not far from its prior), ``"importance"`` (draws from the prior; few
            data or wide networks), ``"nested"`` (nested slice sampling; at most 100 latents), ``"laplace"`` (one peak
            only, an approximation without an error bar, never ``reliable``), or None for the sensible one.
        likelihood: ``Gaussian()`` when left out.
        standardize: as in :func:`bayes_nn.fit`.
        key: a JAX key or an integer seed.
        tolerance: standard error to reach, nats; islands are added until it is, and particles where islands disagree.
        max_seconds: time after which nothing more is begun; one round is always run.
        sampler: settings: ``inference.SMC(...)`` for ``"smc"`` and ``"thermodynamic"``, those of Markov chains
            for ``"bridge"``; the other methods take none.
        duplicates: as in :func:`bayes_nn.fit`.
        progress: show a progress bar on a terminal, with the running estimate and its error.

    Returns:
        The evidence. ``details["stopped"]`` says whether the tolerance was reached or the time was spent.

    Raises:
        ValueError: for bad data or settings, or a method that does not fit the prior.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), width=50)
        >>> evidence = log_evidence(network, X, X[:, 0], "importance", bnn.Gaussian(0.5))
        >>> evidence.mcse < 0.1 and evidence.reliable
        True
    """
    if method is not None and method not in get_args(Method):
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(map(repr, get_args(Method)))}")
    if not tolerance > 0.0 or not max_seconds > 0.0:
        raise ValueError(f"tolerance and max_seconds must be positive; got {tolerance} and {max_seconds}")
    target, _ = prepare(prior, X, y, checked_likelihood(likelihood), standardize, duplicates)
    settings = _checked_settings(target, method, sampler)
    with progress_bar(f"evidence of {prior.name}", enabled=progress) as report:
        return estimate(target, method or "smc", settings, checked_key(key), tolerance, max_seconds, report)


def _checked_settings(target: Target, method: Method | None, sampler: Sampler) -> SMC | Chains:
    """The settings of the method's sampler.

    Raises:
        ValueError: if the method does not fit the prior, or the sampler not the method.
    """
    if not target.prior.updated:
        raise ValueError(f"{target.prior.name} has a code length instead of an evidence: use bayes_nn.fit")
    if method == "exact" and target.latents:
        choose_sampler(target, "exact")
    if sampler is not None and method in ("exact", "importance", "nested", "laplace"):
        raise ValueError(f"method {method!r} takes no sampler: leave it out; got {sampler!r}")
    wanted = Chains if method == "bridge" else SMC
    settings = choose_sampler(target, sampler or ("infinite_hmc" if method == "bridge" else "smc"))
    if settings == "exact":
        return SMC()
    if not isinstance(settings, wanted):
        chosen = "settings of Markov chains" if method == "bridge" else "inference.SMC(...)"
        raise ValueError(f"method {method or 'smc'!r} takes {chosen} as its sampler; got {sampler!r}")
    return settings


def estimate(
    target: Target,
    method: Method,
    settings: SMC | Chains,
    key: Array,
    tolerance: float,
    max_seconds: float,
    report: Report,
) -> Evidence:
    """The evidence of a target by a method; exact, given what the prior approximates, where there are no latents."""
    found = _estimate(target, method, settings, key, tolerance, max_seconds, report)
    return approximate(found, target.prior.approximation)


def _estimate(
    target: Target,
    method: Method,
    settings: SMC | Chains,
    key: Array,
    tolerance: float,
    max_seconds: float,
    report: Report,
) -> Evidence:
    if not target.latents:
        return Evidence(float(target.log_likelihood(jnp.zeros(0))), 0.0, "exact")
    if method == "laplace":
        from bayes_nn.inference.laplace import laplace

        return laplace(target, key, report)

    def one_round(key: Array, effort: int, report: Report) -> Round:
        if method == "importance":
            from bayes_nn.inference.importance import importance_round

            return importance_round(target, key, effort, report)
        if method == "nested":
            from bayes_nn.inference.nested import nested_round

            return nested_round(target, key, effort, report)
        if isinstance(settings, Chains):
            from bayes_nn.inference.bridge import bridge_round

            return bridge_round(target, settings, key, effort, report)
        return _tempered_round(target, settings, method, key, effort, report)

    return repeat_rounds(one_round, method, key, tolerance, max_seconds, report)


def _tempered_round(target: Target, settings: SMC, method: Method, key: Array, effort: int, report: Report) -> Round:
    from bayes_nn.inference.smc import run_smc

    settings = replace(settings, particles=settings.particles * effort)
    if method == "thermodynamic":
        finer = min(1.0 - (1.0 - INTEGRATION_ESS) / effort**2, LARGEST_TARGET_ESS)
        settings = replace(settings, target_ess=max(settings.target_ess, finer))
    run = run_smc(target, settings, key, report)
    details = run.evidence.details
    if method == "thermodynamic":
        log_evidence, correction = run.path.thermodynamic_integral()
        bias = float(abs(correction.mean()))
        return Round(log_evidence, run.path.integral_variance(), run.evidence.reasons, details, bias)
    log_evidence, variance = (np.array(details[f"{name}_by_island"]) for name in ("log_evidence", "variance"))
    return Round(log_evidence, variance, run.evidence.reasons, details)
