"""Comparing priors on the same data."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from bayes_nn.architecture.serial import Serial
from bayes_nn.data.dataset import Dataset
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.inference.comparison.fits import fit_rows
from bayes_nn.inference.comparison.result import Comparison
from bayes_nn.inference.comparison.splits import RowPair, Split, splits_of
from bayes_nn.inference.posterior.fit import checked_likelihood
from bayes_nn.inference.problem.problem_of import problem_of
from bayes_nn.inference.sampling.checkpoint import running_in
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.inference.verdict.judge import judge
from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.priors.gaussian.gaussian_process import LATENT_JITTER
from bayes_nn.priors.gaussian.log_marginal import JITTER
from bayes_nn.priors.ladder import chosen_candidates
from bayes_nn.priors.prior import Prior
from bayes_nn.runtime.progress import ConvergenceWarning
from bayes_nn.runtime.provenance import digest_of, versions
from bayes_nn.runtime.random_keys import checked_key, is_seed


def compare(
    candidates: Iterable[Prior] | None = None,
    X: Any = None,
    y: Any = None,
    X_test: Any = None,
    y_test: Any = None,
    key: int | Array = 0,
    *,
    net: Serial | None = None,
    width: int | None = None,
    likelihood: Likelihood | None = None,
    standardize: bool = True,
    splits: int | Iterable[RowPair] | None = None,
    sampler: SMC | SMCFirst | None = None,
    max_seconds: float = 120.0,
    duplicates: str = "error",
    checkpoint: str | Path | None = None,
    progress: bool = True,
    client: Any = None,
) -> Comparison:
    """Fit every prior to the same data, estimate its evidence, score it on test data, and judge.

    Args:
        candidates: priors over functions; for a verdict an NNGP and a BayesianNetwork are needed. None for
            :func:`bayes_nn.ladder` of ``net`` and ``width``.
        X: training inputs, (N,) or (N, d).
        y: training targets, (N,) or (N, C); labels (N,) for ``Bernoulli()`` and ``Categorical()``.
        X_test: test inputs. The columns of a data frame are matched by name with those of X.
        y_test: test targets.
        key: a JAX key or an integer seed.
        net: an architecture, in place of candidates, as in ``compare(X=X, y=y, net=net, width=64)``.
        width: of its hidden layers.
        likelihood: shared by all; ``Gaussian()`` with inferred noise when left out.
        standardize: as in :func:`bayes_nn.fit`.
        splits: a number of random splits with a fifth of the rows held out, or pairs of index arrays
            (train, test) into the rows of X. Where it is left out and there are no test data, 5 folds: every prior is
            fitted five times. 0 for one fit to all rows, evidence without test scores.
        sampler: settings of SMC for the priors that have no exact posterior, to use SMC and nothing else. When left
            out, kernels with few latents are sampled by adaptive importance sampling where it is reliable, replica
            exchange confirms SMC for networks, and takes over where it does not or SMC is not reliable; where there are
            at most 3 latents the evidence is that of quadrature. Kernels with a learned metric are
            confirmed where the verdict would call for hidden features.
        max_seconds: that one fit may take; no round of replica exchange after the third is begun that would end later.
        duplicates: as in :func:`bayes_nn.fit`.
        checkpoint: a folder for the state of the fits; a killed comparison started again goes on from there, and
            does not repeat what had ended; a second one at the same time is refused. Frozen features are fitted in one
            go.
        progress: show a progress bar on a terminal.
        client: a ``distributed.Client``, to whose workers the fits are sent, one at a time each; the numbers are those
            of a comparison without, and a checkpoint must be a folder that the workers see too.

    Returns:
        Table, verdict, plots, report and file in one.

    Raises:
        ValueError: for bad data or settings, before any fit; for a checkpoint that is damaged, in use, or of another
            run.
        OSError: naming folder and reason, if the checkpoint cannot be written.

    Warns:
        ConvergenceWarning: if a sampler has not converged.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(40, 2))
        >>> net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)
        >>> priors = [bnn.priors.NNGP(net), bnn.priors.NTK(net, output_scale=1.0)]
        >>> result = bnn.compare(priors, X[:30], X[:30, 0], X[30:], X[30:, 0], likelihood=bnn.Gaussian(0.1))
        >>> result.table.index.name
        'prior'
    """
    named, default = chosen_candidates(candidates, net, width), SMCFirst(max_seconds=max_seconds)
    if X is None or y is None:
        raise ValueError("X and y are needed: compare(candidates, X, y), or compare(X=X, y=y, net=net, width=64)")
    likelihood = checked_likelihood(likelihood).of_targets(y, *([] if y_test is None else [y_test]))
    dataset = Dataset.of(X, y, likelihood, standardize, duplicates)
    parts = splits_of(dataset, X_test, y_test, splits, key, standardize)
    result = compare_datasets(
        named, parts, sampler or default, checked_key(key), rows=len(dataset),
        standardized=standardize and likelihood.scales_targets, checkpoint=checkpoint, progress=progress, client=client,
    )  # fmt: skip
    arguments = {
        "priors": {name: repr(prior) for name, prior in named.items()},
        "likelihood": repr(likelihood),
        "standardize": standardize,
        "splits": splits if splits is None or isinstance(splits, int) else f"{len(parts)} given",
        "sampler": repr(sampler or default),
        "seed": int(key) if is_seed(key) else np.asarray(jax.random.key_data(checked_key(key))).tolist(),
    }
    tests = [array for part in parts for array in (part.test_inputs, part.test_targets) if array is not None]
    data = digest_of(dataset.inputs, dataset.targets, *tests)
    result = replace(result, provenance=arguments | {"versions": versions(), "data_sha256": data})
    for row in result.rows:
        for reason in row.reasons:
            warnings.warn(f"{row.name}: {reason}", ConvergenceWarning, stacklevel=2)
    return result


def compare_datasets(
    named: Mapping[str, Prior],
    splits: Sequence[Split],
    sampler: SMC | SMCFirst | None,
    key: Array,
    *,
    rows: int,
    standardized: bool,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    client: Any = None,
) -> Comparison:
    """:func:`compare` of checked data without warnings.

    Args:
        named: priors by unique name.
        splits: training and test data, of one shape and likelihood.
        sampler: settings of SMC, or of SMC and replica exchange; None for the default.
        key: random key.
        rows: of all splits together, for the report.
        standardized: whether y was standardised, for the report.
        checkpoint: a folder.
        progress: show a progress bar on a terminal.
        client: whose workers fit; None to fit here.

    Raises:
        ValueError: for priors that are not for such data, or another sampler, before any fit.
    """
    first = splits[0].train
    for prior in named.values():
        # Refuses what it is not for, and more rows than the memory holds. Not passed on: workers are sent priors and
        # splits, the other splits have problems of their own, and to make one again takes milliseconds.
        problem_of(prior, first)
    sampler = sampler or SMCFirst()
    if not isinstance(sampler, SMC | SMCFirst):
        raise ValueError(f"compare needs evidences, so sampler must be inference.SMC(...) or left out; got {sampler!r}")
    with running_in(checkpoint):
        fits = fit_rows(named, named, splits, sampler, key, checkpoint, progress, client)
        if isinstance(sampler, SMCFirst) and sampler.exchange is not None and not sampler.confirm_kernels:
            again = _to_confirm(fits.rows, named, len(first), first.inputs.ndim == 2)
            confirming = replace(sampler, confirm_kernels=True)
            fits = fits.replaced_by(fit_rows(again, named, splits, confirming, key, checkpoint, progress, client))
        fits.remove_checkpoints()
    results = sorted(fits.rows, key=lambda row: (row.peeks, -row.log_evidence))
    tested = [split.test_columns for split in splits] if splits[0].test_inputs is not None else []
    likelihood = first.likelihood
    settings = {
        "likelihood": str(likelihood),
        "jitter": JITTER if likelihood.conjugate else LATENT_JITTER,
        "splits": len(splits),
        "rows": rows,
        "inputs": first.inputs[0].size,
        "vectors": first.inputs.ndim == 2,
    }
    inputs = splits[0].test_inputs
    return Comparison(results, tested, len(first), standardized, settings, fits.posteriors, inputs, sampler)


def _to_confirm(
    rows: Sequence[PriorResult], named: Mapping[str, Prior], train_rows: int, vectors: bool
) -> dict[str, Prior]:
    """Kernels with a learned metric, where the claim that the network beats them hangs on SMC alone."""
    if judge(rows, train_rows, vectors=vectors).outcome != "needs hidden features":
        return {}
    unchecked = {row.name for row in rows if row.rung == 2 and row.method == "smc"}
    return {name: prior for name, prior in named.items() if name in unchecked}
