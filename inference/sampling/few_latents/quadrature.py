"""Evidence by quadrature over the latents, where there are at most three of them."""

from dataclasses import replace

import jax
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize
from scipy.special import logsumexp

from bayes_nn.inference.problem.evidence import Evidence, with_approximation
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.thermodynamics import TOLERATED_ERRORS, TOLERATED_NATS
from bayes_nn.inference.sampling.few_latents.densities import densities_at
from bayes_nn.runtime.diagnostic_codes import coded
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.progress import Report

#: Points along each axis, by the number of latents: odd, so that every other point is a grid of twice the step.
POINTS = {1: 401, 2: 81, 3: 33}
#: Half the length of an axis, in standard deviations of the Gaussian at the peak.
REACH = 8.0
#: Nats by which the grid of twice the step may differ, and share of the mass that may lie on the faces of the box.
LARGEST_DIFFERENCE, LARGEST_FACE = 0.01, 1e-3
#: Starts of the climb to the highest peak, and nats that a peak off the grid must lie lower to be left out.
STARTS, NEGLIGIBLE_DEPTH = 8, 15.0
#: Step of the differences that give the curvature at the peak.
STEP = 1e-3


def quadrature(problem: Problem, key: Array, report: Report, max_seconds: float = float("inf")) -> Evidence:
    """The trapezoidal rule on a box about the highest peak, whose axes are those of the curvature there.

    It converges faster than any power of the step for smooth densities that vanish at the ends (Trefethen and
    Weideman 2014, SIAM Review 56). The stated error is the difference to the grid of twice the step, and is no
    Monte-Carlo error.

    Args:
        problem: the posterior.
        key: of the draws from the prior where the climbs to the peak begin.
        report: told the fraction of the grid that is done.
        max_seconds: a grid that would, at the pace of its first points, take longer is left unfinished.

    Returns:
        The evidence. It is not reliable where the step is too long, mass lies on the edge of the grid, or another peak
        outside; it is NaN where there is no peak, or the grid was left unfinished.

    Raises:
        ValueError: for more than three latents, or none.

    Example:
        >>> import bayes_nn as bnn, jax.numpy as jnp
        >>> from bayes_nn.inference.problem.collapsed import CollapsedProblem
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> problem = CollapsedProblem.of(nngp, jnp.ones((3, 2)), jnp.zeros((3, 1)), bnn.Gaussian())
        >>> quadrature(problem, jax.random.key(0), lambda *_: None).details["points"]  # over noise_std
        401
    """
    dimension = problem.dimension
    if dimension not in POINTS:
        raise ValueError(f"quadrature is for at most {max(POINTS)} latents; got {dimension}: use method='smc'")
    with one_blas_thread_per_device():
        starts = np.asarray(problem.sample_prior(key, (STARTS,)))
        climbs = [_climb(problem, start) for start in starts]
        peaks, heights = np.array([end for end, _ in climbs]), np.array([height for _, height in climbs])
        peak = peaks[int(np.argmax(heights))]
        covariance = _covariance(problem, peak)
        if covariance is None:
            return _failed("the density has no peak with a curvature")
        axes = REACH * np.linalg.cholesky(covariance)
        steps = np.linspace(-1.0, 1.0, POINTS[dimension])
        grid = np.stack(np.meshgrid(*[steps] * dimension, indexing="ij"), axis=-1)
        points = peak + grid.reshape(-1, dimension) @ axes.T
        try:
            found = densities_at(
                problem, points, lambda done: report(done / len(points), f"{done} of {len(points)} points"), max_seconds
            )
        except TimeoutError as error:
            return _failed(f"a grid of {error}")
    values = np.sum(found, axis=0).reshape(grid.shape[:-1])
    log_volume = np.linalg.slogdet(axes)[1] + dimension * np.log(steps[1] - steps[0])
    total = float(logsumexp(values))
    value = total + log_volume
    coarse = logsumexp(values[(slice(None, None, 2),) * dimension]) + log_volume + dimension * np.log(2.0)
    difference = float(abs(coarse - value))
    inside = logsumexp(values[(slice(1, -1),) * dimension])
    face = float(-np.expm1(inside - total))
    off_grid = np.abs(np.linalg.solve(axes, (peaks - peak).T)).max(axis=0) > 1.0
    reasons: tuple[str, ...] = ()
    if not difference <= LARGEST_DIFFERENCE:
        reasons += (coded("B208", f"the grid of twice the step differs by {difference:.2g} nats: use method='smc'"),)
    if not face <= LARGEST_FACE:
        reasons += (coded("B208", f"{face:.0%} of the mass lies on the edge of the grid: use method='smc'"),)
    if np.any(heights[off_grid] > heights.max() - NEGLIGIBLE_DEPTH):
        reasons += (coded("B208", "another peak lies outside the grid: use method='smc'"),)
    details = {"points": int(values.size), "face": face}
    return Evidence(float(value), difference, "quadrature", not reasons, reasons, details)


