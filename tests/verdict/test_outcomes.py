"""Outcomes of the verdict on rows with known numbers: every scenario of docs/verdict.md among them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bayes_nn.inference.comparison.result import Comparison
from bayes_nn.inference.verdict.prior_result import PriorResult

RUNG = {"NNGP": 0, "NTK": 0, "ScaleMixture": 1, "InputMetric": 2, "BayesianNetwork": 3}
NETWORK, NNGP, NTK, SCALE, METRIC = "BayesianNetwork", "NNGP", "NTK", "ScaleMixture", "InputMetric"


def row(kind, evidence, gain=0.0, *, mcse=0.05, spread=0.2, reasons=(), points=400, splits=1, lpd_mcse=0.0, **more):
    """A prior whose test predictions are better than the NNGP's by ``gain`` on average, by points that spread so."""
    noise = stats.norm.ppf((np.arange(points) + 0.5) / points)
    noise = np.random.default_rng(len(kind)).permutation(noise) if kind != NNGP else np.zeros(points)
    lpd = -1.0 + gain + spread * noise
    fields = {
        "name": kind, "kind": kind, "learns_features": kind == NETWORK,
        "has_hidden_weights": kind in (NETWORK, "FrozenFeatures"),
        "log_evidence_by_split": (evidence,) * splits, "mcse_by_split": (mcse if kind != NNGP else 0.0,) * splits,
        "method": "smc", "reasons": reasons, "lpd_test": list(np.array_split(lpd, splits)),
        "test_mean": [np.zeros((len(part), 1)) for part in np.array_split(lpd, splits)],
        "test_std": [np.ones((len(part), 1)) for part in np.array_split(lpd, splits)],
        "rmse": 1.0, "feature_information": 12.0 if kind == NETWORK else 0.0, "feature_information_mcse": 0.2,
        "seconds": 1.0, "sampler_reasons": tuple(one for one in reasons if one.startswith("R-hat")),
        "nats_on_shape": 9.0 if kind == NETWORK else 0.0, "nats_on_shape_mcse": 0.3, "nats_on_scale": 3.0,
        "mixes_inputs": kind == METRIC, "rung": RUNG.get(kind), "lpd_mcse_by_split": (lpd_mcse,) * splits,
    }  # fmt: skip
    return PriorResult(**fields | more)


def comparison(*rows, train_rows=200):
    ordered = sorted(rows, key=lambda one: -one.log_evidence)
    tests = [np.zeros((len(part), 1)) for part in ordered[0].lpd_test]
    return Comparison(ordered, tests, train_rows, True, {"vectors": True})


WHOLE = {NNGP: -120.0, SCALE: -118.0, METRIC: -117.0, NETWORK: -100.0}


def whole(gains=None, **evidences):
    """A ladder: the network is ahead by 17 nats and 0.1 nats per test point, but for what is said."""
    gains = {NETWORK: 0.1} | (gains or {})
    return [row(kind, value, gains.get(kind, 0.0)) for kind, value in (WHOLE | evidences).items()]


@pytest.mark.parametrize(
    ("rows", "outcome", "rung"),
    [
        (whole(), "needs hidden features", "hidden features"),
        (whole({METRIC: 0.1, NETWORK: 0.1}, InputMetric=-98.0), "explained by a learned input metric", "input metric"),
        (whole({SCALE: 0.1, NETWORK: 0.1}, ScaleMixture=-101.0), "explained by scale", "scale"),
        (whole({NETWORK: 0.0}, BayesianNetwork=-119.5), "no finite-width gain", "infinite width"),
        (whole({NETWORK: -0.2}, BayesianNetwork=-140.0), "no finite-width gain", "infinite width"),
        # A row 0.1 nats of evidence below the best still explains: no row is singled out by a hair.
        (
            whole({SCALE: 0.1, METRIC: -0.1}, ScaleMixture=-100.1, InputMetric=-100.0),
            "explained by scale", "scale",
        ),
        # A gain of evidence that no prediction shows, and the reverse, are contradictions.
        (whole({NETWORK: -0.05}), "undecided", ""),
        (whole({NETWORK: 0.1}, BayesianNetwork=-121.0), "undecided", ""),
        # Between strong evidence and the level of the guarantee nothing is claimed.
        (whole(BayesianNetwork=-113.5), "undecided", ""),
    ],
)  # fmt: skip
def test_the_lowest_rung_that_does_as_well_is_named(rows, outcome, rung):
    verdict = comparison(*rows).verdict
    assert (verdict.outcome, verdict.rung) == (outcome, rung)
    assert (outcome == "undecided") == bool(verdict.what_would_settle_it)
    assert outcome in str(verdict)


def test_what_is_closest_to_the_network_comes_first():
    """3.5 and 4.5 nats ahead, of 4.6 that are needed: the page begins with the first reason."""
    reasons = comparison(*whole(BayesianNetwork=-113.5)).verdict.reasons
    assert [METRIC in reasons[0], SCALE in reasons[2]] == [True, True]


