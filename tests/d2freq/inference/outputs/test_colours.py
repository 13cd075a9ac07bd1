"""Colours of classes are told apart, and read on the dark ground of a label."""

import numpy as np
import pytest

from d2freq.inference.outputs.colours import colour_of, luminance
from d2freq.utils.drawing import COVER, DARK


def contrast(first, second) -> float:
    """Of two RGB colours, 0 to 255, from 1 to 21, by WCAG 2.1."""
    dark, light = sorted(luminance(*(np.array(c) / 255)) for c in (first, second))
    return (light + 0.05) / (dark + 0.05)


def test_luminance_is_that_of_the_standard():
    assert luminance(1, 1, 1) == pytest.approx(1) and luminance(0, 0, 0) == 0
    assert contrast((255, 255, 255), (0, 0, 0)) == pytest.approx(21)
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("picture", [0, 255])
def test_letters_of_every_class_are_read_on_any_picture(picture):
    ground = (1 - COVER) * picture + COVER * np.array(DARK)
    assert min(contrast(colour_of(kind), ground) for kind in range(100)) > 4.5


def test_neighbours_are_told_apart():
    colours = np.array([colour_of(kind) for kind in range(8)], float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=2) + 999 * np.eye(8)
    assert apart.min() > 50
