"""The neural tangent kernel of finite networks, before or after training, as a prior over functions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float

from bayes_nn.architecture.equality import Identity
from bayes_nn.architecture.network import Values, parameter_shapes
from bayes_nn.architecture.serial import Serial, checked_net
from bayes_nn.architecture.standard_deviations import StandardDeviation, checked_std, is_inferred, prior_of
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.kernels.empirical_ntk import empirical_ntk
from bayes_nn.priors.prior import GaussianProcessMixture, Latents
from bayes_nn.runtime.mapping import map_each


def default_output_std() -> dist.Distribution:
    """Prior of an output_std that is left out: median 1, between 1/7 and 7 with probability 0.95.

    Example:
        >>> float(default_output_std().icdf(0.5))
        1.0
    """
    return dist.LogNormal(0.0, 1.0)


class EmpiricalNTK(GaussianProcessMixture):
    """The NTK of finite networks at given parameters, averaged over them, as the kernel of a Gaussian process.

    At the initial parameters it is a prior: the finite-width counterpart of :class:`NTK`. At trained parameters the
    kernel has seen the targets, so its evidence counts them twice: it diagnoses what training did to the kernel
    (Fort et al. 2020, arXiv:2010.15110; Long 2021, arXiv:2105.10585: the "after kernel") and is never the best
    feature-free prior of a verdict.

    Args:
        net: the architecture.
        parameters: of one network as :func:`bayes_nn.network.init` returns, or of several with a leading axis, such
            as ``ensemble.initial`` and ``ensemble.parameters`` of :func:`bayes_nn.train`. The inputs of the prior
            must be on the scale of the network's: fit it to the rows that the ensemble was trained on.
        peeks: whether the parameters have seen the targets that the prior will be fitted to. Say False for initial
            parameters, or those of networks trained on other data.
        output_std: the kernel is multiplied by its square: a number (fixed), a positive NumPyro distribution
            (inferred), or None for ``LogNormal(0, 1)``.

    Raises:
        ValueError: for parameters that do not belong to the architecture, or a bad output_std.

    Example:
        >>> import bayes_nn as bnn
        >>> net = bnn.mlp(depth=1)
        >>> parameters = bnn.network.init(net, jax.random.key(0), (3,), width=8)
        >>> EmpiricalNTK(net, parameters, peeks=False)
        EmpiricalNTK(relu, depth=1, before training)
    """

    peeks: bool

    def __init__(
        self,
        net: Serial,
        parameters: Values,
        *,
        peeks: bool = True,
        output_std: StandardDeviation | None = None,
    ) -> None:
        self.net = checked_net(net)
        self.peeks = peeks
        self.output_std = checked_std(output_std, "output_std", default_output_std)
        self._parameters = _stacked(self.net, parameters)
        self.name = f"EmpiricalNTK({net.name}, {'after' if peeks else 'before'} training)"

    def check_inputs(self, input_shape: tuple[int, ...]) -> None:
        """Refuse inputs of another shape than the networks were made for."""
        hidden = [self._parameters[f"hidden_weight_{i}"] for i in range(self.net.depth)]
        widths = tuple(weight.shape[-1] for weight in hidden)
        expected = parameter_shapes(self.net, tuple(input_shape), widths)["hidden_weight_0"]
        if hidden[0].shape[1:] != expected:
            raise ValueError(
                f"{self.name}: inputs of shape {input_shape} need first weights of shape {expected}; the networks have "
                f"{hidden[0].shape[1:]}"
            )

    def hyperparameters(self) -> Latents:
        """The output_std, where it is inferred."""
        return {"output_std": prior_of(self.output_std)} if is_inferred(self.output_std) else {}

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> KernelProcess:
        """The averaged kernel times ``output_std^2``."""
        scale = jnp.square(jnp.asarray(values.get("output_std", self.output_std)))
        K = scale * self.kernel(X)
        if X_new is None:
            return KernelProcess(K)
        diagonal = jax.lax.map(lambda x: self.kernel(x[None])[0, 0], X_new)
        return KernelProcess(K, scale * self.kernel(X_new, X), scale * diagonal)

    def kernel(self, x1: Float[Array, "N *shape"], x2: Float[Array, "M *shape"] | None = None) -> Float[Array, "N M"]:
        """The NTK, averaged over networks and over outputs."""

        def one(parameters: Values) -> Array:
            return jnp.mean(jnp.einsum("nmcc->nmc", empirical_ntk(self.net, parameters, x1, x2)), axis=-1)

        return jnp.mean(map_each(one, self._parameters), axis=0)

    def _fields(self) -> dict[str, Any]:
        """Equal to itself alone: compiled code holds the parameters."""
        return {"itself": Identity(self)}


def _stacked(net: Serial, parameters: Values) -> Values:
    """Parameters with a leading axis over networks.

    Raises:
        ValueError: if they are not those of the architecture.
    """
    names = [f"hidden_weight_{i}" for i in range(net.depth)] + ["readout"]
    missing = [name for name in names if name not in parameters]
    if missing:
        raise ValueError(f"the parameters lack {', '.join(missing)}: take them from bayes_nn.network.init or bnn.train")
    parameters = {name: jnp.asarray(value) for name, value in parameters.items()}
    if parameters["readout"].ndim == 2:
        parameters = {name: value[None] for name, value in parameters.items()}
    lengths = {name: value.shape[0] if value.ndim else None for name, value in parameters.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"every parameter needs the same leading axis over networks; got lengths {lengths}")
    return parameters