def test_hidden_features_are_not_called_for_where_a_rung_is_missing():
    for missing in (SCALE, METRIC):
        verdict = comparison(*(one for one in whole() if one.kind != missing)).verdict
        assert verdict.outcome == "undecided"
        assert missing in verdict.reasons[0]
    images = Comparison([one for one in whole() if one.kind != METRIC], [], 200, True, {"vectors": False})
    assert images.verdict.outcome == "needs hidden features"


def test_a_metric_of_single_inputs_does_not_stand_for_one_of_any_direction():
    """On a single index of any direction a scale per input is far behind a network that needs no features."""
    rows = [replace(one, mixes_inputs=False) for one in whole()]
    verdict = comparison(*rows).verdict
    assert verdict.outcome == "undecided"
    assert "rank=2" in verdict.reasons[0]


def test_another_kernel_may_explain_the_gain():
    rows = [*whole(), row("KernelPrior", -99.0, 0.1)]
    verdict = comparison(*rows).verdict
    assert (verdict.outcome, verdict.explained_by) == ("explained by a better prior", "KernelPrior")


def test_a_significant_gain_that_does_not_matter_is_none():
    """4,000 test points, +0.0122 +- 0.0022 over points, log Bayes factor -0.53: other rows, other gain."""
    rows = [row(NNGP, -50.0, points=4000), row(NETWORK, -50.53, 0.0122, spread=0.139, points=4000)]
    verdict = comparison(*rows, train_rows=80).verdict
    assert verdict.outcome == "no finite-width gain"
    assert verdict.gain_error > 5 * 0.0022


def test_more_test_points_do_not_make_a_false_alarm_more_likely():
    """Exact Gaussian processes with a slightly wrong kernel: one training set of 60 rows scored on 100 to 2,000 points.

    The rate at which the wrong one is said to predict better, by an interval of 95 %, in 200 data sets: its expected
    value is at most 2.5 %, and more than 11 of 200 (5.5 %) come up with a probability below 1 % then.
    """
    from bayes_nn.inference.verdict.gain import gain

    rng, alarms = np.random.default_rng(0), {100: 0, 500: 0, 2000: 0}
    for _ in range(200):
        X = rng.normal(size=(2060, 3))
        distance = np.sum((X[:, None] - X[None, :60]) ** 2, axis=2)

        def lpd(scale, y, distance=distance):
            K, k = np.exp(-0.5 * distance[:60] / scale**2), np.exp(-0.5 * distance[60:] / scale**2)
            solved = np.linalg.solve(K + 0.09 * np.eye(60), np.column_stack([y[:60], k.T]))
            variance = 1.09 - np.sum(k * solved[:, 1:].T, axis=1)
            return stats.norm.logpdf(y[60:], k @ solved[:, 0], np.sqrt(variance))

        # A draw of f at the training inputs, and independent draws of y at test inputs given it.
        K, k = np.exp(-0.5 * distance[:60] / 4.0), np.exp(-0.5 * distance[60:] / 4.0)
        f = np.linalg.cholesky(K + 1e-9 * np.eye(60)) @ rng.normal(size=60)
        weights = np.linalg.solve(K + 1e-9 * np.eye(60), np.column_stack([f, k.T]))
        new = k @ weights[:, 0] + np.sqrt(np.maximum(1.0 - np.sum(k * weights[:, 1:].T, axis=1), 0)) * rng.normal(
            size=2000
        )
        y = np.concatenate([f, new]) + 0.3 * rng.normal(size=2060)
        truth, wrong = lpd(2.0, y), lpd(2.1, y)
        for points in alarms:
            found = gain([wrong[:points]], [truth[:points]], 60)
            alarms[points] += found.interval()[0] > 0.0
    assert max(alarms.values()) <= 11, alarms


def test_few_test_points_tell_nothing():
    for points in (2, 4, 19):
        verdict = comparison(
            *(row(kind, value, 0.1 * (kind == NETWORK), points=points) for kind, value in WHOLE.items())
        )
        assert verdict.verdict.outcome == "undecided"
        assert "test points" in verdict.verdict.reasons[0]


def test_a_gain_of_19_hundredths_with_half_its_error_is_not_called_none():
    rows = [row(NNGP, -50.0, points=30), row(NETWORK, -50.2, 0.19, spread=0.5, points=30)]
    verdict = comparison(*rows, train_rows=80).verdict
    assert verdict.outcome == "undecided"
    assert any("more" in what for what in verdict.what_would_settle_it)


def test_monte_carlo_error_of_predictions_counts():
    rows = [
        row(kind, value, 0.1 * (kind == NETWORK), lpd_mcse=0.2 * (kind == NETWORK)) for kind, value in WHOLE.items()
    ]
    verdict = comparison(*rows).verdict
    assert verdict.outcome == "undecided"
    assert verdict.gain_error > 0.2


