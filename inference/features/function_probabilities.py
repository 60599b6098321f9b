"""Which functions trained networks end on, and which the posterior holds: how far training samples as Bayes does.

A *function* is what matters of a classifier here: the labels that it gives to a finite set of test inputs, under the
condition that it labels the training rows S as they are. P_B(f | S) is its frequency among draws of a posterior,
P_SGD(f | S) that among independently trained networks (Mingard, Valle-Perez, Skalse and Louis 2021, JMLR 22(79)).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float, Int
from scipy.optimize import minimize

from bayes_nn.data.checks import as_matrix
from bayes_nn.inference.drawing.backends import Backend, by_backend
from bayes_nn.inference.features.function_draws import Chosen, label_draws
from bayes_nn.inference.features.function_plot import plot_functions
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.runtime.random_keys import checked_key
from bayes_nn.training.ensemble import TrainedEnsemble

#: Times that draws of the posterior must have found a function for it to enter slope and correlation.
FEWEST = 30


@dataclass(frozen=True, eq=False)
class FunctionProbabilities:
    """Probabilities of functions by a posterior, P_B(f | S), and by training, P_SGD(f | S).

    Attributes:
        table: one row per function that either found, the most probable first, indexed by its labels of the test
            inputs: one character an input, 1 for the larger label. Columns: draws and members, how often the
            posterior and training found it; log10_bayes and log10_sgd, the decimal logarithms of the two
            frequencies, -inf where it was not found, with Monte-Carlo standard errors (``_se``); wrong, the number of
            test inputs labelled otherwise than ``y_test``, where that was given.
        draws: of the posterior that label the training rows correctly: those that are counted.
        members: trained networks that do.
        fitting: fractions of all draws, and of all trained networks, that these are.

    Example:
        >>> table = pd.DataFrame({"draws": [60, 40], "members": [5, 5]}, index=["01", "11"])
        >>> found = FunctionProbabilities(table.assign(log10_bayes=-0.3, log10_sgd=-0.3), 100, 10, (1.0, 1.0))
        >>> found.common, found.covered
        (2, (1.0, 1.0))
    """

    table: pd.DataFrame
    draws: int
    members: int
    fitting: tuple[float, float]

    @property
    def common(self) -> int:
        """How many functions both found."""
        return int(((self.table.draws > 0) & (self.table.members > 0)).sum())

    @property
    def covered(self) -> tuple[float, float]:
        """The mass of P_B on functions that training found, and of P_SGD on those that the posterior's draws found."""
        by_both = self.table[(self.table.draws > 0) & (self.table.members > 0)]
        return float(by_both.draws.sum() / self.draws), float(by_both.members.sum() / self.members)

    @property
    def compared(self) -> pd.DataFrame:
        """The rows of functions that the posterior's draws found at least 30 times: slope and correlation are theirs.

        Chosen by P_B alone, since those that training found would have too high a P_SGD where it is small.
        """
        return self.table[self.table.draws >= FEWEST]

    @property
    def slope(self) -> tuple[float, float]:
        """d log P_SGD / d log P_B over :attr:`compared`, and its standard error; 1 where both are one law.

        By Poisson regression of the counts of trained networks, in which functions that none has found count too; the
        error is that of White's sandwich, for scatter beyond Poisson's. NaN where fewer than 3 different counts of
        draws are compared, or no network found any.
        """
        rows = self.compared
        if rows.draws.nunique() < 3 or not rows.members.any():
            return np.nan, np.nan
        return _poisson_slope(np.log(rows.draws.to_numpy()), rows.members.to_numpy())

    @property
    def correlation(self) -> float:
        """Spearman's, of both probabilities over :attr:`compared`; the noise of small counts lowers it."""
        return float(self.compared.draws.corr(self.compared.members, method="spearman"))

    def plot(self, *, backend: Backend = "matplotlib") -> Any:
        """P_SGD against P_B, both logarithmic, with the line on which they are equal.

        Functions that only one of them found are drawn on the edges, at half a count.

        Args:
            backend: "matplotlib", or "plotly" for a figure to zoom and to hover over.
        """
        return by_backend(plot_functions(self.table, (self.draws, self.members), FEWEST), backend)

    def __str__(self) -> str:
        slope, error = self.slope
        bayes, sgd = self.covered
        return (
            f"{self.common} functions found by both, of {int((self.table.draws > 0).sum())} by {self.draws} draws of "
            f"the posterior and {int((self.table.members > 0).sum())} by {self.members} trained networks\n"
            f"they hold {100.0 * bayes:.1f} % of the posterior and {100.0 * sgd:.1f} % of the trained networks\n"
            f"log P_SGD against log P_B, {len(self.compared)} functions found {FEWEST} times by the posterior: "
            f"slope {slope:.2f} +- {error:.2f}, correlation {self.correlation:.2f}"
        )


