import math

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.detectors.dino import DeformableAttention, attend_to_points

SHAPES = [(5, 7), (3, 4), (2, 2)]
CELLS = sum(height * width for height, width in SHAPES)


def bilinear(level, x, y):
    """Of a map (C, H, W) at shares x and y, zero beyond it."""
    channels, height, width = level.shape
    column, row = x * width - 0.5, y * height - 0.5
    left, top = math.floor(column), math.floor(row)
    found = torch.zeros(channels, dtype=level.dtype)
    for i in (left, left + 1):
        for j in (top, top + 1):
            if 0 <= i < width and 0 <= j < height:
                share = (1 - abs(column - i)) * (1 - abs(row - j))
                found += share * level[:, j, i]
    return found


def by_loops(attention, queries, references, memory, padding=None):
    images, count, channels = queries.shape
    heads, levels, points = attention.heads, attention.levels, attention.points
    size = channels // heads
    values = attention.values(memory)
    offsets = attention.offsets(queries).view(images, count, heads, levels, points, 2)
    weights = attention.weights(queries).view(images, count, heads, levels * points)
    found = torch.zeros_like(queries)
    for n in range(images):
        for q in range(count):
            for m in range(heads):
                shares = weights[n, q, m].softmax(0).view(levels, points)
                start = 0
                for number, (height, width) in enumerate(SHAPES):
                    cells = values[n, start : start + height * width, m * size : (m + 1) * size]
                    if padding is not None:
                        hidden = padding[n, start : start + height * width]
                        cells = torch.where(hidden[:, None], torch.zeros_like(cells), cells)
                    level = cells.T.view(size, height, width)
                    start += height * width
                    for p in range(points):
                        dx, dy = offsets[n, q, m, number, p]
                        place = references[n, q, number]
                        if len(place) == 2:
                            x, y = place[0] + dx / width, place[1] + dy / height
                        else:
                            x = place[0] + dx / points * place[2] * 0.5
                            y = place[1] + dy / points * place[3] * 0.5
                        sample = bilinear(level, float(x), float(y))
                        found[n, q, m * size : (m + 1) * size] += shares[number, p] * sample
    return attention.output(found)


def make(dtype=torch.float64, **options):
    torch.manual_seed(0)
    attention = DeformableAttention(8, heads=2, levels=3, points=2, **options).to(dtype)
    for layer in (attention.offsets, attention.weights):
        torch.nn.init.normal_(layer.weight, std=0.5)
    return attention


def inputs(sides, count=4, dtype=torch.float64):
    random = torch.Generator().manual_seed(1)
    queries = torch.randn(2, count, 8, dtype=dtype, generator=random)
    # some references beyond the map
    references = torch.rand(2, count, 3, sides, dtype=dtype, generator=random) * 1.2 - 0.1
    memory = torch.randn(2, CELLS, 8, dtype=dtype, generator=random)
    return queries, references, memory


@pytest.mark.parametrize("sides", [2, 4])
@pytest.mark.parametrize("padded", [False, True])
def test_equals_loops_over_heads_levels_and_points(sides, padded):
    attention, (queries, references, memory) = make(), inputs(sides)
    padding = torch.rand(2, CELLS) < 0.3 if padded else None
    with torch.no_grad():
        found = attention(queries, references, memory, SHAPES, padding)
        expected = by_loops(attention, queries, references, memory, padding)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_begins_with_the_mean_of_samples_along_each_heads_direction():
    torch.manual_seed(0)
    attention = DeformableAttention(8, heads=8, levels=1, points=2).double()
    torch.nn.init.eye_(attention.values.weight)
    torch.nn.init.eye_(attention.output.weight)
    memory = torch.randn(1, 49, 8, dtype=torch.float64)
    queries = torch.randn(1, 1, 8, dtype=torch.float64)
    centre = torch.full((1, 1, 1, 2), 0.5, dtype=torch.float64)
    with torch.no_grad():
        found = attention(queries, centre, memory, [(7, 7)])[0, 0]
    level = memory[0].T.view(8, 7, 7)
    # (x, y) of the compass, by the longer of both: head 1 looks right and down by as much
    for head, (x, y) in enumerate([(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1)]):
        expected = (level[head, 3 + y, 3 + x] + level[head, 3 + 2 * y, 3 + 2 * x]) / 2
        torch.testing.assert_close(found[head], expected)


@pytest.mark.parametrize("chunk", [1, 3, 4, 9])
def test_parts_of_the_queries_give_the_same_values_and_gradients(chunk):
    given = [each.requires_grad_() for each in inputs(4, count=7)]
    results = []
    for attention in (make(), make(query_chunk=chunk)):
        found = attention(*given, SHAPES)
        sources = [*given, *attention.parameters()]
        results.append([found, *torch.autograd.grad(found.square().sum(), sources)])
    for whole, parts in zip(*results, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_places_are_exact_in_half_precision(dtype):
    # cell 201 of 256: as a share 0.787, which bfloat16 would round to the cell before
    level = torch.arange(256.0).view(1, 1, 1, 1, 256)
    place = torch.tensor([(201 + 0.5) / 256, 0.5]).view(1, 1, 1, 1, 1, 2)
    weights = torch.ones(1, 1, 1, 1, 1, dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attend_to_points([level.to(dtype)], place, weights)
    assert found.dtype == dtype and float(found) == 201


def test_compiles_as_one_graph():
    attention = make(torch.float32, query_chunk=3)
    given = inputs(4, dtype=torch.float32)
    compiled = torch.compile(attention, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*given, SHAPES), attention(*given, SHAPES))


def test_refuses_heads_that_do_not_divide_the_channels():
    with pytest.raises(UserError, match="NUM_HEADS.*HIDDEN_DIM"):
        DeformableAttention(30, heads=4)
