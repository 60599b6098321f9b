"""The figure that all plots are drawn into, and what they have in common."""

import base64
import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageChops, ImageOps

#: White around a picture on a page, in inches.
MARGIN = 0.08


class Plot(Figure):
    """A figure that a notebook shows by itself, whatever Matplotlib's backend.

    Example:
        >>> Plot(figsize=(3.0, 2.0)).subplots().plot([1, 2])[0].get_xydata().shape
        (2, 2)
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def marker_and_line(place: int) -> tuple[str, str]:
    """What tells lines of one colour apart: a marker and a style of line.

    Example:
        >>> marker_and_line(0), marker_and_line(1)
        (('o', '-'), ('s', '--'))
    """
    return "osD^vP*X"[place % 8], ("-", "--", ":", "-.")[place % 4]


def hide_spines(ax: Axes, *sides: str) -> None:
    """Leave away the lines at the top and on the right, and those named."""
    ax.spines[["top", "right", *sides]].set_visible(False)


def as_data_uri(figure: Figure, dpi: int) -> str:
    """A figure as a PNG of at most 128 colours, as far apart as can be, cropped to what is drawn, in a data URI.

    Colours of rungs stay as they are: the usual choice, by how often a colour occurs, would give them to heat maps.

    Args:
        figure: to be shown; nothing of it may lie outside its canvas.
        dpi: dots per inch.

    Example:
        >>> as_data_uri(Figure(figsize=(1.0, 1.0)), 50)[:22]
        'data:image/png;base64,'
    """
    figure.set(dpi=dpi, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # once; ``savefig`` draws twice, to know the margins before it crops them
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    inside = ImageChops.invert(drawn).getbbox() or (0, 0, *drawn.size)
    image = ImageOps.expand(drawn.crop(inside), border=round(MARGIN * dpi), fill="white")
    small = io.BytesIO()
    image = image.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    image.save(small, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode("ascii")
