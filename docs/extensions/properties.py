"""A colon in the first line of a property is a colon: napoleon takes what comes before it for a type."""

from sphinx.application import Sphinx

TYPE = ":type: "


def join(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Put the two halves of the line together again."""
    if what == "property":
        for i, line in enumerate(lines):
            if line.startswith(TYPE):
                lines[0] = f"{line.removeprefix(TYPE)}: {lines[0]}"
                del lines[i]
                break


def setup(app: Sphinx) -> dict[str, bool]:
    """Come after napoleon."""
    app.connect("autodoc-process-docstring", join, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
