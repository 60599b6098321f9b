"""Fine-tuning of trained networks, against the linear model it must reduce to and against unrelated tasks."""

import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference, tasks

NET = bnn.mlp(depth=2, weight_std=2**0.5, bias_std=0.1)
SETTINGS = {"members": 4, "steps": 2500, "noise_std": 0.3, "progress": False}


def pair(same: bool, rows: int = 40):
    """Two tasks of one direction each in five dimensions: 400 rows of a, few of b."""
    U = tasks.orthonormal_directions(5, 2, key=0)
    a = tasks.single_index(400, 5, direction=U[:, 0], noise_std=0.1, key=1)
    return a.data, tasks.single_index(rows, 5, direction=U[:, 0 if same else 1], noise_std=0.1, key=2).data


@pytest.mark.slow
@pytest.mark.computes_much
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_a_shared_direction_helps_the_smaller_task():
    """By more than 3 errors where a has shown the direction, and by less where it has shown another."""
    shared, other = (inference.fine_tuning(NET, *pair(same), 20, **SETTINGS).table for same in (True, False))
    here, there = shared.loc[("b", "after a")], other.loc[("b", "after a")]
    assert here.gain > 3.0 * here.gain_se
    assert here.rmse < 0.9 * shared.rmse["b", "from scratch"]
    assert here.gain - there.gain > 2.0 * np.hypot(here.gain_se, there.gain_se)


@pytest.mark.slow
def test_scores_are_those_of_the_ensembles():
    a, b = pair(True)
    found = inference.fine_tuning(NET, a, b, 8, members=2, steps=20, stop="steps", noise_std=0.5, progress=False)
    after, scratch = (found.ensembles["b", start] for start in ("after a", "from scratch"))
    lpd = [ensemble.predict(b[2]).log_prob(b[3]) for ensemble in (after, scratch)]
    row = found.table.loc[("b", "after a")]
    assert row.lpd_test == pytest.approx(lpd[0].mean())
    assert row.gain == pytest.approx((lpd[0] - lpd[1]).mean())
    of_a = found.table.loc[("a", "after b")]
    assert found.asymmetry == pytest.approx((row.gain - of_a.gain, np.hypot(row.gain_se, of_a.gain_se)))
    assert "b after a: gain " in str(found)
    assert f"order of the tasks: {found.asymmetry[0]:+.3f}" in str(found)
    assert row.gain_se == pytest.approx((lpd[0] - lpd[1]).std(ddof=1) / len(b[3]) ** 0.5)
    np.testing.assert_array_equal(after.initial["readout"], scratch.initial["readout"])
    np.testing.assert_array_equal(
        after.initial["hidden_weight_0"], found.ensembles["a", "from scratch"].parameters["hidden_weight_0"]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, b: (a, b[:2]), "task_b must be four arrays"),
        (lambda a, b: (a, (b[0][:, :4], b[1], b[2][:, :4], b[3])), "must be alike"),
        (lambda a, b: (a, (b[0], b[1], b[2][:, :4], b[3])), "task_b: training data have 5 inputs"),
        (lambda a, b: ((a[0], 0.0 * a[1], *a[2:]), b), "task_a: y is constant"),
        (lambda a, b: ((*a[:3], a[3] * np.nan), b), "task_a: y_test"),
    ],
)
def test_bad_tasks_are_refused_before_training(change, message):
    with pytest.raises(ValueError, match=message):
        inference.fine_tuning(NET, *change(*pair(True)), 8, members=2, steps=10**9)


def test_what_it_decides_itself_is_refused():
    with pytest.raises(ValueError, match="new_readout"):
        inference.fine_tuning(NET, *pair(True), 8, new_readout=False)
