import math

import pytest
import torch

from d2freq.modeling.detectors.dino.heads import Heads
from d2freq.modeling.detectors.dino.query_selection import QuerySelection, proposals_of
from d2freq.modeling.detectors.dino.tokens import tokens_of

STRIDES = [4, 8]


def tokens_for(sizes, padded=(32, 24), channels=8):
    """Tokens of two levels; sizes and ``padded`` are (width, height)."""
    random = torch.Generator().manual_seed(2)
    maps = [
        torch.randn(len(sizes), channels, padded[1] // s, padded[0] // s, generator=random)
        for s in STRIDES
    ]
    full = all(size == padded for size in sizes)
    return tokens_of(maps, STRIDES, torch.tensor(sizes).float(), full=full)


def by_loops(tokens, sizes):
    """(logits of the box, whether it counts) of each cell of each image."""
    found = []
    for width, height in sizes:
        cells = []
        for level, (rows, columns) in enumerate(tokens.shapes):
            stride = STRIDES[level]
            own_columns, own_rows = math.ceil(width / stride), math.ceil(height / stride)
            for row in range(rows):
                for column in range(columns):
                    side = 0.05 * 2**level
                    box = [(column + 0.5) / own_columns, (row + 0.5) / own_rows, side, side]
                    counts = all(0.01 < value < 0.99 for value in box)
                    counts &= row < own_rows and column < own_columns
                    cells.append([math.log(v / (1 - v)) if counts else math.inf for v in box])
        found.append(cells)
    return found


@pytest.mark.parametrize("sizes", [[(32, 24), (32, 24)], [(17, 9), (32, 24)]])
def test_every_cell_proposes_a_square_at_its_centre(sizes):
    tokens = tokens_for(sizes)
    proposals, counts = proposals_of(tokens)
    expected = torch.tensor(by_loops(tokens, sizes))
    torch.testing.assert_close(proposals, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(counts[..., 0], expected.isfinite().all(-1))


def selection(queries):
    torch.manual_seed(3)
    chosen = QuerySelection(8, queries=queries)
    heads = Heads(8, classes=3, layers=1, shared=False)
    for parameter in heads.parameters():
        torch.nn.init.normal_(parameter)
    return chosen, heads


def test_takes_the_cells_of_the_highest_class_logit():
    sizes = [(17, 9), (32, 24)]
    tokens, (chosen, heads) = tokens_for(sizes), selection(6)
    found = chosen(tokens.memory, tokens, heads)
    boxes = by_loops(tokens, sizes)
    for image in range(2):
        cells = []
        for cell, memory in enumerate(tokens.memory[image]):
            if tokens.padding[image, cell]:
                continue
            counts = math.isfinite(boxes[image][cell][0])
            normed = chosen.norm(chosen.transform(memory if counts else torch.zeros(8)))
            logits = heads.classes[-1](normed)
            box = (heads.boxes[-1](normed) + torch.tensor(boxes[image][cell])).sigmoid()
            cells.append((logits.max().item(), logits, box))
        cells.sort(key=lambda each: -each[0])
        for query in range(6):
            torch.testing.assert_close(found.logits[image, query], cells[query][1])
            torch.testing.assert_close(found.boxes[image, query], cells[query][2])


@pytest.mark.parametrize("sizes", [[(9, 7)], [(9, 7), (32, 24)]])
def test_an_image_of_few_cells_has_its_last_one_several_times(sizes):
    padded = sizes[-1] if len(sizes) > 1 else (16, 8)
    tokens, (chosen, heads) = tokens_for(sizes, padded), selection(20)
    own = 3 * 2 + 2 * 1  # cells of 9 x 7 pixels on both levels
    found = chosen(tokens.memory, tokens, heads)
    assert found.logits.shape[1] == 20
    rest = found.boxes[0, own:]
    torch.testing.assert_close(rest, rest[:1].expand_as(rest))
    assert found.boxes.isfinite().all()


def test_the_encoders_heads_learn_from_chosen_cells_alone():
    tokens, (chosen, heads) = tokens_for([(32, 24)]), selection(2)
    memory = tokens.memory.requires_grad_()
    found = chosen(memory, tokens, heads)
    (gradient,) = torch.autograd.grad(found.logits.sum() + found.boxes.sum(), memory)
    assert int(gradient[0].abs().sum(-1).gt(0).sum()) <= 2
