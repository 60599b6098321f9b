"""Comparing priors on the same data."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from bayes_nn.data import as_labels, as_matrix, as_targets, checked_pair, with_classes
from bayes_nn.inference.checkpoint import Checkpoint, checked_folder
from bayes_nn.inference.comparison import Comparison, Row
from bayes_nn.inference.fit import checked_likelihood, fit_and_keep
from bayes_nn.inference.posterior import Posterior
from bayes_nn.inference.settings import SMC
from bayes_nn.likelihood import Labels, Likelihood
from bayes_nn.priors.gaussian_process import LATENT_JITTER
from bayes_nn.priors.log_marginal import JITTER
from bayes_nn.priors.prior import Prior
from bayes_nn.progress import ConvergenceWarning
from bayes_nn.random_keys import checked_key

Split = tuple[np.ndarray, np.ndarray]

#: Fraction of the rows held out in each random split.
TEST_FRACTION = 0.2


def compare(
    candidates: Sequence[Prior],
    X: Any,
    y: Any,
    X_test: Any = None,
    y_test: Any = None,
    key: int | Array = 0,
    *,
    likelihood: Likelihood | None = None,
    standardize: bool = True,
    splits: int | Sequence[Split] | None = None,
    sampler: SMC | None = None,
    duplicates: str = "error",
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> Comparison:
    """Fit every prior to the same data, estimate its evidence, score it on test data, and judge.

    Args:
        candidates: priors over functions; for a verdict an NNGP and a BayesianNetwork are needed.
        X: training inputs, (N,) or (N, d).
        y: training targets, (N,) or (N, C); labels (N,) for ``Bernoulli()`` and ``Categorical()``.
        X_test: test inputs; without them (and without ``splits``) there are no test scores.
        y_test: test targets.
        key: a JAX key or an integer seed.
        likelihood: shared by all; ``Gaussian()`` with inferred noise when left out.
        standardize: as in :func:`bayes_nn.fit`.
        splits: a number of random splits with a fifth of the rows held out, or pairs of index arrays
            (train, test) into the rows of X.
        sampler: settings of SMC for the priors that have no exact posterior.
        duplicates: as in :func:`bayes_nn.fit`.
        checkpoint: a folder for the state of the fits; a killed comparison started again goes on from there, and
            does not repeat what had ended. Frozen features are fitted in one go.
        progress: show a progress bar on a terminal.

    Returns:
        Table, verdict, plots, report and file in one.

    Raises:
        ValueError: for bad data or settings, before any fit.

    Warns:
        ConvergenceWarning: if a sampler has not converged.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(40, 2))
        >>> net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)
        >>> priors = [bnn.priors.NNGP(net), bnn.priors.NTK(net)]
        >>> result = bnn.compare(priors, X[:30], X[:30, 0], X[30:], X[30:, 0], likelihood=bnn.Gaussian(0.1))
        >>> result.table.index.name
        'prior'
    """
    named = checked_candidates(candidates)
    likelihood = checked_likelihood(likelihood)
    if isinstance(likelihood, Labels):
        seen = [as_labels(y, "y")] + ([] if y_test is None else [as_labels(y_test, "y_test")])
        likelihood = with_classes(likelihood, np.concatenate(seen))
    parts = _parts(X, y, X_test, y_test, splits, key, duplicates, likelihood)
    for prior in named.values():
        prior.check_inputs(as_matrix(X, "X", positions=True).shape[1:])
        prior.check_targets(likelihood, as_targets(y, likelihood, "y").shape[1])
    for train_X, train_y, *_ in parts:
        checked_pair(train_X, train_y, likelihood, duplicates=duplicates)
    if sampler is not None and not isinstance(sampler, SMC):
        raise ValueError(f"compare needs evidences, so sampler must be inference.SMC(...) or left out; got {sampler!r}")
    if checkpoint is not None:
        checked_folder(checkpoint)
    key = checked_key(key)
    checkpoints: list[Checkpoint] = []
    fits: dict[str, list[Posterior]] = {name: [] for name in named}
    scored: dict[str, list[tuple[np.ndarray, ...]]] = {name: [] for name in named}
    total = len(parts) * len(named)
    for number, (train_X, train_y, test_X, test_y) in enumerate(parts):
        for place, (name, prior) in enumerate(named.items()):
            title = f"{number * len(named) + place + 1}/{total} {name}"
            own = jax.random.fold_in(jax.random.fold_in(key, number), place)
            folder = None if checkpoint is None else Path(checkpoint) / f"split_{number}_prior_{place}"
            posterior, kept = fit_and_keep(
                prior,
                train_X,
                train_y,
                likelihood,
                sampler or SMC(),
                standardize,
                own,
                duplicates,
                folder,
                title if progress else False,
            )
            checkpoints.append(kept)
            fits[name].append(posterior)
            if test_X is not None:
                scored[name].append(_score(posterior, test_X, test_y))
    rows = [_row(name, prior, fits[name], scored[name], parts) for name, prior in named.items()]
    for kept in checkpoints:
        kept.remove()
    for row in rows:
        for reason in row.reasons:
            warnings.warn(f"{row.name}: {reason}", ConvergenceWarning, stacklevel=2)
    rows.sort(key=lambda row: (row.peeks, -row.log_evidence))
    settings = {
        "likelihood": str(likelihood),
        "jitter": JITTER if likelihood.conjugate else LATENT_JITTER,
        "splits": len(parts),
        "rows": len(y),
        "inputs": math.prod(as_matrix(X, "X", positions=True).shape[1:]),
    }
    tested = [_tested(part, likelihood) for part in parts] if parts[0][2] is not None else []
    posteriors = {name: fits[name][0] for name in named}
    scaled = standardize and not isinstance(likelihood, Labels)
    return Comparison(rows, tested, len(parts[0][1]), scaled, settings, posteriors, parts[0][2])


def _tested(part: tuple, likelihood: Likelihood) -> np.ndarray:
    """Test targets as the predictions see them: labels as one column per class."""
    targets = as_targets(part[3], likelihood, "y_test")
    if isinstance(likelihood, Labels) and targets.shape[1] == 1:
        return np.hstack([1.0 - targets, targets])
    return targets


def checked_candidates(candidates: Sequence[Prior]) -> dict[str, Prior]:
    """Priors by unique name.

    Raises:
        ValueError: if there are none, or one is not a prior.
    """
    if isinstance(candidates, Prior) or not len(list(candidates)):
        raise ValueError("candidates must be a list of at least one prior, such as [priors.NNGP(net)]")
    named: dict[str, Prior] = {}
    for prior in candidates:
        if not isinstance(prior, Prior):
            raise ValueError(f"every candidate must be a prior such as priors.NNGP(net); got {prior!r}")
        repeats = sum(other.name == prior.name for other in named.values())
        named[prior.name if not repeats else f"{prior.name} #{repeats + 1}"] = prior
    return named


def _parts(
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    splits: int | Sequence[Split] | None,
    key: int | Array,
    duplicates: str,
    likelihood: Likelihood,
) -> list[tuple[Any, Any, Any, Any]]:
    """(X, y, X_test, y_test) of every split, checked."""
    inputs, targets = checked_pair(X, y, likelihood, duplicates=duplicates)
    if (X_test is None) != (y_test is None):
        raise ValueError("pass X_test and y_test together")
    if X_test is not None and splits is not None:
        raise ValueError("pass either X_test and y_test or splits, not both")
    if X_test is not None:
        test_inputs = as_matrix(X_test, "X_test", positions=True)
        test_targets = as_targets(y_test, likelihood, "y_test")
        if len(test_inputs) != len(test_targets):
            raise ValueError(f"X_test has {len(test_inputs)} rows but y_test has {len(test_targets)}")
        if test_inputs.shape[1:] != inputs.shape[1:] or test_targets.shape[1] != targets.shape[1]:
            raise ValueError(
                f"training data have {_shape(inputs)} inputs and {targets.shape[1]} outputs, test data "
                f"{_shape(test_inputs)} and {test_targets.shape[1]}"
            )
        return [(X, y, X_test, y_test)]
    if splits is None:
        return [(X, y, None, None)]
    if isinstance(splits, int):
        splits = random_splits(len(inputs), splits, key)
    values = np.asarray(y)
    return [(inputs[train], values[train], inputs[test], values[test]) for train, test in splits]


def _shape(inputs: np.ndarray) -> str:
    return " x ".join(str(length) for length in inputs.shape[1:])


def random_splits(rows: int, count: int, key: int | Array) -> list[Split]:
    """Random splits of the row numbers with ``TEST_FRACTION`` held out.

    Raises:
        ValueError: if there are too few rows or splits.
    """
    held_out = round(TEST_FRACTION * rows)
    if count < 1 or held_out < 2 or rows - held_out < 2:
        raise ValueError(f"splits must be at least 1 with at least 2 test rows each; got {count} splits of {rows} rows")
    key = jax.random.key(key) if isinstance(key, int) else key
    orders = [np.asarray(jax.random.permutation(jax.random.fold_in(key, i), rows)) for i in range(count)]
    return [(order[held_out:], order[:held_out]) for order in orders]


def _score(posterior: Posterior, X_test: Any, y_test: Any) -> tuple[np.ndarray, ...]:
    predictive = posterior.predict(X_test)
    mean, std = (values.reshape(len(values), -1) for values in (predictive.mean, predictive.std))
    return predictive.log_prob(y_test), mean, std


def _row(
    name: str, prior: Prior, fits: list[Posterior], scored: list[tuple[np.ndarray, ...]], parts: list[tuple]
) -> Row:
    evidences = [posterior.log_evidence for posterior in fits]
    information = [posterior.feature_information for posterior in fits]
    reasons = [reason for evidence in evidences for reason in evidence.reasons]
    sampler_reasons = [reason for posterior in fits for reason in posterior.convergence.reasons]
    likelihood = fits[0].target.likelihood
    tested = [_tested(part, likelihood) for part, _ in zip(parts, scored, strict=False)]
    errors = [means - targets for (_, means, _), targets in zip(scored, tested, strict=True)]
    hits = [m.argmax(axis=1) == t.argmax(axis=1) for (_, m, _), t in zip(scored, tested, strict=True)]
    return Row(
        name=name,
        kind=type(prior).__name__,
        learns_features=prior.learns_features,
        has_hidden_weights=fits[0].target.has_hidden_weights,
        log_evidence_by_split=tuple(evidence.value for evidence in evidences),
        mcse_by_split=tuple(evidence.mcse for evidence in evidences),
        method=evidences[0].method,
        reasons=tuple(dict.fromkeys(reasons + sampler_reasons)),
        sampler_reasons=tuple(dict.fromkeys(sampler_reasons)),
        lpd_test=[one[0] for one in scored],
        test_mean=[one[1] for one in scored],
        test_std=[one[2] for one in scored],
        rmse=float(np.sqrt(np.mean(np.concatenate(errors) ** 2))) if errors else float("nan"),
        accuracy=float(np.mean(np.concatenate(hits))) if hits and isinstance(likelihood, Labels) else None,
        feature_information=float(np.mean([one.value for one in information])),
        feature_information_mcse=float(np.sqrt(np.sum([one.mcse**2 for one in information])) / len(information)),
        seconds=float(sum(posterior.seconds for posterior in fits)),
        details=evidences[0].details,
        peeks=prior.peeks,
        approximation=prior.approximation,
    )
