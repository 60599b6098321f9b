"""Comparisons: the table, every outcome of the verdict, files, reports and plots."""

import hashlib
import html.parser

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.data.scores import paired_difference
from bayes_nn.inference.comparison.splits import folds
from bayes_nn.inference.problem.monte_carlo_errors import error_of_mean_density
from bayes_nn.inference.verdict.short_names import short_names

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
SMALL = inference.SMC(particles=32, islands=2)


@pytest.fixture(scope="module")
def result(small_data):
    X, y = small_data
    candidates = [
        priors.NNGP(NET), priors.NTK(NET, output_scale=1.0), priors.ScaleMixture(NET, 6),
        priors.FrozenFeatures(NET, 6), bnn.BayesianNetwork(NET, 6),
    ]  # fmt: skip
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    return bnn.compare(candidates, frame[:20], y[:20], frame[20:], y[20:], likelihood=bnn.Gaussian(0.3), sampler=SMALL)


def test_table_has_the_promised_columns_best_first(result):
    table = result.table
    assert list(table.columns) == [
        "log_evidence", "mcse", "log_bayes_factor", "probability", "lpd_test", "lpd_test_se", "rmse",
        "feature_information", "seconds", "reliable",
    ]  # fmt: skip
    assert table.log_evidence.is_monotonic_decreasing
    assert table.log_bayes_factor.iloc[0] == 0.0
    assert table.probability.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(table.log_bayes_factor, table.log_evidence - table.log_evidence.max())
    numbers = table.drop(columns=["reliable", "probability"]).to_numpy(dtype=float)
    assert np.isfinite(numbers).all()
    # The code length of frozen features is no evidence.
    assert table.index[table.probability.isna()].to_list() == ["FrozenFeatures(relu, depth=1, width=6)"]
    kernels = table.loc[[name for name in table.index if name.startswith(("NNGP", "NTK", "Scale"))]]
    assert (kernels.feature_information == 0.0).all()


def test_table_agrees_with_the_posteriors(result, small_data):
    X, y = small_data
    for name, posterior in result.posteriors.items():
        row = result.table.loc[name]
        assert row.log_evidence == posterior.log_evidence.value
        predictive = posterior.predict(X[20:])
        assert row.lpd_test == pytest.approx(predictive.log_prob(y[20:]).mean())
        assert row.rmse == pytest.approx(np.sqrt(np.mean((predictive.mean - y[20:]) ** 2)))


def test_saved_and_reloaded_is_the_same(result, tmp_path):
    again = bnn.load(result.save(tmp_path / "deep" / "result.nc"))
    pd.testing.assert_frame_equal(again.table, result.table)
    assert repr(again.verdict) == repr(result.verdict)
    assert again.settings == result.settings
    for a, b in zip(again.rows, result.rows, strict=True):
        np.testing.assert_array_equal(a.test_mean[0], b.test_mean[0])
        assert a.degrees_of_freedom_by_split == b.degrees_of_freedom_by_split
        assert a.unbiased == b.unbiased == (a.method in ("exact", "smc"))
        assert (a.degrees_of_freedom == float("inf")) == (a.mcse == 0.0)


