"""Fits of several priors to several splits, logged as they end, their scores, and the rows of a comparison."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import jax
import numpy as np
from jaxtyping import Array, Float
from scipy.special import logsumexp

from bayes_nn.inference.comparison.splits import Split
from bayes_nn.inference.posterior.convergence import Convergence
from bayes_nn.inference.posterior.fit import fit_dataset
from bayes_nn.inference.posterior.noise_check import LEVEL, noise_notes
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.monte_carlo_errors import error_of_mean_density
from bayes_nn.inference.sampling.checkpoint import Checkpoint
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.inference.verdict.evidence_bounds import evidence_bounds
from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.priors.prior import Prior
from bayes_nn.runtime.workers import map_over_workers


class Score(NamedTuple):
    """Predictions of one posterior on the test data of one split.

    Attributes:
        lpd: log predictive density of every test point, nats, user's scale.
        mean: predictive mean.
        std: predictive standard deviation.
        mcse: Monte-Carlo error of the mean of ``lpd``.
    """

    lpd: Float[np.ndarray, " T"]
    mean: Float[np.ndarray, "T C"]
    std: Float[np.ndarray, "T C"]
    mcse: float


def score(posterior: Posterior, split: Split) -> Score:
    """Scores on the test data of a split.

    Args:
        posterior: fitted to its training data.
        split: with test data.
    """
    predictive = posterior.predict(split.test_inputs)
    mean, std = (values.reshape(len(values), -1) for values in (predictive.mean, predictive.std))
    of_draws = predictive.log_prob_of_draws(split.y_test)
    chains = posterior.shape[0] if len(of_draws) > 1 else 1
    of_chains = logsumexp(of_draws.reshape(chains, -1, of_draws.shape[1]), axis=1) - np.log(len(of_draws) / chains)
    mcse = error_of_mean_density(of_chains, posterior.chain_weights.logs if chains > 1 else None)
    return Score(predictive.log_prob(split.y_test), mean, std, mcse)


@dataclass(frozen=True)
class Fits:
    """Fits of several priors to all splits.

    Attributes:
        rows: what is known of every prior.
        posteriors: of the first split, by name.
        checkpoints: of all fits.
    """

    rows: list[PriorResult]
    posteriors: dict[str, Posterior]
    checkpoints: list[Checkpoint]

    def replaced_by(self, others: Self) -> Self:
        """The same fits, those of some priors replaced by others."""
        new = {row.name: row for row in others.rows}
        rows = [new.get(row.name, row) for row in self.rows]
        return type(self)(rows, self.posteriors | others.posteriors, self.checkpoints + others.checkpoints)

    def remove_checkpoints(self) -> None:
        """Forget what killed fits would have gone on from."""
        for checkpoint in self.checkpoints:
            checkpoint.remove()


@dataclass(frozen=True)
class Task:
    """One fit of a comparison: what :func:`fit_and_score` takes, here or on a worker.

    Attributes:
        prior: to fit.
        split: training and test data.
        sampler: settings.
        key: random key.
        checkpoint: folder of the fit; None to keep nothing.
        title: of its progress bar, and in the log.
        progress: whether to show the bar.
    """

    prior: Prior
    split: Split
    sampler: SMC | SMCFirst
    key: Array
    checkpoint: Path | None
    title: str
    progress: bool


class Fitted(NamedTuple):
    """What comes of a task.

    Attributes:
        posterior: its evidence and feature information known.
        convergence: at the test inputs as well, where there are any.
        score: on the test data; None without.
        checkpoint: to be removed once the comparison has ended.
    """

    posterior: Posterior
    convergence: Convergence
    score: Score | None
    checkpoint: Checkpoint


def fit_and_score(task: Task) -> Fitted:
    """Fit a prior to a split and score it.

    Args:
        task: what to fit, and how.
    """
    split = task.split
    posterior, kept = fit_dataset(
        task.prior,
        split.train,
        task.sampler,
        task.key,
        checkpoint=task.checkpoint,
        progress=task.progress and task.title,
    )
    _ = posterior.log_evidence, posterior.feature_information  # computed where the fit is, and kept by the posterior
    logging.getLogger(__name__).info(
        "%s: log evidence %s, %.1f s", task.title, posterior.log_evidence.estimate, posterior.seconds
    )
    if split.test_inputs is None:
        return Fitted(posterior, posterior.convergence, None, kept)
    return Fitted(posterior, posterior.convergence_at(split.test_inputs), score(posterior, split), kept)


def fit_rows(
    chosen: Mapping[str, Prior],
    named: Mapping[str, Prior],
    splits: Sequence[Split],
    sampler: SMC | SMCFirst,
    key: Array,
    checkpoint: str | Path | None,
    progress: bool,
    client: Any = None,
) -> Fits:
    """Fit priors to all splits and score them.

    Args:
        chosen: those to fit, by name.
        named: all priors of the comparison, whose order gives every fit its key.
        splits: training and test data.
        sampler: settings.
        key: random key.
        checkpoint: a folder.
        progress: show a progress bar on a terminal.
        client: whose workers fit; None to fit here, one after another.
    """
    total, places = len(splits) * len(chosen), list(named)
    kind = "_confirmed" if isinstance(sampler, SMCFirst) and sampler.confirm_kernels else ""
    tasks: list[Task] = []
    for number, split in enumerate(splits):
        for name, prior in chosen.items():
            place, title = places.index(name), f"{len(tasks) + 1}/{total} {name}"
            folder = None if checkpoint is None else Path(checkpoint) / f"split_{number}_prior_{place}{kind}"
            own = jax.random.fold_in(jax.random.fold_in(key, number), place)
            tasks.append(Task(prior, split, sampler, own, folder, title, progress and client is None))
    done = map_over_workers(fit_and_score, tasks, client, title="fits" if progress else None)
    tested = [split.test_columns for split in splits] if splits[0].test_inputs is not None else []
    rows, posteriors, level = [], {}, LEVEL / len(named)
    for place, (name, prior) in enumerate(chosen.items()):
        own_fits: list[Fitted] = done[place :: len(chosen)]
        scores = [one.score for one in own_fits if one.score is not None]
        fits, judged = [one.posterior for one in own_fits], [one.convergence for one in own_fits]
        rows.append(row_of(name, prior, fits, judged, scores, tested, level))
        posteriors[name] = fits[0]
    return Fits(rows, posteriors, [one.checkpoint for one in done])


def row_of(
    name: str,
    prior: Prior,
    fits: Sequence[Posterior],
    judged: Sequence[Convergence],
    scores: Sequence[Score],
    tested: Sequence[np.ndarray],
    level: float,
) -> PriorResult:
    """What a comparison knows of a prior.

    Args:
        name: unique among the candidates.
        prior: as given.
        fits: its posteriors, one per split.
        judged: how well they converged.
        scores: on the test data of the splits; empty without.
        tested: test targets of the splits in the columns of the predictive means.
        level: rate of false notes on the noise.
    """
    evidences = [posterior.log_evidence for posterior in fits]
    information = [posterior.feature_information for posterior in fits]
    reasons = [reason for evidence in evidences for reason in evidence.reasons]
    sampler_reasons = [reason for convergence in judged for reason in convergence.reasons]
    rmse, accuracy = float("nan"), None
    if tested:
        means, columns = np.concatenate([one.mean for one in scores]), np.concatenate(tested)
        rmse = float(np.sqrt(np.mean((means - columns) ** 2)))
        accuracy = fits[0].dataset.likelihood.accuracy(means, columns)
    return PriorResult(
        name=name,
        kind=type(prior).__name__,
        learns_features=prior.learns_features,
        has_hidden_weights=fits[0].problem.has_hidden_weights,
        log_evidence_by_split=tuple(evidence.value for evidence in evidences),
        mcse_by_split=tuple(evidence.mcse for evidence in evidences),
        method=evidences[0].method,
        reasons=tuple(dict.fromkeys(reasons + sampler_reasons)),
        sampler_reasons=tuple(dict.fromkeys(sampler_reasons)),
        lpd_test=[one.lpd for one in scores],
        test_mean=[one.mean for one in scores],
        test_std=[one.std for one in scores],
        rmse=rmse,
        accuracy=accuracy,
        feature_information=float(np.mean([one.value for one in information])),
        feature_information_mcse=float(np.sqrt(np.sum([one.mcse**2 for one in information])) / len(information)),
        nats_on_scale=float(np.mean([one.on_scale for one in information])),
        nats_on_shape=float(np.mean([one.on_shape for one in information])),
        nats_on_shape_mcse=float(np.sqrt(np.sum([one.on_shape_mcse**2 for one in information])) / len(information)),
        seconds=float(sum(posterior.seconds for posterior in fits)),
        details=evidences[0].details | fits[0].chain_weights.details,
        peeks=prior.peeks,
        approximation=prior.approximation,
        degrees_of_freedom_by_split=tuple(evidence.degrees_of_freedom for evidence in evidences),
        unbiased=all(evidence.unbiased for evidence in evidences),
        rung=prior.rung,
        mixes_inputs=prior.mixes_inputs,
        caveat=prior.caveat,
        bounds_by_split=tuple(evidence_bounds(evidence) for evidence in evidences),
        lpd_mcse_by_split=tuple(one.mcse for one in scores),
        noise_notes=noise_notes(fits[0], level),
    )
