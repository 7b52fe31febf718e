"""Colours as people with any colour vision see them, and against white."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tuner.reporting.figures.style import CATEGORY_COLORS, FAINT_TEXT, STATE_COLORS, TEXT

ROOT = Path(__file__).parents[2] / "tuner" / "reporting"
# linear RGB as it is seen without one kind of cones. Source: Machado et al. 2009, doi:10.1109/TVCG.2009.113, severity 1.0
VISIONS = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red ones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green ones": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue ones": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear(color: str) -> NDArray[np.float64]:
    """sRGB without its gamma (IEC 61966-2-1)."""
    shares = np.array(list(bytes.fromhex(color.removeprefix("#")))) / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB (1976) of linear RGB, white D65."""
    x = TO_XYZ @ rgb.clip(0, 1) / np.array([0.95047, 1.0, 1.08883])
    f = np.where(x > 216 / 24389, np.cbrt(x), (24389 / 27 * x + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("colors", [tuple(STATE_COLORS.values()), CATEGORY_COLORS], ids=["states", "categories"])
def test_colours_are_told_apart(colors: tuple[str, ...], vision: str) -> None:
    """A difference of 2 can just be seen side by side; these are ten times as far."""
    seen = {color: lab(np.array(VISIONS[vision]) @ linear(color)) for color in colors}
    distances = {
        pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])) for pair in itertools.combinations(colors, 2)
    }
    assert min(distances.values()) > 15, min(distances, key=lambda pair: distances[pair])


@pytest.mark.parametrize("color", [TEXT, FAINT_TEXT, *STATE_COLORS.values(), *CATEGORY_COLORS])
def test_colours_stand_out_from_white(color: str) -> None:
    """Source: WCAG 2.2, contrast ratio."""
    luminance = float(np.array([0.2126, 0.7152, 0.0722]) @ linear(color))
    assert 1.05 / (luminance + 0.05) >= 4.5


@pytest.mark.parametrize("sheet", ["templates/report.css", "dashboard/assets/dashboard.css"])
def test_pages_have_the_colours_of_figures(sheet: str) -> None:
    said = dict(re.findall(r"\.(?:dot\.|state-)(\w+) \{ (?:background|color): (#\w{6})", (ROOT / sheet).read_text()))
    assert {state: color for state, color in STATE_COLORS.items() if state in said} == said
    assert len(said) >= 5
