"""The documentation, without building it: links lead somewhere, every public name is listed, samples run."""

import re
from inspect import ismodule
from pathlib import Path

import pytest

import bayes_nn

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
SAMPLES = sorted((DOCS / "how_to").glob("*.md"))
PUBLIC = (bayes_nn, bayes_nn.priors, bayes_nn.inference, bayes_nn.tasks)


def without_code(text):
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def links(page):
    """Targets of links and pictures that stay within the project."""
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text()))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(page):
    """What headings are called in links, as GitHub and the site do it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_nowhere(page, target):
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    return not file.exists() or bool(anchor and anchor not in anchors(file))


def test_pages_have_links():
    assert len(PAGES) > 30
    assert sum(len(links(page)) for page in PAGES) > 100


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    assert [target for target in links(page) if leads_nowhere(page, target)] == []


@pytest.mark.parametrize("target", ["missing.md", "verdict.md#missing", "#missing", "../docs/missing.png"])
def test_broken_links_are_seen(target):
    assert leads_nowhere(DOCS / "index.md", target)


def test_every_public_name_is_in_the_reference():
    listed = [
        name
        for page in (DOCS / "api").glob("*.rst")
        for name in re.findall(r"^   (bayes_nn\.\S+)$", page.read_text(), re.MULTILINE)
    ]
    assert sorted(listed) == sorted(set(listed))
    named = {f"{module.__name__}.{name}": getattr(module, name) for module in PUBLIC for name in module.__all__}
    named = {name: what for name, what in named.items() if not ismodule(what)}
    found = [id(named[name]) for name in listed if name in named]
    assert len(found) == len(set(found))
    assert [name for name, what in named.items() if id(what) not in found] == []


def sample(page):
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL))


@pytest.mark.slow
@pytest.mark.parametrize("page", SAMPLES, ids=lambda page: page.stem)
def test_samples_run(page, tmp_path, monkeypatch):
    if not sample(page):
        pytest.skip("a page without a sample")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAYES_NN_CACHE", "off")  # compiled code stays where the tests keep it
    exec(compile(sample(page), page.name, "exec"), {"__name__": page.stem})
