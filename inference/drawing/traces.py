"""What Matplotlib drew into a panel as traces of Plotly: the same numbers, colours and sizes."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import FillBetweenPolyCollection, LineCollection, PathCollection
from matplotlib.container import BarContainer, Container, ErrorbarContainer
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.ticker import FixedLocator

from bayes_nn.inference.drawing.looks import POINT, colours_of, css, of_line, of_points, text


class Marks(NamedTuple):
    """What a panel shows.

    Attributes:
        traces: from back to front.
        shapes: lines and spans that reach across the panel, each with the axis, "x" or "y", whose whole length it has.
    """

    traces: list[dict[str, Any]]
    shapes: list[tuple[str, dict[str, Any]]]


def marks_of(ax: Axes) -> Marks:
    """What is drawn into a panel.

    Args:
        ax: drawn once, so that limits and mapped colours are known.

    Raises:
        TypeError: naming an artist that has no counterpart.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> marks = ax.errorbar([1.0, 2.0], [3.0, 4.0], yerr=0.5, fmt="s", label="runs")
        >>> (trace,) = marks_of(ax).traces
        >>> trace["name"], trace["marker"]["symbol"], trace["y"].tolist(), trace["error_y"]["array"].tolist()
        ('runs', 'square', [3.0, 4.0], [0.5, 0.5])
    """
    found = Marks([], [])
    for artist, container in sorted(_drawn(ax), key=lambda one: one[0].get_zorder()):
        if (across := _across(ax, artist)) is not None:
            found.shapes.append(across)
        else:
            found.traces.append(_trace(ax, artist, container))
    return found


def places(axis: Axis, values: Any) -> Float[np.ndarray, " N"]:
    """Where values lie on an axis of Plotly, which has straight and logarithmic scales: others are drawn transformed.

    Args:
        axis: of Matplotlib.
        values: on its scale.
    """
    values = np.asarray(values, float)
    return values if axis.get_scale() in ("linear", "log") else axis.get_transform().transform(values)


def named_ticks(axis: Axis) -> dict[float, str]:
    """Ticks that were set by hand, with their labels.

    Args:
        axis: of Matplotlib.
    """
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return {}
    ticks = np.asarray(axis.get_majorticklocs(), float).tolist()
    return dict(zip(ticks, axis.get_major_formatter().format_ticks(ticks), strict=True))


def _drawn(ax: Axes) -> Iterator[tuple[Any, Container | None]]:
    """Every artist once, those of a container by the first of them with the container."""
    inside: set[int] = set()
    for container in ax.containers:
        parts = container.get_children()
        inside |= {id(part) for part in parts}
        if container[0] is not None:
            yield container[0], container
        else:  # error bars without a marker
            yield from ((part, None) for part in parts if isinstance(part, LineCollection))
    for one in (*ax.lines, *ax.collections, *ax.patches, *ax.images):
        if id(one) not in inside and not _only_in_legends(one):
            yield one, None


def _only_in_legends(artist: Any) -> bool:
    """Whether there is nothing to draw: legends are given lines and points at no place."""
    if isinstance(artist, Line2D):
        return np.size(artist.get_xdata()) == 0
    return isinstance(artist, PathCollection) and np.size(artist.get_offsets()) == 0


def _across(ax: Axes, artist: Artist) -> tuple[str, dict[str, Any]] | None:
    """The shape of what reaches across the panel; None for what lies in it."""
    x_data, y_data = artist.get_transform().contains_branch_seperately(ax.transData)
    if x_data == y_data or not isinstance(artist, Line2D | Rectangle):
        return None
    if isinstance(artist, Line2D):
        (x0, x1), (y0, y1) = (np.asarray(one, float)[[0, -1]] for one in artist.get_data())
        look = {"type": "line", "line": of_line(artist)["line"]}
    else:
        (x0, y0), (x1, y1) = artist.get_bbox().get_points()
        look = {"type": "rect", "fillcolor": css(artist.get_facecolor()), "line": {"width": 0}}
    if x_data:
        x0, x1 = places(ax.xaxis, [x0, x1])
    else:
        y0, y1 = places(ax.yaxis, [y0, y1])
    layer = "below" if artist.get_zorder() < 1.0 else "above"
    return "y" if x_data else "x", look | {"x0": x0, "x1": x1, "y0": y0, "y1": y1, "layer": layer}


def _trace(ax: Axes, artist: Any, container: Container | None) -> dict[str, Any]:
    label = text(str((container or artist).get_label() or "_"))
    named = {"name": ""} if label.startswith("_") else {"name": label, "legendgroup": label}
    if isinstance(container, BarContainer):
        return _bars(ax, container) | named
    if isinstance(artist, Line2D):
        x, y = (np.asarray(one, float) for one in artist.get_data())
        shown = of_line(artist) | _errors(ax, container, x, y)
        if artist.get_drawstyle() == "steps-mid":
            shown["line"]["shape"] = "hvh"
        return {"type": "scatter"} | shown | _at(ax, x, y, shown) | named
    if isinstance(artist, PathCollection):
        x, y = np.array(artist.get_offsets(), float).T
        return {"type": "scatter"} | of_points(artist) | _at(ax, x, y, {}) | named
    if isinstance(artist, LineCollection):
        x, y = np.concatenate([np.vstack([one, [np.nan, np.nan]]) for one in artist.get_segments()]).T
        line = {"color": css(artist.get_color()[0]), "width": POINT * np.ravel(artist.get_linewidth())[0]}
        return {"type": "scatter", "mode": "lines", "line": line, "hoverinfo": "skip"} | _at(ax, x, y) | named
    if isinstance(artist, FillBetweenPolyCollection | StepPatch):
        return _area(ax, artist) | named
    if isinstance(artist, AxesImage):
        return _image(artist)
    raise TypeError(f"no counterpart of {type(artist).__name__} in Plotly")


def _at(ax: Axes, x: Any, y: Any, errors: dict[str, Any] | None = None) -> dict[str, Any]:
    """Where points lie, and, where errors are given, what is said of each."""
    where = {"x": places(ax.xaxis, x), "y": places(ax.yaxis, y)}
    if errors is None:
        return where
    said = []
    for axis, values in ((ax.xaxis, x), (ax.yaxis, y)):
        words = {place: word.replace("\n", " ") for place, word in named_ticks(axis).items()}
        bars = errors.get(f"error_{axis.axis_name}", {}).get("array")
        ends = [""] * len(values) if bars is None else [f" \u00b1 {bar:.2g}" for bar in bars]
        said.append([words.get(value) or f"{value:.5g}{end}" for value, end in zip(values, ends, strict=True)])
    return where | {"hoverinfo": "name+text", "hovertext": [text(", ".join(one)) for one in zip(*said, strict=True)]}


def _errors(ax: Axes, container: Any, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Error bars as long as those drawn, by axis."""
    found: dict[str, Any] = {}
    if not isinstance(container, ErrorbarContainer):
        return found
    bars = iter(container[2])
    sides = (("x", container.has_xerr, x, 0, ax.xaxis), ("y", container.has_yerr, y, 1, ax.yaxis))
    for name, has, values, column, axis in sides:
        if has:
            drawn = next(bars)
            ends = places(axis, np.array([one[:, column] for one in drawn.get_segments()]))
            middle = places(axis, values)
            look = {"color": css(drawn.get_color()[0]), "thickness": POINT * np.ravel(drawn.get_linewidth())[0]}
            cap = 4.0 if container[1] else 0.0
            found[f"error_{name}"] = look | {
                "type": "data", "array": ends[:, 1] - middle, "arrayminus": middle - ends[:, 0], "width": cap,
            }  # fmt: skip
    return found


