"""Any NumPyro model as a prior over functions: all of its latents are sampled, none is integrated out."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro import handlers
from numpyro.distributions import biject_to

from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.priors.prior import Latents, Prior

Site = dict[str, Any]

#: The site of the targets.
OBSERVED = "y"


class Latent(NamedTuple):
    """What is known of a latent site before it has a value.

    Attributes:
        name: of the site.
        shape: on its own scale.
        unconstrained_shape: of the unconstrained latent; a simplex of K numbers, for one, has K - 1.

    Example:
        >>> Latent("weights", shape=(3,), unconstrained_shape=(2,)).size
        2
    """

    name: str
    shape: tuple[int, ...]
    unconstrained_shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Unconstrained numbers."""
        return math.prod(self.unconstrained_shape)


class NumPyroPrior(Prior):
    """A NumPyro model as a prior over functions, with a likelihood of its own.

    ``model(X, y=None)`` must observe ``numpyro.sample("y", ..., obs=y)``. X is (N, d) on the model's scale, y is (N,),
    or (N, C) for several outputs, standardised by default, or numbers of classes where y is a label. The ``likelihood``
    of :func:`bayes_nn.fit` and :func:`bayes_nn.compare` says only whether y is numbers or labels; its noise is no
    latent here. Evidences of other priors are comparable, since all are densities of the same y.

    All latents are continuous with proper priors, which may depend on each other, and their shapes do not depend on
    the number of rows. Evidence needs no more than that; predictions need y to be Normal given the latents, or
    Bernoulli or Categorical for labels. Two priors with the same model object, name and ``learns_features`` are equal.

    Args:
        model: a function of X and y.
        name: how tables call it; made from the name of the function where left out.
        learns_features: whether the latents hold hidden weights; the verdict then counts it among the networks, and
            else among the feature-free priors.

    Raises:
        ValueError: if ``model`` cannot be called.

    Example:
        >>> import numpyro
        >>> def line(X, y=None):
        ...     slope = numpyro.sample("slope", dist.Normal(0.0, 1.0).expand(X.shape[1:]).to_event(1))
        ...     numpyro.sample("y", dist.Normal(X @ slope, 0.5), obs=y)
        >>> [latent.shape for latent in NumPyroPrior(line).latent_sites(jnp.ones((5, 3)))]
        [(3,)]
    """

    def __init__(self, model: Callable[..., Any], name: str | None = None, learns_features: bool = False) -> None:
        if not callable(model):
            raise ValueError(f"expected a NumPyro model, a function of X and y; got {model!r}")
        self.numpyro_model = model
        self.learns_features = bool(learns_features)
        self.name = name or f"NumPyroPrior({getattr(model, '__name__', type(model).__name__)})"

    def check_inputs(self, input_shape: tuple[int, ...]) -> None:
        """Refuse a model that does not run on any number of inputs of a shape, or whose latents cannot be sampled."""
        few, more = (self.latent_sites(jnp.zeros((rows, *input_shape))) for rows in (3, 4))
        if few != more:
            changed = sorted({latent.name for latent in {*few} ^ {*more}})
            raise ValueError(
                f"{self.name}: the latents {', '.join(changed)} change with the number of rows, so that nothing could "
                "be predicted at new rows: give them fixed shapes"
            )

    def latents(self, likelihood: Likelihood, X: Float[Array, "N *shape"], outputs: int) -> Latents:
        """Distributions of the latents, those of dependent ones given one draw of the others."""
        sites = self.trace(X, key=jax.random.key(0))
        return {name: site["fn"] for name, site in sites.items() if is_latent(site)}

    def model(self, likelihood: Likelihood) -> Callable:
        """The NumPyro model itself; the likelihood is its own."""

        def model(X: Array, Y: Array | None = None, outputs: int = 1) -> Any:
            return self.numpyro_model(X, y=None if Y is None else observed(likelihood, Y))

        return model

    def trace(
        self,
        X: Float[Array, "N *shape"],
        y: Array | None = None,
        key: Array | None = None,
        values: Mapping[str, Array] | Callable[[Site], Array | None] | None = None,
    ) -> dict[str, Site]:
        """All sites of one run of the model.

        Args:
            X: inputs.
            y: targets, observed; drawn where left out.
            key: of what is drawn.
            values: of latents, by name or as a function of their site; the others are drawn.
        """
        model: Any = handlers.seed(self.numpyro_model, jax.random.key(0) if key is None else key)
        if callable(values):
            model = handlers.substitute(model, substitute_fn=values)
        elif values is not None:
            model = handlers.substitute(model, data=dict(values))
        return handlers.trace(model).get_trace(X, y=y)

    def latent_sites(self, X: Float[Array, "N *shape"], y: Array | None = None) -> tuple[Latent, ...]:
        """The latents in the order of the model.

        Raises:
            ValueError: if the model cannot be run, or is not one that this package can sample and compare.
        """
        found: list[Latent] = []

        def run(X: Array, y: Array | None) -> None:
            try:
                sites = self.trace(X, y)
            except Exception as error:
                raise ValueError(_failure(self.name, X, y, error)) from error
            for site in sites.values():
                reason = _why_refused(site)
                if reason:
                    raise ValueError(f"{self.name}: {reason}")
                if is_latent(site):
                    shape = site["fn"].shape()
                    found.append(Latent(site["name"], shape, biject_to(site["fn"].support).inverse_shape(shape)))
            if sites.get(OBSERVED, {}).get("type") != "sample":
                raise ValueError(f'{self.name} has no site "y": end it with numpyro.sample("y", ..., obs=y)')
            if y is not None:
                _check_observed(self.name, sites[OBSERVED], y)

        jax.eval_shape(run, X, y)
        return tuple(found)


