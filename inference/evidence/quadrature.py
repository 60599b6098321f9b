"""Evidence by quadrature over the latents, where there are at most three of them."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize
from scipy.special import logsumexp

from bayes_nn.inference.evidence.estimator import Estimator
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.mapping import map_each
from bayes_nn.runtime.progress import Report

#: Points along each axis, by the number of latents: odd, so that every other point is a grid of twice the step.
POINTS = {1: 401, 2: 81, 3: 33}
#: Half the length of an axis, in standard deviations of the Gaussian at the peak.
REACH = 8.0
#: Nats by which the grid of twice the step may differ, and share of the mass that may lie on the faces of the box.
LARGEST_DIFFERENCE, LARGEST_FACE = 0.01, 1e-3
#: Step of the differences that give the curvature at the peak.
STEP = 1e-3
#: Grid points in one compiled call.
PIECE = 100


@dataclass(frozen=True)
class Quadrature(Estimator):
    """The trapezoidal rule on a box about the highest peak, whose axes are those of the curvature there.

    It converges faster than any power of the step for smooth densities that vanish at the ends (Trefethen and
    Weideman 2014, SIAM Review 56). The stated error is the difference to the grid of twice the step, and is no
    Monte-Carlo error.

    Example:
        >>> Quadrature().method
        'quadrature'
    """

    method = "quadrature"

    def log_evidence(
        self, problem: Problem, key: Array, tolerance: float, max_seconds: float, report: Report
    ) -> Evidence:
        """The sum over the grid; tolerance and time are not used.

        Raises:
            ValueError: for more than three latents.
        """
        dimension = problem.dimension
        if dimension not in POINTS:
            raise ValueError(f"quadrature is for at most {max(POINTS)} latents; got {dimension}: use method='smc'")
        with one_blas_thread_per_device():
            starts = np.asarray(problem.sample_prior(key, (4,)))
            peak = min((_climb(problem, start) for start in starts), key=lambda found: found[1])[0]
            axes = REACH * np.linalg.cholesky(_covariance(problem, peak))
            steps = np.linspace(-1.0, 1.0, POINTS[dimension])
            grid = np.stack(np.meshgrid(*[steps] * dimension, indexing="ij"), axis=-1)
            values = _log_densities(problem, peak + grid.reshape(-1, dimension) @ axes.T, report)
        values = values.reshape(grid.shape[:-1])
        log_volume = np.linalg.slogdet(axes)[1] + dimension * np.log(steps[1] - steps[0])
        total = float(logsumexp(values))
        value = total + log_volume
        coarse = logsumexp(values[(slice(None, None, 2),) * dimension]) + log_volume + dimension * np.log(2.0)
        difference = float(abs(coarse - value))
        inside = logsumexp(values[(slice(1, -1),) * dimension])
        face = float(-np.expm1(inside - total))
        reasons: tuple[str, ...] = ()
        if not difference <= LARGEST_DIFFERENCE:
            reasons += (f"the grid of twice the step differs by {difference:.2g} nats: use method='smc'",)
        if not face <= LARGEST_FACE:
            reasons += (f"{face:.0%} of the mass lies on the edge of the grid: use method='smc'",)
        details = {"points": int(values.size), "face": face}
        return Evidence(float(value), difference, self.method, not reasons, reasons, details)


@jax.jit
def _minus_log_density(problem: Problem, u: Float[Array, " D"]) -> Float[Array, ""]:
    return -problem.log_prior(u) - problem.log_likelihood(u)


@jax.jit
def _piece(problem: Problem, u: Float[Array, "P D"]) -> Float[Array, " P"]:
    return map_each(lambda one: -_minus_log_density(problem, one), u)


def _climb(problem: Problem, start: Float[np.ndarray, " D"]) -> tuple[Float[np.ndarray, " D"], float]:
    """The peak above a start, without derivatives, and minus its log density."""
    found = minimize(lambda u: float(_minus_log_density(problem, u)), start, method="Nelder-Mead", tol=1e-8)
    return found.x, float(found.fun)


def _covariance(problem: Problem, peak: Float[np.ndarray, " D"]) -> Float[np.ndarray, "D D"]:
    """Of the Gaussian with the curvature at the peak, by central differences; no wider than 10 along any axis."""
    dimension, unit = len(peak), STEP * np.eye(len(peak))

    def at(shift: np.ndarray) -> float:
        return float(_minus_log_density(problem, peak + shift))

    hessian = np.array(
        [[(at(a + b) - at(a - b) - at(b - a) + at(-a - b)) / (4.0 * STEP**2) for b in unit] for a in unit]
    )
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    return (vectors / np.maximum(values, 1e-2)) @ vectors.T + 1e-12 * np.eye(dimension)


def _log_densities(problem: Problem, u: Float[np.ndarray, "M D"], report: Report) -> Float[np.ndarray, " M"]:
    """Log densities in pieces of one size, the last one filled up with its first point."""
    found = []
    for start in range(0, len(u), PIECE):
        piece = u[start : start + PIECE]
        filled = np.concatenate([piece, np.repeat(piece[:1], PIECE - len(piece), axis=0)])
        found.append(np.asarray(_piece(problem, jnp.asarray(filled)))[: len(piece)])
        report(min(start + PIECE, len(u)) / len(u), f"{start + len(piece)} of {len(u)} points")
    return np.concatenate(found)