def _bars(ax: Axes, container: BarContainer) -> dict[str, Any]:
    boxes = np.array([one.get_bbox().get_points() for one in container.patches])
    along = 0 if container.orientation == "horizontal" else 1
    low, high = boxes[:, :, along].T
    middle, width = boxes[:, :, 1 - along].mean(axis=1), np.ptp(boxes[:, :, 1 - along], axis=1)
    length, at = ("x", "y") if along == 0 else ("y", "x")
    colours = [css(one.get_facecolor()) for one in container.patches]
    said = _at(ax, high, middle, {}) if along == 0 else _at(ax, middle, high, {})
    return {
        "type": "bar", "orientation": "hv"[along], length: high - low, "base": low, at: middle, "width": width,
        "marker": {"color": colours, "line": {"width": 0}}, "hoverinfo": "text", "hovertext": said["hovertext"],
    }  # fmt: skip


def _area(ax: Axes, artist: Any) -> dict[str, Any]:
    path = artist.get_paths()[0] if isinstance(artist, FillBetweenPolyCollection) else artist.get_path()
    face, edge = (np.atleast_2d(one) for one in (artist.get_facecolor(), artist.get_edgecolor()))
    filled = isinstance(artist, FillBetweenPolyCollection) or artist.get_fill()
    line = {"color": css(edge[0]) if len(edge) else css(face[0]), "width": POINT * np.ravel(artist.get_linewidth())[0]}
    return {
        "type": "scatter", "mode": "lines", "line": line, "hoverinfo": "skip", "fill": "toself" if filled else "none",
        "fillcolor": css(face[0]) if filled else None,
    } | _at(ax, *np.transpose(path.vertices))  # fmt: skip


def _image(artist: AxesImage) -> dict[str, Any]:
    low, high = artist.get_clim()
    return {
        "type": "heatmap", "z": np.asarray(artist.get_array()), "zmin": low, "zmax": high, "showscale": False,
        "colorscale": colours_of(artist), "hovertemplate": "%{z:.3g}<extra></extra>",
    }  # fmt: skip
