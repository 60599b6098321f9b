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
# # Better prior, or feature learning?
#
# A finite network often predicts better than its infinite-width limit. Either its prior over functions is better, or its
# hidden layers adapt to the data. Here three tasks whose answer is known beforehand, and one data set whose answer is not.
# The sizes are small, so that this page runs in minutes; see `docs/verdict.md` for what the verdict can and cannot show.

# %%
import warnings

import bayes_nn as bnn

bnn.use_all_cores()
warnings.simplefilter("ignore", bnn.ConvergenceWarning)

# %%
import pandas as pd
from bayes_nn import inference, priors, tasks

WIDTH, ROWS = 16, 100
SETTINGS = inference.SMC(particles=48)


def ladder(net):
    """The accounts: no finite width, finite width as scale alone, and the network."""
    return [priors.NNGP(net), priors.ScaleMixture(net, WIDTH), bnn.BayesianNetwork(net, WIDTH)]


def judge(task, net, standardize=False):
    """The comparison of the accounts on a task."""
    return bnn.compare(
        ladder(net), *task.data, likelihood=bnn.Gaussian(0.3 if not standardize else None),
        standardize=standardize, sampler=SETTINGS, progress=False,
    )  # fmt: skip


# %% [markdown]
# ## 1. A draw from the infinite-width prior
#
# Nothing can beat the prior that the target was drawn from.

# %%
relu = bnn.mlp(depth=1, activation="relu", weight_std=2**0.5, bias_std=0.1)
drawn = judge(tasks.nngp_draw(relu, rows=ROWS, inputs=5, key=1), relu)
print(drawn.verdict)
drawn.table.round(3)

# %% [markdown]
# ## 2. A linear teacher of unexpected scale
#
# Linear networks learn no features worth the name, but finite width lets them find the scale of the target. The scale
# mixture has that and nothing else, and has the network's evidence to within the errors: it *is* its prior.

# %%
linear = bnn.mlp(depth=1, activation="identity", weight_std=1.0, bias_std=0.0)
teacher = judge(tasks.deep_linear_teacher(depth=1, width=WIDTH, rows=ROWS, inputs=5, scale=3.0, key=1), linear)
print(teacher.verdict)
teacher.table.round(3)

# %% [markdown]
# ## 3. One direction among many
#
# The target is a parabola in one direction of eight. A kernel spreads its belief over all directions; a network can turn
# its hidden weights to the one that matters.

# %%
single = judge(tasks.single_index(rows=ROWS, inputs=8, key=2), relu)
print(single.verdict)
single.plot_evidence()

# %% [markdown]
# How far did the features move, and what did they become?

# %%
network = single.posteriors[f"BayesianNetwork(relu, depth=1, width={WIDTH})"]
print(f"feature information {network.feature_information.value:.1f} nats")
print(inference.kernel_alignment(network))

# %% [markdown]
# What was learnt on one task helps another that shares the direction. Kernels with fixed standard deviations have nothing
# that two tasks could share.

# %%
U = tasks.orthonormal_directions(5, 1, key=0)[:, 0]
pair = [tasks.single_index(rows=rows, inputs=5, direction=U, key=key) for rows, key in ((80, 3), (30, 4))]
for prior in (priors.NNGP(relu), bnn.BayesianNetwork(relu, WIDTH)):
    moved = inference.transfer(
        prior, *((task.X, task.y) for task in pair), bnn.Gaussian(0.3), standardize=False, sampler=SETTINGS,
        max_seconds=30.0, progress=False,
    )  # fmt: skip
    print(prior.name, moved)

# %% [markdown]
# Networks trained by gradient descent carry features over as well, but need more data to form them: pre-training on a task
# of 300 rows, then fine-tuning on one of 30, against training from scratch. The gain depends on the order of the tasks,
# which the one above cannot.

# %%
pair = [
    tasks.single_index(rows=rows, inputs=5, noise_std=0.1, direction=U, key=key) for rows, key in ((300, 3), (30, 4))
]
tuned = inference.fine_tuning(
    bnn.mlp(2, "relu", 2**0.5, 0.1), *(task.data for task in pair), 20, members=4, steps=2000, progress=False
)
print(tuned)

# %% [markdown]
# ## 4. Real data
#
# Standard deviations and noise are inferred, under the same priors for every account.

# %%
diabetes = judge(tasks.diabetes(rows=ROWS, key=0), bnn.mlp(depth=1, activation="relu"), standardize=True)
print(diabetes.verdict)
diabetes.table.round(3)

# %% [markdown]
# ## The four beside each other

# %%
results = {"NNGP draw": drawn, "linear teacher": teacher, "single index": single, "diabetes": diabetes}
pd.DataFrame(
    {
        "verdict": [result.verdict.outcome for result in results.values()],
        "log Bayes factor": [round(result.verdict.log_bayes_factor, 1) for result in results.values()],
        "feature information": [round(result.verdict.feature_information, 1) for result in results.values()],
        "RMSE, NNGP": [round(result.table.rmse.filter(like="NNGP").iloc[0], 3) for result in results.values()],
        "RMSE, network": [round(result.table.rmse.filter(like="Bayesian").iloc[0], 3) for result in results.values()],
    },
    index=pd.Index(results, name="task"),
)
