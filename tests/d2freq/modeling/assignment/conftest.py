"""The three assignments as loops over Python's floats, and random cases for them."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

KINDS = ("random", "grid", "duplicates", "zero size", "few anchors", "no objects", "float32")


def random_case(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Objects and square or random anchors; each kind comes once in len(KINDS) seeds.

    "grid" has integer coordinates and sides that are powers of two: exact ties abound.
    """
    kind = KINDS[seed % len(KINDS)]
    random = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(*shape, generator=random, dtype=torch.float64)

    def around(centres, sides):
        return torch.cat((centres - sides / 2, centres + sides / 2), dim=1)

    count = int(uniform(1) * 9) + 1
    truth = around(uniform(count, 2) * 64, uniform(count, 2) * 24 + 1)
    anchors = around(uniform(60, 2) * 64, uniform(60, 2) * 24 + 4)
    anchors[:20] = truth[torch.arange(20) % count] + uniform(20, 4)  # close, so some are ignored
    if kind in ("grid", "duplicates"):
        steps = torch.arange(0, 64, 8, dtype=torch.float64)
        grid = torch.cartesian_prod(steps, steps)
        anchors = torch.cat((around(grid, grid.new_tensor(8)), around(grid, grid.new_tensor(17.5))))
        sides = 2 ** (uniform(count, 2) * 5).floor()
        truth = around((uniform(count, 2) * 32).floor() * 2, sides)
    if kind == "duplicates":
        truth = truth.repeat(2, 1)
        anchors = anchors.repeat_interleave(2, dim=0)
    elif kind == "zero size":
        truth[::2, 2:] = truth[::2, :2]
    elif kind == "few anchors":
        anchors = anchors[: seed % 4]
    elif kind == "no objects":
        truth = truth[:0]
    elif kind == "float32":
        truth, anchors = truth.float(), anchors.float()
    return truth, anchors


def geometry(box: list[float]) -> tuple[float, float, float, float]:
    """Centre and sides; sides of at least 1e-6."""
    left, top, right, bottom = box
    width, height = max(right - left, 1e-6), max(bottom - top, 1e-6)
    return (left + right) / 2, (top + bottom) / 2, width, height


def nwd(truth, anchor) -> float:
    """exp(-sqrt(W2^2 + 1e-6) / 12.7) of two geometries."""
    (x1, y1, w1, h1), (x2, y2, w2, h2) = truth, anchor
    squared = math.fsum([(x1 - x2) ** 2, (y1 - y2) ** 2, (w1 - w2) ** 2 / 4, (h1 - h2) ** 2 / 4])
    return math.exp(-math.sqrt(squared + 1e-6) / 12.7)


def kl_score(truth, anchor) -> float:
    """1 / (1 + KL) of two geometries."""
    (x1, y1, w1, h1), (x2, y2, w2, h2) = truth, anchor
    terms = [w2**2 / w1**2, h2**2 / h1**2, 4 * (x1 - x2) ** 2 / w1**2, 4 * (y1 - y2) ** 2 / h1**2]
    terms += [math.log(w1**2 / w2**2), math.log(h1**2 / h2**2), -2]
    return 1 / (1 + math.fsum(terms) / 2)


def wd_score(truth, anchor) -> float:
    """1 / (1 + W2^2) of two geometries."""
    (x1, y1, w1, h1), (x2, y2, w2, h2) = truth, anchor
    squared = [(x1 - x2) ** 2, (y1 - y2) ** 2, (w1 - w2) ** 2 / 4, (h1 - h2) ** 2 / 4]
    return 1 / (1 + math.fsum(squared))


def rank(truth, anchors, score, topk, threshold) -> tuple[list, list]:
    """Owners (None where there is none) and labels of geometries."""
    owners: list[int | None] = [None] * len(anchors)
    labels = [-1] * len(anchors)
    table = [[score(one, anchor) for anchor in anchors] for one in truth]
    for index in range(len(anchors)):
        best = max((row[index] for row in table), default=0.0)
        if 0 <= best < threshold:
            labels[index] = 0
    for number, row in enumerate(table):
        best_values = sorted(row, reverse=True)[:topk]
        for index, value in enumerate(row):
            if value in best_values:
                owners[index], labels[index] = number, 1
    return owners, labels