@pytest.mark.parametrize(
    ("unreliable", "evidence", "gain", "outcome"),
    [
        # The network's evidence may be higher than found, never much lower: a lead stands.
        (NETWORK, -100.0, 0.1, "needs hidden features"),
        # That of a lower rung may be higher: the lead over it does not.
        (METRIC, -100.0, 0.1, "undecided"),
        # A network that was not found to be ahead could be, unless its predictions rule out that it matters.
        (NETWORK, -121.0, 0.0, "undecided"),
        (NETWORK, -121.0, -0.1, "no finite-width gain"),
        # Far behind, a sampler's error does not make up for it.
        (NETWORK, -140.0, 0.0, "no finite-width gain"),
    ],
)
def test_unreliable_evidence_counts_on_the_side_on_which_it_errs(unreliable, evidence, gain, outcome):
    rows = [
        row(
            kind, evidence if kind == NETWORK else value, gain if kind == NETWORK else 0.0,
            reasons=("the islands disagree",) if kind == unreliable else (),
        )
        for kind, value in WHOLE.items()
    ]  # fmt: skip
    verdict = comparison(*rows).verdict
    assert verdict.outcome == outcome
    assert any("the islands disagree" in reason or "better evidence" in reason for reason in (
        *verdict.reasons, *verdict.what_would_settle_it,
    ))  # fmt: skip


def test_chains_that_disagree_are_a_reminder():
    rows = [
        row(kind, value, 0.1 * (kind == NETWORK), reasons=("R-hat 1.2",) * (kind == NETWORK))
        for kind, value in WHOLE.items()
    ]
    verdict = comparison(*rows).verdict
    assert verdict.outcome == "needs hidden features"
    assert any("R-hat 1.2" in reason for reason in verdict.reasons)


def test_doubts_of_single_splits_are_not_pooled():
    """Twenty splits, some fit of each prior with chains that disagree."""
    rows = [
        row(kind, value, 0.1 * (kind == NETWORK), splits=20, reasons=("R-hat 1.06",), points=400)
        for kind, value in WHOLE.items()
    ]
    assert comparison(*rows).verdict.outcome == "needs hidden features"


def test_hidden_weights_that_moved_by_nothing_are_no_features():
    rows = [
        row(kind, value, 0.1 * (kind == NETWORK), **({"nats_on_shape": 0.5} if kind == NETWORK else {}))
        for kind, value in WHOLE.items()
    ]
    verdict = comparison(*rows).verdict
    assert verdict.outcome == "undecided"
    assert "on the shape" in verdict.reasons[0]


def test_a_prior_made_from_the_data_explains_nothing():
    rows = [*whole(), row("AfterKernel", -50.0, 0.3, peeks=True)]
    result = comparison(*rows)
    assert result.verdict.outcome == "needs hidden features"
    assert np.isnan(result.table.probability["AfterKernel"])
    assert result.table.probability.sum() == pytest.approx(1.0)


def test_shares_add_up_and_have_errors():
    shares = comparison(*whole({SCALE: 0.02, METRIC: 0.05}, ScaleMixture=-115.0, InputMetric=-110.0)).verdict.shares
    assert [share.rung for share in shares] == ["infinite width", "scale", "input metric", "hidden features"]
    np.testing.assert_allclose([share.of_evidence for share in shares], [0.0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose([share.of_lpd for share in shares], [0.0, 0.2, 0.5, 1.0], atol=1e-12)
    assert shares[0].of_evidence_error == shares[-1].of_evidence_error == 0.0
    assert 0.0 < shares[1].of_evidence_error < 0.01
    assert 0.0 < shares[1].of_lpd_error < 0.2


def test_the_mixture_of_feature_free_priors():
    result = comparison(*whole({SCALE: 0.02, METRIC: 0.05}, ScaleMixture=-115.0, InputMetric=-114.0))
    mixture = result.feature_free
    each = np.array([-120.0, -115.0, -114.0])
    assert mixture.log_evidence == pytest.approx(np.log(np.mean(np.exp(each))))
    assert mixture.log_evidence >= each.max() - np.log(3)
    assert sum(mixture.details["weights"].values()) == pytest.approx(1.0)
    assert f"posterior weights InputMetric {mixture.details['weights'][METRIC]:.2f}" in str(result)
    assert mixture.details["weights"][METRIC] == pytest.approx(np.exp(-114.0) / np.exp(each).sum())


def test_margin_and_level_can_be_set():
    result = comparison(*whole({NETWORK: 0.04}))
    assert result.judge(margin=0.2).outcome != "needs hidden features"
    assert result.judge(level=1e-12).outcome == "undecided"
    for wrong in ({"margin": -1.0}, {"level": 0.0}, {"level": 1.0}):
        with pytest.raises(ValueError, match=r"margin|level"):
            result.judge(**wrong)
