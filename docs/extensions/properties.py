"""A colon in the first line of a property is a colon: napoleon would take what comes before it for a type."""

from sphinx.application import Sphinx


def separate(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Put an empty line first, the only one that napoleon looks for a type in."""
    if what == "property":
        lines.insert(0, "")


def setup(app: Sphinx) -> dict[str, bool]:
    """Come before napoleon."""
    app.connect("autodoc-process-docstring", separate, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