def observed(likelihood: Likelihood, Y: Float[Array, "N C"]) -> Array:
    """Encoded targets as a NumPyro model reads them: (N,), or (N, C) for several outputs; numbers of classes.

    Example:
        >>> import bayes_nn as bnn
        >>> observed(bnn.Gaussian(), jnp.ones((4, 1))).shape, observed(bnn.Gaussian(), jnp.ones((4, 2))).shape
        ((4,), (4, 2))
    """
    y = likelihood.observed(Y)
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def is_latent(site: Site) -> bool:
    """Whether a site is drawn and is not that of the targets.

    Example:
        >>> is_latent({"type": "sample", "is_observed": False, "name": "slope"})
        True
    """
    return site["type"] == "sample" and not site["is_observed"] and site["name"] != OBSERVED


def _why_refused(site: Site) -> str:
    """Why a site cannot be sampled or its evidence not be compared; empty where it can."""
    name, kind = site["name"], site["type"]
    if kind == "param":
        return f"the site {name} is a numpyro.param, which is optimised and not inferred: give it a prior"
    if kind == "control_flow":
        return f"the site {name} is control flow (numpyro's scan or cond), which is not supported"
    if kind != "sample":
        return ""
    if site["scale"] is not None:
        return f"the site {name} is scaled, by a subsampling plate or handlers.scale: use all rows, unscaled"
    if name == OBSERVED:
        return ""
    if site["is_observed"]:
        return f'{name} is observed too (or a factor), and only "y" may be: its evidence would be that of other data'
    if site["fn"].support.is_discrete:
        return f"the latent {name} is discrete: sum it out of the model"
    if isinstance(site["fn"], dist.MaskedDistribution):
        return f"the latent {name} is masked, so that its prior is no density"
    if name == "f" or "/" in name:
        return f'the latent {name!r} needs another name, which is not "f" and has no "/"'
    return ""


def _failure(name: str, X: Array, y: Array | None, error: Exception) -> str:
    given = "y=None, as predictions need it" if y is None else f"y of shape {y.shape}"
    text = f"{name} could not be run on X of shape {X.shape} and {given}: {error}"
    if isinstance(error, NotImplementedError):
        return text + " (improper priors have no evidence)"
    if isinstance(error, jax.errors.ConcretizationTypeError):
        return f"{name} branches on values of its latents or data, so that it cannot be compiled: use jax.numpy.where"
    return text


def _check_observed(name: str, site: Site, y: Array) -> None:
    if not site["is_observed"]:
        raise ValueError(f'{name} does not observe y: write numpyro.sample("y", ..., obs=y)')
    shape = site["fn"].shape()
    if shape != y.shape:
        raise ValueError(f'{name}: the distribution of "y" has shape {shape} and the targets {y.shape}')
