"""Codes of diagnostics: every one is in use, documented, and attached in one way."""

import pickle
import re
from pathlib import Path

import pytest

from bayes_nn.runtime.diagnostic_codes import DIAGNOSTICS, coded, codes_in
from bayes_nn.runtime.diagnostic_paragraphs import PARAGRAPHS, what_to_do
from bayes_nn.runtime.progress import ConvergenceWarning

ROOT = Path(__file__).resolve().parents[2]
USES = re.compile(r'coded\(\s*"(B\d+)"')


def test_every_code_is_in_use_and_documented():
    sources = [path for path in (ROOT / "inference").rglob("*.py") if not path.is_symlink()]
    used = {code for path in sources for code in USES.findall(path.read_text())}
    assert used == set(DIAGNOSTICS)
    sections = re.findall(r"^### (B\d+): (.+)\n\n(.+)", (ROOT / "docs" / "diagnostics.md").read_text(), re.MULTILINE)
    assert [(code, name) for code, name, _ in sections] == [(code, one.name) for code, one in DIAGNOSTICS.items()]
    assert {code: paragraph for code, _, paragraph in sections} == PARAGRAPHS
    assert all(len(paragraph) > 100 for paragraph in PARAGRAPHS.values())


def test_a_warning_says_how_to_read_on():
    warning = ConvergenceWarning("the islands disagree [B201], R-hat 2.0 [B101]")
    assert warning.codes == ("B101", "B201")
    assert str(warning).endswith('read bayes_nn.what_to_do("B101"), bayes_nn.what_to_do("B201")')
    # Workers send warnings on as pickles.
    assert str(pickle.loads(pickle.dumps(warning))) == str(warning)
    assert str(ConvergenceWarning("the loss still falls")) == "the loss still falls"
    with pytest.raises(ValueError, match="there is no diagnostic 'B999'; choose from B101"):
        what_to_do("B999")


def test_a_code_is_found_again_and_none_is_made_up():
    assert codes_in([coded("B201", "the islands disagree [by far]"), coded("B101", "R-hat 2.0")]) == ["B101", "B201"]
    assert codes_in(["no code", "[B999]"]) == []
    with pytest.raises(KeyError):
        coded("B999", "unheard of")
