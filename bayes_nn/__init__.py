from bayes_nn.environment import enable_double_precision, use_all_cores, PerformanceHint
enable_double_precision()
from bayes_nn.architecture import Dense, Erf, Identity, Relu, Serial, mlp
from bayes_nn.likelihood import Gaussian
from bayes_nn import priors
from bayes_nn.priors import BayesianNetwork
from bayes_nn.inference.fit import fit
