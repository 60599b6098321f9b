"""The fitted posterior: predictions, evidence, feature information and an ArviZ DataTree."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import xarray as xr

from bayes_nn.data.class_predictive import ClassPredictive
from bayes_nn.data.mixture_predictive import MixturePredictive
from bayes_nn.data.predictive import Predictive
from bayes_nn.inference.drawing.backends import Backend, by_backend
from bayes_nn.inference.posterior import saved_posterior
from bayes_nn.inference.posterior.convergence import Convergence, judge_convergence
from bayes_nn.inference.posterior.datatree import to_datatree
from bayes_nn.inference.posterior.diagnostics import fit_section, stacking_weights
from bayes_nn.inference.posterior.draws import Draws
from bayes_nn.inference.posterior.feature_information import FeatureInformation, feature_information
from bayes_nn.inference.posterior.metric import LearnedMetric, learned_metric
from bayes_nn.inference.posterior.noise_check import noise_notes
from bayes_nn.inference.posterior.record import fit_record
from bayes_nn.inference.posterior.tempering_plot import plot_tempering
from bayes_nn.inference.problem.chain_weights import ChainWeights
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.report.diagnostic_plots import plot_diagnostics
from bayes_nn.inference.report.fit_section import FitSection
from bayes_nn.inference.report.notebook import as_pairs, as_paragraphs
from bayes_nn.inference.report.page import write_fit_report
from bayes_nn.inference.sampling.few_latents.trusted_evidence import default_evidence
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.runtime.progress import progress_bar


@dataclass(frozen=True)
class Posterior(Draws):
    """Posterior of a prior over functions, given data: what :func:`bayes_nn.fit` returns.

    Attributes:
        problem: prior, likelihood and data on the model's scale.
        dataset: the data as given, their scale and their columns.
        values: draws of every latent, (chains, draws, ...); chains are islands for SMC. Empty for exact
            posteriors without latents.
        log_likelihood: ``log p(y | z)`` of every draw, (chains, draws), nats.
        sample_stats: the sampler's statistics, (chains, draws) each.
        sampler: ``"exact"``, ``"infinite_hmc"``, ``"smc"``, ``"replica_exchange"``, ``"nuts"``, ``"hmc"`` or
            ``"frozen"``.
        key: for draws made later: of the readout, of f, of replicated y.
        sampler_evidence: the evidence where the sampler estimated it.
        sampler_reasons: why the sampler distrusts its draws, beyond what the draws show themselves; empty if none.
        seconds: wall time of the fit, interruptions left out.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> x = np.linspace(-1, 1, 20)
        >>> net = bnn.mlp(depth=1, weight_std=1.5, bias_std=0.5)
        >>> bnn.fit(bnn.priors.NNGP(net), x, np.sin(3 * x), bnn.Gaussian(0.1)).convergence.converged
        True
    """

    sampler_evidence: Evidence | None = None
    sampler_reasons: tuple[str, ...] = ()
    seconds: float = 0.0

    @cached_property
    def log_evidence(self) -> Evidence:
        """log p(y) in nats, for y on the scale the model sees (standardised by default).

        After Markov chains, which do not estimate it, the first call integrates over a grid or by weighted draws where
        latents are few, else it runs SMC on the same prior and data until the standard error is below 0.1 nats, or for
        about ten minutes; :func:`bayes_nn.inference.log_evidence` has choices.
        """
        if self.sampler_evidence is not None:
            return self.sampler_evidence
        with progress_bar(f"evidence of {self.prior.name}") as report:
            return default_evidence(self.problem, jax.random.fold_in(self.key, 2), report)

    @cached_property
    def feature_information(self) -> FeatureInformation:
        """KL( p(hidden weights | D) || p(hidden weights) ) in nats with its error; exactly 0 without hidden weights.

        Under an :class:`~bayes_nn.priors.InputMetric` it is that of the metric: what the data spend on its shape.
        """
        return feature_information(self, lambda: self.log_evidence, self.sampler_evidence)

    @cached_property
    def metric(self) -> LearnedMetric:
        """What an :class:`~bayes_nn.priors.InputMetric` has learnt: relevant inputs and directions, with intervals.

        Raises:
            ValueError: if the prior is another one.
        """
        return learned_metric(self)

    @cached_property
    def convergence(self) -> Convergence:
        """R-hat and effective sample sizes in function space, with a verdict in words."""
        return judge_convergence(self, self.sampler_reasons)

    def convergence_at(self, X: Any) -> Convergence:
        """:attr:`convergence` that watches f at new inputs as well.

        Chains that agree on the training inputs may still disagree on others, where they are used.

        Args:
            X: inputs, as in :meth:`predict`; up to 50 of them, evenly spread over the rows, are looked at.

        Raises:
            ValueError: as :meth:`predict`.

        Example:
            >>> import bayes_nn as bnn, numpy as np
            >>> x = np.linspace(-1, 1, 20)
            >>> net = bnn.mlp(depth=1, weight_std=1.5, bias_std=0.5)
            >>> bnn.fit(bnn.priors.NNGP(net), x, np.sin(3 * x), bnn.Gaussian(0.1)).convergence_at([2.0]).converged
            True
        """
        return judge_convergence(self, self.sampler_reasons, self.dataset.new_inputs(X))

    @cached_property
    def chain_weights(self) -> ChainWeights:
        """What every chain counts in predictions: all alike where chains agree, as :attr:`convergence` sees it.

        Islands of SMC that disagree are weighted by their evidence, other chains by stacking where leaving rows out can
        be trusted (docs/decisions/0022). Diagnostics, averages over draws and :meth:`to_datatree` weigh chains alike.
        """
        if self.convergence.chains_agree:
            return ChainWeights.alike(self.shape[0])
        if self.sampler == SMC.name and self.sampler_evidence:
            return ChainWeights.by_evidence(self.sampler_evidence.details["log_evidence_by_island"])
        return stacking_weights(self.record)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not to trust the draws or the evidence that came with them; empty if nothing failed."""
        of_evidence = self.sampler_evidence.reasons if self.sampler_evidence else ()
        return tuple(dict.fromkeys((*self.convergence.reasons, *of_evidence)))

    @cached_property
    def noise_notes(self) -> tuple[str, ...]:
        """What contradicts Gaussian noise, with the likelihood that would fit; empty where nothing does.

        Of all fits to data that a prior with such noise has made, one in a hundred has a note.
        """
        return tuple(noise_notes(self).values())

    def predict(self, X: Any) -> Predictive | ClassPredictive | MixturePredictive:
        """Predictive distribution of y at new inputs, on the user's scale.

        Args:
            X: inputs, (T, d), (T,) for a single input column, or images (T, H, W, C). The columns of a data frame are
                matched by name with those of the training data.

        Raises:
            ValueError: for missing values, columns that are missing, new, or too many, or more inputs than the memory
                holds predictions of by all draws.

        Example:
            >>> import bayes_nn as bnn, numpy as np
            >>> x = np.linspace(-1, 1, 20)
            >>> net = bnn.mlp(depth=1, weight_std=1.5, bias_std=0.5)
            >>> posterior = bnn.fit(bnn.priors.NNGP(net), x, np.sin(3 * x), bnn.Gaussian(0.1))
            >>> posterior.predict([0.0, 0.5]).mean.shape
            (2,)
        """
        new = self.dataset.new_inputs(X)
        predictive = self.problem.predictive(self.predictions_at(new), self.dataset.scale)
        return replace(predictive, draw_weights=self.chain_weights.of_draws(self.shape[1]))

    def plot_tempering(self, *, backend: Backend = "matplotlib") -> Any:
        """The way from the prior to the posterior that the sampler took.

        After replica exchange: E[l] and the local barrier against tempering, with the place where features form, swaps,
        the way of some replicas, and the evidence from both sides. After SMC: E[l] and every island's tempering.

        Args:
            backend: as in :meth:`plot_diagnostics`, which raises the same.

        Raises:
            ValueError: if the sampler took none, as exact posteriors and Markov chains do not.

        Example:
            >>> import bayes_nn as bnn, numpy as np
            >>> X = np.random.default_rng(0).normal(size=(20, 2))
            >>> few, net = bnn.inference.SMC(particles=8, islands=2), bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)
            >>> posterior = bnn.fit(bnn.BayesianNetwork(net, 4), X, X[:, 0], bnn.Gaussian(1.0), few)
            >>> [ax.get_title() for ax in posterior.plot_tempering().axes]
            ['mean log likelihood', 'tempering of every island']
        """
        details = self.sampler_evidence.details if self.sampler_evidence else {}
        return by_backend(plot_tempering(details, self.prior.name, self.prior.rung_name), backend)

    def plot_diagnostics(self, which: str = "rank_dist", *, backend: Backend = "matplotlib") -> Any:
        """One of ArviZ's figures of the draws, as the page of :meth:`report` shows them.

        Args:
            which: rank_dist, ess_evolution, autocorr, energy, ppc_dist, loo_pit or khat: ArviZ's plot of that name. The
                first three show the quantities of smallest effective sample size.
            backend: "matplotlib", or "plotly" for a figure to zoom and to hover over.

        Raises:
            ValueError: for another figure or backend, or one that makes no sense for the sampler.
            ImportError: without Plotly, saying what to install.
        """
        return plot_diagnostics(self._section, which, backend)

    def to_datatree(self) -> xr.DataTree:
        """The posterior as an ArviZ DataTree; see :mod:`bayes_nn.inference.posterior.datatree`."""
        return to_datatree(self, self.sampler_evidence)

    @cached_property
    def record(self) -> xr.DataTree:
        """What is kept of the draws for diagnostics, a DataTree of modest size; see ``posterior/record.py``."""
        return fit_record(self, self.convergence)

    def report(self, path: str | Path) -> Path:
        """Write a self-contained HTML page with ArviZ's diagnostics of the draws, and return its path.

        It says of the evidence what the sampler found, and computes none where the sampler estimates none.

        Raises:
            OSError: naming the folder and the reason, if it cannot be written.
        """
        return write_fit_report(self._section, Path(path))

    @cached_property
    def _section(self) -> FitSection:
        """What pages and plots show of the draws."""
        evidence = self.sampler_evidence
        facts = [("log evidence", evidence.estimate.replace("+-", "\u00b1"))] if evidence else []
        facts += [("seconds", f"{self.seconds:.1f}"), *(("residuals", note) for note in self.noise_notes)]
        details = (evidence.details if evidence else {}) | self.chain_weights.details
        return fit_section(self.prior.name, self.record, details, self.reasons, facts, self.prior.rung_name)

    def save(self, path: str | Path) -> Path:
        """Write everything, the data among it, to a file and return its path; :func:`bayes_nn.load` reads it.

        Raises:
            ValueError: for a prior that holds code of your own: NumPyro models, kernels, activations.
            OSError: naming the folder and the reason, if it cannot be written; the file that was there then stays.
        """
        return saved_posterior.write(Path(path), self)

    def __repr__(self) -> str:
        evidence = f", log evidence {self.sampler_evidence}" if self.sampler_evidence else ""
        return f"Posterior({self.prior.name}, {self.sampler}{evidence})"

    def _repr_html_(self) -> str:
        known = {
            "data": f"{len(self.dataset)} rows, inputs of shape {self.dataset.inputs.shape[1:]}",
            "likelihood": str(self.dataset.likelihood),
            "sampler": f"{self.sampler}, {self.shape[0]} x {self.shape[1]} draws, {self.seconds:.1f} s",
            "convergence": self.convergence.outcome,
        }
        evidence = {"log evidence": self.sampler_evidence.estimate} if self.sampler_evidence else {}
        told = {"reasons": "; ".join(self.reasons), "residuals": "; ".join(self.noise_notes)}
        told["predictions"] = "" if self.convergence.chains_agree else str(self.chain_weights)
        known |= evidence | {name: text for name, text in told.items() if text}
        return as_pairs(f"Posterior of {self.prior.name}", known) + as_paragraphs(self.reasons)
