"""What a notebook shows of results: well-formed, escaped, the same numbers as the text."""

from html.parser import HTMLParser

import pandas as pd
import pytest

import bayes_nn as bnn


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


def test_an_evidence_says_why_it_is_not_reliable():
    evidence = bnn.Evidence(-1.0, 0.25, "smc", reliable=False, reasons=("islands <evil> disagree",))
    text = shown(evidence)
    assert "-1.000 +- 0.250 nats (smc)  NOT RELIABLE" in text
    assert "islands <evil> disagree" in text
    assert "NOT RELIABLE" not in shown(bnn.Evidence(-1.0, 0.25, "smc"))