def function_probabilities(
    posterior: Posterior,
    ensemble: TrainedEnsemble,
    X_test: Any,
    y_test: Any = None,
    draws: int = 100_000,
    key: int | Array = 0,
) -> FunctionProbabilities:
    """How often trained networks end on a function, beside how probable a Bayesian posterior holds it.

    Fit a prior and train networks on the same two labels, given as numbers: ``bnn.fit(prior, X, y,
    bnn.Gaussian(noise_std=0.1))``, the posterior that belongs to squared error, and ``bnn.train(net, X, y, width,
    members=1000, stop="steps", noise_std=0.1)``. An output beyond the middle of the two numbers is the larger label.
    Draws and networks that do not label all training rows correctly are left out. The larger the noise, the nearer are
    the draws that stay, and the fewer, to the prior given no training error, the paper's P_B. What nobody found has a
    probability of less than about one in as many draws, and is not in the table.

    Args:
        posterior: of a mixture of Gaussian processes, such as an NNGP or a network, with Gaussian noise.
        ensemble: of :func:`bayes_nn.train`, on the same data; the more members, the rarer the functions compared.
        X_test: test inputs, (T, d) or as the training inputs were.
        y_test: their true labels, to count wrong ones; or None.
        draws: of f at the training and test inputs together, rounded up to as many for each of the posterior's draws.
        key: a JAX key or an integer seed, for the draws of f.

    Returns:
        The functions found, with both probabilities.

    Raises:
        ValueError: for another likelihood, more or fewer than two labels, several outputs, data that differ, bad test
            inputs or labels; if no draw, or no network, labels all training rows correctly.

    Example:
        >>> import bayes_nn as bnn
        >>> X = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
        >>> net, y = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.5), np.array([-1.0, 1.0])
        >>> posterior = bnn.fit(bnn.priors.NNGP(net), X[:2], y, bnn.Gaussian(0.1))
        >>> ensemble = bnn.train(net, X[:2], y, 16, members=20, steps=200, stop="steps", noise_std=0.1, folds=2)
        >>> found = function_probabilities(posterior, ensemble, X[2:])
        >>> sorted(found.table.index), found.members
        (['00', '01', '10', '11'], 20)
    """
    labels, right = _checked(posterior, ensemble, draws)
    inputs = posterior.dataset.new_inputs(X_test, "X_test")
    truth = None if y_test is None else _true_labels(y_test, len(inputs), labels)
    of_draws = label_draws(posterior, inputs, labels.mean(), draws, checked_key(key))
    of_members = ensemble.predict(_all_inputs(posterior, inputs)).component_means[:, None, :, 0] > labels.mean()
    bayes = Chosen.of("draw of the posterior", of_draws, right)
    sgd = Chosen.of("trained network", of_members, right)
    functions, places = np.unique(np.concatenate([bayes.functions, sgd.functions]), axis=0, return_inverse=True)
    table = pd.DataFrame(index=pd.Index(["".join(map(str, row)) for row in functions.astype(int)], name="function"))
    of_bayes, of_sgd = np.split(places.ravel(), [len(bayes.functions)])
    sampler = posterior.sampler if posterior.values else "frozen"  # independent draws
    frequencies = (
        ("draws", "bayes", bayes.frequencies(of_bayes, len(functions), posterior.shape, sampler)),
        ("members", "sgd", sgd.frequencies(of_sgd, len(functions), (1, len(ensemble)), "frozen")),
    )
    for name, law, (counts, error) in frequencies:
        p = counts / counts.sum()
        table[name] = counts
        with np.errstate(divide="ignore", invalid="ignore"):
            table[f"log10_{law}"] = np.log10(p)
            table[f"log10_{law}_se"] = np.where(counts > 0, error / p / np.log(10.0), np.nan)
    if truth is not None:
        table["wrong"] = (functions != truth).sum(axis=1)
    numbers = len(bayes.functions), len(sgd.functions)
    order = np.argsort(-(table.draws / numbers[0] + table.members / numbers[1]).to_numpy(), kind="stable")
    return FunctionProbabilities(table.iloc[order], *numbers, (bayes.fitting, sgd.fitting))


