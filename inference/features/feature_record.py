"""What the features of a network became, as arrays of modest size that are kept with a result, and their figure."""

import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bayes_nn.inference.features.after_kernel import AfterKernel
from bayes_nn.inference.features.alignment import KernelAlignment, centred
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.report.feature_figure import Alignment, KernelPicture, Uses, draw_features

#: Rows of a kernel that are kept, evenly spread over rising y.
MOST_ROWS = 200
#: Alignments from top to bottom, and whether they are with features that the data have moved.
_ALIGNMENTS = {
    "with y, before": False, "with y, after": True, "with the NNGP, before": False, "with the NNGP, after": True,
}  # fmt: skip


def feature_record(posterior: Posterior, after: AfterKernel, aligned: KernelAlignment) -> xr.Dataset:
    """Centred kernels before and after the data, rows by the first output, with their scores and alignments.

    Args:
        posterior: of a network.
        after: its kernel before and after the data.
        aligned: alignments of its kernels.
    """
    order = np.argsort(np.asarray(posterior.problem.Y)[:, 0])
    order = order[np.linspace(0, len(order) - 1, min(MOST_ROWS, len(order))).astype(int)]

    def kept(K: np.ndarray) -> np.ndarray:
        return np.asarray(centred(jnp.asarray(K)))[np.ix_(order, order)].astype(np.float32)

    scores = [
        (one.log_evidence.value, one.lpd_test.mean() if one.lpd_test.size else np.nan, one.rmse)
        for one in (after.before, after)
    ]
    alignments = aligned.before, aligned.after, aligned.prior_to_prior, aligned.prior_to_posterior
    variables = {
        "kernel": (("when", "kernel_row", "kernel_column"), np.stack([kept(after.before.K), kept(after.K)])),
        "score": (("when", "score_name"), np.array(scores, float)),
        "alignment": (("alignment_name", "statistic"), np.array([tuple(one) for one in alignments], float)),
        "infinite_width": ((), float(aligned.infinite_width.value)),
    }
    return xr.Dataset(variables, attrs={"prior": posterior.prior.name})


def figure_of_features(record: xr.Dataset, uses: Uses | None = None) -> Figure:
    """The figure of a record, with the uses of single neurons where they are known.

    Args:
        record: by :func:`feature_record`.
        uses: of the neurons of the first layer, or None.
    """
    pairs = zip(("before", "after"), record["kernel"].values, record["score"].values[:, 0], strict=True)
    kernels = [KernelPicture(f"kernel {when}\nlog evidence {value:.1f} nats", K) for when, K, value in pairs]
    rows = zip(_ALIGNMENTS.items(), record["alignment"].values, strict=True)
    alignments = [Alignment(label, row[0], row[1], row[2], moved) for (label, moved), row in rows]
    return draw_features(record.attrs["prior"], kernels, alignments, float(record["infinite_width"]), uses)