def test_a_file_of_another_kind_is_refused(tmp_path):
    import xarray as xr

    path = tmp_path / "other.nc"
    xr.Dataset({"a": 1}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(ValueError, match="another program or an earlier version wrote it"):
        bnn.load(path)


class Page(html.parser.HTMLParser):
    """Collects what a page holds."""

    def __init__(self):
        super().__init__()
        self.text, self.images, self.inside_fits = "", [], False

    def handle_starttag(self, tag, attrs):
        self.inside_fits = self.inside_fits or tag == "details"
        if tag == "img" and not self.inside_fits:
            self.images.append(dict(attrs)["src"])

    def handle_data(self, data):
        self.text += data


def test_report_is_self_contained_and_says_everything(result, tmp_path):
    page = Page()
    page.feed(result.report(tmp_path / "report.html").read_text())
    assert result.verdict.outcome in page.text
    assert all(name in page.text for name in result.table.index)
    assert len(page.images) == 4
    assert all(source.startswith("data:image/png;base64,") for source in page.images)
    for row in result.rows:
        assert f"{row.log_evidence:.2f}" in page.text
        assert all(reason in page.text for reason in row.reasons)


@pytest.mark.slow
def test_report_says_what_the_features_became(result, tmp_path):
    page, again = Page(), Page()
    page.feed(result.report(tmp_path / "report.html").read_text())
    network = result.posteriors[result.verdict.network]
    after = inference.after_kernel(network, result.X_test, result.y_test[0])
    for kernel in (after, after.before):
        assert f"{kernel.log_evidence.value:.2f}" in page.text
        assert f"{kernel.lpd_test.mean():.4f}" in page.text
    again.feed(bnn.load(result.save(tmp_path / "r.nc")).report(tmp_path / "again.html").read_text())
    assert again.text == page.text
    assert again.images == page.images


def test_plot_shows_every_prior_with_its_error(result):
    figure = result.plot_evidence()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    short, shared = short_names([row.name for row in result.rows])
    assert labels == list(short.values())
    assert figure.axes[0].get_ylabel() == shared
    assert len(figure.axes) == 2
    assert "nats" in figure.axes[0].get_xlabel()


def test_without_test_data_the_verdict_is_undecided_and_says_why(small_data):
    candidates = [priors.NNGP(NET), bnn.BayesianNetwork(NET, 3)]
    result = bnn.compare(candidates, *small_data, likelihood=bnn.Gaussian(0.3), sampler=SMALL, splits=0)
    assert result.verdict.outcome == "undecided"
    assert "no test data" in result.verdict.reasons[0]
    assert result.table.lpd_test.isna().all()
    assert len(result.plot_evidence().axes) == 1


def test_five_folds_where_no_test_data_are_given(small_data):
    result = bnn.compare([priors.NNGP(NET)], *small_data, likelihood=bnn.Gaussian(0.3))
    assert [len(points) for points in result.rows[0].lpd_test] == [6] * 5
    tested = np.sort(np.concatenate(result.y_test)[:, 0])
    np.testing.assert_allclose(tested, np.sort(small_data[1]))
    few = bnn.compare([priors.NNGP(NET)], small_data[0][:9], small_data[1][:9], likelihood=bnn.Gaussian(0.3))
    assert few.rows[0].lpd_test == []


@pytest.mark.parametrize("rows", [10, 11, 14, 43, 100])
def test_folds_test_on_every_row_once_and_train_on_equally_many(rows):
    """So that all folds run the same compiled programs; a fold trains on no row that it is tested on."""
    pairs = folds(rows, 3)
    assert sorted(np.concatenate([test for _, test in pairs]).tolist()) == list(range(rows))
    assert {len(train) for train, _ in pairs} == {rows - -(-rows // 5)}
    for train, test in pairs:
        assert len(set(train.tolist()) | set(test.tolist())) == len(train) + len(test)


def test_monte_carlo_error_of_the_mean_density_by_leaving_out_chains():
    """Against the standard deviation over repeated sets of chains; within 10 % with a probability above 99 %."""
    rng = np.random.default_rng(0)
    chains = rng.normal(-1.0, 0.3, size=(3000, 4, 1)) + np.zeros(7)
    means = [np.mean(logsumexp(one, axis=0) - np.log(4)) for one in chains]
    errors = np.array([error_of_mean_density(one) for one in chains])
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(np.std(means), rel=0.1)
    assert error_of_mean_density(chains[0, :1]) == 0.0


def test_splits_average_the_evidence_and_pool_the_test_points(small_data, tmp_path):
    result = bnn.compare(
        [priors.NNGP(NET), priors.NTK(NET, output_scale=1.0)], *small_data, likelihood=bnn.Gaussian(0.3), splits=3
    )
    row = result.rows[0]
    assert len(row.log_evidence_by_split) == len(row.lpd_test) == 3
    assert row.log_evidence == pytest.approx(np.mean(row.log_evidence_by_split))
    assert result.n_train == 24
    assert result.test_to_train == pytest.approx(6 / 24)
    pd.testing.assert_frame_equal(bnn.load(result.save(tmp_path / "r.nc")).table, result.table)
    explicit = [(np.arange(20), np.arange(20, 30)), (np.arange(10, 30), np.arange(10))]
    by_hand = bnn.compare([priors.NNGP(NET)], *small_data, likelihood=bnn.Gaussian(0.3), splits=explicit)
    alone = bnn.fit(priors.NNGP(NET), small_data[0][10:], small_data[1][10:], bnn.Gaussian(0.3))
    assert by_hand.rows[0].log_evidence_by_split[1] == pytest.approx(alone.log_evidence.value)


def test_priors_of_one_name_are_told_apart():
    X = np.random.default_rng(0).normal(size=(12, 2))
    other = bnn.mlp(depth=1, weight_std=1.0, bias_std=0.2)
    result = bnn.compare([priors.NNGP(NET), priors.NNGP(other)], X, X[:, 0], likelihood=bnn.Gaussian(0.3))
    assert sorted(result.table.index) == ["NNGP(relu, depth=1)", "NNGP(relu, depth=1) #2"]


def test_paired_error_is_over_points_or_over_splits():
    first, second = [np.array([1.0, 2.0, 3.0])], [np.array([0.0, 2.0, 1.0])]
    difference, error = paired_difference(first, second)
    assert difference == pytest.approx(1.0)
    assert error == pytest.approx(1.0 / 3**0.5)
    splits = [np.full(4, 1.0), np.full(4, 3.0)], [np.zeros(4), np.zeros(4)]
    difference, error = paired_difference(*splits, test_to_train=0.25)
    assert difference == pytest.approx(2.0)
    assert error == pytest.approx(2**0.5 * (0.5 + 0.25) ** 0.5)


def test_a_generator_of_candidates_is_taken_once(small_data):
    X, y = small_data
    candidates = [priors.NNGP(NET), priors.NTK(NET, output_scale=1.0)]
    given = bnn.compare((prior for prior in candidates), X, y, likelihood=bnn.Gaussian(0.3))
    assert list(given.posteriors) == [prior.name for prior in candidates]
    pd.testing.assert_frame_equal(
        given.table.drop(columns="seconds"),
        bnn.compare(candidates, X, y, likelihood=bnn.Gaussian(0.3)).table.drop(columns="seconds"),
    )
    with pytest.raises(ValueError, match="at least one prior"):
        bnn.compare((prior for prior in ()), X, y)


def test_splits_keep_the_names_of_the_columns(small_data):
    """Posteriors of splits of a frame match new frames by name."""
    X, y = small_data
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    explicit = [(np.arange(20), np.arange(20, 30))]
    for splits in (np.int64(2), explicit):
        result = bnn.compare([priors.NNGP(NET)], frame, y, likelihood=bnn.Gaussian(0.3), splits=splits)
        (posterior,) = result.posteriors.values()
        assert posterior.dataset.columns == ("a", "b", "c")
        turned = posterior.predict(frame[["c", "a", "b"]])
        np.testing.assert_array_equal(turned.mean, posterior.predict(X).mean)
    plain = bnn.compare([priors.NNGP(NET)], X, y, likelihood=bnn.Gaussian(0.3), splits=explicit)
    assert result.rows[0].log_evidence == plain.rows[0].log_evidence


def test_test_data_are_matched_by_name(small_data):
    X, y = small_data
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    plain = bnn.compare([priors.NNGP(NET)], X[:20], y[:20], X[20:], y[20:], likelihood=bnn.Gaussian(0.3))
    turned = frame[["b", "c", "a"]]
    named = bnn.compare([priors.NNGP(NET)], frame[:20], y[:20], turned[20:], y[20:], likelihood=bnn.Gaussian(0.3))
    assert named.rows[0].rmse == pytest.approx(plain.rows[0].rmse, rel=1e-12)
    with pytest.raises(ValueError, match="X_test lacks c"):
        bnn.compare([priors.NNGP(NET)], frame[:20], y[:20], frame[["a", "b"]][20:], y[20:])


def test_integers_of_numpy_are_seeds_and_numbers_of_splits(small_data):
    results = [
        bnn.compare([priors.NNGP(NET)], *small_data, key=key, likelihood=bnn.Gaussian(0.3), splits=splits)
        for key, splits in ((7, 2), (np.int64(7), np.int32(2)))
    ]
    assert results[0].rows[0].log_evidence_by_split == results[1].rows[0].log_evidence_by_split


def test_data_are_checked_once(small_data, monkeypatch):
    """One pass of the checks for the whole of the data, none by the fits of five priors on two splits."""
    from bayes_nn.data import dataset

    calls = []
    check = dataset.as_matrix
    monkeypatch.setattr(dataset, "as_matrix", lambda *args, **more: calls.append(args[1]) or check(*args, **more))
    bnn.compare([priors.NNGP(NET)] * 5, *small_data, likelihood=bnn.Gaussian(0.3), splits=2)
    assert calls == ["X"]


def test_a_saved_result_says_where_it_comes_from(result, small_data, tmp_path):
    """Seed, settings and versions; the digest of the data against one by hand."""
    X, y = small_data
    again = bnn.load(result.save(tmp_path / "r.nc")).provenance
    assert again == result.provenance
    assert (again["seed"], again["standardize"], again["splits"]) == (0, True, None)
    assert again["likelihood"] == repr(bnn.Gaussian(0.3))
    assert again["sampler"] == repr(SMALL)
    assert set(again["priors"]) == {row.name for row in result.rows}
    assert set(again["versions"]) >= {"bayes_nn", "jax", "numpyro", "gpjax", "arviz", "python"}
    by_hand = hashlib.sha256()
    for array in (X[:20], y[:20, None], X[20:], y[20:, None]):
        by_hand.update(f"{array.shape} <f8 ".encode() + array.tobytes())
    assert again["data_sha256"] == by_hand.hexdigest()
    page = result.report(tmp_path / "page.html").read_text()
    assert by_hand.hexdigest() in page
    assert f"jax {again['versions']['jax']}" in page


def test_a_damaged_result_is_refused(result, tmp_path, flip_bits):
    """50 single bits, drawn at random; refused before the NetCDF library sees them."""
    path = result.save(tmp_path / "r.nc")
    whole = path.read_bytes()
    for damaged in flip_bits(whole, 50):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"r\.nc .*restore it from a copy, or run the comparison again"):
            bnn.load(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cut short or damaged"):
        bnn.load(path)


def test_xarray_reads_a_saved_result_by_itself(result, tmp_path):
    import xarray as xr

    tree = xr.load_datatree(result.save(tmp_path / "r.nc"))
    np.testing.assert_array_equal(tree["prior_0"]["lpd_test"], result.rows[0].lpd_test[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
@pytest.mark.parametrize("likelihood", [bnn.Poisson(), bnn.StudentTNoise(df=4.0, noise_std=0.3)])
def test_counts_and_heavy_tails_are_compared_like_numbers(small_data, likelihood, tmp_path):
    X, y = small_data
    y = np.random.default_rng(0).poisson(np.exp(y)) if isinstance(likelihood, bnn.Poisson) else y
    few = inference.SMC(particles=8, islands=2)
    result = bnn.compare([priors.NNGP(NET)], X[:20], y[:20], X[20:], y[20:], likelihood=likelihood, sampler=few)
    row = result.rows[0]
    assert row.accuracy is None
    assert row.lpd_test[0].shape == (10,)
    assert np.isfinite([row.rmse, row.lpd_test[0].mean()]).all()
    assert result.standardized == likelihood.scales_targets
    assert result.report(tmp_path / "report.html").is_file()
