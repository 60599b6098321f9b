"""Any GPJax kernel as a prior over functions, its parameters inferred or fixed."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro.distributions import constraints
from paramax import AbstractUnwrappable, NonTrainable, unwrap

from bayes_nn.architecture.equality import Identity
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.prior import GaussianProcessMixture, Latents

if TYPE_CHECKING:
    from gpjax.kernels import AbstractKernel

#: Standard deviation of the logarithm of a positive parameter that no prior is given for.
DEFAULT_SPREAD = 0.75

#: Names that other sites have: the noise, the whitened f, f and y.
TAKEN = ("noise_std", "whitened_f", "f", "y")


class KernelPrior(GaussianProcessMixture):
    """A Gaussian process with any GPJax kernel.

    Positive trainable parameters (``PositiveReal``, and ``NonNegativeReal`` where it is not 0) are inferred under
    ``LogNormal(log value, 0.75)``, value being the one in the kernel. All others keep their value: those wrapped in
    ``paramax.non_trainable``, and those of other kinds. Parameters are named by the attributes that lead to them:
    ``"lengthscale"``, or ``"kernels_0_lengthscale"`` in a sum. They are on the scale that the model sees: inputs are
    standardised first by default.

    Two priors on the same kernel object with equal ``parameters`` and names are equal.

    Args:
        kernel: a GPJax kernel.
        parameters: by name, what shall not follow the rule above: a number or array fixes, a NumPyro distribution is
            the prior. A scalar distribution serves every component of a vector.
        name: how tables call it; made from the kernel where left out.

    Raises:
        ValueError: for what is no GPJax kernel, an unknown parameter, or a value or prior that does not fit it.

    Example:
        >>> from gpjax.kernels import RBF
        >>> prior = KernelPrior(RBF(lengthscale=[1.0, 2.0]), {"variance": 1.0})
        >>> prior, {name: one.event_shape for name, one in prior.hyperparameters().items()}
        (KernelPrior(RBF), {'lengthscale': (2,)})
    """

    def __init__(
        self, kernel: "AbstractKernel", parameters: Mapping[str, Any] | None = None, name: str | None = None
    ) -> None:
        from gpjax.kernels import AbstractKernel

        if not isinstance(kernel, AbstractKernel):
            raise ValueError(f"expected a GPJax kernel such as gpjax.kernels.RBF(); got {kernel!r}")
        self.kernel = kernel
        self.name = name or f"KernelPrior({_describe(kernel)})"
        found = dict(_parameters(kernel))
        given = dict(parameters or {})
        unknown = [one for one in given if one not in found]
        if unknown:
            raise ValueError(f"the kernel has no parameter {unknown[0]!r}; it has {', '.join(found) or 'none'}")
        self.given = {
            one: value if isinstance(value, dist.Distribution) else _checked_value(one, found[one], value)
            for one, value in given.items()
        }
        self.priors: Latents = {}
        for one, parameter in found.items():
            prior = self.given[one] if one in self.given else _default_prior(parameter)
            if isinstance(prior, dist.Distribution):
                self.priors[one] = _checked_prior(one, parameter, prior)
        taken = [one for one in self.priors if one in TAKEN]
        if taken:
            raise ValueError(f"the kernel's parameter {taken[0]!r} has the name of another site: rename or fix it")

    def hyperparameters(self) -> Latents:
        """The inferred parameters of the kernel."""
        return self.priors

    def check_inputs(self, input_shape: tuple[int, ...]) -> None:
        """Refuse inputs that are no rows of numbers, or whose number the kernel is not for."""
        if len(input_shape) != 1:
            raise ValueError(f"{self.name} takes inputs (N, d); got inputs of shape {input_shape}: flatten them")
        columns = np.arange(input_shape[0])
        for part in _parts(self.kernel):
            try:
                columns[part.active_dims]
            except IndexError:
                raise ValueError(
                    f"{self.name} reads columns {part.active_dims}, and X has {len(columns)}: change active_dims"
                ) from None
        rows = jax.ShapeDtypeStruct((2, *input_shape), jnp.zeros(()).dtype)
        try:
            shape = jax.eval_shape(lambda X: self.kernel.gram(X).as_matrix(), rows).shape
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name} does not fit inputs of {len(columns)} columns: {error}") from error
        if shape != (2, 2):
            raise ValueError(f"{self.name} gives a matrix of shape {shape} for 2 rows: kernels of one output only")

    def kernel_at(self, values: dict[str, Array]) -> "AbstractKernel":
        """The GPJax kernel under the given values of the inferred parameters."""
        from gpjax.parameters import Real

        fixed = {one: jnp.asarray(value) for one, value in self.given.items() if one not in self.priors}
        new = fixed | {one: values[one] for one in self.priors}

        def replaced(path: tuple, leaf: Any) -> Any:
            value = new.get(_site_name(path))
            if value is None:
                return leaf
            return Real(value) if isinstance(leaf, AbstractUnwrappable) else value

        return jax.tree_util.tree_map_with_path(replaced, self.kernel, is_leaf=_is_wrapped)

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> KernelProcess:
        """The kernel matrices under the given parameters."""
        kernel = self.kernel_at(values)
        K = kernel.gram(X).as_matrix()
        if X_new is None:
            return KernelProcess(K)
        return KernelProcess(K, kernel.cross_covariance(X_new, X), lx.diagonal(kernel.diagonal(X_new)))

    def _fields(self) -> Mapping[str, Any]:
        """The kernel by identity: GPJax kernels that hold arrays cannot be hashed."""
        return {"kernel": Identity(self.kernel), "name": self.name, "given": self.given}


def _is_wrapped(node: Any) -> bool:
    return isinstance(node, AbstractUnwrappable)


def _site_name(path: tuple) -> str:
    """The attributes, positions and keys that lead to a parameter, joined by underscores."""
    return "_".join(str(getattr(part, "name", getattr(part, "idx", getattr(part, "key", part)))) for part in path)


def _parameters(kernel: "AbstractKernel") -> Iterator[tuple[str, Any]]:
    """Every parameter, wrapped or a bare number, by name."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(kernel, is_leaf=_is_wrapped):
        if _is_wrapped(leaf) or isinstance(leaf, float) or eqx.is_inexact_array(leaf):
            yield _site_name(path), leaf