def _poisson_slope(x: Float[np.ndarray, " F"], counts: Int[np.ndarray, " F"]) -> tuple[float, float]:
    """b of the most probable ``E[counts] = exp(a + b x)`` of Poisson counts, and its standard error."""
    design = np.stack([np.ones(len(x)), x - np.average(x, weights=counts)])

    def surprise(law: Float[np.ndarray, "2"]) -> tuple[float, Float[np.ndarray, "2"]]:
        mean = np.exp(law @ design)
        return float(np.sum(mean - counts * (law @ design))), design @ (mean - counts)

    law = minimize(surprise, [np.log(counts.mean()), 0.0], jac=True).x
    mean = np.exp(law @ design)
    bread = np.linalg.inv((design * mean) @ design.T)
    spread = (design * (counts - mean) ** 2) @ design.T
    return float(law[1]), float(np.sqrt((bread @ spread @ bread)[1, 1]))


def _checked(
    posterior: Posterior, ensemble: TrainedEnsemble, draws: int
) -> tuple[Float[np.ndarray, "2"], Bool[np.ndarray, " N"]]:
    """The two labels in order, and which rows have the larger one.

    Raises:
        ValueError: saying what does not fit together.
    """
    problem, targets = posterior.problem, posterior.dataset.targets
    if not isinstance(problem, CollapsedProblem) or not problem.likelihood.conjugate:
        raise ValueError(
            "function_probabilities needs the posterior of a mixture of Gaussian processes under Gaussian noise: give "
            f"the labels as numbers, say -1 and 1; got {problem.prior.name} with {problem.likelihood}"
        )
    labels = np.unique(targets)
    if targets.shape[1] != 1 or len(labels) != 2:
        raise ValueError(
            f"y must be one column of two different numbers; got {targets.shape[1]} columns, {len(labels)} numbers"
        )
    ours, theirs = posterior.dataset.scale, ensemble.scale
    alike = all(np.array_equal(value, getattr(theirs, name)) for name, value in vars(ours).items())
    if not alike or posterior.dataset.columns != ensemble.columns:
        raise ValueError(
            "posterior and ensemble are of different data, or one of them is of standardised data: give fit and train "
            "the same X, y and standardize"
        )
    if draws < 1:
        raise ValueError(f"at least 1 draw is needed; got {draws}")
    return labels, targets[:, 0] == labels[1]


def _true_labels(y_test: Any, count: int, labels: Float[np.ndarray, "2"]) -> Bool[np.ndarray, " T"]:
    """Whether the true label of every test input is the larger one.

    Raises:
        ValueError: for other labels than those of the training rows, or another number of them.
    """
    truth = as_matrix(y_test, "y_test")
    if truth.shape != (count, 1):
        raise ValueError(f"y_test must have one label for each of the {count} test inputs; got shape {truth.shape}")
    if not np.isin(truth, labels).all():
        raise ValueError(f"y_test must hold the labels {labels[0]:g} and {labels[1]:g} of the training rows alone")
    return truth[:, 0] == labels[1]


def _all_inputs(posterior: Posterior, inputs: Float[Array, "T *shape"]) -> Float[np.ndarray, "rows *shape"]:
    """The training inputs and then new ones, on the user's scale."""
    dataset = posterior.dataset
    return np.concatenate([dataset.inputs, dataset.scale.original_inputs(np.asarray(inputs))])
