"""ArviZ's figures of the draws of a fit, in the colour of its rung, by Matplotlib or Plotly."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import matplotlib.pyplot as plt

from bayes_nn.inference.drawing.backends import checked_backend
from bayes_nn.inference.drawing.figure import Plot, as_data_uri
from bayes_nn.inference.drawing.palette import colour_of, shades
from bayes_nn.inference.report.fit_section import FitSection, one_line


class Picture(NamedTuple):
    """A figure on a page, or why there is none.

    Attributes:
        title: of the figure.
        note: how to read it.
        source: as a data URI; empty where ArviZ could not draw it.
        failure: why not, in one line.
        single: whether it has one panel, which a narrow screen shows whole.
    """

    title: str
    note: str
    source: str = ""
    failure: str = ""
    single: bool = False


class _Kind(NamedTuple):
    """A function of ArviZ, and what it is called with.

    Attributes:
        title: of the figure.
        note: how to read it.
        panels: how many, for so many quantities shown: rows, columns, and inches of each.
        settings: made from the section, and dark, plain and light shades of its colour.
    """

    title: str
    note: str
    panels: tuple[str, float, float]
    settings: Callable[[FitSection, list[str]], dict[str, Any]]


#: By the name that :func:`plot_diagnostics` takes, which is ArviZ's without ``plot_``.
KINDS = {
    "rank_dist": _Kind(
        "Marginals and ranks", "Chains that agree lie on each other and have flat ranks.", ("down", 11.0, 2.0),
        lambda section, colours: {"compact": False, "color": _of_chains(section, colours[1])},
    ),
    "ess_evolution": _Kind(
        "Effective sample size against draws", "In proportion where chains have mixed (dark: bulk, light: tail).",
        ("across", 4.2, 3.4),
        lambda section, colours: {
            "n_points": 10, "visuals": _both("ess_bulk", colours[0]) | _both("ess_tail", colours[2])
        },
    ),
    "autocorr": _Kind(
        "Autocorrelation", "It falls to 0 within a few draws where moves are long.", ("across", 4.2, 3.4),
        lambda section, colours: {"max_lag": 50, "color": _of_chains(section, colours[1])},
    ),
    "energy": _Kind(
        "Energy", "Marginal and transitions alike: trajectories reach the tails.", ("one", 8.0, 3.4),
        lambda section, colours: {"color": [colours[0], colours[2]]},
    ),
    "ppc_dist": _Kind(
        "Posterior predictive draws against y", "Draws of y look like y, in black, where the model fits.",
        ("one", 8.0, 3.4), lambda section, colours: {"visuals": {"predictive_dist": {"color": colours[1]}}},
    ),
    "loo_pit": _Kind(
        "Leave-one-out PIT", "Near 0 where predictions are calibrated; a p below alpha says that they are not.",
        ("one", 8.0, 3.4), lambda section, colours: {"visuals": {"ecdf_lines": {"color": colours[1]}}},
    ),
    "khat": _Kind(
        "Pareto k of every row", "Above the line, leaving that row out says little.", ("one", 8.0, 3.4),
        lambda section, colours: {
            "color": colours[1], "hline_values": [float(section.loo.good_k)],
            "visuals": {"hlines": {"color": "#888888"}},
        },
    ),
}  # fmt: skip


def plot_diagnostics(section: FitSection, which: str, backend: str = "matplotlib") -> Any:
    """One of ArviZ's figures of the draws.

    Args:
        section: what is known of them.
        which: one of ``KINDS``.
        backend: "matplotlib" or "plotly".

    Returns:
        A Matplotlib or Plotly figure.

    Raises:
        ValueError: for another figure or backend, or one that makes no sense for the sampler.
        ImportError: without Plotly, saying what to install.
    """
    if which not in KINDS:
        raise ValueError(f"there is no figure {which!r} of draws; choose from {', '.join(KINDS)}")
    checked_backend(backend)
    if section.record is None or (which == "khat" and section.loo is None):
        raise ValueError(f"{section.name}: {section.failures.get('loo', 'no draws were kept of this fit')}")
    if f"plot_{which}" in section.missing:
        raise ValueError(f"{section.name}: {section.missing[f'plot_{which}']}")
    with warnings.catch_warnings(), plt.ioff():
        warnings.simplefilter("ignore")
        figure = _collection(section, which, backend).get_viz("figure")
    if backend == "plotly":
        if which == "khat":  # Plotly draws no line across a panel that is still empty, as it is when ArviZ asks for it
            figure.add_hline(float(section.loo.good_k), line_color="#888888")
        return figure.update_layout(template="plotly_white", margin={"t": 40, "b": 50, "l": 60, "r": 20})
    plt.close(figure)  # else notebooks show it twice, and Matplotlib keeps it
    return figure


#: What has been drawn, as long as its section lives.
_PICTURES: "WeakKeyDictionary[FitSection, list[Picture]]" = WeakKeyDictionary()


def pictures_of(section: FitSection) -> list[Picture]:
    """ArviZ's figures of the draws, each drawn, once for all pages, or with a line that says why not.

    Args:
        section: with a record.
    """
    if section not in _PICTURES:
        _PICTURES[section] = [] if section.record is None else _drawn(section)
    return _PICTURES[section]


def _drawn(section: FitSection) -> list[Picture]:
    found = []
    for which, kind in KINDS.items():
        name, shown = f"plot_{which}", Picture(kind.title, kind.note, single=kind.panels[0] == "one")
        if name in section.missing:
            found.append(shown._replace(failure=section.missing[name]))
            continue
        try:
            found.append(shown._replace(source=as_data_uri(plot_diagnostics(section, which), dpi=70)))
        except Exception as error:  # whatever ArviZ raises must not cost the reader the page
            found.append(shown._replace(failure=one_line(name, error)))
    return found


def _collection(section: FitSection, which: str, backend: str) -> Any:
    """What ArviZ makes."""
    import arviz as az

    kind, several = KINDS[which], max(len(section.shown), 1)
    direction, width, height = kind.panels
    size = {"across": (several * width, height), "down": (width, several * height), "one": (width, height)}[direction]
    figure: dict[str, Any] = {"figsize": size}
    if backend == "matplotlib":
        figure |= {"layout": "constrained", "FigureClass": Plot}
    settings = kind.settings(section, shades(colour_of(section.rung), 3))
    if direction != "one":
        settings["var_names"] = list(section.shown)
    if direction == "across":
        settings["col_wrap"] = 4
    what = section.loo if which == "khat" else section.record
    return getattr(az, f"plot_{which}")(what, backend=backend, figure_kwargs=figure, **settings)


def _of_chains(section: FitSection, colour: str) -> list[str]:
    """A shade for every chain; ArviZ asks for three at least."""
    return shades(colour, max(section.chains, 3))


def _both(name: str, colour: str) -> dict[str, dict[str, str]]:
    """Points and the line through them, of one colour."""
    return {name: {"color": colour}, f"{name}_line": {"color": colour}}
