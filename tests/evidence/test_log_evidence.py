"""Every method of estimating an evidence against quadrature, and that each tells when it fails."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.evidence.bridge import bridge
from bayes_nn.inference.problem.evidence import combine_islands
from bayes_nn.inference.problem.repeated_estimates import Estimates, repeat_estimates
from bayes_nn.inference.problem.thermodynamics import TemperingPath, cross_checks

NET = bnn.mlp(1, "identity", weight_std=1.0, bias_std=0.0)
NOISE = bnn.Gaussian(0.5)


@pytest.fixture(scope="module")
def few():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(30, 3))
    return X, X @ rng.normal(size=3) + 0.5 * rng.normal(size=30)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("method", ["smc", "thermodynamic", "importance", "bridge", "nested"])
def test_methods_agree_with_quadrature(method, few, deep_linear_evidence):
    """4 standard errors: a false alarm once in 16,000 with an honest error; the seed is fixed."""
    X, y = few
    evidence = inference.log_evidence(bnn.BayesianNetwork(NET, 4), X, y, method, NOISE, standardize=False, key=2)
    exact = deep_linear_evidence(X, y, 0.25, (4,))
    assert evidence.method == method
    assert evidence.reliable, evidence.reasons
    assert evidence.details["stopped"] == "tolerance"
    assert evidence.mcse <= 0.1
    assert abs(evidence.value - exact) < 4 * evidence.mcse


@pytest.mark.statistical
def test_unbiased_smc_agrees_with_quadrature_and_says_that_it_is_unbiased(few, deep_linear_evidence):
    """4 standard errors: a false alarm once in 16,000 with an honest error; the seed is fixed."""
    asked = {"standardize": False, "key": 2, "tolerance": 0.15, "sampler": inference.SMC(particles=32)}
    evidence = inference.log_evidence(bnn.BayesianNetwork(NET, 4), *few, "unbiased_smc", NOISE, **asked)
    exact = deep_linear_evidence(*few, 0.25, (4,))
    assert evidence.method == "unbiased_smc"
    assert evidence.unbiased
    assert evidence.reliable, evidence.reasons
    assert abs(evidence.value - exact) < 4 * evidence.mcse
    assert evidence.mcse < 0.3
    islands = evidence.details["log_evidence_by_island"]
    assert evidence.degrees_of_freedom == len(islands) - 1
    assert not set(islands) & set(evidence.details["log_evidence_of_pilot"])


def test_the_islands_of_unbiased_smc_are_counted_before_they_run(few, monkeypatch):
    """Islands that differ by tens of nats are as many as islands that agree; neither are more than the time allows."""
    from bayes_nn.inference.sampling import smc_run

    original = smc_run.run_smc

    def found(differ, tolerance, max_seconds):
        def made_up(problem, settings, key, schedule):
            run = original(problem, settings, key, schedule=schedule)
            log_evidence = {"log_evidence_by_island": (-40.0 - differ * np.arange(settings.islands)).tolist()}
            return run._replace(evidence=replace(run.evidence, details=run.evidence.details | log_evidence))

        monkeypatch.setattr(smc_run, "run_smc", made_up)
        network, asked = bnn.BayesianNetwork(NET, 4), {"standardize": False, "sampler": inference.SMC(particles=32)}
        limits = {"tolerance": tolerance, "max_seconds": max_seconds}
        return inference.log_evidence(network, *few, "unbiased_smc", NOISE, **asked, **limits)

    tame, wild = found(0.0, 0.02, 600.0), found(20.0, 0.02, 600.0)
    count = len(tame.details["log_evidence_by_island"])
    assert len(wild.details["log_evidence_by_island"]) == count > 4
    assert any("disagree" in reason for reason in wild.reasons)
    assert wild.details["stopped"] == "islands"
    hurried = found(20.0, 0.02, 1e-3)
    assert len(hurried.details["log_evidence_by_island"]) == 4
    assert hurried.details["stopped"] == "max_seconds"


def test_laplace_is_close_for_one_scale_and_never_called_reliable(few, deep_linear_evidence):
    """The scale mixture has one latent whose posterior is nearly Gaussian on the log scale: 0.05 nats."""
    X, y = few
    evidence = inference.log_evidence(priors.ScaleMixture(NET, 16), X, y, "laplace", NOISE, standardize=False)
    assert evidence.value == pytest.approx(deep_linear_evidence(X, y, 0.25, (16,)), abs=0.05)
    assert not evidence.reliable
    assert np.isnan(evidence.mcse)


def test_laplace_names_a_ridge(few):
    """Rotating the hidden units of a linear network changes nothing, so that its peaks are flat."""
    evidence = inference.log_evidence(bnn.BayesianNetwork(NET, 3), *few, "laplace", NOISE)
    assert any("flat along a symmetry" in reason for reason in evidence.reasons)


def test_without_latents_every_method_is_exact(few):
    prior = priors.NNGP(NET)
    assert inference.log_evidence(prior, *few, "smc", NOISE) == inference.log_evidence(prior, *few, "exact", NOISE)


def test_importance_and_bridge_tell_when_the_posterior_is_far_from_the_prior():
    """A width of 3 and precise targets: a handful of 20,000 prior draws carries the evidence."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]
    network = bnn.BayesianNetwork(bnn.mlp(1, weight_std=1.4, bias_std=0.1), 3)
    short = inference.InfiniteHMC(warmup=50, draws=50)
    for method, sampler in (("importance", None), ("bridge", short)):
        evidence = inference.log_evidence(network, X, y, method, bnn.Gaussian(0.05), sampler=sampler, max_seconds=1e-3)
        assert not evidence.reliable
        assert evidence.details["stopped"] == "max_seconds"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "harmonic"}, "unknown method 'harmonic'"),
        ({"method": "exact"}, "no exact posterior"),
        ({"tolerance": 0.0}, "must be positive"),
        ({"method": "bridge", "sampler": "smc"}, "takes settings of Markov chains"),
        ({"method": "smc", "sampler": inference.NUTS()}, "takes inference.SMC"),
        ({"method": "importance", "sampler": "smc"}, "takes no sampler"),
        ({"method": "unbiased_smc", "sampler": inference.NUTS()}, "takes inference.SMC"),
        ({"method": "nested", "prior": bnn.BayesianNetwork(NET, 50)}, "nested sampling of 150 latents"),
        ({"method": "laplace", "prior": bnn.BayesianNetwork(NET, 700)}, "Hessian of 2100 latents"),
        ({"prior": priors.FrozenFeatures(NET, 5)}, "code length"),
    ],
)
def test_bad_requests_are_refused(few, arguments, message):
    asked = {"prior": bnn.BayesianNetwork(NET, 4), "likelihood": NOISE} | arguments
    with pytest.raises(ValueError, match=message):
        inference.log_evidence(asked.pop("prior"), *few, **asked)


