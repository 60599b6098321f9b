"""How what Matplotlib drew looks, in the words of Plotly: colours, lines, markers, words."""

import html
from typing import Any

import numpy as np
from matplotlib.collections import FillBetweenPolyCollection, PathCollection
from matplotlib.colors import to_rgba
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.path import Path
from matplotlib.text import Text

#: Pixels of Plotly that a point of Matplotlib has: figures are shown at 100 dots per inch.
POINT = 100.0 / 72.0
SYMBOLS = {
    "o": "circle", ".": "circle", "s": "square", "D": "diamond", "^": "triangle-up", "v": "triangle-down",
    "<": "triangle-left", ">": "triangle-right", "P": "cross", "*": "star", "X": "x", "x": "x-thin",
}  # fmt: skip
DASHES = {"-": "solid", "--": "dash", ":": "dot", "-.": "dashdot"}


def look_of(artist: Any) -> dict[str, Any]:
    """The line and the markers of an artist, as an entry of a legend has them.

    Args:
        artist: a line, a scatter or a bar, or a container of one.

    Example:
        >>> look_of(Line2D([0, 1], [0, 1], color="#0072b2", linestyle="--"))["line"]["dash"]
        'dash'
    """
    if isinstance(artist, ErrorbarContainer | BarContainer):
        artist = next(one for one in artist.get_children() if one is not None)
    if isinstance(artist, Line2D):
        return of_line(artist)
    if isinstance(artist, PathCollection):
        return of_points(artist)
    if isinstance(artist, Rectangle | FillBetweenPolyCollection | StepPatch):
        colour = artist.get_facecolor()
        return {"mode": "markers", "marker": {"symbol": "square", "size": 10.0, "color": css(np.atleast_2d(colour)[0])}}
    raise TypeError(f"no counterpart of {type(artist).__name__} in a legend of Plotly")


def css(colour: Any) -> str:
    """A colour as Plotly reads it.

    Example:
        >>> css("#0072b2"), css((0.0, 0.0, 0.0, 0.25))
        ('rgba(0,114,178,1)', 'rgba(0,0,0,0.25)')
    """
    *rgb, alpha = to_rgba(colour)
    return f"rgba({','.join(str(round(255 * one)) for one in rgb)},{alpha:.4g})"


def text(words: str) -> str:
    r"""Words as Plotly shows them, which takes marks of HTML.

    Example:
        >>> text("R < 2\nsure")
        'R &lt; 2<br>sure'
    """
    return html.escape(words, quote=False).replace("\n", "<br>")


def pixels(words: Text) -> float:
    """The size of words.

    Args:
        words: of Matplotlib.
    """
    return POINT * float(words.get_fontsize())


def colours_of(artist: Any) -> list[list[Any]]:
    """A scale of colours for Plotly, from 0 to 1.

    Args:
        artist: whose colours are mapped.
    """
    return [[place, css(artist.cmap(place))] for place in np.linspace(0.0, 1.0, 33).tolist()]


def of_line(artist: Line2D) -> dict[str, Any]:
    """The line and the markers of a line.

    Args:
        artist: of any style.
    """
    marker, style = artist.get_marker(), artist.get_linestyle()
    modes = ["lines"] * (style in DASHES) + ["markers"] * (marker in SYMBOLS)
    look: dict[str, Any] = {"mode": "+".join(modes) or "none", "opacity": artist.get_alpha() or 1.0}
    if style in DASHES:
        width = POINT * artist.get_linewidth()
        look["line"] = {"color": css(artist.get_color()), "width": width, "dash": DASHES[style]}
    if marker in SYMBOLS:
        edge = {"color": css(artist.get_markeredgecolor()), "width": POINT * artist.get_markeredgewidth()}
        size = POINT * artist.get_markersize() * (0.5 if marker == "." else 1.0)
        face = css(artist.get_markerfacecolor())
        look["marker"] = {"symbol": SYMBOLS[marker], "size": size, "color": face, "line": edge}
    return look


def of_points(artist: PathCollection) -> dict[str, Any]:
    """The markers of a scatter: circles, with a cross in them where the outline is broken, or crosses alone.

    Args:
        artist: drawn once where its colours are mapped.
    """
    crosses = np.count_nonzero(artist.get_paths()[0].codes == Path.MOVETO) > 1
    edges = [css(one) for one in artist.get_edgecolor()] or ["rgba(0,0,0,0)"]
    faces = edges if crosses else [css(one) for one in artist.get_facecolor()]
    broken = np.asarray(artist.get_linestyle(), object)[0][1] is not None
    look = {
        "symbol": "x-thin" if crosses else "circle-cross" if broken else "circle",
        "size": POINT * np.sqrt(artist.get_sizes()[0]),
        "color": faces if len(faces) > 1 else faces[0],
        "line": {"color": edges if len(edges) > 1 else edges[0], "width": POINT * np.ravel(artist.get_linewidth())[0]},
    }
    return {"mode": "markers", "marker": look}
