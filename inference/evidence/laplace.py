"""Laplace's approximation to the evidence: a Gaussian about the highest peak found, without an error bar."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize

from bayes_nn.inference.evidence.estimator import Estimator
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.runtime.diagnostic_codes import coded
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.mapping import map_each
from bayes_nn.runtime.progress import Report

#: Starts from the prior, and most latents whose Hessian is formed.
STARTS, LARGEST_DIMENSION = 4, 2000
#: Curvature below which a direction counts as flat; the standard-normal prior alone has 1.
FLAT = 1e-3
#: Step of the central differences of the analytic gradient.
STEP = 1e-4


@jax.jit
def _value_and_gradient(problem: Problem, u: Float[Array, " D"]) -> tuple[Array, Float[Array, " D"]]:
    """Minus the log density of the posterior up to log Z, with its gradient."""
    prior, prior_gradient = jax.value_and_grad(problem.log_prior)(u)
    likelihood, gradient = problem.log_likelihood_and_gradient(u)
    return -(prior + likelihood), -(prior_gradient + gradient)


@jax.jit
def _hessian(problem: Problem, u: Float[Array, " D"]) -> Float[Array, "D D"]:
    def row(direction: Float[Array, " D"]) -> Float[Array, " D"]:
        ahead = _value_and_gradient(problem, u + STEP * direction)[1]
        behind = _value_and_gradient(problem, u - STEP * direction)[1]
        return (ahead - behind) / (2.0 * STEP)

    return map_each(row, jnp.eye(len(u)))


@dataclass(frozen=True)
class Laplace(Estimator):
    """``log p(y, u*) + D/2 log 2 pi - 1/2 log det H`` at the highest of several peaks, on the unconstrained scale.

    MacKay 1992 (Neural Computation 4, 415-447). One peak only: permuted and mirrored copies of it, and all others, are
    left out, so for networks it is often far too low.

    Example:
        >>> Laplace().method
        'laplace'
    """

    method = "laplace"

    def log_evidence(
        self, problem: Problem, key: Array, tolerance: float, max_seconds: float, report: Report
    ) -> Evidence:
        """The approximation; tolerance and time are not used, since it cannot be refined.

        Raises:
            ValueError: for more latents than ``LARGEST_DIMENSION``.
        """
        dimension = problem.dimension
        if dimension > LARGEST_DIMENSION:
            raise ValueError(
                f"Laplace's method forms a Hessian of {dimension} latents; at most {LARGEST_DIMENSION}: "
                "use method='smc'"
            )
        starts = np.asarray(problem.sample_prior(key, (STARTS,)))
        with one_blas_thread_per_device():
            peaks = []
            for number, start in enumerate(starts):
                report(number / (STARTS + 1), f"peak {number + 1} of {STARTS}")
                peaks.append(
                    minimize(
                        lambda u: tuple(np.asarray(part, dtype=float) for part in _value_and_gradient(problem, u)),
                        start,
                        jac=True,
                        method="L-BFGS-B",
                        options={"maxiter": 2000, "maxfun": 4000},
                    )
                )
            best = min(peaks, key=lambda peak: peak.fun)
            report(STARTS / (STARTS + 1), "curvature")
            hessian = np.asarray(_hessian(problem, best.x))
        curvatures = np.linalg.eigvalsh(0.5 * (hessian + hessian.T))
        reasons = [coded("B210", "Laplace's approximation covers one peak and has no error bar")]
        if curvatures.min() < -FLAT:
            reasons.append(coded("B210", "the highest point found is no peak: some curvatures are negative"))
        if np.any(np.abs(curvatures) < FLAT):
            what = "the peak is a ridge, flat along a symmetry: the flat directions were left out"
            reasons.append(coded("B210", what))
        kept = curvatures[curvatures > FLAT]
        value = -best.fun + 0.5 * (len(kept) * np.log(2.0 * np.pi) - np.log(kept).sum())
        details = {"log_density_at_peaks": [-float(peak.fun) for peak in peaks], "dimension": dimension}
        return Evidence(float(value), float("nan"), "laplace", False, tuple(reasons), details)
