"""Pages refer to no script, style or picture from elsewhere, or the build warns."""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

#: What a browser would fetch by itself; links that a reader follows are not meant.
FETCHED = re.compile(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="(?:https?:)?//|<link\b[^>]*\bhref="(?:https?:)?//')
_log = logging.getLogger(__name__)


def check(app: Sphinx, error: Exception | None) -> None:
    """Look at every page that was written."""
    if error is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*.html"):
            if FETCHED.search(page.read_text(encoding="utf-8")):
                _log.warning("%s fetches something from elsewhere", page.relative_to(app.outdir))


def setup(app: Sphinx) -> dict[str, bool]:
    """Look when the build has ended."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
