"""Cells near a point and inside a box against loops over all cells."""

import pytest
import torch

from d2freq.modeling.detectors.dense.cells import Grid, cells_inside, nearest_cells

from .dense_cases import tiny_boxes

SHAPES = [Grid(8, 8, 8), Grid(4, 3, 16), Grid(16, 4, 2), Grid(64, 1, 1), Grid(12, 5, 6)]


def centres(grid):
    return [
        (x * grid.stride, y * grid.stride) for y in range(grid.height) for x in range(grid.width)
    ]


@pytest.mark.parametrize("k", [1, 9, 16])
def test_nearest_cells_equal_a_loop_in_100_cases(k):
    for seed in range(100):
        grid, boxes = SHAPES[seed % len(SHAPES)], tiny_boxes(1 + seed % 4, seed, size=96) - 16
        points = (boxes[:, :2] * 4).round() / 4  # exact, so that equal distances are equal
        for point, found in zip(points.tolist(), nearest_cells(points, grid, k), strict=True):
            squared = [(x - point[0]) ** 2 + (y - point[1]) ** 2 for x, y in centres(grid)]
            order = sorted(range(grid.cells), key=lambda cell: (squared[cell], cell))
            assert found.tolist() == order[:k], seed


def test_cells_inside_equal_a_loop_in_100_cases():
    total = 0
    for seed in range(100):
        grid, boxes = SHAPES[seed % len(SHAPES)], tiny_boxes(6, seed, size=96) - 8
        boxes[0, 2:] += 60  # one that is large
        expected = [
            (cell, number)
            for number, (left, top, right, bottom) in enumerate(boxes.tolist())
            for cell, (x, y) in enumerate(centres(grid))
            if left < x < right and top < y < bottom
        ]
        found = torch.stack(cells_inside(boxes, grid), dim=1)
        assert found.tolist() == [list(pair) for pair in expected], seed
        total += len(expected)
    assert total > 500


def test_no_points_and_no_boxes():
    for grid in SHAPES:
        assert nearest_cells(torch.zeros(0, 2), grid, 9).shape == (0, min(9, grid.cells))
        assert [len(part) for part in cells_inside(torch.zeros(0, 4), grid)] == [0, 0]
