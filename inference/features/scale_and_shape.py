"""What hidden weights learn beyond the scale of the targets: a network fitted anew under a free output scale."""

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from bayes_nn.architecture.layers import Dense
from bayes_nn.architecture.network import READOUT_SCALE
from bayes_nn.architecture.serial import Serial
from bayes_nn.architecture.standard_deviations import is_inferred, median
from bayes_nn.inference.posterior.draws import checked_network
from bayes_nn.inference.posterior.fit import fit_problem
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.sampling.sampler import Sampler
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.runtime.random_keys import checked_key

#: Standard deviation of the log of the free scale: a factor of 7 either way is likely.
FREE_SCALE = 2.0


@dataclass(frozen=True)
class ScaleAndShape:
    """Feature information, split into what a free output scale takes over and what is left.

    Attributes:
        information: of the network as it was fitted, nats, and its standard error (``_mcse``).
        on_shape: feature information under a free output scale, nats, and its standard error.
        scale: posterior median of the free readout weight_std over the network's own, and its 5 and 95 percent points.
        log_evidence: of the network with the free scale, nats: the cost of that prior is in it.
        reasons: why not to trust the second fit; empty if none.

    Example:
        >>> print(ScaleAndShape(19.7, 0.3, 1.1, 0.2, (6.0, 4.0, 9.0), Evidence(-30.0, 0.1, "smc")))
        feature information 19.70 +- 0.30 nats: 18.60 +- 0.36 on scale, 1.10 +- 0.20 on shape; readout times 6 (4 to 9)
    """

    information: float
    information_mcse: float
    on_shape: float
    on_shape_mcse: float
    scale: tuple[float, float, float]
    log_evidence: Evidence
    reasons: tuple[str, ...] = ()

    @property
    def on_scale(self) -> float:
        """What a free scale takes over, nats: negative where a scale set free makes hidden weights learn more."""
        return self.information - self.on_shape

    @property
    def on_scale_mcse(self) -> float:
        """Its standard error."""
        return float(np.hypot(self.information_mcse, self.on_shape_mcse))

    def __str__(self) -> str:
        middle, low, high = self.scale
        trust = f"  NOT RELIABLE: {'; '.join(self.reasons)}" if self.reasons else ""
        return (
            f"feature information {self.information:.2f} +- {self.information_mcse:.2f} nats: "
            f"{self.on_scale:.2f} +- {self.on_scale_mcse:.2f} on scale, "
            f"{self.on_shape:.2f} +- {self.on_shape_mcse:.2f} on shape; "
            f"readout times {middle:.3g} ({low:.3g} to {high:.3g}){trust}"
        )


def scale_and_shape(
    posterior: Posterior, key: int | Array = 0, *, sampler: Sampler | None = None, progress: bool = True
) -> ScaleAndShape:
    """Split feature information into nats on scale and nats on shape, by fitting a network again with a free scale.

    The readout's weight_std w is given the prior ``LogNormal(log w, 2)``, so that any output scale costs two or three
    nats, and the data choose. KL( p(hidden weights | h, D) || p(hidden weights) ), averaged over the posterior of the
    hyperparameters h, that scale among them, is what hidden weights still learn: *on shape*. The rest of the feature
    information was spent on what a free scale does as well.

    It errs high: the divergence of hidden weights is that of a description, and the same prior over functions may have
    a shorter one. A deep linear network's functions are those of an NNGP of random scale (Hanin and Zlokapa 2023,
    arXiv:2212.14457), and all of its nats on shape are of this kind; they fall like 1/width and are no gain in
    evidence. Measured on targets 6 times too large: 11.5 nats become 1.0 (4 inputs, 30 rows, width 8), and 24.7 become
    1.6 (10 inputs, 12 rows, width 20). That a network beats a :class:`bayes_nn.priors.ScaleMixture` in evidence is the
    claim that does not depend on a description.

    Args:
        posterior: of a network with Gaussian noise, whose evidence is known or can be estimated.
        key: a JAX key or an integer seed.
        sampler: of the second fit, with an evidence; ``SMC()`` when left out. It takes about as long as the first.
        progress: show a progress bar on a terminal.

    Raises:
        ValueError: for another prior or likelihood, or a prior that the data do not update.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> few = bnn.inference.SMC(particles=64, islands=2)
        >>> network = bnn.BayesianNetwork(bnn.mlp(1, "identity", 1.0, 0.0), width=8)
        >>> posterior = bnn.fit(network, X, 9.0 * X[:, 0], bnn.Gaussian(0.5), few, standardize=False)
        >>> split = scale_and_shape(posterior, sampler=few)
        >>> split.on_scale > 3.0 * split.on_shape
        True
    """
    network, problem = checked_network(posterior), posterior.problem
    assert isinstance(problem, CollapsedProblem)
    if not network.updated:
        raise ValueError(f"{network.name} is never updated by the data: there is no feature information to split")
    if not problem.likelihood.conjugate:
        raise ValueError(f"scale and shape are split under Gaussian noise; got {posterior.dataset.likelihood}")
    free, own = with_free_scale(problem)
    settings, title = sampler or SMC(), f"{network.name}, free scale"
    second, kept = fit_problem(
        free, posterior.dataset, settings, checked_key(key), progress=title if progress else False
    )
    kept.remove()
    before, after = posterior.feature_information, second.feature_information
    factors = second.values[f"weight_std_{network.net.depth}"] / own
    middle, low, high = (float(one) for one in np.quantile(factors, (0.5, 0.05, 0.95)))
    reasons = tuple(dict.fromkeys((*second.log_evidence.reasons, *second.convergence.reasons)))
    return ScaleAndShape(
        before.value, before.mcse, after.value, after.mcse, (middle, low, high), second.log_evidence, reasons
    )


def with_free_scale(problem: CollapsedProblem) -> tuple[CollapsedProblem, float]:
    """The problem with a wide prior of the readout's weight_std, and the weight_std that it is wide around.

    Args:
        problem: of a network.

    Example:
        >>> import bayes_nn as bnn, jax.numpy as jnp
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.5, bias_std=0.1), width=4)
        >>> problem = CollapsedProblem.of(network, jnp.ones((3, 2)), jnp.zeros((3, 1)), bnn.Gaussian(0.5))
        >>> free, own = with_free_scale(problem)
        >>> list(free.hyperparameters), own
        (['weight_std_1'], 1.5)
    """
    prior: Any = copy.copy(problem.prior)
    site, readout = f"weight_std_{prior.net.depth}", prior.net.affine[-1]
    given = median(readout.weight_std) if is_inferred(readout.weight_std) else float(problem.fixed[site])
    own = given * float(problem.fixed.get(READOUT_SCALE, 1.0))
    anew = Dense(dist.LogNormal(float(np.log(own)), FREE_SCALE), readout.bias_std)
    prior.net, prior.readout_scale = Serial(*prior.net.layers[:-1], anew), None
    fixed = {name: number for name, number in problem.fixed.items() if name not in (site, READOUT_SCALE)}
    return replace(problem, prior=prior, fixed=fixed), own
