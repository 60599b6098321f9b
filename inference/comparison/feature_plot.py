"""What the features of one network learnt: kernels, alignments and uses of neurons, computed and drawn."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from matplotlib.figure import Figure

from bayes_nn.inference.features.after_kernel import AfterKernel, after_kernel
from bayes_nn.inference.features.alignment import KernelAlignment, centred, kernel_alignment
from bayes_nn.inference.features.neuron_use import NeuronUse, neuron_use
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.report.feature_figure import Alignment, KernelPicture, Uses, draw_features


def plot_features(
    posterior: Posterior, X_test: Any = None, y_test: Any = None, key: int | Array = 0, *, progress: bool = True
) -> Figure:
    """The kernel before and after the data, its alignments, and, with test data, the use of single neurons.

    Kernels are centred and their rows ordered by the first output, so that a kernel that has turned towards the
    targets is large in two corners and small in the other two.

    Args:
        posterior: of a network, with Gaussian noise.
        X_test: test inputs, or None.
        y_test: test targets, or None.
        key: a JAX key or an integer seed.
        progress: show progress bars on a terminal.

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
    after = after_kernel(posterior, X_test, y_test, progress=progress)
    aligned = kernel_alignment(posterior, key, progress=progress)
    tested = X_test is not None
    use = neuron_use(posterior, X_test, y_test, key=key, progress=progress) if tested else None
    return figure_of_features(posterior, after, aligned, use)


def figure_of_features(
    posterior: Posterior, after: AfterKernel, aligned: KernelAlignment, use: NeuronUse | None = None
) -> Figure:
    """:func:`plot_features` of what has been computed.

    Args:
        posterior: of a network.
        after: its kernel before and after the data.
        aligned: alignments of its kernels.
        use: of its neurons, or None.
    """
    order = np.argsort(np.asarray(posterior.problem.Y)[:, 0])

    def kernel(when: str, K: np.ndarray, log_evidence: float) -> KernelPicture:
        title = f"kernel {when}\nlog evidence {log_evidence:.1f} nats"
        return KernelPicture(title, np.asarray(centred(jnp.asarray(K)))[np.ix_(order, order)])

    uses = None
    if use is not None:
        low, high = np.quantile(use.use, [0.1, 0.9], axis=0)
        uses = Uses(use.profile, low, high, use.effective_neurons.value)
    return draw_features(
        posterior.prior.name,
        [
            kernel("before", after.before.K, after.before.log_evidence.value),
            kernel("after", after.K, after.log_evidence.value),
        ],
        [
            Alignment("with y, before", *aligned.before, after=False),
            Alignment("with y, after", *aligned.after, after=True),
            Alignment("with the NNGP, before", *aligned.prior_to_prior, after=False),
            Alignment("with the NNGP, after", *aligned.prior_to_posterior, after=True),
        ],
        aligned.infinite_width.value,
        uses,
    )
