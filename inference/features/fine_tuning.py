"""Fine-tuning: what trained networks carry from one task to another, against training from scratch."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from bayes_nn.architecture.serial import Serial
from bayes_nn.data.dataset import Dataset
from bayes_nn.data.likelihoods.gaussian import Gaussian
from bayes_nn.data.scores import paired_difference
from bayes_nn.runtime.random_keys import checked_key
from bayes_nn.training.ensemble import TrainedEnsemble
from bayes_nn.training.train import train

#: Training data, then test data: X, y, X_test, y_test.
FourArrays = tuple[Any, Any, Any, Any]

SCRATCH = "from scratch"


@dataclass(frozen=True, eq=False)
class FineTuning:
    """What pre-training on one task was worth for the other, in both orders.

    Attributes:
        table: a row for each task (``"a"``, ``"b"``) and start (``"from scratch"``, ``"after b"``, ...). Columns:
            lpd_test and its standard error over test points (``_se``), nats per test point; rmse, user's scale; steps,
            of gradient descent; gain, lpd_test minus that from scratch, with its paired standard error.
        ensembles: of every row of the table, by (task, start).

    The errors are over test points. How much depends on the random start of the members shows under another key.

    Example:
        >>> import bayes_nn as bnn
        >>> a, b = (bnn.tasks.single_index(rows=30, inputs=3, test_rows=20, key=key).data for key in (0, 1))
        >>> found = fine_tuning(bnn.mlp(depth=1), a, b, 8, members=2, steps=30, stop="steps", noise_std=0.5)
        >>> len(found.asymmetry), len(found.ensembles)
        (2, 4)
    """

    table: pd.DataFrame
    ensembles: dict[tuple[str, str], TrainedEnsemble]

    @property
    def asymmetry(self) -> tuple[float, float]:
        """Gain of b after a minus gain of a after b, nats per test point, and its standard error.

        Bayesian transfer knows no order: what a tells about b is what b tells about a.
        """
        (of_a, error_a), (of_b, error_b) = (
            self.table.loc[which, ["gain", "gain_se"]] for which in (("a", "after b"), ("b", "after a"))
        )
        return float(of_b - of_a), float(np.hypot(error_a, error_b))

    def __str__(self) -> str:
        lines = [
            f"{task} {start}: gain {row.gain:+.3f} +- {row.gain_se:.3f} nats per test point, RMSE {row.rmse:.4g} "
            f"against {self.table.rmse[task, SCRATCH]:.4g}"
            for (task, start), row in self.table.iterrows()
            if start != SCRATCH
        ]
        difference, error = self.asymmetry
        return "\n".join([*lines, f"order of the tasks: {difference:+.3f} +- {error:.3f} nats per test point"])


def fine_tuning(
    net: Serial,
    task_a: FourArrays,
    task_b: FourArrays,
    width: int | tuple[int, ...],
    *,
    key: int | Array = 0,
    progress: bool = True,
    **settings: Any,
) -> FineTuning:
    """Train on one task, then on the other, in both orders, and compare with training from scratch.

    The counterpart, for trained networks, of :func:`transfer`: hidden layers are carried over and the readout is drawn
    anew. A member from scratch and its fine-tuned counterpart have the same readout at the start, but other hidden
    weights.

    Args:
        net: the architecture.
        task_a: training data and test data ``(X, y, X_test, y_test)``, such as :attr:`bayes_nn.task.Task.data`.
        task_b: those of the other task, with as many input columns.
        width: of every hidden layer, or one per hidden layer.
        key: a JAX key or an integer seed.
        progress: show progress bars on a terminal.
        settings: of every training, as in :func:`bayes_nn.train`: optimizer, members, steps, ...

    Returns:
        Test scores from scratch and after the other task, for both.

    Raises:
        ValueError: for bad data or settings, before any training.

    Warns:
        ConvergenceWarning: if a training has not settled.

    Example:
        >>> import bayes_nn as bnn
        >>> a, b = (bnn.tasks.single_index(rows=30, inputs=3, test_rows=20, key=key).data for key in (0, 1))
        >>> found = fine_tuning(bnn.mlp(depth=1), a, b, 8, members=2, steps=30, stop="steps", noise_std=0.5)
        >>> found.table.index.to_list()
        [('a', 'from scratch'), ('a', 'after b'), ('b', 'from scratch'), ('b', 'after a')]
    """
    refused = {"start", "new_readout", "linearized"} & set(settings)
    if refused:
        raise ValueError(f"fine_tuning decides on {', '.join(sorted(refused))} itself: leave it out")
    tasks = {"a": task_a, "b": task_b}
    targets = _checked_tests(tasks, settings.get("duplicates", "error"))
    keys = dict(zip(tasks, jax.random.split(checked_key(key)), strict=True))
    ensembles: dict[tuple[str, str], TrainedEnsemble] = {}

    def trained(name: str, **start: Any) -> TrainedEnsemble:
        X, y, *_ = tasks[name]
        return train(net, X, y, width, key=keys[name], progress=progress, **start, **settings)

    for name in tasks:
        ensembles[name, SCRATCH] = trained(name)
    for name, other in (("a", "b"), ("b", "a")):
        before = ensembles[other, SCRATCH]
        ensembles[name, f"after {other}"] = trained(name, start=before, new_readout=True)
    rows = {}
    for name, start in sorted(ensembles, key=lambda which: (which[0], which[1] != SCRATCH)):
        own, scratch = (ensembles[name, begun].predict(tasks[name][2]) for begun in (start, SCRATCH))
        lpd, of_scratch = own.log_prob(targets[name]), scratch.log_prob(targets[name])
        gain, gain_se = paired_difference([lpd], [of_scratch])
        rows[name, start] = {
            "lpd_test": lpd.mean(),
            "lpd_test_se": lpd.std(ddof=1) / np.sqrt(len(lpd)),
            "rmse": np.sqrt(np.mean((own.mean.reshape(targets[name].shape) - targets[name]) ** 2)),
            "steps": ensembles[name, start].steps,
            "gain": gain,
            "gain_se": gain_se,
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["task", "start"])
    return FineTuning(table, ensembles)


def _checked_tests(tasks: dict[str, FourArrays], duplicates: str) -> dict[str, Float[np.ndarray, "T C"]]:
    """The test targets of both tasks.

    Raises:
        ValueError: naming the task that is at fault.
    """
    targets, shapes = {}, []
    for name, task in tasks.items():
        if not isinstance(task, tuple | list) or len(task) != 4:
            raise ValueError(f"task_{name} must be four arrays (X, y, X_test, y_test)")
        try:
            dataset = Dataset.of(*task[:2], Gaussian(), duplicates=duplicates)
            _, targets[name] = dataset.test_pair(*task[2:])
            if len(targets[name]) < 2:
                raise ValueError(f"at least 2 test rows are needed; got {len(targets[name])}")
        except ValueError as error:
            raise ValueError(f"task_{name}: {error}") from None
        shapes.append(dataset.inputs.shape[1:])
    if shapes[0] != shapes[1]:
        raise ValueError(f"the tasks have inputs of shapes {shapes[0]} and {shapes[1]}: they must be alike")
    return targets
