"""From what a comparison knows of every prior to the verdict."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayes_nn.inference.verdict.decision import Case, decide
from bayes_nn.inference.verdict.mixture import feature_free_mixture
from bayes_nn.inference.verdict.noise_reminders import noise_reminders
from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.inference.verdict.rungs import best, climbed
from bayes_nn.inference.verdict.share import shares
from bayes_nn.inference.verdict.standing import standing
from bayes_nn.inference.verdict.verdict import Verdict

#: Nats per test point up to which a gain does not matter, and the rate of false "needs hidden features".
MARGIN, LEVEL = 0.01, 0.01
#: Splits below which the error over splits is itself so rough that the verdict says so.
FEW_SPLITS = 5


def judge(
    rows: Sequence[PriorResult],
    train_rows: int,
    *,
    margin: float = MARGIN,
    level: float = LEVEL,
    vectors: bool = True,
) -> Verdict:
    """The verdict on a comparison.

    Args:
        rows: what is known of every prior.
        train_rows: training rows of a split.
        margin: nats per test point up to which a gain does not matter.
        level: rate at which hidden features may be called for falsely.
        vectors: whether the inputs are rows of numbers, for which there is an input metric.

    Raises:
        ValueError: for a negative margin, or a level not between 0 and 1.

    Example:
        >>> judge([], 10).reasons
        ('the candidates lack a BayesianNetwork and an NNGP',)
    """
    if not margin >= 0.0:
        raise ValueError(f"margin is in nats per test point and not negative; got {margin}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is a rate between 0 and 1; got {level}")
    noise = noise_reminders(rows)
    networks = [row for row in rows if row.learns_features and not row.peeks]
    nngps = [row for row in rows if row.kind == "NNGP"]
    missing = [what for what, found in (("a BayesianNetwork", networks), ("an NNGP", nngps)) if not found]
    if missing:
        return Verdict(
            "undecided",
            reasons=(f"the candidates lack {' and '.join(missing)}", *noise),
            what_would_settle_it=("compare the priors of bnn.ladder(net, width)",),
        )
    network, nngp = best(networks), best(nngps)
    rungs = climbed(rows)
    best_free = best(row for _, group in rungs for row in group)
    known: dict[str, Any] = {
        "network": network.name,
        "nngp": nngp.name,
        "best_feature_free": best_free.name,
        "log_bayes_factor": network.log_evidence - nngp.log_evidence,
        "log_bayes_factor_error": float(np.hypot(network.mcse, nngp.mcse)),
        "feature_information": network.feature_information,
        "feature_information_mcse": network.feature_information_mcse,
        "nats_on_scale": network.nats_on_scale,
        "nats_on_shape": network.nats_on_shape,
        "nats_on_shape_mcse": network.nats_on_shape_mcse,
    }
    if not network.lpd_test:
        return Verdict("undecided", **known, reasons=("no test data: pass X_test and y_test, or splits=5", *noise))
    stand = [(rung, [standing(network, row, train_rows, margin) for row in group]) for rung, group in rungs]
    every = {one.row.name: one for _, group in stand for one in group}
    mixture = feature_free_mixture(rows)
    case = Case(
        network, stand, None if mixture is None else standing(network, mixture, train_rows, margin), level, vectors
    )
    over, over_best = every[nngp.name].gain, every[best_free.name].gain
    known |= {"gain": over.value, "gain_error": over.error}
    known |= {"gain_over_best": over_best.value, "gain_over_best_error": over_best.error}
    known |= {"log_e_value": case.log_e_value, "guarantee": _guarantee(network, level)}
    known |= {"shares": shares(rows, network, nngp, train_rows)}
    decision = decide(case)
    explanation = every.get(decision.explained_by)
    involved = [network, *([explanation.row] if explanation else [])]
    reasons = (*decision.reasons, *_reminders(involved, len(network.lpd_test)), *noise)
    return Verdict(
        decision.outcome,
        **known,
        reasons=tuple(dict.fromkeys(reasons)),
        rung=decision.rung,
        explained_by=decision.explained_by,
        what_would_settle_it=decision.what_would_settle_it,
    )


def _guarantee(network: PriorResult, level: float) -> str:
    """What Markov's inequality says of the e-value, and what it rests on."""
    claim = (
        f"had any one of the feature-free priors in the table made these data, this outcome would come up with a "
        f"probability of at most {level:.2g} (Markov's inequality for e-values)"
    )
    return claim if network.unbiased else f"{claim}, as far as the lower bound on the network's evidence holds"


def _reminders(involved: Sequence[PriorResult], splits: int) -> list[str]:
    """What does not change the verdict but limits what may be quoted from the comparison."""
    reminders = [f"{row.name}: {reason}" for row in involved for reason in row.sampler_reasons]
    reminders += [
        f"quote no Bayes factor: the evidence of {row.name} is not reliable ({'; '.join(row.evidence_reasons)})"
        for row in involved
        if row.evidence_reasons
    ]
    if splits == 1:
        reminders.append("one test set: predictions are judged at these test points")
    elif splits < FEW_SPLITS:
        reminders.append(f"{splits} splits tell their own error poorly: use {FEW_SPLITS} or more")
    reminders += [
        f"the evidence of {row.name} is approximate: {row.approximation}" for row in involved if row.approximation
    ]
    reminders += [f"{row.name}: {row.caveat}" for row in involved if row.caveat]
    return reminders
