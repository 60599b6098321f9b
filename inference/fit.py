"""Fitting a prior to data: checks, scaling, the choice of a sampler, and the posterior."""

import time
import warnings
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from bayes_nn.data import Scale, checked_pair
from bayes_nn.inference.diagnostics import ConvergenceWarning
from bayes_nn.inference.evidence import Evidence
from bayes_nn.inference.posterior import Posterior
from bayes_nn.inference.progress import progress_bar
from bayes_nn.inference.settings import HMC, NUTS, SMC
from bayes_nn.inference.target import Target
from bayes_nn.likelihood import Gaussian
from bayes_nn.priors.prior import Prior

Sampler = str | SMC | NUTS | HMC | None
_NAMED = {"smc": SMC, "nuts": NUTS, "hmc": HMC}

#: Chains and draws of f that an exact posterior offers to ArviZ.
EXACT_SHAPE = (4, 250)


def fit(
    prior: Prior,
    X: Any,
    y: Any,
    likelihood: Gaussian | None = None,
    sampler: Sampler = None,
    standardize: bool = True,
    key: int | Array = 0,
    *,
    duplicates: str = "error",
    progress: bool | str = True,
) -> Posterior:
    """Fit a prior over functions to data.

    Args:
        prior: any of :mod:`bayes_nn.priors`, or :class:`bayes_nn.BayesianNetwork`.
        X: inputs, (N,) or (N, d), or images (N, H, W, C) for architectures that convolve; NumPy, JAX or pandas.
        y: targets, (N,) or (N, C).
        likelihood: ``Gaussian()`` when left out, whose noise_std is then inferred.
        sampler: ``"exact"`` (kernel priors with every standard deviation fixed), ``"smc"`` (evidence and
            posterior), ``"nuts"`` or ``"hmc"`` (posterior only), one of the settings
            :class:`bayes_nn.inference.SMC`, ``NUTS``, ``HMC``, or None for exact where possible, else SMC.
        standardize: bring every column (or channel) and y to mean 0 and standard deviation 1 first; the evidence is
            then that of the standardised y, and predictions come back on the user's scale.
        key: a JAX key or an integer seed.
        duplicates: ``"error"`` refuses rows that repeat both X and y; ``"keep"`` accepts them.
        progress: show a progress bar on a terminal; a string is its title.

    Returns:
        The posterior.

    Raises:
        ValueError: for bad data, a bad setting, or a sampler that does not fit the prior.

    Warns:
        ConvergenceWarning: if the sampler has not converged.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(30, 2))
        >>> net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)
        >>> posterior = bnn.fit(bnn.priors.NNGP(net), X, X[:, 0], bnn.Gaussian(noise_std=0.1))
        >>> posterior.log_evidence.method
        'exact'
    """
    if not isinstance(prior, Prior):
        raise ValueError(f"expected a prior such as bayes_nn.priors.NNGP(net); got {prior!r}")
    likelihood = Gaussian() if likelihood is None else likelihood
    if not isinstance(likelihood, Gaussian):
        raise ValueError(f"expected a likelihood such as bayes_nn.Gaussian(); got {likelihood!r}")
    inputs, targets = checked_pair(X, y, duplicates=duplicates)
    prior.check_inputs(inputs.shape[1:])
    columns = tuple(str(c) for c in X.columns) if isinstance(X, pd.DataFrame) else ()
    scale = Scale.of(inputs, targets, standardize)
    target = Target(scale.inputs(inputs), scale.targets(targets), prior, likelihood)
    settings = choose_sampler(target, sampler)
    key = jax.random.key(key) if isinstance(key, int) else key
    started = time.perf_counter()
    with progress_bar(progress if isinstance(progress, str) else prior.name, enabled=bool(progress)) as report:
        fields = _run(target, settings, key, report)
        posterior = Posterior(target, scale, **fields, columns=columns, seconds=time.perf_counter() - started)
        report(1.0, "checking convergence")
        _ = posterior.convergence
    for reason in (*posterior.convergence.reasons, *(posterior.evidence.reasons if posterior.evidence else ())):
        warnings.warn(f"{prior.name}: {reason}", ConvergenceWarning, stacklevel=2)
    return posterior


def choose_sampler(target: Target, sampler: Sampler) -> Literal["exact"] | SMC | NUTS:
    """The sampler's settings, or ``"exact"``.

    Raises:
        ValueError: for an unknown name, or a sampler that does not fit the prior.
    """
    if not target.prior.updated and not (sampler in (None, "smc") or isinstance(sampler, SMC)):
        raise ValueError(f"{target.prior.name} is never updated by the data: leave sampler out")
    if sampler is None:
        return SMC() if target.latents else "exact"
    if sampler == "exact":
        if target.latents:
            raise ValueError(
                f"{target.prior.name} has latents ({', '.join(list(target.latents)[:4])}, ...), so it has no exact "
                "posterior: use sampler='smc', or give every standard deviation and the noise_std as a number"
            )
        return "exact"
    if isinstance(sampler, str):
        if sampler not in _NAMED:
            raise ValueError(f"unknown sampler {sampler!r}; choose 'exact', 'smc', 'nuts' or 'hmc'")
        sampler = _NAMED[sampler]()
    if not isinstance(sampler, (SMC, NUTS)):
        raise ValueError(f"sampler must be a name or inference.SMC, NUTS or HMC settings; got {sampler!r}")
    return sampler if target.latents else "exact"


def _run(target: Target, settings: Literal["exact"] | SMC | NUTS, key: Array, report: Any) -> dict[str, Any]:
    if settings == "exact":
        value = float(target.log_likelihood(jnp.zeros(0)))
        return {
            "values": {},
            "log_likelihood": np.full(EXACT_SHAPE, value),
            "sample_stats": {},
            "sampler": "exact",
            "evidence": Evidence(value, 0.0, "exact"),
        }
    if isinstance(settings, SMC) and not target.prior.updated:
        from bayes_nn.inference.frozen import run_frozen

        return run_frozen(target, settings, key, report)
    if isinstance(settings, SMC):
        from bayes_nn.inference.smc import run_smc

        run = run_smc(target, settings, key, report)
        return {
            "values": _all_values(target, run.u),
            "log_likelihood": run.log_likelihood,
            "sample_stats": run.sample_stats,
            "sampler": "smc",
            "evidence": run.evidence,
        }
    from bayes_nn.inference.nuts import run_nuts

    values, sample_stats = run_nuts(target, settings, key, report)
    return {
        "values": values,
        "log_likelihood": log_likelihoods(target, values),
        "sample_stats": sample_stats,
        "sampler": "hmc" if isinstance(settings, HMC) else "nuts",
    }


def _all_values(target: Target, u: np.ndarray) -> dict[str, np.ndarray]:
    """Latents on their own scale for draws u (chains, draws, D)."""
    values = jax.jit(jax.vmap(jax.vmap(target.values)))(jnp.asarray(u))
    return {name: np.asarray(value) for name, value in values.items()}


@jax.jit
def _log_likelihoods(target: Target, stacked: dict[str, Array]) -> Array:
    def one(values: dict[str, Array]) -> Array:
        return target.prior.process(values, target.X).log_marginal(target.Y, target.likelihood.noise_variance(values))

    return jax.lax.map(lambda chain: jax.lax.map(one, chain), stacked)


def log_likelihoods(target: Target, values: dict[str, np.ndarray]) -> np.ndarray:
    """``log p(y | z)`` of every draw, (chains, draws)."""
    return np.asarray(_log_likelihoods(target, {name: jnp.asarray(value) for name, value in values.items()}))
