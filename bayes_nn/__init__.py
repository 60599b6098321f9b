"""Better prior or feature learning: finite Bayesian networks against their infinite-width limits.

Importing the package switches JAX to float64 (see :mod:`bayes_nn.runtime.environment`) and does not start its
backend, so that :func:`use_all_cores` can be called right after the import.
"""

from bayes_nn.runtime.environment import PerformanceHint, enable_double_precision, use_all_cores

enable_double_precision()

from bayes_nn import inference, priors, tasks  # noqa: E402
from bayes_nn.architecture import network  # noqa: E402
from bayes_nn.architecture.activations import (  # noqa: E402
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
from bayes_nn.architecture.layers import AvgPool, Conv, Dense, Flatten, GlobalAvgPool, LayerNorm, Residual  # noqa: E402
from bayes_nn.architecture.serial import Serial, mlp  # noqa: E402
from bayes_nn.architecture.standard_deviations import Shared  # noqa: E402
from bayes_nn.data.class_predictive import ClassPredictive  # noqa: E402
from bayes_nn.data.encoding import Encoded, encode  # noqa: E402
from bayes_nn.data.likelihoods.gaussian import Gaussian  # noqa: E402
from bayes_nn.data.likelihoods.labels import Bernoulli, Categorical  # noqa: E402
from bayes_nn.data.likelihoods.likelihood import Likelihood  # noqa: E402
from bayes_nn.data.likelihoods.poisson import Poisson  # noqa: E402
from bayes_nn.data.likelihoods.student_t import StudentTNoise  # noqa: E402
from bayes_nn.data.predictive import Predictive  # noqa: E402
from bayes_nn.inference.comparison.compare import compare  # noqa: E402
from bayes_nn.inference.comparison.result import Comparison  # noqa: E402
from bayes_nn.inference.load import load  # noqa: E402
from bayes_nn.inference.posterior.fit import fit  # noqa: E402
from bayes_nn.inference.posterior.posterior import Posterior  # noqa: E402
from bayes_nn.inference.problem.evidence import Evidence  # noqa: E402
from bayes_nn.inference.verdict.verdict import Verdict  # noqa: E402
from bayes_nn.priors import BayesianNetwork, ladder  # noqa: E402
from bayes_nn.runtime.mapping import mapping_in_batches  # noqa: E402
from bayes_nn.runtime.progress import ConvergenceWarning  # noqa: E402
from bayes_nn.training.ensemble import TrainedEnsemble  # noqa: E402
from bayes_nn.training.gradient_descent import linearize  # noqa: E402
from bayes_nn.training.train import train  # noqa: E402

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
    "Encoded",
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
    "Poisson",
    "Posterior",
    "Predictive",
    "Rbf",
    "Relu",
    "Residual",
    "Serial",
    "Shared",
    "Sin",
    "StudentTNoise",
    "Tanh",
    "TrainedEnsemble",
    "Verdict",
    "compare",
    "encode",
    "fit",
    "inference",
    "ladder",
    "linearize",
    "load",
    "mapping_in_batches",
    "mlp",
    "network",
    "priors",
    "tasks",
    "train",
    "use_all_cores",
]
