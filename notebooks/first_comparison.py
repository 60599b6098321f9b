# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A first comparison
#
# Does a network of width 16 explain these data better than its infinite-width limit, and if so, why? The target below
# depends on one direction of the inputs, through a bend: what a network can learn and a kernel cannot.

# %%
import bayes_nn as bnn

bnn.use_all_cores()

# %%
import numpy as np
from bayes_nn import inference, priors

rng = np.random.default_rng(0)
X = rng.normal(size=(160, 6))
direction = np.ones(6) / 6**0.5
y = (X @ direction) ** 2 + 0.3 * rng.normal(size=160)

# %% [markdown]
# Standard deviations that are left out are inferred, under the same priors for every candidate. The scale mixture has the
# one thing that finite width gives a prior without any features: a random scale.

# %%
net = bnn.mlp(depth=1, activation="relu")
candidates = [priors.NNGP(net), priors.ScaleMixture(net, width=16), bnn.BayesianNetwork(net, width=16)]
result = bnn.compare(candidates, X[:80], y[:80], X[80:], y[80:], sampler=inference.SMC(particles=48))
result.table.round(2)

# %%
print(result.verdict)

# %%
result.plot_evidence()

# %% [markdown]
# The posterior of one prior, in ArviZ. Weights are identified only up to the symmetries of the network, so convergence is
# judged on functions and on the log likelihood.

# %%
import arviz as az

posterior = result.posteriors[candidates[-1].name]
print(posterior.convergence)
az.summary(posterior.to_datatree(), var_names=["noise_std", "weight_std_0", "weight_std_1"])
