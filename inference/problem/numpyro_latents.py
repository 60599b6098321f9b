"""The latents of a NumPyro model as one unconstrained vector."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro.distributions import biject_to

from bayes_nn.priors.numpyro_prior import Latent, NumPyroPrior
from bayes_nn.runtime.mapping import map_each

#: Unconstrained values of draws that rounding put on the boundary of their support.
LOWEST, HIGHEST = -745.0, 37.0


def unflatten(layout: tuple[Latent, ...], u: Float[Array, " D"]) -> dict[str, Array]:
    """u cut into unconstrained sites.

    Example:
        >>> {name: part.tolist() for name, part in unflatten((Latent("slope", (2,), (2,)),), jnp.arange(2.0)).items()}
        {'slope': [0.0, 1.0]}
    """
    sites, start = {}, 0
    for latent in layout:
        sites[latent.name] = u[start : start + latent.size].reshape(latent.unconstrained_shape)
        start += latent.size
    return sites


@partial(jax.jit, static_argnames=("prior", "layout"))
def sample_latents(
    prior: NumPyroPrior, layout: tuple[Latent, ...], X: Array, y: Array, keys: Array
) -> Float[Array, "M D"]:
    """Draws of u from the prior, one for each key."""

    def one(key: Array) -> Float[Array, " D"]:
        sites = prior.trace(X, y, key=key)
        drawn = [sites[latent.name] for latent in layout]
        parts = [jnp.ravel(biject_to(site["fn"].support).inv(site["value"])) for site in drawn]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    return jnp.nan_to_num(map_each(one, keys), nan=jnp.nan, posinf=HIGHEST, neginf=LOWEST)
