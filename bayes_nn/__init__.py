"""Better prior or feature learning: finite Bayesian networks against their infinite-width limits.

Importing the package switches JAX to float64 (see :mod:`bayes_nn.environment`) and does not start its
backend, so that :func:`use_all_cores` can be called right after the import.
"""

from bayes_nn.environment import PerformanceHint, enable_double_precision, use_all_cores

enable_double_precision()

from bayes_nn import inference, priors  # noqa: E402
from bayes_nn.architecture import Dense, Erf, Identity, Relu, Serial, mlp  # noqa: E402
from bayes_nn.inference.compare import compare  # noqa: E402
from bayes_nn.inference.comparison import Comparison  # noqa: E402
from bayes_nn.inference.diagnostics import ConvergenceWarning  # noqa: E402
from bayes_nn.inference.evidence import Evidence  # noqa: E402
from bayes_nn.inference.fit import fit  # noqa: E402
from bayes_nn.inference.posterior import Posterior  # noqa: E402
from bayes_nn.inference.predictive import Predictive  # noqa: E402
from bayes_nn.inference.storage import load  # noqa: E402
from bayes_nn.inference.verdict import Verdict  # noqa: E402
from bayes_nn.likelihood import Gaussian  # noqa: E402
from bayes_nn.priors import BayesianNetwork  # noqa: E402

__all__ = [
    "BayesianNetwork",
    "Comparison",
    "ConvergenceWarning",
    "Dense",
    "Erf",
    "Evidence",
    "Gaussian",
    "Identity",
    "PerformanceHint",
    "Posterior",
    "Predictive",
    "Relu",
    "Serial",
    "Verdict",
    "compare",
    "fit",
    "inference",
    "load",
    "mlp",
    "priors",
    "use_all_cores",
]
