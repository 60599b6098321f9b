"""Panels by Plotly, with the colours of the rungs, to be zoomed and hovered over."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from bayes_nn.inference.drawing.palette import colour_of, in_order


class Panel(NamedTuple):
    """What one panel shows of a table.

    Attributes:
        value: name of a column.
        error: name of the column of its standard error; bars are two of them long.
        label: of the axis.
    """

    value: str
    error: str
    label: str


def draw_points(table: pd.DataFrame, panels: Sequence[Panel]) -> Any:
    """A point with its error for every row of a table, from top to bottom, hollow where it is not reliable.

    Args:
        table: indexed by name, with the columns rung (its name), reliable, and those of the panels.
        panels: side by side.

    Returns:
        A Plotly figure.
    """
    import plotly.graph_objects as go

    figure = _beside(panels, table.index, 90 + 45 * len(table))
    for column, (value, error, _) in enumerate(panels, 1):
        for rung in in_order(table.rung):
            own, colour = table[table.rung == rung], colour_of(rung)
            symbols = ["circle" if reliable else "circle-open" for reliable in own.reliable]
            points = go.Scatter(
                x=own[value], y=own.index, mode="markers", name=rung, legendgroup=rung, showlegend=column == 1,
                marker={"color": colour, "size": 10, "symbol": symbols},
                error_x={"array": 2.0 * own[error], "color": colour},
                hovertemplate="%{y}: %{x:.5g} \u00b1 %{error_x.array:.2g} (2 errors)%{text}<extra></extra>",
                text=["" if reliable else ", not reliable" for reliable in own.reliable],
            )  # fmt: skip
            figure.add_trace(points, row=1, col=column)
    return figure


def draw_steps(table: pd.DataFrame, panels: Sequence[Panel]) -> Any:
    """A waterfall: for every row of a table a bar from what the row above reaches to what this one does.

    Args:
        table: indexed by name, with the column rung (its name) and those of the panels.
        panels: side by side.

    Returns:
        A Plotly figure.
    """
    import plotly.graph_objects as go

    figure = _beside(panels, table.index, 110 + 55 * len(table))
    for column, (value, error, _) in enumerate(panels, 1):
        reached = table[value]
        before = reached.shift(fill_value=0.0)
        bars = go.Bar(
            x=reached - before, base=before, y=table.index, orientation="h", showlegend=False, hoverinfo="skip",
            marker={"color": [colour_of(rung) for rung in table.rung]},
        )  # fmt: skip
        ends = go.Scatter(
            x=reached, y=table.index, mode="markers", showlegend=False, marker={"color": "#222222", "size": 4},
            error_x={"array": 2.0 * table[error], "color": "#222222"},
            hovertemplate="%{y}: %{x:+.5g} \u00b1 %{error_x.array:.2g} (2 errors)<extra></extra>",
        )  # fmt: skip
        figure.add_traces([bars, ends], rows=1, cols=column)
    return figure


def _beside(panels: Sequence[Panel], names: pd.Index, height: int) -> Any:
    """A figure of empty panels side by side, with the names on their left, from top to bottom."""
    from plotly.subplots import make_subplots

    figure = make_subplots(1, len(panels), shared_yaxes=True, horizontal_spacing=0.04)
    for column, panel in enumerate(panels, 1):
        figure.update_xaxes(title_text=panel.label.replace("\n", "<br>"), zeroline=True, row=1, col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=list(names)[::-1], automargin=True)
    figure.update_yaxes(title_text=names.name, row=1, col=1)
    legend = {"orientation": "h", "y": 1.0, "yanchor": "bottom"}
    return figure.update_layout(
        template="plotly_white", width=450 + 300 * len(panels), height=height + 60, legend=legend,
        margin={"t": 50, "r": 20, "b": 60},
    )  # fmt: skip
