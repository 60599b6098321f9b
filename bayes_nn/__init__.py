"""Better prior or feature learning: finite Bayesian networks against their infinite-width limits.

Importing the package switches JAX to float64 (see :mod:`bayes_nn.environment`) and does not start its
backend, so that :func:`use_all_cores` can be called right after the import.
"""

from bayes_nn.environment import PerformanceHint, enable_double_precision, use_all_cores

enable_double_precision()

from bayes_nn import inference, network, priors, tasks  # noqa: E402
from bayes_nn.activations import (  # noqa: E402
    Abs,
    Activation,
    Cos,
    Erf,
    Gelu,
    Identity,
    LeakyRelu,
    Rbf,
    Relu,
    Sin,
    Tanh,
)
from bayes_nn.architecture import Serial, mlp  # noqa: E402
from bayes_nn.ensemble import TrainedEnsemble  # noqa: E402
from bayes_nn.gradient_descent import linearize  # noqa: E402
from bayes_nn.hyperparameters import Shared  # noqa: E402
from bayes_nn.inference.compare import compare  # noqa: E402
from bayes_nn.inference.comparison import Comparison  # noqa: E402
from bayes_nn.inference.evidence import Evidence  # noqa: E402
from bayes_nn.inference.fit import fit  # noqa: E402
from bayes_nn.inference.posterior import Posterior  # noqa: E402
from bayes_nn.inference.storage import load  # noqa: E402
from bayes_nn.inference.verdict import Verdict  # noqa: E402
from bayes_nn.layers import AvgPool, Conv, Dense, Flatten, GlobalAvgPool, LayerNorm, Residual  # noqa: E402
from bayes_nn.likelihood import Bernoulli, Categorical, Gaussian, Likelihood  # noqa: E402
from bayes_nn.predictive import ClassPredictive, Predictive  # noqa: E402
from bayes_nn.priors import BayesianNetwork  # noqa: E402
from bayes_nn.progress import ConvergenceWarning  # noqa: E402
from bayes_nn.training import train  # noqa: E402

__all__ = [
    "Abs",
    "Activation",
    "AvgPool",
    "BayesianNetwork",
    "Bernoulli",
    "Categorical",
    "ClassPredictive",
    "Comparison",
    "Conv",
    "ConvergenceWarning",
    "Cos",
    "Dense",
    "Erf",
    "Evidence",
    "Flatten",
    "Gaussian",
    "Gelu",
    "GlobalAvgPool",
    "Identity",
    "LayerNorm",
    "LeakyRelu",
    "Likelihood",
    "PerformanceHint",
    "Posterior",
    "Predictive",
    "Rbf",
    "Relu",
    "Residual",
    "Serial",
    "Shared",
    "Sin",
    "Tanh",
    "TrainedEnsemble",
    "Verdict",
    "compare",
    "fit",
    "inference",
    "linearize",
    "load",
    "mlp",
    "network",
    "priors",
    "tasks",
    "train",
    "use_all_cores",
]