@pytest.mark.statistical
def test_tempering_path_of_a_known_gaussian():
    """l = -a x^2/2 under N(0, 1): Z_t = (1 + a t)^(-1/2), KL and E_1[l] in closed form; 1,000 exact draws each.

    The tolerances are 5 standard errors over 64 islands as the test itself sees them, and what the rules leave over.
    """
    a, t = 40.0, np.concatenate([[0.0], np.geomspace(1e-3, 1.0, 25)])
    rng = np.random.default_rng(3)
    x = rng.normal(size=(64, len(t), 1000)) / np.sqrt(1.0 + a * t)[:, None]
    path = TemperingPath(np.tile(t, (64, 1)), -0.5 * a * x**2)
    exact, expected = -0.5 * np.log1p(a), -0.5 * a / (1.0 + a)
    integral, correction = path.thermodynamic_integral()
    assert abs(integral.mean() - exact) < 5 * integral.std(ddof=1) / 8 + 3e-3
    assert np.all(np.abs(correction) < 0.05)
    assert path.integral_variance().mean() == pytest.approx(integral.var(ddof=1), rel=0.7)
    divergence = path.divergence()
    assert abs(divergence.mean() - (expected - exact)) < 5 * divergence.std(ddof=1) / 8 + 1e-2
    assert cross_checks(path, np.full(64, exact))[1] == ()
    assert len(cross_checks(path, np.full(64, exact + 2.0))[1]) == 2


@pytest.mark.statistical
def test_bridge_error_is_honest():
    """200 bridges between two Gaussians: their spread is the stated error within 25 % (five errors of a spread)."""
    rng = np.random.default_rng(1)

    def ratio(u):
        return 0.5 * u**2 - 0.5 * (u - 1.5) ** 2

    found = np.array([bridge(ratio(rng.normal(1.5, 1, (2, 200))), ratio(rng.normal(size=1600))) for _ in range(200)])
    assert abs(found[:, 0].mean()) < 4 * found[:, 0].std() / 200**0.5
    assert found[:, 0].std() == pytest.approx(np.sqrt(found[:, 1].mean()), rel=0.25)


