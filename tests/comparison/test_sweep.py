"""Sweeps over architectures and widths, against the comparisons that they are made of."""

import importlib
import re

import numpy as np
import pandas as pd
import pytest

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.inference.sampling import schedule

FEW = {"likelihood": bnn.Gaussian(0.5), "sampler": inference.SMC(particles=16, islands=2), "progress": False}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2))
    y = np.sin(X[:, 0]) + 0.3 * rng.normal(size=50)
    # The shapes of the command line's tests, so that both share what they compile.
    return X[:30], y[:30], X[30:], y[30:]


@pytest.fixture(scope="module")
def found(data):
    nets = [bnn.mlp(depth, weight_std=1.4, bias_std=0.1) for depth in (1, 2)]
    return inference.sweep(nets, [2, 3], *data, **FEW)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_rows_are_verdicts_on_one_width(found):
    names = [("relu, depth=1", 2), ("relu, depth=1", 3), ("relu, depth=2", 2), ("relu, depth=2", 3)]
    assert found.table.index.to_list() == names
    for (name, width), row in found.table.iterrows():
        comparison = found.comparisons[name]
        network = f"BayesianNetwork({name}, width={width})"
        evidence = comparison.table.log_evidence
        assert row.log_bayes_factor == pytest.approx(evidence[network] - evidence[f"NNGP({name})"])
        assert row.feature_information == pytest.approx(comparison.table.feature_information[network])
        judged = next(one for one in comparison.rows if one.name == network)
        assert row.feature_information_mcse == pytest.approx(judged.feature_information_mcse)
        assert judged.mcse > 0.0
        gain = comparison.table.lpd_test[network] - comparison.table.lpd_test[f"NNGP({name})"]
        assert row.gain == pytest.approx(gain)


@pytest.mark.slow
def test_what_has_no_width_or_architecture_is_fitted_once(found):
    """Of nine rungs at two depths and two widths, two have no architecture and five no width."""
    rows = [set(comparison.table.index) for comparison in found.comparisons.values()]
    assert [len(own) for own in rows] == [11, 11]
    assert rows[0] & rows[1] == {"ARDKernel(RBF)", "ARDKernel(Matern 5/2)"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_one_width_is_a_plain_comparison(data):
    """The same priors in the same order under the same key, so the same numbers."""
    net = bnn.mlp(1, weight_std=1.4, bias_std=0.1)
    swept = inference.sweep(net, [3], *data, key=3, **FEW)
    X, y, X_test, y_test = data
    verdict = bnn.compare(X=X, y=y, X_test=X_test, y_test=y_test, key=3, net=net, width=3, **FEW).verdict
    row = swept.table.iloc[0]
    assert (row.verdict, row.gain, row.gain_se) == (verdict.outcome, verdict.gain, verdict.gain_error)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_a_sweep_stopped_by_hand_goes_on(data, found, tmp_path, monkeypatch):
    """Stopped in the second architecture, with the first done; the end is that of a sweep left alone."""
    nets = [bnn.mlp(depth, weight_std=1.4, bias_std=0.1) for depth in (1, 2)]
    run, names = schedule.run_on_schedule, []

    def stopped(problem, *settings, **more):
        names.append(problem.prior.name)
        if names.count("BayesianNetwork(relu, depth=2, width=2)"):
            raise KeyboardInterrupt
        return run(problem, *settings, **more)

    monkeypatch.setattr(schedule, "run_on_schedule", stopped)
    with pytest.raises(KeyboardInterrupt):
        inference.sweep(nets, [2, 3], *data, checkpoint=tmp_path / "run", **FEW)
    names.clear()
    monkeypatch.setattr(schedule, "run_on_schedule", lambda *a, **b: names.append(a[0].prior.name) or run(*a, **b))
    again = inference.sweep(nets, [2, 3], *data, checkpoint=tmp_path / "run", **FEW)
    assert names == [f"BayesianNetwork(relu, depth=2, width={width})" for width in (2, 3)]
    pd.testing.assert_frame_equal(again.table, found.table)


@pytest.mark.slow
def test_plot_has_a_panel_for_each_question(found):
    figure = found.plot()
    assert [ax.get_ylabel().split(",")[0] for ax in figure.axes][2] == "feature information"
    assert len(figure.axes) == 3
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["2", "3"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_a_page_has_every_width_and_is_the_same_after_a_reload(found, tmp_path):
    page = found.report(tmp_path / "sweep.html").read_text()
    assert page.count("<details>") == 2
    assert found.outcome in page
    for value in found.table.log_bayes_factor:
        assert f"<td>{value:.2f}</td>" in page
    assert not re.search(r'(src|href)="(?!data:image/png;base64,|#b)', page)
    again = bnn.load(found.save(tmp_path / "sweep.nc"))
    pd.testing.assert_frame_equal(again.table, found.table)
    assert again.report(tmp_path / "again.html").read_text() == page
    assert len(page) < 5e6


@pytest.mark.parametrize(
    ("nets", "widths", "message"),
    [
        ([], [4], "nets is empty"),
        (bnn.mlp(1), [], "widths is empty"),
        (bnn.mlp(1), [0], "positive integer"),
        (["relu"], [4], "expected an architecture"),
    ],
)
def test_bad_sweeps(data, nets, widths, message):
    with pytest.raises(ValueError, match=message):
        inference.sweep(nets, widths, *data)


def test_equal_architectures_are_told_apart():
    from bayes_nn.inference.comparison.sweep import checked_nets

    assert list(checked_nets((bnn.mlp(1), bnn.mlp(1, weight_std=1.0)))) == ["relu, depth=1", "relu, depth=1 #2"]


def test_generators_of_architectures_and_widths_are_used_up_once(monkeypatch, data):
    module = importlib.import_module("bayes_nn.inference.comparison.sweep")

    def only_name(candidates, *data, **settings):
        raise RuntimeError([prior.name for prior in candidates])

    monkeypatch.setattr(module, "compare", only_name)
    nets, told = [bnn.mlp(1), bnn.mlp(2)], []
    for given in ((nets, [2, 3]), ((net for net in nets), (width for width in (2, 3)))):
        with pytest.raises(RuntimeError) as names:
            inference.sweep(*given, *data)
        told.append(names.value.args[0])
    assert told[0] == told[1]
    assert len(told[0]) == 20