def _failed(reason: str) -> Evidence:
    reasons = (coded("B208", f"{reason}: use method='smc'"),)
    return Evidence(float("nan"), float("nan"), "quadrature", False, reasons)


def quadrature_where_reliable(problem: Problem, key: Array, report: Report, max_seconds: float) -> Evidence | None:
    """:func:`quadrature` where it is for the problem and can be trusted; None elsewhere.

    Args:
        problem: the posterior.
        key: random key.
        report: told the fraction done.
        max_seconds: that it may take.
    """
    if problem.dimension not in POINTS:
        return None
    found = quadrature(problem, key, report, max_seconds)
    return with_approximation(found, problem) if found.reliable else None


def confirmed(found: Evidence, sampled: Evidence) -> Evidence:
    """Evidence by quadrature beside that of the sampler whose draws are used, which says if the two contradict.

    Args:
        found: by quadrature.
        sampled: by the sampler; its details are kept.

    Example:
        >>> one = Evidence(-10.0, 1e-9, "quadrature")
        >>> confirmed(one, Evidence(-10.1, 0.1, "smc")).reliable, confirmed(one, Evidence(-8.0, 0.1, "smc")).reliable
        (True, False)
    """
    reasons = found.reasons
    gap = sampled.value - found.value
    if sampled.reliable and not abs(gap) <= TOLERATED_NATS + TOLERATED_ERRORS * sampled.mcse:
        what = f"{sampled.method}, reliable by itself, differs from quadrature by {gap:+.2f} nats"
        reasons += (coded("B206", what),)
    of_sampler = {"method_of_sampler": sampled.method, "log_evidence_of_sampler": sampled.value}
    details = sampled.details | found.details | of_sampler | {"mcse_of_sampler": sampled.mcse}
    return replace(found, reliable=not reasons, reasons=reasons, details=details)


def _log_density(problem: Problem, u: Float[Array, " D"]) -> Float[Array, ""]:
    return problem.log_prior(u) + problem.log_likelihood(u)


_one = jax.jit(_log_density)


def _climb(problem: Problem, start: Float[np.ndarray, " D"]) -> tuple[Float[np.ndarray, " D"], float]:
    """The peak above a start, without derivatives, and its log density."""
    found = minimize(lambda u: -float(_one(problem, u)), start, method="Nelder-Mead", tol=1e-8)
    return found.x, -float(found.fun) if np.isfinite(found.fun) else -np.inf


def _covariance(problem: Problem, peak: Float[np.ndarray, " D"]) -> Float[np.ndarray, "D D"] | None:
    """Of the Gaussian with the curvature at the peak, by central differences; no wider than 10 along any axis.

    None where the density vanishes beside the peak.
    """
    dimension, unit = len(peak), STEP * np.eye(len(peak))

    def at(shift: np.ndarray) -> float:
        return -float(_one(problem, peak + shift))

    hessian = np.array(
        [[(at(a + b) - at(a - b) - at(b - a) + at(-a - b)) / (4.0 * STEP**2) for b in unit] for a in unit]
    )
    if not np.isfinite(hessian).all():
        return None
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    return (vectors / np.maximum(values, 1e-2)) @ vectors.T + 1e-12 * np.eye(dimension)
