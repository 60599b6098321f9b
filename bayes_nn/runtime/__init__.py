"""The process that everything runs in: precision, cores and devices, compiled code, random keys and progress bars.

All that uses JAX leads here, so that float64 is on before the first array is made.
"""

from bayes_nn.runtime.environment import enable_double_precision

enable_double_precision()
