"""Our figures by Plotly, to be zoomed and hovered over: each is drawn once, by Matplotlib, and read from there."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from bayes_nn.inference.drawing.looks import POINT, colours_of, css, look_of, pixels, text
from bayes_nn.inference.drawing.traces import marks_of, named_ticks, places

#: Close to the font that Matplotlib measured the figure with.
FONT = "DejaVu Sans, Verdana, sans-serif"
COLOUR = "#222222"
#: Pixels above the figure for Plotly's buttons, which would cover a legend there.
ABOVE = 28
#: Where Plotly has another word for how text stands on its place.
STANDS = {"center": "middle", "baseline": "bottom", "center_baseline": "middle"}


def as_plotly(figure: Figure) -> Any:
    """A figure by Plotly: the same numbers and colours, with the panels at the same places.

    Args:
        figure: drawn by Matplotlib.

    Returns:
        A Plotly figure.

    Raises:
        TypeError: naming an artist that has no counterpart in Plotly.

    Example:
        >>> figure = Figure()
        >>> line = figure.subplots().plot([1.0, 2.0], [3.0, 4.0])
        >>> as_plotly(figure).data[0].y.tolist()
        [3.0, 4.0]
    """
    import plotly.graph_objects as go

    figure.draw_without_rendering()  # settles limits, places and mapped colours
    drawn: list[Any] = [one for ax in figure.axes for one in (*ax.images, *ax.collections)]
    mapped = [one for one in drawn if one.colorbar is not None]
    scales = [one.colorbar.ax for one in mapped]
    panels = [ax for ax in figure.axes if ax.get_visible() and ax not in scales]
    width, height = (100.0 * figure.get_size_inches()).round().astype(int).tolist()
    shown = go.Figure(layout={
        "template": "plotly_white", "width": width, "height": height + ABOVE, "barmode": "overlay",
        "hovermode": "closest",
        "margin": {"t": ABOVE, "r": 0, "b": 0, "l": 0}, "font": {"family": FONT, "size": 10.0 * POINT, "color": COLOUR},
    })  # fmt: skip
    for place, ax in enumerate(panels):
        _add_panel(shown, figure, ax, place, panels)
    for artist in mapped:
        _add_scale(shown, artist)
    legends = [*figure.legends, *(ax.get_legend() for ax in panels)]
    for place, legend in enumerate(filter(None, legends)):
        _add_legend(shown, figure, legend, f"legend{_number(place)}")
    for words in figure.texts:
        _add_text(shown, figure, words)
    return shown


def _number(place: int) -> str:
    """What Plotly puts behind the name of an axis or a legend: nothing for the first."""
    return "" if place == 0 else str(place + 1)


def _add_panel(shown: Any, figure: Figure, ax: Axes, place: int, panels: list[Axes]) -> None:
    number, where = _number(place), ax.get_position()
    shared = {"x": ax.get_shared_x_axes(), "y": ax.get_shared_y_axes()}
    for name, axis, domain in (("x", ax.xaxis, where.intervalx), ("y", ax.yaxis, where.intervaly)):
        first = next(other for other, one in enumerate(panels) if one in shared[name].get_siblings(ax))
        matches = {} if first == place else {"matches": f"{name}{_number(first)}"}
        shown.layout[f"{name}axis{number}"] = matches | _axis(axis, domain, f"{'y' if name == 'x' else 'x'}{number}")
    marks = marks_of(ax)
    for trace in marks.traces:
        shown.add_trace({"showlegend": False, "xaxis": f"x{number}", "yaxis": f"y{number}"} | trace)
    for across, shape in marks.shapes:
        shown.add_shape(shape | {f"{name}ref": f"{name}{number}{' domain' * (name == across)}" for name in "xy"})
    for words in (ax.title, *ax.texts):
        _add_text(shown, figure, words, number)


def _axis(axis: Any, domain: np.ndarray, anchor: str) -> dict[str, Any]:
    """An axis where Matplotlib has it, with its limits, and with its ticks where they were set by hand."""
    across = axis.axis_name == "x"
    limits = places(axis, axis.axes.get_xlim() if across else axis.axes.get_ylim())
    logarithmic, look = axis.get_scale() == "log", axis.get_tick_params()
    line = axis.axes.spines["bottom" if across else "left"].get_visible()
    found = {
        "domain": np.clip(domain, 0.0, 1.0).tolist(), "anchor": anchor, "type": "log" if logarithmic else "linear",
        "range": (np.log10(limits) if logarithmic else limits).tolist(), "nticks": 7, "zeroline": False,
        "showgrid": bool(look.get("gridOn")), "gridcolor": "#e5e5e5", "showline": line, "linecolor": COLOUR,
        "ticks": "outside" if line else "", "ticklen": 4, "exponentformat": "power",
        "showticklabels": look["labelbottom" if across else "labelleft"],
        "title": {"text": text(axis.label.get_text()), "standoff": 5, "font": {"size": pixels(axis.label)}},
    }  # fmt: skip
    if axis.get_ticklabels():
        found["tickfont"] = {"size": pixels(axis.get_ticklabels()[0])}
    locator = axis.get_major_locator()
    if isinstance(locator, MaxNLocator) and np.all(np.mod(locator.tick_values(0.0, 2.0), 1.0) == 0.0):  # whole numbers
        found |= {"tick0": 0.0, "dtick": float(np.diff(axis.get_majorticklocs())[0])}
    if isinstance(locator, FixedLocator | NullLocator):
        ticks = named_ticks(axis)
        found |= {"tickvals": places(axis, list(ticks)).tolist(), "ticktext": [text(word) for word in ticks.values()]}
    return found


def _add_scale(shown: Any, artist: Any) -> None:
    """The scale of mapped colours, on a trace that shows nothing else."""
    ax = artist.colorbar.ax
    where, (low, high) = ax.get_position(), artist.get_clim()
    bar = {
        "x": where.x0, "xanchor": "left", "xpad": 0, "y": (where.y0 + where.y1) / 2, "yanchor": "middle", "ypad": 0,
        "len": where.height, "thickness": where.width, "thicknessmode": "fraction", "outlinewidth": 0,
        "title": {"text": text(ax.get_ylabel()), "side": "right", "font": {"size": pixels(ax.yaxis.label)}},
        "tickfont": {"size": pixels(ax.get_yticklabels()[0])},
    }  # fmt: skip
    colours = {"colorscale": colours_of(artist), "cmin": low, "cmax": high, "color": [low], "colorbar": bar}
    marker = colours | {"showscale": True, "opacity": 0.0}
    shown.add_scatter(x=[None], y=[None], mode="markers", showlegend=False, hoverinfo="skip", marker=marker)


def _add_legend(shown: Any, figure: Figure, legend: Legend, name: str) -> None:
    """A legend at its place; a click on an entry hides what has its name."""
    box = legend.get_window_extent().transformed(figure.transFigure.inverted())
    around = figure.bbox if legend.axes is None else legend.axes.bbox
    high = legend.get_window_extent().y0 - around.y0 > around.y1 - legend.get_window_extent().y1
    rows = {round(words.get_window_extent().y0) for words in legend.get_texts()}
    size = pixels(legend.get_texts()[0])
    shown.layout[name] = {
        "x": (box.x0 + box.x1) / 2, "xanchor": "center", "y": box.y1 if high else box.y0,
        "yanchor": "top" if high else "bottom", "tracegroupgap": 0, "bgcolor": "rgba(0,0,0,0)",
        "orientation": "h" if len(rows) < len(legend.get_texts()) else "v", "font": {"size": size},
    }  # fmt: skip
    # Of error bars a legend names the bars alone.
    bars = {one.get_label(): one for ax in figure.axes for one in ax.containers if isinstance(one, ErrorbarContainer)}
    for handle, words in zip(legend.legend_handles, legend.get_texts(), strict=True):
        label = words.get_text()
        shown.add_scatter(
            x=[None], y=[None], name=text(label), legendgroup=text(label), showlegend=True, legend=name,
            **look_of(bars[label] if isinstance(handle, LineCollection) else handle),
        )  # fmt: skip


def _add_text(shown: Any, figure: Figure, words: Text, number: str | None = None) -> None:
    """Words in a panel, which move with what they are written at, or of the whole figure."""
    if not words.get_text() or not words.get_visible():
        return
    box, turned = words.get_window_extent(), words.get_rotation() % 360.0
    across, upright = (
        ("center", "center") if turned else (words.get_horizontalalignment(), words.get_verticalalignment())
    )
    pixel = (
        {"left": box.x0, "center": (box.x0 + box.x1) / 2, "right": box.x1}[across],
        {"bottom": box.y0, "top": box.y1}.get(STANDS.get(upright, upright), (box.y0 + box.y1) / 2),
    )
    look = {
        "text": text(words.get_text()), "showarrow": False, "textangle": -turned, "xanchor": across,
        "yanchor": STANDS.get(upright, upright), "align": "center" if across == "center" else across,
        "font": {"size": pixels(words), "color": css(words.get_color())},
    }  # fmt: skip
    if number is None:
        x, y = figure.transFigure.inverted().transform(pixel)
        shown.add_annotation(x=x, y=y, xref="paper", yref="paper", **look)
        return
    ax: Any = words.axes
    inside, data = (one.inverted().transform(pixel) for one in (ax.transAxes, ax.transData))
    for place, (name, axis) in enumerate((("x", ax.xaxis), ("y", ax.yaxis))):
        if _at_data(words, ax)[place]:
            value = places(axis, data[place : place + 1])[0]
            look |= {name: np.log10(value) if axis.get_scale() == "log" else value, f"{name}ref": f"{name}{number}"}
        else:
            look |= {name: inside[place], f"{name}ref": f"{name}{number} domain"}
    shown.add_annotation(**look)


def _at_data(words: Text, ax: Axes) -> Sequence[bool]:
    """Whether words stand at numbers of the horizontal and of the vertical axis."""
    if isinstance(words, Annotation):
        coordinates = words.xycoords if isinstance(words.xycoords, tuple) else (words.xycoords,) * 2
        return coordinates[0] == "data", coordinates[1] == "data"
    return words.get_transform().contains_branch_seperately(ax.transData)
