"""What the features of one network learnt: kernels, alignments and uses of neurons, computed and drawn."""

from typing import Any

import numpy as np
from jaxtyping import Array

from bayes_nn.inference.drawing.backends import Backend, by_backend, checked_backend
from bayes_nn.inference.features.after_kernel import after_kernel
from bayes_nn.inference.features.alignment import kernel_alignment
from bayes_nn.inference.features.feature_record import feature_record, figure_of_features
from bayes_nn.inference.features.neuron_use import neuron_use
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.report.feature_figure import Uses


def plot_features(
    posterior: Posterior,
    X_test: Any = None,
    y_test: Any = None,
    key: int | Array = 0,
    *,
    progress: bool = True,
    backend: Backend = "matplotlib",
) -> Any:
    """The kernel before and after the data, its alignments, and, with test data, the use of single neurons.

    Kernels are centred and their rows ordered by the first output, so that a kernel that has turned towards the
    targets is large in two corners and small in the other two.

    Args:
        posterior: of a network, with Gaussian noise.
        X_test: test inputs, or None.
        y_test: test targets, or None.
        key: a JAX key or an integer seed.
        progress: show progress bars on a terminal.
        backend: "matplotlib", or "plotly" for a figure to zoom and to hover over.

    Raises:
        ValueError: for another prior or likelihood, or bad test data.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), width=20)
        >>> posterior = bnn.fit(network, X, X[:, 0], bnn.Gaussian(0.3), bnn.inference.InfiniteHMC(draws=50))
        >>> len(plot_features(posterior).axes)  # three panels and a scale of colours
        4
    """
    checked_backend(backend)
    after = after_kernel(posterior, X_test, y_test, progress=progress)
    aligned = kernel_alignment(posterior, key, progress=progress)
    uses = None
    if X_test is not None:
        use = neuron_use(posterior, X_test, y_test, key=key, progress=progress)
        low, high = np.quantile(use.use, [0.1, 0.9], axis=0)
        uses = Uses(use.profile, low, high, use.effective_neurons.value)
    return by_backend(figure_of_features(feature_record(posterior, after, aligned), uses), backend)