def _rounds(spread, seen):
    def one_round(key, effort, report):
        seen.append(effort)
        values = spread / effort * np.asarray(jax.random.normal(key, (4,)))
        return Estimates(values, np.full(4, 1e-4), (), {})

    return one_round


@pytest.mark.slow
def test_bridge_trusts_a_likelihood_that_is_constant():
    """y does not depend on the latent, so that the evidence is log p(y) whatever the chains do."""

    def model(X, y=None):
        numpyro.sample("idle", dist.Normal(0.0, 1.0))
        numpyro.sample("y", dist.Normal(jnp.zeros(len(X)), 1.0), obs=y)

    y = np.array([0.5, -0.2, 1.0])
    found = inference.log_evidence(
        priors.NumPyroPrior(model), np.arange(3.0), y, "bridge", standardize=False, progress=False,
        sampler=inference.InfiniteHMC(warmup=100, draws=200),
    )  # fmt: skip
    assert found.reliable, found.reasons
    assert abs(found.value - stats.norm.logpdf(y).sum()) < 0.01


def test_a_reason_is_given_once():
    """A run that distrusts its islands, and the look at all islands, find the same."""
    log_evidence = np.array([-10.0, -14.0, -12.0, -13.0])
    reason = combine_islands(log_evidence, np.zeros(4))[2]
    apart = Estimates(log_evidence, np.zeros(4), reason, {})
    found = repeat_estimates(lambda *_: apart, "made up", jax.random.key(0), 0.1, 0.0, lambda *_: None)
    assert found.reasons == reason


def test_rounds_go_on_until_the_tolerance():
    seen = []
    evidence = repeat_estimates(_rounds(0.3, seen), "smc", jax.random.key(0), 0.05, 60.0, lambda *_: None)
    assert evidence.mcse <= 0.05
    assert evidence.details["stopped"] == "tolerance"
    assert len(seen) > 3
    assert set(seen) == {1}
    assert len(evidence.details["log_evidence_by_island"]) == 4 * len(seen)


def test_rounds_that_disagree_are_made_anew_with_more_particles():
    seen = []
    evidence = repeat_estimates(_rounds(6.0, seen), "smc", jax.random.key(0), 0.2, 60.0, lambda *_: None)
    assert evidence.reliable
    assert max(seen) > 4
    assert evidence.details["effort"] == max(seen)


def test_a_systematic_error_counts_and_asks_for_more_effort():
    def one_round(key, effort, report):
        return Estimates(1e-3 * np.arange(4.0), np.full(4, 1e-6), (), {}, bias=0.3 / effort**2)

    evidence = repeat_estimates(one_round, "thermodynamic", jax.random.key(0), 0.1, 60.0, lambda *_: None)
    assert evidence.details["effort"] == 2
    assert evidence.mcse == pytest.approx(0.3 / 4, rel=0.01)
    assert evidence.details["stopped"] == "tolerance"


def test_spent_time_is_said():
    evidence = repeat_estimates(_rounds(6.0, []), "smc", jax.random.key(0), 0.1, 1e-9, lambda *_: None)
    assert evidence.details["stopped"] == "max_seconds"
    assert not evidence.reliable


def test_an_identity_too_noisy_to_confirm_anything_is_named():
    """Islands whose last particles sit in modes 8 nats apart: they agree on log Z, and the identity does not."""
    t = np.concatenate([[0.0], np.geomspace(1e-3, 1.0, 25)])
    rng = np.random.default_rng(3)
    log_likelihood = -0.5 * 40.0 * (rng.normal(size=(4, len(t), 200)) / np.sqrt(1.0 + 40.0 * t)[:, None]) ** 2
    log_likelihood[:, -1] += np.array([-4.0, 4.0, -4.0, 4.0])[:, None]
    path = TemperingPath(np.tile(t, (4, 1)), log_likelihood)
    figures, doubts = cross_checks(path, np.full(4, -0.5 * np.log(41.0)))
    assert figures["identity_gap_mcse"] > 1.0
    assert any("too few particles" in doubt for doubt in doubts)
