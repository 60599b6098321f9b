"""How near the predictions of priors over functions come to those of trained networks."""

from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from bayes_nn.data.checks import as_matrix
from bayes_nn.data.predictive import Predictive

#: Cells of the grid on which two densities are compared.
CELLS = 1000
#: The grid reaches so many standard deviations beyond the outermost components.
REACH = 8.0


class Predicts(Protocol):
    """What predicts, such as a posterior or a trained ensemble."""

    def predict(self, X: Any) -> Any:
        """Predictive distribution at new inputs."""
        ...


def agreement(
    accounts: dict[str, Predicts | Predictive], ensemble: Predicts | Predictive, X_test: Any, y_test: Any
) -> pd.DataFrame:
    """Distances of the predictions of Bayesian accounts to those of trained networks, beside their test scores.

    An account may predict well and unlike the trained networks, or as badly as they do: whether a prior *explains* how
    trained networks generalise is a question of distance to them. Standard errors are over test points. As all
    accounts are judged at the same points, whether two differ is told by the paired columns, ``excess``.

    Args:
        accounts: posteriors by name, or their predictive distributions at ``X_test``. A second ensemble, trained with
            another key, is worth including: its distance is what chance alone leaves.
        ensemble: of :func:`bayes_nn.train`, or its predictive distribution.
        X_test: test inputs, not seen by any of them.
        y_test: test targets, (T,) or (T, C).

    Returns:
        One row per account, nearest first, below the trained ensemble itself. Columns, each but rmse with its standard
        error (``_se``): lpd_test (nats per test point); rmse (user's scale); total_variation, between the predictive
        distributions of one target at one test point, from 0 (the same) to 1 (disjoint); mean_difference, the squared
        difference of predictive means over the variance of the targets; beyond_chance, the same less what the finite
        numbers of members and draws contribute if they are independent: 0 on average for an account of the same law,
        negative for one that shares the members' initial weights; residual_correlation, of the errors of the two
        predictive means (noise in the targets is common to both, and raises it); excess, the total variation beyond
        that of the nearest account.

    Raises:
        ValueError: for predictions of labels, or shapes that do not fit together.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> trained = Predictive(rng.normal(size=(5, 20, 1)), np.ones((5, 20, 1)))
        >>> shifted = Predictive(trained.component_means + 1.0, trained.component_stds)
        >>> table = agreement({"shifted": shifted, "same": trained}, trained, None, rng.normal(size=20))
        >>> table.total_variation.round(2).to_dict()
        {'trained ensemble': 0.0, 'same': 0.0, 'shifted': 0.29}
    """
    targets = as_matrix(y_test, "y_test")
    if len(targets) < 3:
        raise ValueError(f"standard errors need at least 3 test points; got {len(targets)}")
    reference = _prediction("the ensemble", ensemble, X_test, targets)
    predictions = {name: _prediction(name, account, X_test, targets) for name, account in accounts.items()}
    if not predictions:
        raise ValueError("accounts is empty: pass at least one posterior by name")
    variations = {name: total_variation(one, reference).mean(axis=1) for name, one in predictions.items()}
    order = sorted(predictions, key=lambda name: float(variations[name].mean()))
    nearest = variations[order[0]]
    rows = [_row(reference, reference, targets, np.zeros(len(targets)), np.zeros(len(targets)))]
    rows[0] |= dict.fromkeys(("beyond_chance", "beyond_chance_se", "excess", "excess_se"), np.nan)
    rows += [_row(predictions[k], reference, targets, variations[k], variations[k] - nearest) for k in order]
    return pd.DataFrame(rows, index=pd.Index(["trained ensemble", *order], name="account"))


def total_variation(first: Predictive, second: Predictive) -> Float[np.ndarray, "T C"]:
    """Total variation distance ``|p - q|_1 / 2`` of two predictive distributions, at every test point and output.

    Half the sum over a thousand cells, tails included, of the difference of the probabilities that the two mixtures
    give a cell: exact but where the densities cross within a cell, whatever the widths of the components.

    Args:
        first: predictive distribution of T points.
        second: of the same points.

    Raises:
        ValueError: if they are not.

    Example:
        >>> p, q = (Predictive(np.full((1, 1, 1), m), np.ones((1, 1, 1))) for m in (0.0, 2.0))
        >>> total_variation(p, q).round(4)  # 2 Phi(1) - 1
        array([[0.6827]])
    """
    shapes = first.component_means.shape[1:], second.component_means.shape[1:]
    if shapes[0] != shapes[1]:
        raise ValueError(f"the predictions have shapes {shapes[0]} and {shapes[1]}")
    components = [
        tuple(np.asarray(values).reshape(len(values), -1).T for values in (one.component_means, one.component_stds))
        for one in (first, second)
    ]
    weights = [_weights(one) for one in (first, second)]
    return np.asarray(_total_variation(components, weights)).reshape(shapes[0])


