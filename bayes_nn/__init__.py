"""Better prior or feature learning: finite Bayesian networks against their infinite-width limits.

What the package offers is listed in ``__init__.pyi`` and imported when it is first asked for, so that importing the
package alone costs nothing and changes nothing. The first part that uses JAX switches it to float64
(:mod:`bayes_nn.runtime.environment`) and does not start its backend, so that :func:`use_all_cores` can be called right
after the import.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
