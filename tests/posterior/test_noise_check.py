"""Notes on the noise: what is noted, where it is shown, and that it is kept with the result."""

from dataclasses import replace

import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.posterior.noise_check import noise_notes
from bayes_nn.inference.verdict.noise_reminders import noise_reminders

NET = bnn.mlp(1, "relu", 1.4, 1.0)
NNGP, NTK = priors.NNGP(NET), priors.NTK(NET, output_scale=1.0)
RNG = np.random.default_rng(0)
X = np.linspace(-2.0, 2.0, 100)
GAUSSIAN = RNG.normal(size=100)
RISING = np.sin(2.0 * X) + 0.3 * np.interp(X, [-2.0, 2.0], [0.2, 1.2]) * GAUSSIAN
ALIKE = np.sin(2.0 * X) + 0.3 * GAUSSIAN
OUTLIERS = ALIKE.copy()
OUTLIERS[[20, 50, 80]] += [3.0, -3.0, 3.0]


def fitted(y, prior=NNGP, likelihood=None, **more):
    return bnn.fit(prior, X, y, likelihood or bnn.Gaussian(0.3), standardize=False, progress=False, **more)


def test_kind_and_likelihood_are_named():
    assert fitted(ALIKE).noise_notes == ()
    (note,) = fitted(RISING).noise_notes
    assert "HeteroscedasticNoise()" in note
    assert "where it is low" in note
    assert "along x0" in note
    (note,) = fitted(OUTLIERS).noise_notes
    assert note.startswith("3 of 100 targets are further out")
    assert "StudentTNoise()" in note
    assert all(f"{OUTLIERS[row]:.4g}" in note for row in (20, 50, 80))


def test_data_on_another_scale_have_the_same_notes():
    """Targets are named as the user gives them."""
    posterior = bnn.fit(NNGP, 100.0 * X, 50.0 + 10.0 * OUTLIERS, bnn.Gaussian(0.4), progress=False)
    (note,) = posterior.noise_notes
    assert f"{50.0 + 10.0 * OUTLIERS[20]:.4g}" in note
    assert np.isclose(posterior.dataset.targets.mean(), 50.0, atol=5.0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_latents_are_drawn_from_the_posterior():
    """Inferred noise, two chains: five draws are looked at."""
    sampler = inference.SMC(particles=64, islands=2)
    (note,) = fitted(OUTLIERS, likelihood=bnn.Gaussian(), sampler=sampler).noise_notes
    assert "StudentTNoise()" in note
    assert fitted(ALIKE, likelihood=bnn.Gaussian(), sampler=sampler).noise_notes == ()


def test_other_likelihoods_are_not_checked():
    posterior = fitted(RISING)
    other = replace(posterior.problem, likelihood=bnn.StudentTNoise(4.0, 0.3))
    assert noise_notes(posterior)
    assert noise_notes(replace(posterior, problem=other)) == {}


@pytest.fixture(scope="module")
def compared():
    return bnn.compare([NNGP, NTK], X, RISING, likelihood=bnn.Gaussian(0.3), standardize=False, splits=0)


@pytest.mark.slow
def test_a_comparison_says_it_once_and_keeps_it(compared, tmp_path):
    best = compared.rows[0]
    (reminder,) = noise_reminders(compared.rows)
    assert reminder == f"under {best.name} and 1 of 1 other priors, {best.noise_notes['spread']}"
    assert str(compared).count("HeteroscedasticNoise()") == 1
    assert compared.verdict.reasons[-1] == reminder
    assert all(row.reliable for row in compared.rows)
    compared.save(tmp_path / "result.nc")
    again = bnn.load(tmp_path / "result.nc")
    assert [row.noise_notes for row in again.rows] == [row.noise_notes for row in compared.rows]
    assert str(again) == str(compared)
    assert again.report(tmp_path / "page.html").read_text().count("HeteroscedasticNoise()") == 1


def test_a_fit_shows_it_and_keeps_it(tmp_path):
    posterior = fitted(RISING)
    (note,) = posterior.noise_notes
    assert posterior.reasons == ()
    assert note.split(" (p")[0] in posterior._repr_html_()
    assert note.split(" (p")[0] in posterior.report(tmp_path / "page.html").read_text()
    posterior.save(tmp_path / "fit.state")
    assert bnn.load(tmp_path / "fit.state").noise_notes == (note,)


@pytest.mark.slow
@pytest.mark.statistical
def test_data_of_the_prior_are_seldom_noted():
    """At a rate of 0.3 over all tests, 60 data sets: more than 30 notes would come up once in 2,000."""
    rng = np.random.default_rng(1)
    K = np.asarray(NNGP.kernel.gram(X[:, None]).as_matrix())
    factor = np.linalg.cholesky(K + 1e-9 * np.eye(100))
    noted = [noise_notes(fitted(factor @ rng.normal(size=100) + 0.3 * rng.normal(size=100)), 0.3) for _ in range(60)]
    assert sum(map(bool, noted)) <= 30