def _weights(predictive: Predictive) -> Float[np.ndarray, " M"]:
    """Of the components, summing to 1."""
    M = len(predictive.component_means)
    return np.full(M, 1.0 / M) if predictive.draw_weights is None else predictive.draw_weights


@jax.jit
def _total_variation(components: list[tuple[Array, Array]], weights: list[Array]) -> Float[Array, " points"]:
    def one(pair: list[tuple[Array, Array]]) -> Array:
        low = jnp.min(jnp.stack([jnp.min(mean - REACH * std) for mean, std in pair]))
        high = jnp.max(jnp.stack([jnp.max(mean + REACH * std) for mean, std in pair]))
        edges = jnp.linspace(low, high, CELLS + 1)[:, None]
        cdfs = [jax.scipy.special.ndtr((edges - mean) / std) for mean, std in pair]
        below = [cdf @ of_components for cdf, of_components in zip(cdfs, weights, strict=True)]
        difference = jnp.pad(below[0] - below[1], 1)
        return 0.5 * jnp.sum(jnp.abs(jnp.diff(difference)))

    return jax.lax.map(one, components)


def _prediction(name: str, account: Any, X_test: Any, targets: Float[np.ndarray, "T C"]) -> Predictive:
    prediction = (
        account if isinstance(account, Predictive) or not hasattr(account, "predict") else account.predict(X_test)
    )
    if not isinstance(prediction, Predictive):
        raise ValueError(f"{name}: agreement compares predictive densities of numbers; got {prediction!r}")
    if prediction.component_means.shape[1:] != targets.shape:
        raise ValueError(
            f"{name} predicts shape {prediction.component_means.shape[1:]}, but y_test has {targets.shape}"
        )
    return prediction


def _row(
    account: Predictive,
    reference: Predictive,
    targets: Float[np.ndarray, "T C"],
    variation: Float[np.ndarray, " T"],
    excess: Float[np.ndarray, " T"],
) -> dict[str, float]:
    means, trained = (one.average(one.component_means) for one in (account, reference))
    difference = ((means - trained) ** 2 / targets.var(axis=0)).mean(axis=1)
    chance = ((_chance(account) + _chance(reference)) / targets.var(axis=0)).mean(axis=1)
    correlation, influence = _correlation(targets - means, targets - trained)
    row = {"rmse": float(np.sqrt(np.mean((targets - means) ** 2)))}
    points = {
        "lpd_test": account.log_prob(targets),
        "total_variation": variation,
        "mean_difference": difference,
        "beyond_chance": difference - chance,
        "residual_correlation": correlation + influence,
        "excess": excess,
    }
    for name, values in points.items():
        row |= {name: float(values.mean()), f"{name}_se": float(values.std(ddof=1) / np.sqrt(len(values)))}
    return row


def _chance(predictive: Predictive) -> Float[np.ndarray, "T C"]:
    """Variance of the predictive mean over draws of its components, were they independent."""
    means, squares = predictive.component_means, float(np.sum(_weights(predictive) ** 2))
    variance = predictive.average((means - predictive.average(means)) ** 2)
    return variance * squares / (1.0 - squares) if squares < 1.0 else variance


def _correlation(
    first: Float[np.ndarray, "T C"], second: Float[np.ndarray, "T C"]
) -> tuple[float, Float[np.ndarray, " T"]]:
    """Mean correlation over outputs, and the influence of every point on it, whose spread gives its standard error.

    A point's influence is ``a b - r (a^2 + b^2) / 2``, with a and b its two residuals in standard units (Devlin,
    Gnanadesikan and Kettenring 1975, Biometrika 62, eq. 2.3).
    """
    a, b = ((values - values.mean(axis=0)) / values.std(axis=0) for values in (first, second))
    r = (a * b).mean(axis=0)
    return float(r.mean()), (a * b - r * (a**2 + b**2) / 2).mean(axis=1)
