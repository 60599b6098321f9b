"""The paragraph on every code of diagnostics: what was seen, and what to do.

Pages show them, and ``docs/diagnostics.md`` has the same, which a test compares.
"""

from bayes_nn.runtime.diagnostic_codes import DIAGNOSTICS

#: By code.
PARAGRAPHS = {
    "B101": (
        "The rank-normalised R-hat of f at some input, or of the log likelihood, exceeds 1.05: chains, islands or "
        "systems have not found the same posterior. Draw more or longer. If R-hat stays where it is, modes are "
        "separated, and no number of draws helps chains that start in different ones: use "
        '`sampler="replica_exchange"`, for SMC more particles. Look at the rank plots of the report to see which '
        "chain stands apart. Meanwhile predictions weigh islands by their evidence, and other chains by stacking: "
        "`print(posterior.chain_weights)` and the report say what each counts. Weights make the best of what was "
        "found; they do not make it the posterior."
    ),
    "B102": (
        "The bulk or tail effective sample size of f or of the log likelihood is below 25 for each chain, so that "
        "means and quantiles are noisy, though chains may agree. Draw more; where the autocorrelation on the "
        "report falls slowly, draw longer trajectories (`max_steps`) before drawing more of them."
    ),
    "B103": (
        "f or the likelihood overflowed in some draws. Look for extreme values in X and y, leave "
        "`standardize=True`, and look at priors whose scales have heavy tails. Diagnostics of such draws mean "
        "nothing, whatever else they say."
    ),
    "B104": (
        "All draws of every chain are the same: each move was refused. The step size never became small enough, "
        "or the density is not finite around the start. Give more warm-up, look at the scale of the data, and try "
        "SMC, which starts from the prior."
    ),
    "B105": (
        "One chain or island cannot be checked by another: R-hat and the spread of the evidence need at least "
        "two. Run two or more; four are the default and make the error of the evidence a good deal more certain "
        "than two do."
    ),
    "B106": (
        "More than one in a hundred trajectories of chains, or one in twenty of the last of SMC, lost their "
        "energy: the step is too long somewhere, and that part of the posterior is missing. Raise `target_accept` "
        "of NUTS and HMC; lower `max_steps` of SMC and infinite HMC. Fixing standard deviations that the data do "
        "not inform helps where a funnel is the cause."
    ),
    "B107": (
        "The mean acceptance of the last moves of SMC fell below 0.3, so particles were hardly moved and repeat "
        "each other. Raise particles, from which the moves learn their scale, or lower `max_steps`."
    ),
    "B108": (
        "SMC gave up before the whole likelihood counted: draws and evidence are those of a tempered posterior. "
        "Raise `max_temperatures`; if temperatures creep, raise particles or `accepted_moves`, since particles "
        "that do not move force small steps."
    ),
    "B109": (
        "A resampling left less than a quarter of the particles, so that the others are copies. The step in "
        "tempering was too large for their number. Raise particles, or `target_ess`, which makes steps smaller."
    ),
    "B110": (
        "Reweighting the draws to another prior has a Pareto k that is too high: few of them carry the weight, "
        "since the other prior puts its mass elsewhere. Fit under the other prior itself, or compare priors that "
        "are closer to each other."
    ),
    "B201": (
        "Islands or systems differ in log Z by more than their errors explain. Their average is carried by the "
        "luckiest of them. Raise particles; where modes are separated, use replica exchange, and there raise "
        "rounds. Quote no Bayes factor from such a row."
    ),
    "B202": (
        "So few islands lie this close together now and then even where their true spread is 2 nats. More "
        "islands, not more particles, tell the two apart: raise `islands`."
    ),
    "B203": (
        "Replica exchange estimates the evidence from below and from above, and the two are more than a nat "
        "apart: levels are too few or sweeps too short. The truth lies between them more often than not. Raise "
        "`rounds`, which adds levels and sweeps alike."
    ),
    "B204": (
        "Two successive rounds of replica exchange differ in log Z, or there was one round only. Replicas were "
        "still finding something. Raise `rounds`, or `max_seconds` in a comparison."
    ),
    "B205": (
        "Hardly any replica went from the prior to the posterior and back, so the coldest level has not forgotten "
        "where it began, even where both sides of the evidence agree. Raise `rounds` or `max_seconds`; the local "
        "barrier of `plot_tempering` shows where replicas get stuck."
    ),
    "B206": (
        "Quadrature and a sampler, or SMC and replica exchange, differ by more than their errors although one of "
        "them calls itself reliable. Trust neither. Run both longer, and a third, such as "
        '`inference.log_evidence(..., method="nested")` for few latents.'
    ),
    "B207": (
        "Thermodynamic integration, or the identity log Z = E[log p(y|z)] - KL, says something else than the "
        "weights of the same SMC run, or has too large an error to say anything. Particles at some temperature "
        "are not what they should be. Raise particles or `accepted_moves`."
    ),
    "B208": (
        "The grid of the quadrature is too coarse, cuts the posterior off, misses another peak, has no peak to be "
        'laid around, or would take too long. Use `method="smc"`, which needs no grid; posteriors with several '
        "peaks in few latents are rare, and worth a look."
    ),
    "B209": (
        "Importance sampling, bridge sampling, reweighting or a code length rest on a handful of draws: the prior "
        "(or reference) and the posterior hardly overlap. The estimate then errs low more often than not. Use "
        '`method="smc"`, or many more draws.'
    ),
    "B210": (
        "Laplace's approximation describes one peak, has no error bar, and fails where curvatures are negative or "
        'flat. Networks have many peaks by symmetry. It is a first look: use `method="smc"` or '
        '`"replica_exchange"` for a number to quote.'
    ),
    "B211": (
        "The live points still held more of the evidence than is negligible when the run was stopped: most of the "
        "posterior was not reached. Use SMC or replica exchange, unless latents are few and the likelihood is "
        "smooth."
    ),
}


def what_to_do(code: str) -> str:
    """What a code of diagnostics means, and what to do about it: its paragraph of ``docs/diagnostics.md``.

    Args:
        code: as warnings, tables and pages have it.

    Raises:
        ValueError: for a code that is none.

    Example:
        >>> what_to_do("B202").partition(".")[0]
        'B202: agreement may be luck'
    """
    if code not in PARAGRAPHS:
        raise ValueError(f"there is no diagnostic {code!r}; choose from {', '.join(PARAGRAPHS)}")
    return f"{code}: {DIAGNOSTICS[code].name}. {PARAGRAPHS[code]}"
