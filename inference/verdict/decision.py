"""The rule of the verdict: from how the network stands to every feature-free prior to the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.inference.verdict.rungs import OTHER, RUNGS
from bayes_nn.inference.verdict.standing import STRONG, Standing
from bayes_nn.inference.verdict.verdict import Outcome

#: Test points below which nothing is said.
FEWEST_POINTS = 20
#: Nats per test point: a gain that may be as large is not called none, whatever the evidence says.
LARGEST_HIDDEN_GAIN = 0.1


@dataclass(frozen=True)
class Case:
    """What the outcome is decided on.

    Attributes:
        network: the network judged.
        rungs: how it stands to the priors of every rung, from the lowest; those on no rung come last.
        mixture: how it stands to all feature-free priors as one; None for fewer than two.
        level: rate at which hidden features may be called for falsely.
        vectors: whether the inputs are rows of numbers, for which there is an input metric.

    Example:
        >>> round(Case(None, [], None, 0.01, True).nats, 2)
        4.61
    """

    network: PriorResult
    rungs: Sequence[tuple[int | None, Sequence[Standing]]]
    mixture: Standing | None
    level: float
    vectors: bool

    @property
    def nats(self) -> float:
        """By which the network's evidence must be ahead of every feature-free prior's."""
        return float(np.log(1.0 / self.level))

    @property
    def every(self) -> list[Standing]:
        """The standings to all feature-free priors."""
        return list(chain.from_iterable(group for _, group in self.rungs))

    @property
    def log_e_value(self) -> float:
        """Nats by which the network's evidence is ahead of every feature-free prior's, at least."""
        return min(one.ahead_low for one in self.every)

    @property
    def missing(self) -> list[str]:
        """What the table lacks below hidden features; one scale per input cannot stand for a metric that turns."""
        has_scale = any(rung == 1 for rung, _ in self.rungs)
        has_metric = any(one.row.mixes_inputs for one in self.every)
        return [
            *([] if has_scale else ["a free scale (priors.ScaleMixture(net, width))"]),
            *([] if has_metric or not self.vectors else ["a learned input metric (priors.InputMetric(net, rank=2))"]),
        ]


@dataclass(frozen=True)
class Decision:
    """An outcome with what led to it.

    Attributes:
        outcome: one of the six.
        rung: its name; empty where undecided.
        explained_by: the prior that does as well as the network, or the network.
        reasons: why.
        what_would_settle_it: what to do where undecided.

    Example:
        >>> Decision("undecided").rung
        ''
    """

    outcome: Outcome
    rung: str = ""
    explained_by: str = ""
    reasons: tuple[str, ...] = ()
    what_would_settle_it: tuple[str, ...] = ()


def decide(case: Case) -> Decision:
    """The outcome.

    Args:
        case: how the network stands to every feature-free prior; the table holds an NNGP.
    """
    points = sum(map(len, case.network.lpd_test))
    if points < FEWEST_POINTS:
        reason = f"{points} test points tell nothing; at least {FEWEST_POINTS} are needed"
        return Decision("undecided", reasons=(reason,), what_would_settle_it=("more test points, or splits=5",))
    lowest = case.rungs[0][1]
    above = [(rung, [one for one in group if one.explains]) for rung, group in case.rungs[1:]]
    backed = any(does for _, does in above)
    none = [one for one in lowest if shows_no_gain(one, backed)]
    if none:
        return _explained(0, none)
    gains = all(one.beaten(STRONG) or one.predicts_worse for one in lowest)
    for rung, does in above:
        if does:
            return _explained(rung, does, gains)
    if not gains:
        return _undecided(lowest, "the infinite-width limit", STRONG)
    if case.missing:
        return Decision(
            "undecided",
            reasons=(f"the network beats every prior in the table, which lacks {' and '.join(case.missing)}",),
            what_would_settle_it=("add it, or compare the priors of bnn.ladder(net, width)",),
        )
    ahead = all(one.beaten(case.nats) for one in case.every)
    judged = [*case.every, *([case.mixture] if case.mixture else [])]
    better = all(one.gain.interval()[0] > 0.0 for one in judged)
    if ahead and better and not _moved_nothing(case.network):
        return Decision("needs hidden features", RUNGS[3][0], case.network.name)
    if ahead and better:
        reason = (
            f"{case.network.name} is ahead, but its hidden weights spent no more than 2 errors on the shape of the "
            f"kernel (at most {case.network.nats_on_shape:.1f} +- {case.network.nats_on_shape_mcse:.1f} nats)"
        )
        return Decision("undecided", reasons=(reason,), what_would_settle_it=("more seconds (max_seconds)",))
    return _undecided(judged, "a feature-free prior", case.nats)


def shows_no_gain(one: Standing, backed: bool) -> bool:
    """Whether the network does not beat a prior, by predictions or, where these do not contradict it, by evidence.

    Args:
        one: how the network stands to the prior.
        backed: whether a rung above does as well as the network, so that a gain too large to be left open is not one of
            hidden features.
    """
    if one.predicts_as_well:
        return not one.beaten(STRONG)
    large = one.gain.interval()[1] > LARGEST_HIDDEN_GAIN and not backed
    return one.tied and not one.gain.above(one.margin) and not large


def _moved_nothing(network: PriorResult) -> bool:
    return network.nats_on_shape <= 2.0 * network.nats_on_shape_mcse


def _explained(rung: int | None, does: Sequence[Standing], gains: bool = True) -> Decision:
    name, outcome = OTHER if rung is None else RUNGS[rung]
    one = max(does, key=lambda one: one.row.log_evidence)
    reasons = []
    if rung == 0 and not one.predicts_as_well:
        high = one.gain.interval()[1]
        reasons.append(f"by evidence: test predictions alone leave room for a gain of {high:.3f} nats per point")
    if not gains:
        reasons.append("whether there is a gain over the infinite width at all is open; if there is, this explains it")
    if not one.trusted[0]:
        reasons.append("a better sampler could raise the network's evidence: this is what was found of it")
    return Decision(outcome, name, one.row.name, tuple(reasons))  # type: ignore[arg-type]


def _undecided(group: Sequence[Standing], what: str, nats: float) -> Decision:
    """Undecided, with what is open between the network and the priors that it is not known to beat, closest first."""
    reasons, settle = [], []
    for one in sorted(group, key=lambda one: one.ahead_low):
        low, high = one.gain.interval()
        ahead = one.beaten(nats)
        if ahead and low > 0.0:
            continue
        name = one.row.name
        reasons.append(
            f"{what}, {name}: the network is ahead by {one.ahead_low:.1f} to {one.ahead_high:.1f} nats of evidence "
            f"({nats:.1f} are needed) and by {low:+.3f} to {high:+.3f} nats per test point"
        )
        if not all(one.trusted) or one.ahead_low < nats <= one.ahead_high:
            settle.append(f"a better evidence of {_less_certain(one)}: raise max_seconds")
        elif ahead and one.predicts_as_well:
            reasons.append(f"evidence and predictions contradict each other about {name}")
            settle.append("more test points or splits, and a look at residuals against the likelihood")
        else:
            settle.append("more rows" if not ahead else "more test points or splits")
    return Decision(
        "undecided", reasons=tuple(dict.fromkeys(reasons)), what_would_settle_it=tuple(dict.fromkeys(settle))
    )


def _less_certain(one: Standing) -> str:
    return one.row.name if not one.trusted[1] else "the network"
