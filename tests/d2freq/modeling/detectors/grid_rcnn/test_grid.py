"""Targets and decoding of a grid of points, against the published code's vectors and loops."""

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.detectors.grid_rcnn import PointGrid, decode_grid, grid_targets

REGION, TRUTH = torch.tensor([[10.0, 10, 30, 30]]), torch.tensor([[12.0, 9, 33, 28]])
# centres (x, y) in the windows of points 0 to 8, of the published code
CENTRES = [(16, 12), (16, 11), (16, 11), (17, 12), (17, 11), (17, 11), (18, 12), (18, 11), (18, 11)]
STARTS = {0: 0, 1: 14, 2: 28}  # of the windows, by column and by row


def tiny_pairs(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Regions and objects of 0.5 to 16 pixels; the regions lie about their objects."""
    random = torch.Generator().manual_seed(seed)
    count = 1 + seed % 6
    sides = 0.5 + 15.5 * torch.rand(count, 2, generator=random)
    begin = 40 * torch.rand(count, 2, generator=random)
    truth = torch.cat([begin, begin + sides], dim=1)
    return truth + 0.8 * (torch.rand(count, 4, generator=random) - 0.5) * sides.repeat(1, 2), truth


def targets_by_hand(region, truth, radius=1):
    """Nine windows of 28 x 28 as lists."""
    left, top, right, bottom = region
    width, height = right - left, bottom - top
    found = [[[0.0] * 28 for _ in range(28)] for _ in range(9)]
    if 2 * width <= 3 or 2 * height <= 3:
        return found
    for point in range(9):
        column, row = point // 3, point % 3
        x = truth[0] * (1 - column / 2) + truth[2] * column / 2
        y = truth[1] * (1 - row / 2) + truth[3] * row / 2
        cx = int((x - (left - width / 2)) / (2 * width) * 56)
        cy = int((y - (top - height / 2)) / (2 * height) * 56)
        for i in range(cy - radius, cy + radius + 1):
            for j in range(cx - radius, cx + radius + 1):
                if (i - cy) ** 2 + (j - cx) ** 2 > radius**2:
                    continue
                u, v = i - STARTS[row], j - STARTS[column]
                if 0 <= u < 28 and 0 <= v < 28:
                    found[point][u][v] = 1.0
    return found


def test_vector_of_the_published_code():
    targets = grid_targets(REGION, TRUTH, PointGrid())
    assert targets.shape == (1, 9, 28, 28) and targets.sum(dim=(2, 3)).tolist() == [[5.0] * 9]
    for point, (x, y) in enumerate(CENTRES):
        assert targets[0, point, y - 1 : y + 2, x].sum() == 3
        assert targets[0, point, y, x - 1 : x + 2].sum() == 3


def test_one_hot_maps_decode_to_the_published_box():
    logits = torch.full((1, 9, 28, 28), -10.0)
    for point, (x, y) in enumerate(CENTRES):
        logits[0, point, y, x] = 10.0
    found = decode_grid(logits, REGION, PointGrid())[0].tolist()
    assert found == pytest.approx([11.7857, 8.9286, 33.2143, 28.2143], abs=1e-4)


def test_targets_of_a_hundred_random_cases():
    empty = cut = 0
    for seed in range(100):
        regions, truth = tiny_pairs(seed)
        if seed % 10 == 0:  # a region and an object of less than a pixel and a half
            regions = torch.cat([regions, truth[:1, [0, 1, 0, 1]] + torch.tensor([[0, 0, 1.4, 9]])])
            truth = torch.cat([truth, truth[:1]])
        found = grid_targets(regions.double(), truth.double(), PointGrid(), radius=1 + seed % 2)
        pairs = zip(regions.double().tolist(), truth.double().tolist(), strict=True)
        for own, pair in zip(found, pairs, strict=True):
            wanted = torch.tensor(targets_by_hand(*pair, radius=1 + seed % 2))
            assert torch.equal(own, wanted), seed
            empty += not wanted.any()
            cut += bool(0 < wanted.sum() < 45)
    assert empty >= 10 and cut > 20


def test_a_region_on_its_object_gives_it_back_within_half_a_cell():
    """Decoding what the targets say; a cell is a 28th of a side."""
    for seed in range(20):
        _, truth = tiny_pairs(seed)
        truth[:, 2:] += 2
        regions = truth + 0.1 * torch.rand(len(truth), 4)
        logits = grid_targets(regions, truth, PointGrid(), radius=0) * 20 - 10
        sides = (regions[:, 2:] - regions[:, :2]).repeat(1, 2)
        error = (decode_grid(logits, regions, PointGrid()) - truth).abs()
        assert (error <= 0.51 * sides / 28).all()


def test_decoding_of_a_hundred_random_cases():
    for seed in range(100):
        torch.manual_seed(seed)
        regions, _ = tiny_pairs(seed)
        logits = torch.randn(len(regions), 9, 28, 28)
        found = decode_grid(logits, regions, PointGrid())
        assert found.dtype == torch.float32
        for number, (left, top, right, bottom) in enumerate(regions.tolist()):
            places = []
            for point in range(9):
                best = int(logits[number, point].argmax())
                weight = torch.sigmoid(logits[number, point].max()).item()
                x, y = best % 28 + STARTS[point // 3] + 0.5, best // 28 + STARTS[point % 3] + 0.5
                x = x / 28 * (right - left) + left - (right - left) / 2
                y = y / 28 * (bottom - top) + top - (bottom - top) / 2
                places.append((x, y, weight))
            edges = []
            for axis, points in ((0, (0, 1, 2)), (1, (0, 3, 6)), (0, (6, 7, 8)), (1, (2, 5, 8))):
                total = sum(places[p][2] for p in points)
                edges.append(sum(places[p][axis] * places[p][2] for p in points) / total)
            assert found[number].tolist() == pytest.approx(edges, abs=1e-3)


def test_points_of_no_probability_at_all_give_a_box():
    found = decode_grid(torch.full((1, 9, 28, 28), -200.0), REGION, PointGrid())
    assert torch.sigmoid(torch.tensor(-200.0)) == 0 and found.isfinite().all()


def test_neighbours_and_windows():
    grid, wanted = PointGrid(), [(1, 3), (0, 2, 4), (1, 5), (0, 4, 6), (1, 3, 5, 7)]
    wanted += [(2, 4, 8), (3, 7), (4, 6, 8), (5, 7)]
    assert grid.neighbours == [(p, q) for p, others in enumerate(wanted) for q in others]
    pairs = [[STARTS[p // 3], STARTS[p % 3]] for p in range(9)]
    assert grid.starts(torch.zeros(0)).tolist() == pairs
    four = PointGrid(points=4, cells=8)
    assert four.starts(torch.zeros(0)).tolist() == [[0, 0], [0, 8], [8, 0], [8, 8]]
    assert len(four.neighbours) == 8


def test_nothing():
    none = torch.zeros(0, 4)
    assert grid_targets(none, none, PointGrid()).shape == (0, 9, 28, 28)
    assert decode_grid(torch.zeros(0, 9, 28, 28), none, PointGrid()).shape == (0, 4)


@pytest.mark.parametrize("points", [0, 1, 8, -9])
def test_points_that_are_no_square(points):
    with pytest.raises(UserError, match=f"NUM_POINTS: got {points}; give a square number"):
        PointGrid(points=points)
