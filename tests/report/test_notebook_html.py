"""What a notebook shows of results: well-formed, escaped, the same numbers as the text."""

from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

import bayes_nn as bnn
from bayes_nn.runtime.diagnostic_codes import codes_in
from bayes_nn.runtime.diagnostic_paragraphs import PARAGRAPHS


class Text(HTMLParser):
    """Collects the text and the tags, and refuses tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], set(), ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def shown(result):
    parser = Text()
    parser.feed(result._repr_html_())
    parser.close()
    assert parser.open == []
    assert not parser.tags & {"script", "style", "evil"}
    return parser.text


@pytest.fixture(scope="module")
def result(small_data):
    X, y = small_data
    net = bnn.mlp(1, weight_std=1.4, bias_std=0.1)
    nngp, ntk = bnn.priors.NNGP(net), bnn.priors.NTK(net, output_scale=1.0)
    nngp.name, ntk.name = "<evil>", "other"
    return bnn.compare([nngp, ntk], X[:20], y[:20], X[20:], y[20:], likelihood=bnn.Gaussian(0.3))


def test_a_comparison_shows_its_table_and_verdict(result):
    text = shown(result)
    assert "<evil>" in text
    for value in pd.concat([result.table.log_evidence, result.table.rmse]):
        assert f"{value:.3f}" in text
    assert result.verdict.reasons[0] in text
    assert "with equal weights" in text


def test_a_verdict_shows_every_line(result):
    text = shown(result.verdict)
    assert all(line.strip() in text for line in str(result.verdict).splitlines())


def test_a_posterior_shows_what_is_known_without_computing(result):
    posterior = result.posteriors["other"]
    text = shown(posterior)
    for part in ("20 rows", "Gaussian", "exact", posterior.convergence.outcome, f"{posterior.log_evidence.value:.3f}"):
        assert part in text


def test_what_carries_a_code_has_its_paragraph_once(result):
    """The one of the page and of ``docs/diagnostics.md``; what carries none has none."""
    coded = "islands disagree [B201]", "R-hat 1.2 [B101]"
    row = replace(result.rows[0], reasons=coded)
    doubtful = replace(result, rows=[row, *result.rows[1:]])
    verdict = replace(result.verdict, reasons=coded)
    evidence = bnn.Evidence(-1.0, 0.25, "smc", reliable=False, reasons=coded)
    for one in (doubtful, verdict, evidence):
        text = shown(one)
        assert all(text.count(PARAGRAPHS[code]) == 1 for code in ("B101", "B201"))
        assert sum(text.count(paragraph) for paragraph in PARAGRAPHS.values()) == 2
    assert not any(paragraph in shown(result) for paragraph in PARAGRAPHS.values())


def test_a_posterior_has_the_paragraphs_of_its_warning(small_data):
    """Two chains of eight draws are too few, and say so."""
    few = bnn.inference.HMC(chains=2, warmup=10, draws=8)
    with pytest.warns(bnn.ConvergenceWarning) as warned:
        posterior = bnn.fit(bnn.priors.NNGP(bnn.mlp(1, weight_std=1.4)), *small_data, sampler=few, progress=False)
    codes = codes_in(str(one.message) for one in warned)
    assert "B102" in codes
    assert codes == sorted({code for one in warned for code in one.message.codes})
    text = shown(posterior)
    for code in codes:
        assert any(f'bayes_nn.what_to_do("{code}")' in str(one.message) for one in warned)
        assert PARAGRAPHS[code] in text
        assert bnn.what_to_do(code).endswith(PARAGRAPHS[code])


def test_an_evidence_says_why_it_is_not_reliable():
    evidence = bnn.Evidence(-1.0, 0.25, "smc", reliable=False, reasons=("islands <evil> disagree",))
    text = shown(evidence)
    assert "-1.000 +- 0.250 nats (smc)  NOT RELIABLE" in text
    assert "islands <evil> disagree" in text
    assert "NOT RELIABLE" not in shown(bnn.Evidence(-1.0, 0.25, "smc"))
