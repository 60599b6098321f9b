"""Fitting a prior to data: checks, scaling, the choice of a sampler, and the posterior."""

import time
import warnings
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from bayes_nn.data import Scale, checked_pair, with_classes
from bayes_nn.inference.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.diagnostics import SMALLEST_ESS_PER_CHAIN
from bayes_nn.inference.evidence import Evidence, approximate
from bayes_nn.inference.numpyro_target import NumPyroTarget
from bayes_nn.inference.posterior import Posterior
from bayes_nn.inference.settings import HMC, NUTS, SMC, Chains, InfiniteHMC
from bayes_nn.inference.target import Target
from bayes_nn.likelihood import Gaussian, Labels, Likelihood
from bayes_nn.priors.numpyro_prior import NumPyroPrior
from bayes_nn.priors.prior import Prior
from bayes_nn.progress import ConvergenceWarning, Report, progress_bar
from bayes_nn.random_keys import checked_key

Settings = SMC | InfiniteHMC | NUTS | HMC
Sampler = str | Settings | None
_NAMED: dict[str, type[Settings]] = {"smc": SMC, "infinite_hmc": InfiniteHMC, "nuts": NUTS, "hmc": HMC}

#: Chains and draws of f that an exact posterior offers to ArviZ.
EXACT_SHAPE = (4, 250)