def _parts(kernel: "AbstractKernel") -> Iterator["AbstractKernel"]:
    """The kernel, and the kernels that it is made of."""
    from gpjax.kernels import AbstractKernel

    yield kernel
    for leaf in jax.tree.leaves(kernel, is_leaf=lambda node: isinstance(node, AbstractKernel) and node is not kernel):
        if isinstance(leaf, AbstractKernel):
            yield from _parts(leaf)


def _describe(kernel: "AbstractKernel") -> str:
    from gpjax.kernels import ProductKernel, SumKernel

    if isinstance(kernel, (SumKernel, ProductKernel)):
        sign = " + " if isinstance(kernel, SumKernel) else " * "
        parts = [f"({_describe(one)})" if isinstance(one, SumKernel) else _describe(one) for one in kernel.kernels]
        return sign.join(parts)
    return type(kernel).__name__


def _default_prior(parameter: Any) -> dist.Distribution | None:
    """LogNormal about the value of a positive trainable parameter, None for all others."""
    from gpjax.parameters import NonNegativeReal, PositiveReal

    inner = jax.tree.leaves(parameter, is_leaf=lambda node: isinstance(node, NonTrainable))
    if not isinstance(parameter, (PositiveReal, NonNegativeReal)) or any(
        isinstance(one, NonTrainable) for one in inner
    ):
        return None
    value = np.asarray(unwrap(parameter))
    return dist.LogNormal(np.log(value), DEFAULT_SPREAD) if np.all(value > 0.0) else None


def _bounds(constraint: Any) -> tuple[float, float]:
    """Limits of the numbers that satisfy a constraint."""
    while hasattr(constraint, "base_constraint"):
        constraint = constraint.base_constraint
    low, high = getattr(constraint, "lower_bound", -np.inf), getattr(constraint, "upper_bound", np.inf)
    return float(np.min(np.asarray(low))), float(np.max(np.asarray(high)))


def _domain(parameter: Any) -> tuple[float, float]:
    """Limits of a parameter; none for a bare number."""
    return _bounds(getattr(parameter, "_constraint", constraints.real))


def _checked_prior(name: str, parameter: Any, prior: dist.Distribution) -> dist.Distribution:
    """The prior of all components of a parameter as one event.

    Raises:
        ValueError: if it has another shape, or its support is not within the parameter's domain.
    """
    (low, high), (lowest, highest) = _domain(parameter), _bounds(prior.support)
    if prior.support.is_discrete or lowest < low or highest > high:
        raise ValueError(
            f"{name} lies between {low:g} and {high:g}; its prior {type(prior).__name__} has support {prior.support}"
        )
    shape = np.shape(unwrap(parameter))
    if prior.shape() == () != shape:
        prior = prior.expand(shape)
    if prior.shape() != shape:
        raise ValueError(f"{name} has shape {shape}; its prior {type(prior).__name__} has shape {prior.shape()}")
    return prior.to_event(len(prior.batch_shape)) if prior.batch_shape else prior


def _checked_value(name: str, parameter: Any, value: Any) -> Float[np.ndarray, "..."]:
    """A fixed value in the shape of the parameter.

    Raises:
        ValueError: if it is no number, has another shape, or is out of the parameter's domain.
    """
    shape = np.shape(unwrap(parameter))
    try:
        number = np.array(np.broadcast_to(np.asarray(value, dtype=float), shape))
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a NumPyro distribution or numbers of shape {shape}; got {value!r}") from None
    from gpjax.parameters import NonNegativeReal

    low, high = _domain(parameter)
    above = number >= low if isinstance(parameter, NonNegativeReal) else number > low
    if not (np.isfinite(number).all() and above.all() and (number < high).all()):
        raise ValueError(f"{name} lies between {low:g} and {high:g}; got {value!r}")
    return number
