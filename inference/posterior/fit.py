"""Fitting a prior to data: checked data, a sampler, and the posterior."""

import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from bayes_nn.data.dataset import Dataset
from bayes_nn.data.likelihoods.gaussian import Gaussian
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.inference.posterior.convergence import SMALLEST_ESS_PER_CHAIN, judge_convergence
from bayes_nn.inference.posterior.draws import Draws
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.problem_of import problem_of
from bayes_nn.inference.sampling.checkpoint import Checkpoint, running_in
from bayes_nn.inference.sampling.sampler import Sampler
from bayes_nn.inference.sampling.samplers import choose_sampler
from bayes_nn.priors.prior import Prior
from bayes_nn.runtime.progress import ConvergenceWarning, progress_bar
from bayes_nn.runtime.random_keys import checked_key


def fit(
    prior: Prior,
    X: Any,
    y: Any,
    likelihood: Likelihood | None = None,
    sampler: str | Sampler | None = None,
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
        X: inputs, (N,) or (N, d), or images (N, H, W, C) for architectures that convolve; NumPy, JAX,
            or a frame of pandas, Polars or PyArrow, whose text :func:`bayes_nn.encode` makes numbers of.
        y: targets, (N,) or (N, C); labels (N,) for ``Bernoulli()`` and ``Categorical()``.
        likelihood: ``Gaussian()`` when left out, whose noise_std is then inferred.
        sampler: ``"exact"`` (Gaussian noise, kernel priors with every standard deviation fixed), ``"infinite_hmc"``
            (Markov chains), ``"smc"`` (posterior and evidence in one), ``"replica_exchange"`` (both, where modes are
            separated), ``"nuts"`` or ``"hmc"`` (NumPyro's), one of the settings
            :class:`bayes_nn.inference.InfiniteHMC`, ``SMC``, ``ReplicaExchange``, ``NUTS``, ``HMC``, or None for exact
            where possible, else infinite-dimensional HMC. docs/decisions/0004 has the measurements behind that choice.
        standardize: bring every column (or channel) and y to mean 0 and standard deviation 1 first; the evidence is
            then that of the standardised y, and predictions come back on the user's scale.
        key: a JAX key or an integer seed.
        duplicates: ``"error"`` refuses rows that repeat both X and y; ``"keep"`` accepts them.
        checkpoint: a folder that keeps the state of the run. A killed run that is started again in the same way goes
            on from there and gives the same draws; a run that ends removes it. A second run in it is refused meanwhile.
        progress: show a progress bar on a terminal; a string is its title.

    Returns:
        The posterior.

    Raises:
        ValueError: for bad data, a bad setting, or a sampler that does not fit the prior; for a checkpoint that is
            damaged, in use, or of another run.
        OSError: naming folder and reason, if the checkpoint cannot be written.

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
    key = checked_key(key)
    checked_prior(prior)
    dataset = Dataset.of(X, y, checked_likelihood(likelihood), standardize, duplicates)
    with running_in(checkpoint):
        posterior, kept = fit_dataset(prior, dataset, sampler, key, checkpoint=checkpoint, progress=progress)
        kept.remove()
    for reason in posterior.reasons:
        warnings.warn(f"{prior.name}: {reason}", ConvergenceWarning, stacklevel=2)
    return posterior


def fit_dataset(
    prior: Prior,
    dataset: Dataset,
    sampler: str | Sampler | None,
    key: Array,
    *,
    checkpoint: str | Path | None = None,
    progress: bool | str = True,
) -> tuple[Posterior, Checkpoint]:
    """:func:`fit` of checked data without warnings, its checkpoint left in place, to be removed by the caller.

    Args:
        prior: the prior over functions.
        dataset: checked data.
        sampler: as in :func:`fit`.
        key: random key.
        checkpoint: a folder; a fit that has ended is read back from it, with the seconds it took.
        progress: show a progress bar on a terminal; a string is its title.

    Raises:
        ValueError: for a prior that is not for such data, or a sampler that does not fit the prior.
    """
    return fit_problem(problem_of(prior, dataset), dataset, sampler, key, checkpoint=checkpoint, progress=progress)


def fit_problem(
    problem: Problem,
    dataset: Dataset,
    sampler: str | Sampler | None,
    key: Array,
    *,
    checkpoint: str | Path | None = None,
    progress: bool | str = True,
) -> tuple[Posterior, Checkpoint]:
    """:func:`fit_dataset` of a prior and data brought together.

    Args:
        problem: prior, likelihood and data on the model's scale.
        dataset: the data that it was made from.
        sampler: as in :func:`fit`.
        key: random key.
        checkpoint: a folder; a fit that has ended is read back from it, with the seconds it took.
        progress: show a progress bar on a terminal; a string is its title.

    Raises:
        ValueError: for a sampler that does not fit the prior.
    """
    settings = choose_sampler(problem, sampler)
    kept = Checkpoint.of(checkpoint if problem.latents else None, problem, settings, key)
    draw_key = jax.random.fold_in(key, 1)

    def good_enough(values: dict[str, np.ndarray], log_likelihood: np.ndarray) -> bool:
        chains, draws = log_likelihood.shape
        # A single island cannot be judged, and of few particles half would have to count as independent.
        if chains == 1 or draws < 2 * SMALLEST_ESS_PER_CHAIN:
            return True
        return judge_convergence(Draws(problem, dataset, values, log_likelihood, {}, settings.name, draw_key)).converged

    with progress_bar(progress if isinstance(progress, str) else problem.prior.name, enabled=bool(progress)) as report:
        ended = kept.load("fit")
        if ended is None:
            drawn = settings.draw(problem, key, report=report, checkpoint=kept, good_enough=good_enough)
            ended = drawn, kept.seconds
            kept.save("fit", ended)
        drawn, seconds = ended
        posterior = Posterior(
            problem,
            dataset,
            drawn.values,
            drawn.log_likelihood,
            drawn.sample_stats,
            drawn.sampler or settings.name,
            draw_key,
            drawn.evidence,
            drawn.reasons,
            seconds,
        )
        report(1.0, "checking convergence")
        _ = posterior.convergence
    return posterior, kept


def checked_prior(prior: object) -> Prior:
    """The prior itself.

    Raises:
        ValueError: if it is none.
    """
    if not isinstance(prior, Prior):
        raise ValueError(f"expected a prior such as bayes_nn.priors.NNGP(net); got {prior!r}")
    return prior


def checked_likelihood(likelihood: Likelihood | None) -> Likelihood:
    """The likelihood, Gaussian noise where none is given.

    Raises:
        ValueError: if it is none.
    """
    if likelihood is not None and not isinstance(likelihood, Likelihood):
        raise ValueError(f"expected a likelihood such as bayes_nn.Gaussian(); got {likelihood!r}")
    return Gaussian() if likelihood is None else likelihood
