"""Draws from every rung's prior, the pictures of docs/ladder.md: ``python docs/pictures/draw_ladder.py`` (a minute)."""

import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib

import bayes_nn as bnn

matplotlib.use("agg")
import matplotlib.pyplot as plt
from PIL import Image

from bayes_nn import priors

HERE = Path(__file__).resolve().parent
NET = bnn.mlp(depth=1, activation="erf", weight_std=4.0, bias_std=1.0)
SIDE, REACH, MAPS, LINES = 40, 3.0, 4, 6

PRIORS = {
    "nngp": priors.NNGP(NET),
    "ntk": priors.NTK(NET),
    "scale_mixture": priors.ScaleMixture(NET, width=4),
    "student_t": priors.StudentT(NET, df=4),
    "input_metric_ard": priors.InputMetric(NET),
    "input_metric_rank_1": priors.InputMetric(NET, rank=1),
    "ard_kernel": priors.ARDKernel("matern52"),
    "network_4": bnn.BayesianNetwork(NET, width=4),
    "network_64": bnn.BayesianNetwork(NET, width=64),
}


def draw(prior: priors.GaussianProcessMixture, X: jax.Array, key: jax.Array) -> jax.Array:
    """One function from the prior at the inputs, without noise."""
    latents = prior.latents(bnn.Bernoulli(), X, 1)
    keys = jax.random.split(key, len(latents))
    values = {name: one.sample(k) for k, (name, one) in zip(keys, latents.items(), strict=True)}
    return prior.process(prior.numbers() | values, X).function(values[prior.function_site])[:, 0]


def picture(name: str, prior: priors.GaussianProcessMixture) -> None:
    """Functions of two inputs as maps of one colour scale, and along the first input as lines."""
    side = jnp.linspace(-REACH, REACH, SIDE)
    plane = jnp.stack(jnp.meshgrid(side, side), axis=-1).reshape(-1, 2)
    along = jnp.linspace(-REACH, REACH, 200)
    line = jnp.stack([along, jnp.zeros_like(along)], axis=-1)
    keys = jax.random.split(jax.random.key(zlib.crc32(name.encode())), MAPS + LINES)
    figure, axes = plt.subplots(
        1, MAPS + 1, figsize=(9.0, 1.9), width_ratios=[1.0] * MAPS + [1.5], layout="constrained"
    )
    maps = [draw(prior, plane, key).reshape(SIDE, SIDE) for key in keys[:MAPS]]
    most = float(jnp.quantile(jnp.abs(jnp.stack(maps)), 0.99))
    extent = (-REACH, REACH, -REACH, REACH)
    for axis, values in zip(axes, maps, strict=False):
        axis.imshow(values, "RdBu_r", origin="lower", extent=extent, vmin=-most, vmax=most, interpolation="bilinear")
        axis.set(xticks=[-REACH, 0, REACH], yticks=[-REACH, 0, REACH] if axis is axes[0] else [])
        axis.set_xlabel("$x_1$", labelpad=0)
    axes[0].set_ylabel("$x_2$", labelpad=-2)
    for key in keys[MAPS:]:
        axes[-1].plot(along, draw(prior, line, key), linewidth=1.2)
    axes[-1].set(xlim=(-REACH, REACH), title="$f(x_1, 0)$")
    axes[-1].locator_params(nbins=4)
    axes[-1].title.set_size(9)
    axes[-1].set_xlabel("$x_1$", labelpad=0)
    path = HERE / f"{name}.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    with Image.open(path) as image:
        image.convert("RGB").quantize(255).save(path, optimize=True)


if __name__ == "__main__":
    plt.rcParams.update({"font.size": 8, "xtick.labelsize": 7, "ytick.labelsize": 7})
    for one_name, one_prior in PRIORS.items():
        picture(one_name, one_prior)
