"""Every way in which rounds of replica exchange contradict themselves is told."""

import numpy as np
import pytest

from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.sampling.exchange.judgement import confirms, judge_rounds
from bayes_nn.inference.sampling.exchange.round_result import LARGEST_LOCAL_BARRIER, RoundResult, count_journeys
from bayes_nn.inference.sampling.exchange.start import Start
from bayes_nn.inference.sampling.exchange.two_sided import BLOCKS, TwoSidedEvidence

TEMPERING = np.array([0.0, 0.1, 1.0])


def a_round(values=(-50.0, -50.1), half_gap=0.05, variance=0.01, journeys=(6, 8)):
    evidence = [TwoSidedEvidence(value - half_gap, value + half_gap, value, variance) for value in values]
    return RoundResult(TEMPERING, evidence, np.array([0.4, 0.5]), np.zeros((2, 3)), np.array(journeys), 1000)


def judged(*rounds, smc=(-50.5, -50.2)):
    return judge_rounds(Start(TEMPERING, np.zeros((2, 3, 1)), np.array(smc), 3.0, 500), list(rounds))


def test_rounds_that_agree_are_reliable():
    evidence = judged(a_round((-50.2, -50.1)), a_round())
    assert evidence.reliable
    assert evidence.value == pytest.approx(-50.05)
    assert evidence.lower == pytest.approx(-50.10)
    assert evidence.upper == pytest.approx(-50.00)
    assert evidence.mcse == pytest.approx(0.1 / 2**0.5)
    assert evidence.details["gradient_evaluations"] == 2500


@pytest.mark.parametrize(
    ("rounds", "smc", "reason"),
    [
        ([a_round(), a_round(half_gap=0.6)], (-50.0, -50.0), "above and from below"),
        ([a_round(), a_round((-50.0, -51.0))], (-50.0, -50.0), "systems disagree"),
        ([a_round(), a_round((-50.0, -52.0), variance=4.0)], (-50.0, -50.0), "systems disagree"),
        ([a_round((-52.0, -52.0)), a_round()], (-50.0, -50.0), "since the round before"),
        ([a_round()], (-50.0, -50.0), "single round"),
        ([a_round(), a_round(journeys=(1, 30))], (-50.0, -50.0), "journeys"),
        ([a_round(), a_round()], (-42.0, -60.0), "estimate of SMC"),
    ],
)
def test_contradictions_are_told(rounds, smc, reason):
    """The third has error bars wide enough to hide any difference, which the cap on the spread does not allow."""
    evidence = judged(*rounds, smc=smc)
    assert not evidence.reliable
    assert any(reason in each for each in evidence.reasons)


def test_journeys_are_counted_from_end_to_end():
    """A replica that shuttles over three levels makes two every four sweeps; those that never arrive make none."""
    path = np.array([0, 1, 2, 1] * 5 + [0])
    replica = np.stack([np.where(path == level, 7, 8 + level) for level in range(3)], axis=1)
    assert count_journeys(replica) == 10


@pytest.mark.statistical
@pytest.mark.parametrize("persistent", [True, False], ids=["systems stay apart", "rounds differ"])
@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0, 4.0])
def test_intervals_cover_what_blocks_do_not_see(spread, persistent):
    """Two systems that differ by more than their blocks tell: 95 % intervals cover at least 93 %, or it is flagged.

    In 8,000 replications each the rate is 95.3 to 100 %, so that 92 % in 800 is a false alarm once in 10,000. With the
    18 degrees of freedom of the blocks where these make the larger error it would be 88 %.
    """
    rng, replications, good = np.random.default_rng(0), 800, 0
    for _ in range(replications):
        offset = spread * rng.normal(size=2)
        rounds = []
        for error in (0.1 * 2**0.5, 0.1):
            variances = error**2 * rng.chisquare(BLOCKS - 1, size=2) / (BLOCKS - 1)
            values = -50.0 + offset + error * rng.normal(size=2)
            one = a_round()
            evidence = [TwoSidedEvidence(v - 0.05, v + 0.05, v, w) for v, w in zip(values, variances, strict=True)]
            rounds.append(one._replace(evidence=evidence))
            offset = offset if persistent else spread * rng.normal(size=2)
        found = judged(*rounds, smc=(-55.0, -55.0))
        low, high = found.interval()
        good += (low <= -50.0 <= high) or not found.reliable
    assert good / replications >= 0.92


@pytest.mark.parametrize(
    ("values", "half_gap", "confirmed"),
    [((-50.0, -50.1), 0.5, True), ((-50.0, -53.0), 0.5, False), ((-50.0, -50.1), 2.0, False)],
)
def test_another_method_is_confirmed_where_nothing_speaks_against_it(values, half_gap, confirmed):
    evidence = Evidence(-50.2, 0.1, "smc")
    assert confirms(judged(a_round(), a_round(values, half_gap)), evidence) is confirmed


def test_levels_without_common_draws_are_further_apart_than_their_rejections_say():
    """Of normal log likelihoods of variance s^2 the barrier is d s/sqrt(pi), to which rejections of 1 are blind."""
    d, s = 0.5, 20.0
    result = a_round()._replace(
        tempering=np.array([0.0, d, 2 * d]),
        rejection=np.array([1.0, 0.3]),
        expected_log_likelihood=np.tile([0.0, d * s**2, 2 * d * s**2], (2, 1)),
    )
    assert result.local_barriers[1] == 0.3
    assert result.local_barriers[0] == pytest.approx(min(d * s / np.pi**0.5, LARGEST_LOCAL_BARRIER))
    smaller = result._replace(expected_log_likelihood=0.25 * result.expected_log_likelihood)
    assert smaller.local_barriers[0] == pytest.approx(0.5 * d * s / np.pi**0.5)
