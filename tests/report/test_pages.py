"""Pages on comparisons and fits: every section is there, nothing comes from elsewhere, and files tell the same."""

import html.parser
import re

import arviz as az
import pytest

import bayes_nn as bnn
from bayes_nn.inference.report.diagnostic_plots import pictures_of
from bayes_nn.runtime.diagnostic_codes import codes_in
from bayes_nn.runtime.diagnostic_paragraphs import PARAGRAPHS

SECTIONS = {
    "Summary of hyperparameters", "Marginals and ranks", "Effective sample size", "Autocorrelation", "Energy",
    "Posterior predictive draws", "Leave-one-out PIT", "Pareto k of every row", "Leave-one-out",
}  # fmt: skip
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(html.parser.HTMLParser):
    """Headings and text of every fit, everything that is loaded from somewhere, and whether tags are balanced."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.fits, self.open, self.text, self.styles = [], {}, [], "", ""
        self.inside = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.sources += [named[name] for name in ("src", "href", "srcset", "data", "action") if name in named]
        assert tag not in ("script", "link", "iframe", "object")
        if tag == "details":
            self.inside = ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "summary":
            self.inside = self.text.rsplit("\n", 1)[-1].strip()
            self.fits[self.inside] = ""
        elif tag == "details":
            self.inside = None

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "style":
            self.styles += data
        if self.inside:
            self.fits[self.inside] += data


@pytest.fixture(scope="module")
def written(regression, labels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return {
        name: one.report(folder / f"{name}.html").read_text()
        for name, one in (("regression", regression), ("labels", labels))
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["regression", "labels"])
def test_pages_load_nothing_and_are_well_formed(written, kind):
    page = Page(written[kind])
    assert not page.open
    assert page.sources
    assert all(one.startswith(("data:image/png;base64,", "#")) for one in page.sources)
    assert not re.search(r"@import|url\(", page.styles)
    for wanted in ("prefers-color-scheme: dark", "@media print", "max-width: 34rem"):
        assert wanted in page.styles
    # Eight rows have to stay below 5 MB.
    assert len(written[kind]) < 5e6 / 8 * len(page.fits)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["regression", "labels"])
def test_every_figure_says_how_to_read_it(written, kind):
    figures = re.split(r'<div class="figure', re.sub(r'src="[^"]*"', "", written[kind]))[:-1]
    assert len(figures) > 3
    assert all(re.search(r'<p class="note">[^<]+</p>\s*$', one) for one in figures)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["regression", "labels"])
def test_every_code_on_a_page_leads_to_its_paragraph_there(written, kind, regression, labels):
    result, text = {"regression": regression, "labels": labels}[kind], written[kind]
    codes = codes_in(reason for row in result.rows for reason in row.reasons)
    assert codes
    assert sorted(re.findall(r'<dt id="(b\d{3})">', text)) == [code.lower() for code in codes]
    assert set(re.findall(r'href="#(b\d{3})"', text)) == {code.lower() for code in codes}
    # No code in a sentence or in the table stands without its link.
    plain = re.sub(r'<a href="#b\d{3}">B\d{3}</a>|<dt id.*</dt>', "", text)
    assert not re.search(r"\bB\d{3}\b", re.sub(r'src="[^"]*"', "", plain))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["regression", "labels"])
def test_every_section_is_there_for_every_fit(written, kind, regression, labels):
    result, page = {"regression": regression, "labels": labels}[kind], Page(written[kind])
    assert set(page.fits) == {row.name for row in result.rows}
    for name, text in page.fits.items():
        assert all(section in text for section in SECTIONS), name
        assert "failed on this fit" not in text, re.findall(r".*failed on this fit.*", text)
    samplers = {posterior.sampler for posterior in result.posteriors.values()}
    assert samplers == (
        {"smc"} if kind == "labels" else {"smc", "replica_exchange", "hmc", "exact", "adaptive_importance"}
    )
    for name, posterior in result.posteriors.items():
        text = page.fits[name]
        assert ("swap rates" in text) == (posterior.sampler == "replica_exchange")
        weighted = posterior.sampler == "adaptive_importance"
        assert ("step sizes" in text) == (posterior.sampler != "exact" and not weighted)
        assert ("Pareto k" in text.partition("Summary")[0]) == ("log evidence of chains" in text) == weighted
        assert ("log evidence of islands" in text) == (posterior.sampler == "smc")
        assert ("log evidence of systems" in text) == (posterior.sampler == "replica_exchange")
        assert ("acceptance of chains" in text) == (posterior.sampler != "exact")


@pytest.mark.slow
def test_tables_are_those_of_arviz(written, regression):
    """The numbers on the page are what ArviZ says of the records."""
    page = Page(written["regression"])
    for name, record in regression.fit_records.items():
        summary = az.summary(record, round_to="none")
        assert all(f"{value:.4g}" in page.fits[name] for value in summary["mean"].astype(float))
    assert "arviz.compare" in page.text
    assert "<yes>" not in written["labels"]


@pytest.mark.slow
def test_a_reloaded_result_has_the_same_page(written, regression, labels, tmp_path):
    again = bnn.load(regression.save(tmp_path / "regression.nc"))
    assert again.report(tmp_path / "again.html").read_text() == written["regression"]
    assert (tmp_path / "regression.nc").stat().st_size < 1e6
    again = bnn.load(labels.save(tmp_path / "labels.nc"))
    for name, record in labels.fit_records.items():
        assert again.fit_records[name].equals(record)


@pytest.mark.slow
def test_a_fit_has_a_page_of_its_own(regression, tmp_path):
    (posterior,) = (one for one in regression.posteriors.values() if one.sampler == "hmc")
    page = Page(posterior.report(tmp_path / "fit.html").read_text())
    assert all(section in page.text for section in SECTIONS)
    assert all(one.startswith(("data:image/png;base64,", "#b")) for one in page.sources)
    assert posterior.reasons
    assert all(reason in page.text for reason in posterior.reasons)
    assert all(PARAGRAPHS[code].replace("`", "") in page.text for code in codes_in(posterior.reasons))
    again = bnn.load(posterior.save(tmp_path / "fit.npz"))
    assert again.report(tmp_path / "again.html").read_text() == (tmp_path / "fit.html").read_text()


@pytest.mark.slow
def test_what_arviz_cannot_draw_is_said_in_a_line(regression, monkeypatch):
    from bayes_nn.inference.posterior.diagnostics import fit_section

    def fails(*arguments, **settings):
        raise RuntimeError("no such thing\nand more")

    for name in ("plot_rank_dist", "plot_ess_evolution", "plot_ppc_dist", "summary", "loo"):
        monkeypatch.setattr(az, name, fails)
    (name, record), *_ = regression.fit_records.items()
    section = fit_section(name, record, {})
    assert section.failures == {one: f"arviz.{one} failed on this fit: no such thing" for one in ("summary", "loo")}
    failed = [one.failure for one in pictures_of(section) if not one.source]
    assert "arviz.plot_ppc_dist failed on this fit: no such thing" in failed
    assert all("\n" not in line for line in failed)
