"""Priors as scikit-learn estimators: for pipelines, cross-validation and searches over settings.

scikit-learn is needed by this module alone, and is not installed with the package:
``pip install 'bayes_nn[data]'``.
"""

from copy import deepcopy
from typing import Any, Self

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("bayes_nn.sklearn needs scikit-learn: pip install 'bayes_nn[data]'") from error

from bayes_nn.architecture.serial import mlp
from bayes_nn.data.likelihoods.labels import Bernoulli, Categorical
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.inference.posterior.fit import fit
from bayes_nn.inference.sampling.sampler import Sampler
from bayes_nn.priors.infinite_width import NNGP
from bayes_nn.priors.prior import Prior


class _PriorEstimator(BaseEstimator):
    """What the two estimators have in common: settings, and the fit."""

    def __init__(
        self,
        prior: Prior | None = None,
        likelihood: Likelihood | None = None,
        sampler: str | Sampler | None = None,
        key: int = 0,
        standardize: bool = True,
    ) -> None:
        self.prior = prior
        self.likelihood = likelihood
        self.sampler = sampler
        self.key = key
        self.standardize = standardize

    def _fit(self, X: np.ndarray, y: np.ndarray, likelihood: Likelihood | None) -> None:
        # A copy: a prior remembers what it has worked out, and settings are to stay as they were given.
        prior = NNGP(mlp(depth=1)) if self.prior is None else deepcopy(self.prior)
        self.posterior_ = fit(
            prior, X, y, likelihood, self.sampler, self.standardize, self.key, duplicates="keep", progress=False
        )

    def _predictive(self, X: Any) -> Any:
        check_is_fitted(self)
        return self.posterior_.predict(validate_data(self, X, reset=False))


class PriorRegressor(RegressorMixin, _PriorEstimator):
    """A prior over functions, fitted to numbers.

    Args:
        prior: any of :mod:`bayes_nn.priors`, or :class:`bayes_nn.BayesianNetwork`; the NNGP of one hidden ReLU layer
            when left out.
        likelihood: ``Gaussian()`` with inferred noise when left out.
        sampler: as in :func:`bayes_nn.fit`.
        key: an integer seed, or a JAX key.
        standardize: as in :func:`bayes_nn.fit`.

    Attributes:
        posterior_: the :class:`bayes_nn.Posterior`, with evidence, convergence and quantiles.
        n_features_in_: number of inputs.
        feature_names_in_: their names, where X had names.

    Rows that repeat both X and y are accepted, since resampling makes them.

    Example:
        >>> import bayes_nn as bnn
        >>> X = np.random.default_rng(0).normal(size=(30, 2))
        >>> prior = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> model = PriorRegressor(prior, bnn.Gaussian(noise_std=0.1)).fit(X, X[:, 0])
        >>> model.score(X, X[:, 0]) > 0.9
        True
        >>> [values.shape for values in model.predict(X[:3], return_std=True)]
        [(3,), (3,)]
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the prior to data.

        Args:
            X: inputs, (N, d).
            y: targets, (N,) or (N, C).

        Raises:
            ValueError: as :func:`bayes_nn.fit`.

        Warns:
            ConvergenceWarning: if the sampler has not converged.
        """
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, ensure_min_samples=2)
        self._fit(X, y, self.likelihood)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The predictive mean of y at new inputs, and with ``return_std`` its standard deviation, noise included.

        Args:
            X: inputs, (T, d).
            return_std: whether to return the pair (mean, std).
        """
        predictive = self._predictive(X)
        return (predictive.mean, predictive.std) if return_std else predictive.mean

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class PriorClassifier(ClassifierMixin, _PriorEstimator):
    """A prior over functions, fitted to labels.

    Args:
        prior: as in :class:`PriorRegressor`.
        likelihood: ``Bernoulli()`` for two classes and ``Categorical()`` for more, when left out.
        sampler: as in :func:`bayes_nn.fit`.
        key: an integer seed, or a JAX key.
        standardize: as in :func:`bayes_nn.fit`.

    Attributes:
        posterior_: the :class:`bayes_nn.Posterior`.
        classes_: the labels, in the order of the columns of :meth:`predict_proba`.
        n_features_in_: number of inputs.
        feature_names_in_: their names, where X had names.

    Example:
        >>> import bayes_nn as bnn
        >>> X = np.random.default_rng(0).normal(size=(30, 2))
        >>> few = bnn.inference.SMC(particles=32, islands=2)
        >>> prior = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> model = PriorClassifier(prior, sampler=few).fit(X, np.where(X[:, 0] > 0.0, "up", "down"))
        >>> model.classes_.tolist(), model.predict_proba(X[:3]).shape
        (['down', 'up'], (3, 2))
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the prior to labels.

        Args:
            X: inputs, (N, d).
            y: labels, (N,).

        Raises:
            ValueError: as :func:`bayes_nn.fit`, or for a single class.

        Warns:
            ConvergenceWarning: if the sampler has not converged.
        """
        X, y = validate_data(self, X, y, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has the single class {self.classes_[0]!r}: there is nothing to explain")
        likelihood = self.likelihood or (Bernoulli() if len(self.classes_) == 2 else Categorical())
        self._fit(X, numbers if self.likelihood is None else y, likelihood)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of every class at new inputs, (T, K), columns as in ``classes_``."""
        return self._predictive(X).mean

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class at new inputs, (T,)."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
