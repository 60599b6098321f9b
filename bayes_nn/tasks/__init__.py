"""Tasks with a known answer, for testing whether a network needs feature learning.

The made ones have standard-normal or +-1 inputs and, unless they say otherwise, a target of mean 0 and variance 1 under
them, to which Gaussian noise is added: y has variance ``1 + noise_std**2``. Nothing is scaled by the sample, so
``noise_std`` is exact, and ``bnn.compare(..., likelihood=bnn.Gaussian(task.noise_std), standardize=False)`` knows it.
"""

from bayes_nn.tasks.boolean import sparse_parity, staircase
from bayes_nn.tasks.bundled import breast_cancer, diabetes, digits, iris, wine
from bayes_nn.tasks.index import multi_index, orthonormal_directions, single_index
from bayes_nn.tasks.prior_draws import deep_linear_teacher, nngp_draw
from bayes_nn.tasks.task import Task

__all__ = [
    "Task",
    "breast_cancer",
    "deep_linear_teacher",
    "diabetes",
    "digits",
    "iris",
    "multi_index",
    "nngp_draw",
    "orthonormal_directions",
    "single_index",
    "sparse_parity",
    "staircase",
    "wine",
]
