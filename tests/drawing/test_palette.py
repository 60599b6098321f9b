"""One rung has one colour: in every plot, on every page, and apart from the others for eyes that confuse colours."""

import base64
import io
import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color, to_rgb
from matplotlib.container import ErrorbarContainer
from PIL import Image

from bayes_nn.inference.atlases.figure import plot_atlas
from bayes_nn.inference.comparison.sweep import Sweep
from bayes_nn.inference.drawing.figure import Plot, as_data_uri
from bayes_nn.inference.drawing.palette import COLOURS, colour_of, shades
from bayes_nn.inference.report.evidence_plot import plot_evidence
from bayes_nn.inference.report.page import write_page
from bayes_nn.inference.report.waterfall_plot import plot_waterfall

#: Rungs, and the outcomes that name them.
OUTCOMES = {
    "infinite width": "no finite-width gain", "scale": "explained by scale",
    "input metric": "explained by a learned input metric", "hidden features": "needs hidden features",
}  # fmt: skip
RUNGS = list(OUTCOMES)
#: What a cone that is missing does to linear colours: Machado, Oliveira and Fernandes (2009), severity 1.
DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def of_evidence():
    table = pd.DataFrame({"log_evidence": [0.0] * 4, "mcse": 0.1, "rung": RUNGS, "reliable": True}, index=list("abcd"))
    points = plot_evidence(table, "y", None).axes[0].containers
    return [point.lines[0].get_markerfacecolor() for point in points]


def of_waterfall():
    numbers = {"log_evidence": 1.0, "log_evidence_error": 0.1, "lpd": 1.0, "lpd_error": 0.1}
    table = pd.DataFrame([{"rung": rung, "prior": rung, **numbers} for rung in RUNGS])
    return [bar.get_facecolor() for bar in plot_waterfall(table).axes[0].patches]


def of_sweep():
    numbers = dict.fromkeys(["log_bayes_factor", "mcse", "feature_information", "feature_information_mcse"], 1.0)
    rows = [numbers | {"gain": np.nan, "gain_se": np.nan, "reliable": True, "verdict": OUTCOMES[r]} for r in RUNGS]
    index = pd.MultiIndex.from_product([["relu"], [2, 4, 8, 16]], names=["architecture", "width"])
    containers = Sweep(pd.DataFrame(rows, index), {}).plot().axes[0].containers
    return [one.lines[0].get_markerfacecolor() for one in containers if isinstance(one, ErrorbarContainer)]


def of_atlas():
    cells = [
        {
            "set": "s",
            "architecture": "relu",
            "width": width,
            "error": "",
            "reliable": True,
            "outcome": outcome,
            "gain": 0,
        }
        for width, outcome in enumerate(OUTCOMES.values())
    ]
    return [one.get_facecolor()[0] for one in plot_atlas(pd.DataFrame(cells)).axes[0].collections]


@pytest.mark.parametrize("drawn", [of_evidence, of_waterfall, of_sweep, of_atlas])
def test_a_rung_has_its_colour_in_every_plot(drawn):
    found = drawn()
    assert len(found) == len(RUNGS)
    assert all(same_color(colour, colour_of(rung)) for colour, rung in zip(found, RUNGS, strict=True))


def test_a_rung_has_its_colour_on_pages(tmp_path):
    known = {"outcome": "x", "picture": "", "table": [], "parts": [], "versions": {}}
    text = write_page("sweep.html.jinja", known, (), tmp_path / "page.html").read_text()
    styles = dict(re.findall(r"\.rung-([a-z-]+) \{ --rung: (#[0-9a-f]{6}); \}", text))
    assert styles == {rung.replace(" ", "-") or "undecided": colour for rung, colour in COLOURS.items()}


def linear(colour):
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE Lab of linear sRGB, white D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ np.clip(rgb, 0.0, 1.0) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_rungs_differ_for_people_with_a_deficiency_of_colour_vision(deficiency):
    """By 15 and more in CIE Lab, where 2.3 is just noticeable; Matplotlib's red and green would not."""
    seen = {c: lab(np.array(DEFICIENCIES[deficiency]) @ linear(c)) for c in set(COLOURS.values()) - {colour_of("")}}
    distances = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in combinations(seen, 2)}
    assert min(distances.values()) > 15.0, distances


def test_shades_are_apart_and_keep_the_hue():
    found = [to_rgb(shade) for shade in shades(colour_of("scale"), 4)]
    assert len(set(found)) == 4
    assert all(np.argsort(shade).tolist() == [0, 1, 2] for shade in found)  # of sky blue: red, green, blue


def test_a_rung_keeps_its_colour_beside_a_heat_map_on_pages():
    figure = Plot(figsize=(4.0, 2.0))
    left, right = figure.subplots(1, 2)
    left.imshow(np.random.default_rng(0).normal(size=(60, 60)), cmap="RdBu_r")
    for place, rung in enumerate(RUNGS):
        right.plot(place, 0.0, "o", color=colour_of(rung))
    drawn = Image.open(io.BytesIO(base64.b64decode(as_data_uri(figure, 100).partition(",")[2]))).convert("RGB")
    found = {"#{:02x}{:02x}{:02x}".format(*colour) for _, colour in drawn.getcolors()}
    assert {colour_of(rung) for rung in RUNGS} <= found
