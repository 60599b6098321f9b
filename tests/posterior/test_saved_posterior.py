"""Posteriors come back from a file and predict as before; what holds code of the user's is refused."""

from dataclasses import replace

import gpjax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.problem.evidence import Evidence

NET = bnn.mlp(depth=1)
FEW = inference.SMC(particles=8, islands=2)
SHARED = bnn.Shared(dist.LogNormal(0.3, 0.5))
CASES = {
    "network": (bnn.BayesianNetwork(NET, 4), bnn.Gaussian(0.3)),
    "exact": (priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)), bnn.Gaussian(0.3)),
    "shared std": (priors.NNGP(bnn.mlp(depth=1, weight_std=SHARED, bias_std=dist.HalfNormal(0.2))), bnn.Gaussian()),
    "scale mixture": (priors.ScaleMixture(bnn.mlp(1, "relu", weight_std=1.4, bias_std=0.1), 8), bnn.Gaussian(0.3)),
    "labels": (priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)), bnn.Bernoulli()),
    "residual": (
        priors.NNGP(bnn.Serial(bnn.Dense(1.4), bnn.Residual(bnn.Relu(), bnn.Dense(1.4)), bnn.Relu(), bnn.Dense(1.4))),
        bnn.Gaussian(0.3),
    ),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
@pytest.mark.parametrize("case", CASES)
def test_a_saved_posterior_predicts_as_before(small_data, case, tmp_path):
    prior, likelihood = CASES[case]
    X, y = pd.DataFrame(small_data[0], columns=["a", "b", "c"]), small_data[1]
    y = np.where(y > 0.0, "up", "down") if likelihood.labels else y
    posterior = bnn.fit(prior, X, y, likelihood, None if case == "exact" else FEW, key=2)
    again = bnn.load(posterior.save(tmp_path / "deep" / "posterior.npz"))
    assert isinstance(again, bnn.Posterior)
    new = X[["c", "a", "b"]] + 0.5
    np.testing.assert_array_equal(again.predict(new).mean, posterior.predict(new).mean)
    np.testing.assert_array_equal(again.predict(new).log_prob(y), posterior.predict(new).log_prob(y))
    assert again.chain_weights == posterior.chain_weights
    assert again.log_evidence == posterior.log_evidence
    assert again.reasons == posterior.reasons
    assert again.seconds == posterior.seconds
    assert again.prior == posterior.prior
    assert list(again.problem.latents) == list(posterior.problem.latents)
    np.testing.assert_array_equal(again.function_draws["f"], posterior.function_draws["f"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
@pytest.mark.parametrize("method", ["evidence", "stacking"])
def test_chains_that_disagree_predict_as_before(small_data, method, tmp_path):
    X, y = small_data
    sampler = inference.InfiniteHMC(chains=2, warmup=20, draws=60)
    posterior = bnn.fit(CASES["scale mixture"][0], X, y, bnn.Gaussian(0.3), sampler, key=2)
    # The second chain has another scale.
    values = {name: value * np.array([[1.0], [0.05]]) for name, value in posterior.values.items()}
    evidence = Evidence(0.0, 0.0, "smc", details={"log_evidence_by_island": [-40.0, -39.0]})
    sampler = ("smc", evidence) if method == "evidence" else ("nuts", None)
    posterior = replace(posterior, values=values, sampler=sampler[0], sampler_evidence=sampler[1])
    again = bnn.load(posterior.save(tmp_path / "posterior.npz"))
    predictive = again.predict(X)
    assert again.chain_weights.method == method
    np.testing.assert_array_equal(predictive.draw_weights, posterior.predict(X).draw_weights)
    np.testing.assert_array_equal(predictive.log_prob(y), posterior.predict(X).log_prob(y))
    np.testing.assert_array_equal(predictive.sample(0, 3), posterior.predict(X).sample(0, 3))


@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_damage_and_other_files_are_refused(small_data, tmp_path, flip_bits):
    posterior = bnn.fit(CASES["exact"][0], *small_data, bnn.Gaussian(0.3))
    path = posterior.save(tmp_path / "posterior.npz")
    for damaged in flip_bits(path.read_bytes(), 50):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"posterior\.npz .*restore it from a copy"):
            bnn.load(path)


class Own(priors.NNGP):
    """A prior of the user's."""


@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_code_of_the_users_is_refused_in_words(small_data, tmp_path):
    fixed = {"weight_std": 1.4, "bias_std": 0.1}
    refused = {
        "a function": priors.NNGP(bnn.mlp(1, bnn.Activation(jnp.tanh), **fixed)),
        "a class": Own(bnn.mlp(1, **fixed)),
        "a kernel": priors.KernelPrior(gpjax.kernels.RBF()),
    }
    for prior in refused.values():
        posterior = bnn.fit(prior, *small_data, bnn.Gaussian(0.3), FEW)
        with pytest.raises(ValueError, match="cannot be saved, since it holds code of your own"):
            posterior.save(tmp_path / "posterior.npz")
    assert not (tmp_path / "posterior.npz").exists()
