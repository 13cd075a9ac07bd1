"""ATSS's assignment against a loop, as its rule is worded."""

import statistics

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.detectors.atss import assign_adaptively
from d2freq.modeling.detectors.dense.cells import Grid

from ..dense.dense_cases import grids, iou, priors, tiny_boxes


def naive(truth, anchors, levels, topk):
    """Owner and overlap of each anchor, and how near the nearest decision was."""
    owners, best, margin, first = [-1] * len(anchors), [-1.0] * len(anchors), 1.0, 0
    spans = []
    for grid in levels:
        spans.append(range(first, first + grid.cells))
        first += grid.cells
    for number, box in enumerate(truth):
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        candidates = []
        for span in spans:
            squared = [
                ((anchors[cell][0] + anchors[cell][2]) / 2 - x) ** 2
                + ((anchors[cell][1] + anchors[cell][3]) / 2 - y) ** 2
                for cell in span
            ]
            nearest = sorted(zip(squared, span, strict=True))[:topk]
            candidates += [cell for _, cell in nearest]
        overlaps = [iou(anchors[cell], box) for cell in candidates]
        if len(overlaps) < 2:
            continue
        least = statistics.mean(overlaps) + statistics.stdev(overlaps)
        for cell, overlap in zip(candidates, overlaps, strict=True):
            left, top, right, bottom = anchors[cell]
            cx, cy = (left + right) / 2, (top + bottom) / 2
            inside = min(cx - box[0], cy - box[1], box[2] - cx, box[3] - cy)
            margin = min(margin, abs(overlap - least) if inside > 0.01 else 1.0)
            if overlap >= least and inside > 0.01 and overlap > best[cell]:
                owners[cell], best[cell] = number, overlap
    return owners, margin


@pytest.mark.parametrize("strides", [(8, 16, 32, 64), (4, 8, 16)])
@pytest.mark.parametrize("scale", [8, 2])
def test_equal_to_a_loop_in_100_cases_of_tiny_boxes(strides, scale):
    levels, with_object, apart = grids(64, strides), 0, 0
    anchors = priors(levels, scale)
    for seed in range(25):
        truth = tiny_boxes((0, 1, 4, 9, 30)[seed % 5], seed)
        found = assign_adaptively(truth, anchors, levels)
        # the numbers of float32, in double precision
        expected, margin = naive(truth.tolist(), anchors.tolist(), levels, 9)
        with_object += sum(owner >= 0 for owner in expected)
        if margin > 1e-6:
            apart += 1
            assert found.tolist() == expected, seed
    assert with_object > 20 and apart > 15


def test_an_anchor_that_two_take_belongs_to_the_larger_overlap_and_the_first_of_equals():
    levels = grids(64, (8, 16))
    anchors = priors(levels, 2)
    near, far = [26.0, 26, 38, 38], [26.0, 26, 42, 42]
    for truth in ([near, near], [near, far], [far, near]):
        owners = assign_adaptively(torch.tensor(truth), anchors, levels)
        expected, _ = naive(truth, anchors.tolist(), levels, 9)
        assert owners.tolist() == expected and max(expected) >= 0
    twice = assign_adaptively(torch.tensor([near, near]), anchors, levels)
    assert twice.max() == 0


def test_a_crowd_of_3000_and_what_is_refused():
    levels = grids(256, (4, 8, 16))
    owners = assign_adaptively(tiny_boxes(3000, 3, size=256), priors(levels, 2), levels)
    assert owners.shape == (sum(grid.cells for grid in levels),)
    assert owners.unique().numel() > 500 and owners.max() < 3000
    with pytest.raises(UserError, match="box 0 of 1"):
        assign_adaptively(torch.full((1, 4), float("nan")), priors(levels, 2), levels)
    with pytest.raises(UserError, match=r"MODEL\.ATSS\.TOPK: got 0"):
        assign_adaptively(tiny_boxes(1, 1), priors(levels, 2), levels, topk=0)


def test_a_single_candidate_has_no_deviation():
    single = [Grid(64, 1, 1)]
    assert assign_adaptively(torch.tensor([[-9.0, -9, 9, 9]]), priors(single, 1), single) == -1
