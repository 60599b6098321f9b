"""All feature-free priors of a table as one prior: their mixture with equal weights."""

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.inference.verdict.rungs import is_feature_free

NAME = "all feature-free priors"


def describe_mixture(mixture: PriorResult | None) -> str:
    """The evidence of the mixture and the posterior weights of its parts, in a line; empty without a mixture.

    Args:
        mixture: from :func:`feature_free_mixture`.
    """
    if mixture is None:
        return ""
    weights = sorted(mixture.details["weights"].items(), key=lambda item: -item[1])
    parts = ", ".join(f"{name} {weight:.2f}" for name, weight in weights if weight >= 0.005)
    return (
        f"{mixture.name} as one, with equal weights: log evidence {mixture.log_evidence:.2f} +- {mixture.mcse:.2f}; "
        f"posterior weights {parts}"
    )


def feature_free_mixture(rows: Sequence[PriorResult]) -> PriorResult | None:
    """The mixture of all feature-free priors whose evidence is exact given z; None for fewer than two.

    Its evidence is the mean of theirs, and at most ``log(1/w)`` nats, w the weight of each, below the best. Its
    predictions are theirs, weighted by their posterior probabilities in every split.

    Args:
        rows: what is known of every prior.

    Example:
        >>> feature_free_mixture([]) is None
        True
    """
    free = [row for row in rows if is_feature_free(row) and not row.approximation]
    if len(free) < 2:
        return None
    evidence = np.array([row.log_evidence_by_split for row in free])
    of_mixture = logsumexp(evidence, axis=0) - np.log(len(free))
    weights = np.exp(evidence - logsumexp(evidence, axis=0))
    bounds = np.array([row.bounds_by_split or [row.bounds] * evidence.shape[1] for row in free])
    low, high = logsumexp(bounds, axis=0).T - np.log(len(free))
    splits = range(evidence.shape[1])
    tested = bool(free[0].lpd_test)

    def averaged(what: str, split: int) -> np.ndarray:
        return sum(w * getattr(row, what)[split] for w, row in zip(weights[:, split], free, strict=True))

    def lpd(split: int) -> np.ndarray:
        each = [np.log(w) + row.lpd_test[split] for w, row in zip(weights[:, split], free, strict=True) if w > 0.0]
        return logsumexp(each, axis=0)

    def std(split: int) -> np.ndarray:
        mean = averaged("test_mean", split)
        second = sum(
            w * (row.test_std[split] ** 2 + row.test_mean[split] ** 2)
            for w, row in zip(weights[:, split], free, strict=True)
        )
        return np.sqrt(np.maximum(second - mean**2, 0.0))

    likely = [row for row, w in zip(free, weights.mean(axis=1), strict=True) if w > 0.01]
    mcse = np.array([row.mcse_by_split for row in free])
    lpd_mcse = np.array([row.lpd_mcse_by_split or (0.0,) * evidence.shape[1] for row in free])
    return PriorResult(
        name=NAME,
        kind="Mixture",
        learns_features=False,
        has_hidden_weights=False,
        log_evidence_by_split=tuple(of_mixture.tolist()),
        mcse_by_split=tuple(np.sqrt(np.sum((weights * mcse) ** 2, axis=0)).tolist()),
        method=f"mixture of {len(free)} priors",
        reasons=tuple(dict.fromkeys(f"{row.name}: {reason}" for row in likely for reason in row.reasons)),
        sampler_reasons=tuple(f"{row.name}: {reason}" for row in likely for reason in row.sampler_reasons),
        lpd_test=[lpd(split) for split in splits] if tested else [],
        test_mean=[averaged("test_mean", split) for split in splits] if tested else [],
        test_std=[std(split) for split in splits] if tested else [],
        rmse=float("nan"),
        feature_information=0.0,
        feature_information_mcse=0.0,
        seconds=0.0,
        details={"weights": dict(zip([row.name for row in free], weights.mean(axis=1).tolist(), strict=True))},
        bounds_by_split=tuple(zip(low.tolist(), high.tolist(), strict=True)),
        lpd_mcse_by_split=tuple(np.sqrt(np.sum((weights * lpd_mcse) ** 2, axis=0)).tolist()) if tested else (),
    )
