"""What draws: Matplotlib, or Plotly where a plot is to be zoomed and hovered over."""

import importlib.util
from typing import Any, Literal, get_args

from matplotlib.figure import Figure

Backend = Literal["matplotlib", "plotly"]
#: What ArviZ and we need of Plotly, by the names of packages.
NEEDED = ("plotly", "webcolors")


def checked_backend(backend: str) -> str:
    """The backend, if there is one of that name and it is installed.

    Args:
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: for another name.
        ImportError: saying what to install.

    Example:
        >>> checked_backend("matplotlib")
        'matplotlib'
        >>> checked_backend("bokeh")
        Traceback (most recent call last):
        ValueError: backend must be 'matplotlib' or 'plotly'; got 'bokeh'
    """
    if backend not in get_args(Backend):
        raise ValueError(f"backend must be 'matplotlib' or 'plotly'; got {backend!r}")
    if backend == "plotly" and not all(map(importlib.util.find_spec, NEEDED)):
        raise ImportError(
            f"backend='plotly' needs {' and '.join(NEEDED)}, the extra 'interactive': pip install {' '.join(NEEDED)}"
        )
    return backend


def by_backend(figure: Figure, backend: str) -> Any:
    """A figure as the backend shows it.

    Args:
        figure: drawn by Matplotlib.
        backend: "matplotlib", which gives it back, or "plotly", to which all that is drawn is handed over.

    Returns:
        A Matplotlib or Plotly figure.

    Raises:
        ValueError: for another backend.
        ImportError: without Plotly, saying what to install.

    Example:
        >>> figure = Figure()
        >>> by_backend(figure, "matplotlib") is figure
        True
    """
    if checked_backend(backend) == "matplotlib":
        return figure
    from bayes_nn.inference.drawing.interactive import as_plotly

    return as_plotly(figure)