def fit(
    prior: Prior,
    X: Any,
    y: Any,
    likelihood: Likelihood | None = None,
    sampler: Sampler = None,
    standardize: bool = True,
    key: int | Array = 0,
    *,
    duplicates: str = "error",
    checkpoint: str | Path | None = None,
    progress: bool | str = True,
) -> Posterior:
    """Fit a prior over functions to data.

    Args:
        prior: any of :mod:`bayes_nn.priors`, or :class:`bayes_nn.BayesianNetwork`.
        X: inputs, (N,) or (N, d), or images (N, H, W, C) for architectures that convolve; NumPy, JAX or pandas.
        y: targets, (N,) or (N, C); labels (N,) for ``Bernoulli()`` and ``Categorical()``.
        likelihood: ``Gaussian()`` when left out, whose noise_std is then inferred.
        sampler: ``"exact"`` (Gaussian noise, kernel priors with every standard deviation fixed), ``"infinite_hmc"``
            (Markov chains), ``"smc"`` (posterior and evidence in one), ``"nuts"`` or ``"hmc"`` (NumPyro's), one of the
            settings :class:`bayes_nn.inference.InfiniteHMC`, ``SMC``, ``NUTS``, ``HMC``, or None for exact where
            possible, else infinite-dimensional HMC. docs/decisions/0004 has the measurements behind that choice.
        standardize: bring every column (or channel) and y to mean 0 and standard deviation 1 first; the evidence is
            then that of the standardised y, and predictions come back on the user's scale.
        key: a JAX key or an integer seed.
        duplicates: ``"error"`` refuses rows that repeat both X and y; ``"keep"`` accepts them.
        checkpoint: a folder that keeps the state of the run. A killed run that is started again in the same way goes
            on from there and gives the same draws; a run that ends removes it.
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
    posterior, kept = fit_and_keep(
        prior, X, y, checked_likelihood(likelihood), sampler, standardize, key, duplicates, checkpoint, progress
    )
    kept.remove()
    reasons = (*posterior.convergence.reasons, *(posterior.evidence.reasons if posterior.evidence else ()))
    for reason in dict.fromkeys(reasons):
        warnings.warn(f"{prior.name}: {reason}", ConvergenceWarning, stacklevel=2)
    return posterior


def fit_and_keep(
    prior: Prior,
    X: Any,
    y: Any,
    likelihood: Likelihood,
    sampler: Sampler,
    standardize: bool,
    key: int | Array,
    duplicates: str,
    checkpoint: str | Path | None,
    progress: bool | str,
) -> tuple[Posterior, Checkpoint]:
    """:func:`fit` without warnings, its checkpoint left in place: a fit that has ended is read back from it."""
    target, scale = prepare(prior, X, y, likelihood, standardize, duplicates)
    columns = tuple(str(c) for c in X.columns) if isinstance(X, pd.DataFrame) else ()
    settings = choose_sampler(target, sampler)
    key = checked_key(key)
    kept = Checkpoint.of(checkpoint if settings != "exact" else None, target, settings, key)
    started = time.perf_counter()
    with progress_bar(progress if isinstance(progress, str) else prior.name, enabled=bool(progress)) as report:
        fields = kept.load("fit") or _run(target, scale, settings, key, report, kept)
        kept.save("fit", fields)
        seconds = time.perf_counter() - started
        posterior = Posterior(target, scale, **fields, key=_draw_key(key), columns=columns, seconds=seconds)
        report(1.0, "checking convergence")
        _ = posterior.convergence
    return posterior, kept


def prepare(
    prior: Prior, X: Any, y: Any, likelihood: Likelihood, standardize: bool, duplicates: str
) -> tuple[Target, Scale]:
    """Checked data on the model's scale under a prior, and the way back.

    Raises:
        ValueError: for bad data, or what is no prior.
    """
    if not isinstance(prior, Prior):
        raise ValueError(f"expected a prior such as bayes_nn.priors.NNGP(net); got {prior!r}")
    likelihood = with_classes(likelihood, y)
    inputs, targets = checked_pair(X, y, likelihood, duplicates=duplicates)
    prior.check_inputs(inputs.shape[1:])
    prior.check_targets(likelihood, targets.shape[1])
    scale = Scale.of(inputs, targets, standardize, labels=isinstance(likelihood, Labels))
    data = scale.inputs(inputs), scale.targets(targets)
    if isinstance(prior, NumPyroPrior):
        return NumPyroTarget.of(*data, prior, likelihood), scale
    return Target(*data, prior, likelihood), scale


def checked_likelihood(likelihood: Likelihood | None) -> Likelihood:
    """The likelihood, Gaussian noise where none is given.

    Raises:
        ValueError: if it is none.
    """
    if likelihood is not None and not isinstance(likelihood, Likelihood):
        raise ValueError(f"expected a likelihood such as bayes_nn.Gaussian(); got {likelihood!r}")
    return Gaussian() if likelihood is None else likelihood


def choose_sampler(target: Target, sampler: Sampler) -> Literal["exact"] | Settings:
    """The sampler's settings, or ``"exact"``.

    Raises:
        ValueError: for an unknown name, or a sampler that does not fit the prior.
    """
    if not target.prior.updated:
        if not (sampler in (None, "smc") or isinstance(sampler, SMC)):
            raise ValueError(f"{target.prior.name} is never updated by the data: leave sampler out")
        return sampler if isinstance(sampler, SMC) else SMC()
    if sampler is None:
        return InfiniteHMC() if target.latents else "exact"
    if sampler == "exact":
        if target.latents:
            raise ValueError(
                f"{target.prior.name} has latents ({', '.join(list(target.latents)[:4])}, ...), so it has no exact "
                "posterior: leave sampler out, or give every standard deviation and the noise_std as a number"
            )
        return "exact"
    if isinstance(sampler, str):
        if sampler not in _NAMED:
            raise ValueError(f"unknown sampler {sampler!r}; choose 'exact', {', '.join(map(repr, _NAMED))}")
        sampler = _NAMED[sampler]()
    if not isinstance(sampler, Settings):
        raise ValueError(f"sampler must be a name, or settings such as bayes_nn.inference.NUTS(); got {sampler!r}")
    return sampler if target.latents else "exact"


def _run(
    target: Target,
    scale: Scale,
    settings: Literal["exact"] | Settings,
    key: Array,
    report: Report,
    checkpoint: Checkpoint,
) -> dict[str, Any]:
    """The fields of the posterior that the sampler knows."""
    if settings == "exact":
        value = float(target.log_likelihood(jnp.zeros(0)))
        return {
            "values": {},
            "log_likelihood": np.full(EXACT_SHAPE, value),
            "sample_stats": {},
            "sampler": "exact",
            "evidence": approximate(Evidence(value, 0.0, "exact"), target.prior.approximation),
        }
    if isinstance(settings, SMC) and not target.prior.updated:
        from bayes_nn.inference.frozen import run_frozen

        return run_frozen(target, settings, key, report)
    if isinstance(settings, SMC):
        from bayes_nn.inference.smc import run_smc

        def good_enough(u: np.ndarray, log_likelihood: np.ndarray) -> bool:
            # A single island cannot be judged, and of few particles half would have to count as independent.
            if settings.islands == 1 or settings.particles < 2 * SMALLEST_ESS_PER_CHAIN:
                return True
            values = _all_values(target, u)
            return Posterior(target, scale, values, log_likelihood, {}, "smc", _draw_key(key)).convergence.converged

        run = run_smc(target, settings, key, report, checkpoint, good_enough=good_enough)
        return {
            "values": _all_values(target, run.u),
            "log_likelihood": run.log_likelihood,
            "sample_stats": run.sample_stats,
            "sampler": "smc",
            "doubts": run.doubts,
            "evidence": approximate(run.evidence, target.prior.approximation),
        }
    u, log_likelihood, sample_stats = run_markov_chains(target, settings, key, report, checkpoint)
    return {
        "values": _all_values(target, u),
        "log_likelihood": log_likelihood,
        "sample_stats": sample_stats,
        "sampler": next(name for name, kind in _NAMED.items() if type(settings) is kind),
    }


def run_markov_chains(
    target: Target, settings: Chains, key: Array, report: Report, checkpoint: Checkpoint = NOWHERE
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Draws of u (chains, draws, D), their log likelihood, and statistics, by the sampler that the settings are of."""
    if isinstance(settings, InfiniteHMC):
        from bayes_nn.inference.infinite_hmc import run_infinite_hmc

        return run_infinite_hmc(target, settings, key, report, checkpoint)
    assert isinstance(settings, NUTS)
    from bayes_nn.inference.nuts import run_nuts

    return run_nuts(target, settings, key, report, checkpoint)


def _draw_key(key: Array) -> Array:
    """For what is drawn given the sampler's draws."""
    return jax.random.fold_in(key, 1)


def _all_values(target: Target, u: np.ndarray) -> dict[str, np.ndarray]:
    """Latents on their own scale for draws u (chains, draws, D)."""
    values = _values(target, jnp.asarray(u))
    return {name: np.asarray(value) for name, value in values.items()}


@jax.jit
def _values(target: Target, u: Array) -> dict[str, Array]:
    return jax.vmap(jax.vmap(target.values))(u)
