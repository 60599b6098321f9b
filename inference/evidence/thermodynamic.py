"""Evidence by thermodynamic integration: the mean log likelihood integrated over the tempering."""

from dataclasses import dataclass, replace

from jaxtyping import Array

from bayes_nn.inference.evidence.smc import SMCEstimator
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.repeated_estimates import Estimates
from bayes_nn.inference.sampling.smc_settings import LARGEST_TARGET_ESS
from bayes_nn.runtime.progress import Report

#: Least effective fraction of particles that a step leaves, for temperings close together; the rest falls with the
#: square of the effort, as the error of the rule does.
INTEGRATION_ESS = 0.9


@dataclass(frozen=True)
class ThermodynamicIntegration(SMCEstimator):
    """The same runs as SMC's, by the trapezoidal rule with end corrections (Friel, Hurn and Wyse 2014).

    Args:
        sampler: settings of SMC.

    Example:
        >>> ThermodynamicIntegration().method
        'thermodynamic'
    """

    method = "thermodynamic"

    def estimate(self, problem: Problem, key: Array, effort: int, report: Report) -> Estimates:
        """The integral in every island of one run, its end correction as the systematic error."""
        from bayes_nn.inference.sampling.smc_run import run_smc

        finer = min(1.0 - (1.0 - INTEGRATION_ESS) / effort**2, LARGEST_TARGET_ESS)
        settings = replace(
            self.sampler,
            particles=self.sampler.particles * effort,
            target_ess=max(self.sampler.target_ess, finer),
        )
        run = run_smc(problem, settings, key, report)
        log_evidence, correction = run.path.thermodynamic_integral()
        bias = float(abs(correction.mean()))
        return Estimates(log_evidence, run.path.integral_variance(), run.evidence.reasons, run.evidence.details, bias)