def nwd_rka(truth, anchors, topk=3, threshold=0.3) -> tuple[list, list]:
    """NWD-RKA of boxes (N, 4) and (M, 4)."""
    truth, anchors = (list(map(geometry, boxes.tolist())) for boxes in (truth, anchors))
    return rank(truth, anchors, nwd, topk, threshold)


def rfla(truth, anchors, topk=(3, 1), ratio=0.9, score=kl_score) -> tuple[list, list]:
    """RFLA's hierarchical assignment of boxes (N, 4) and (M, 4)."""
    truth, anchors = (list(map(geometry, boxes.tolist())) for boxes in (truth, anchors))
    smaller = [(x, y, w * ratio, h * ratio) for x, y, w, h in anchors]
    owners, labels = rank(truth, anchors, score, topk[0], 0.8)
    later = rank(truth, smaller, score, topk[1], 0.8)
    for index, label in enumerate(labels):
        if label != 1:
            owners[index], labels[index] = later[0][index], later[1][index]
    return owners, labels


def iou(one, other) -> float:
    """Intersection over union of two boxes; 0 where they share no area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    area, another = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (area + another - width * height)


def max_iou(truth, anchors, positive=0.7, negative=0.3, minimum=0.3) -> tuple[list, list]:
    """The MaxIoU rule of boxes (N, 4) and (M, 4), as mmdet's documentation of it reads.

    Every anchor is ignored; negative where all overlaps are below ``negative``; positive where the
    largest is at least ``positive``. Then each object whose largest overlap is at least ``minimum``
    takes every anchor with that overlap.
    """
    table = [[iou(one, anchor) for anchor in anchors.tolist()] for one in truth.tolist()]
    owners: list[int | None] = [None] * len(anchors)
    labels = [-1] * len(anchors)
    for index in range(len(anchors)):
        column = [row[index] for row in table]
        best = max(column, default=0.0)
        if best < negative:
            labels[index] = 0
        if best >= positive:
            owners[index], labels[index] = column.index(best), 1
    for number, row in enumerate(table):
        for index, value in enumerate(row):
            if value == max(row) >= minimum:
                owners[index], labels[index] = number, 1
    return owners, labels


def found(result: tuple[torch.Tensor, torch.Tensor]) -> tuple[list, list]:
    """What an assigner returned, in the form of the loops."""
    matches, labels = result
    assert matches.dtype == torch.int64 and labels.dtype == torch.int8
    pairs = zip(matches.tolist(), labels.tolist(), strict=True)
    return [match if label == 1 else None for match, label in pairs], labels.tolist()


def crowd(objects: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tiny objects in an image of 4 x side pixels, and square anchors at P2 to P6, float32."""
    random = torch.Generator().manual_seed(0)
    centres = torch.rand(objects, 2, generator=random) * 4 * side
    halves = torch.rand(objects, 2, generator=random) * 10 + 1
    truth = torch.cat((centres - halves, centres + halves), dim=1)
    levels = []
    for level in range(5):
        steps = torch.arange(0, side * 4, 4 * 2**level, dtype=torch.float32)
        grid = torch.cartesian_prod(steps, steps)
        for half in (2 * 2**level, 4 * 2**level, 6 * 2**level):
            levels.append(torch.cat((grid - half, grid + half), dim=1))
    return truth, torch.cat(levels)


class PeakMemory(TorchDispatchMode):
    """Follows the storages that operations make while it is on; ``peak`` is the most bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run the operation, then count what lives; arguments of the whole stay uncounted."""
        result = func(*args, **(kwargs or {}))
        given = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if _is(leaf)}
        self.live = {key: entry for key, entry in self.live.items() if not entry[0].expired()}
        for leaf in filter(_is, tree_leaves(result)):
            storage = leaf.untyped_storage()
            if storage._cdata not in given:  # a view, or a result in place, makes no memory
                self.live[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.peak = max(self.peak, sum(size for _, size in self.live.values()))
        return result


def _is(leaf: object) -> bool:
    return isinstance(leaf, torch.Tensor)


@pytest.fixture(scope="session")
def oracle() -> SimpleNamespace:
    """What the tests of this folder share: cases, loops and the memory tracer."""
    return SimpleNamespace(
        CASES=range(200),
        PeakMemory=PeakMemory,
        crowd=crowd,
        found=found,
        max_iou=max_iou,
        nwd_rka=nwd_rka,
        random_case=random_case,
        rfla=rfla,
        wd_score=wd_score,
    )
