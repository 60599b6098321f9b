"""How much of what hidden weights learnt is about the overall scale of the kernel, from a posterior's own draws.

With w the hidden weights and s(w) any statistic of them the chain rule splits feature information::

    KL( p(w|D) || p(w) ) = KL( p(s|D) || p(s) ) + E_{s|D} KL( p(w|s,D) || p(w|s) ),

both parts at least 0. Here ``s = sum_i |phi_w(x_i)|^2``, phi the last hidden layer: the trace of K_w over the readout's
variance, its bias left out. The first part is then *about scale*, and the second, which a rescaling of every kernel by
a number leaves as it is, *about shape*. By the data-processing inequality no statistic gets more than all of the
information, but another one may get more that is about scale: the part about scale is a lower bound, that about shape
an upper one. Where hyperparameters h are inferred, s under a posterior draw is compared with s under the same h and
hidden weights drawn anew; averages over h only lower the divergence further (it is convex).

**How tight it is.** ``K_w = s K_NNGP`` for linear networks of one input and no biases: s is then sufficient, and
nothing is left for the shape. With more inputs that is false even for linear networks, whose *functions* have the law
of an NNGP times a random scale (Hanin and Zlokapa 2023, arXiv:2212.14457). That scale is ``|readout|^2/n``, not a
statistic of hidden weights: given these, a target that is too large is met by a kernel with a spike along the target,
which costs fewer nats than a larger kernel. Hidden weights of a linear network do turn towards the target, though the
evidence gains nothing over a free scale. (4 inputs, width 8, target 6 times too large: feature information 11.5 nats,
4.7 of them on the trace; the scale mixture spends 8.8 on its scale.) What hidden weights would still learn if a scale
were free is what :func:`bayes_nn.inference.scale_and_shape` fits: 1.0 nats.

Laws of s are one-dimensional, but far apart, where nearest neighbours saturate at the log of the number of draws. The
prior's is taken as a Gamma distribution fitted to draws (exact for linear networks of one input; nearly so for others,
being a sum over units), the posterior's entropy as that of a Gaussian in log s, with which the divergence errs low.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import optimize, special, stats

from bayes_nn.architecture.network import has_bias, layer_stds
from bayes_nn.inference.posterior.draws import Draws
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.monte_carlo_errors import jackknife_error
from bayes_nn.priors.gaussian.gaussian_process import FeatureProcess

#: Redraws of the hidden weights from their prior, for every posterior draw.
REDRAWS = 4


def information_on_scale(posterior: Draws) -> tuple[float, float]:
    """KL( p(s|D) || p(s) ) of the scale of a network's kernel, nats, and its error by leaving out one chain at a time.

    Args:
        posterior: of a prior whose hidden weights the data update; of kernels that depend on them, s is the trace.

    Example:
        >>> import bayes_nn as bnn
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), width=20)
        >>> posterior = bnn.fit(network, X, 5.0 * X[:, 0], bnn.Gaussian(0.3), bnn.inference.InfiniteHMC(draws=50),
        ...                     standardize=False)
        >>> information_on_scale(posterior)[0] > 0.5
        True
    """
    log_s = posterior.of_every_draw(_log_scales).reshape(*posterior.shape, 1 + REDRAWS)
    after, before = log_s[..., 0], log_s[..., 1:]
    return log_scale_divergence(after, before), jackknife_error(log_scale_divergence, after, before)


def _log_scales(problem: CollapsedProblem, _: None, values: dict[str, Array], key: Array) -> Float[Array, " redraws"]:
    """log s under a posterior draw, then under the same hyperparameters and hidden weights from the prior."""
    prior: Any = problem.prior
    priors = prior.hidden_weights(problem.X.shape[1:])

    def log_scale(values: dict[str, Array]) -> Array:
        process = problem.process(values)
        if not isinstance(process, FeatureProcess):
            return jnp.log(jnp.trace(process.K))
        weight_std, _ = layer_stds(prior.net, problem.fixed | values)[-1]
        Phi = process.Phi[:, :-1] if has_bias(prior.net.affine[-1]) else process.Phi
        return jnp.log(jnp.sum(Phi**2)) - 2.0 * jnp.log(weight_std)

    def redrawn(key: Array) -> Array:
        keys = jax.random.split(key, len(priors))
        return log_scale(values | {name: p.sample(one) for one, (name, p) in zip(keys, priors.items(), strict=True)})

    return jnp.concatenate([log_scale(values)[None], jax.lax.map(redrawn, jax.random.split(key, REDRAWS))])


def log_scale_divergence(after: Float[np.ndarray, "..."], before: Float[np.ndarray, "..."]) -> float:
    """KL between two laws of a positive s from draws of log s: ``-entropy - E_after[log p_before]``, nats; at least 0.

    Args:
        after: draws from the first; where all units of a network are dead s is 0, and such draws are left out.
        before: draws from the second, to which a Gamma distribution is fitted by maximum likelihood.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> one, other = (np.log(rng.gamma(50.0, scale, 20_000)) for scale in (2.0, 1.0))
        >>> bool(abs(log_scale_divergence(one, other) - 50.0 * (1.0 - np.log(2.0))) < 0.5)
        True
    """
    after, before = after[np.isfinite(after)], before[np.isfinite(before)]
    if not len(after) or not len(before) or np.ptp(after) == 0.0 or np.ptp(before) == 0.0:
        return 0.0
    centre = before.mean()
    after, before = after - centre, before - centre
    mean = np.exp(before).mean()
    # Of a Gamma distribution of shape k, log of the mean minus mean of the log is log k - digamma(k).
    k = optimize.brentq(lambda k: np.log(k) - special.digamma(k) - np.log(mean), 1e-3, 1e9)
    log_density = stats.gamma.logpdf(np.exp(after), k, scale=mean / k) + after
    entropy = 0.5 * np.log(2.0 * math.pi * math.e * after.var())
    return max(float(-entropy - log_density.mean()), 0.0)
