"""The input metric that a posterior has learnt: which inputs and which directions among them matter."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from bayes_nn.inference.drawing.backends import Backend, by_backend
from bayes_nn.inference.posterior.draws import Draws
from bayes_nn.inference.report.metric_figure import draw_metric
from bayes_nn.priors.input_metric import METRIC, InputMetric

if TYPE_CHECKING:
    import pandas as pd

#: Posterior probability of the intervals.
PROBABILITY = 0.9
#: Inputs that a picture shows, the most relevant ones.
SHOWN = 30


@dataclass(frozen=True)
class LearnedMetric:
    """The posterior of M = A'A, the metric of the first covariance ``x' M x / d``, whose prior mean is the identity.

    All of it is on the scale that the model sees, where by default every column has mean 0 and standard deviation 1
    over the training rows: an entry says what a change by one standard deviation of its input does. Rows of A are
    identified up to signs and rotations; M has neither. The standard deviations of the architecture may scale M as a
    whole, so relevances are shares of its trace.

    Attributes:
        name: of the prior.
        matrix: posterior mean of M, (d, d), by the names of the columns.
        relevance: ``M_ii / trace M`` of every input, in the order of the columns: its posterior ``mean``, and ``lower``
            and ``upper`` end of a 90 % interval. They add up to 1; 1/d each would be no preference.
        singular_values: of A, the largest first (roots of the eigenvalues of M), likewise; one per row of A at most.
        directions: eigenvectors of the posterior mean of M, inputs by number of direction, the largest entry positive.
        directions_lower: lower ends of 90 % intervals of the same entries, from the singular vectors of every draw with
            their signs turned to agree. They are wide where singular values are too close to be told apart.
        directions_upper: upper ends.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> prior = bnn.priors.InputMetric(bnn.mlp(1, "erf", 1.5, 0.1))
        >>> settings = bnn.inference.InfiniteHMC(chains=2, warmup=20, draws=20)
        >>> posterior = bnn.fit(prior, X, np.sin(3.0 * X[:, 1]), bnn.Gaussian(0.1), settings)
        >>> posterior.metric.relevance["mean"].idxmax()
        'x1'
    """

    name: str
    matrix: "pd.DataFrame"
    relevance: "pd.DataFrame"
    singular_values: "pd.DataFrame"
    directions: "pd.DataFrame"
    directions_lower: "pd.DataFrame"
    directions_upper: "pd.DataFrame"

    def __str__(self) -> str:
        shown = self.relevance.sort_values("mean", ascending=False, kind="stable")
        count = len(shown)
        lines = [
            f"learned metric of {self.name}, inputs on the model's scale",
            f"relevance: share of the metric's trace, {PROBABILITY:.0%} intervals; no preference is {1 / count:.3f}",
            shown.head(SHOWN).to_string(float_format="{:.3f}".format),
        ]
        if count > SHOWN:
            lines.append(f"and {count - SHOWN} more inputs")
        singular = self.singular_values.head(SHOWN)
        return "\n".join([*lines, "singular values:", singular.to_string(float_format="{:.3f}".format)])

    def plot(self, *, backend: Backend = "matplotlib") -> Any:
        """Relevances over the named columns, most relevant first, and where there is a rank the directions.

        Of many inputs the 30 most relevant ones are shown.

        Args:
            backend: "matplotlib", or "plotly" for a figure to zoom and to hover over.
        """
        order = np.argsort(-self.relevance["mean"].to_numpy(), kind="stable")
        shown = order[:SHOWN]
        directions = None
        if np.count_nonzero(np.triu(self.matrix, 1)) or self.directions.shape[1] < len(order):
            directions = self.directions.to_numpy()[shown]
        names = [str(self.relevance.index[i]) for i in shown]
        title = self.name + (f", {len(shown)} most relevant of {len(order)} inputs" if len(shown) < len(order) else "")
        shares, values = self.relevance.to_numpy()[shown].T, self.singular_values.to_numpy().T
        return by_backend(draw_metric(title, names, shares, 1.0 / len(order), directions, values), backend)


def learned_metric(posterior: Draws) -> LearnedMetric:
    """The metric that a posterior has learnt.

    Args:
        posterior: of an :class:`~bayes_nn.priors.InputMetric`; its draws count alike.

    Raises:
        ValueError: if the prior is another one.
    """
    import pandas as pd

    prior = posterior.prior
    if not isinstance(prior, InputMetric):
        raise ValueError(f"{prior.name} has no input metric: fit bayes_nn.priors.InputMetric(net) to see one")
    entries = posterior.values[METRIC]
    entries = entries.reshape(-1, *entries.shape[2:])
    d = entries.shape[-1]
    names = list(posterior.dataset.columns) or [f"x{i}" for i in range(d)]
    if prior.rank is None:
        squares = entries**2
        mean = np.diag(squares.mean(axis=0))
        singular = -np.sort(-np.abs(entries), axis=1)
        order = np.argsort(-np.diagonal(mean), kind="stable")
        directions = np.eye(d)[:, order]
        lower = upper = directions
    else:
        A = entries / prior.rank**0.5
        squares = np.sum(A**2, axis=1)
        mean = np.einsum("kri,krj->ij", A, A) / len(A)
        _, singular, vectors = np.linalg.svd(A, full_matrices=False)
        directions = _largest_positive(np.linalg.eigh(mean)[1][:, ::-1][:, : singular.shape[1]])
        turned = vectors * np.sign(np.einsum("krd,dr->kr", vectors, directions))[..., None]
        lower, upper = np.swapaxes(np.quantile(turned, _ends(), axis=0), 1, 2)
    shares = squares / squares.sum(axis=1, keepdims=True)
    numbers = pd.RangeIndex(1, directions.shape[1] + 1, name="direction")

    def by_input(values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, index=pd.Index(names, name="input"), columns=numbers)

    return LearnedMetric(
        name=prior.name,
        matrix=pd.DataFrame(mean, index=names, columns=names),
        relevance=pd.DataFrame(_summary(shares), index=pd.Index(names, name="input")),
        singular_values=pd.DataFrame(_summary(singular), index=numbers),
        directions=by_input(directions),
        directions_lower=by_input(lower),
        directions_upper=by_input(upper),
    )


def _ends() -> tuple[float, float]:
    return 0.5 * (1.0 - PROBABILITY), 0.5 * (1.0 + PROBABILITY)


def _summary(draws: Float[np.ndarray, "draws k"]) -> dict[str, Float[np.ndarray, " k"]]:
    """Mean and interval over draws."""
    lower, upper = np.quantile(draws, _ends(), axis=0)
    return {"mean": draws.mean(axis=0), "lower": lower, "upper": upper}


def _largest_positive(vectors: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "d k"]:
    """Columns with the sign that makes the entry of largest size positive."""
    largest = np.argmax(np.abs(vectors), axis=0)
    return vectors * np.sign(np.take_along_axis(vectors, largest[None], axis=0))
