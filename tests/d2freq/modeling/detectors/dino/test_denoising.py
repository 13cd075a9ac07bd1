"""Denoising queries: their order, what they see, how far they moved, and crowded images."""

import math

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.detectors.dino.denoising import make_denoising

SETTINGS = {"num_classes": 4, "num_queries": 30}


def make(objects, **settings):
    generator = torch.Generator().manual_seed(0)
    return make_denoising(*objects, **{**SETTINGS, "generator": generator, **settings})


@pytest.mark.parametrize(
    ("counts", "max_gt", "groups", "queries"),
    [
        ((7,), 0, 14, 196),
        ((60, 3), 0, 1, 120),
        ((150,), 0, 1, 300),
        ((1200, 0), 0, 1, 2400),
        ((1200, 2), 100, 1, 200),
        ((0, 1), 0, 100, 200),
        ((1,), 0, 100, 200),
        ((100,), 0, 1, 200),
        ((101,), 50, 2, 200),
    ],
)
def test_groups_and_queries(naive, counts, max_gt, groups, queries):
    made = make(naive.objects(counts), max_gt=max_gt)
    assert made.groups == groups
    assert made.labels.shape == made.positive.shape == made.target.shape == (len(counts), queries)
    assert made.boxes.shape == (len(counts), queries, 4) and made.boxes.dtype == torch.float32
    assert made.mask.shape == (queries + 30, queries + 30)
    taken = [min(count, max_gt or count) for count in counts]
    assert made.positive.sum(1).tolist() == [groups * count for count in taken]
    assert made.valid.sum(1).tolist() == [2 * groups * count for count in taken]


@pytest.mark.parametrize("counts", [(3, 0, 5), (1,), (4, 2)])
def test_rows_are_where_a_loop_puts_them(naive, counts):
    classes, boxes = naive.objects(counts, seed=3)
    made = make((classes, boxes), number=17, label_noise=0.0, box_noise=0.0)
    most, groups = max(counts), 17 // max(counts)
    for image, count in enumerate(counts):
        for group in range(groups):
            for negative in (False, True):
                for place in range(most):
                    row = (2 * group + negative) * most + place
                    real = place < count
                    assert made.valid[image, row] == real
                    assert made.positive[image, row] == (real and not negative)
                    assert made.target[image, row] == (place if real else 0)
                    expected = classes[image][place] if real else 0
                    assert made.labels[image, row] == expected
                    box = made.boxes[image, row]
                    if real:  # unmoved, apart from what the logit cuts off
                        wanted = boxes[image][place].clamp(1e-3, 1 - 1e-3)
                        assert torch.allclose(box.sigmoid(), wanted, atol=1e-6)
                    else:
                        assert not box.any()


def test_mask_is_the_loops(naive):
    made = make(naive.objects((3, 1)), number=10)
    hidden = made.labels.shape[1]
    assert made.groups == 3 and hidden == 18
    for row in range(hidden + 30):
        for column in range(hidden + 30):
            if column >= hidden:
                expected = False  # all see the matching queries
            elif row >= hidden:
                expected = True  # which see no denoising query
            else:
                expected = row // 6 != column // 6
            assert made.mask[row, column] == expected


def test_mask_of_a_crowd_has_the_count_that_arithmetic_says(naive):
    made = make(naive.objects((7,)), num_queries=900)
    assert int(made.mask.sum()) == 900 * 196 + 196 * (196 - 14)
    assert not made.mask.all(dim=1).any(), "a query that sees nothing has no softmax"


def test_noise_of_positives_and_negatives_has_its_range():
    """Away from the edges each corner moves less than half a side, or half to a whole side."""
    classes = [torch.randint(4, (50,))]
    boxes = [torch.cat((torch.full((50, 2), 0.5), torch.rand(50, 2) * 0.2 + 0.1), dim=1)]
    made = make((classes, boxes), number=1500)
    found = made.boxes[0].sigmoid()
    origin = boxes[0][made.target[0]]
    low = (found[:, :2] - found[:, 2:] / 2) - (origin[:, :2] - origin[:, 2:] / 2)
    high = (found[:, :2] + found[:, 2:] / 2) - (origin[:, :2] + origin[:, 2:] / 2)
    moved = torch.cat((low, high), 1) / (origin[:, 2:].repeat(1, 2) / 2)
    straight = found[:, 2:].min(1).values > 2e-3  # corners that passed each other are cut
    of_positives = moved[made.positive[0]]
    of_negatives = moved[~made.positive[0] & straight]
    assert straight[made.positive[0]].all()
    assert of_positives.abs().max() < 1 + 1e-3
    assert of_negatives.abs().min() > 1 - 1e-3 and of_negatives.abs().max() < 2 + 1e-3
    assert of_positives.mean().abs() < 0.05, "no direction is likelier"
    assert abs(of_positives.abs().mean() - 0.5) < 0.02
    half = make((classes, boxes), number=1500, box_noise=0.5).boxes[0].sigmoid()
    assert (half[:, 2:] > origin[:, 2:] * 0.49)[made.positive[0]].all()


def test_a_quarter_of_the_labels_is_drawn_anew():
    """With probability .5 x .5, by any of K classes: 3 in 16 become another one of four."""
    classes = [torch.full((100,), 2)]
    boxes = [torch.full((100, 4), 0.5)]
    labels = make((classes, boxes), number=1500).labels
    changed = (labels != 2).double().mean().item()
    assert changed == pytest.approx(3 / 16, abs=4 * math.sqrt(3 / 16 * 13 / 16 / labels.numel()))
    assert labels.unique().tolist() == [0, 1, 2, 3]
    assert (make((classes, boxes), number=200, label_noise=0.0).labels == 2).all()


def test_boxes_stay_in_the_picture(naive):
    made = make(naive.objects((50,), largest=1.0), number=1000, box_noise=1.0)
    found = made.boxes.sigmoid()
    assert made.boxes.abs().max() <= math.log(999) + 1e-3
    low, high = found[..., :2] - found[..., 2:] / 2, found[..., :2] + found[..., 2:] / 2
    assert low.min() > -1.1e-3 and high.max() < 1 + 1.1e-3


def test_without_objects_there_is_no_denoising(naive):
    assert make(naive.objects((0,))) is None
    assert make(naive.objects((0, 0))) is None
    assert make(naive.objects((3,)), number=0) is None


def test_the_cap_draws_other_objects_each_time_and_knows_which(naive):
    classes, boxes = naive.objects((1200, 3), seed=4)
    generator = torch.Generator().manual_seed(1)
    seen = []
    for _ in range(2):
        made = make(
            (classes, boxes), max_gt=40, box_noise=0.0, label_noise=0.0, generator=generator
        )
        picked = made.target[0][made.positive[0]].reshape(made.groups, 40)
        assert (picked == picked[0]).all() and len(picked[0].unique()) == 40
        assert made.target[0].max() >= 40, "not the first ones alone"
        assert torch.equal(made.labels[0], classes[0][made.target[0]])
        wanted = boxes[0][made.target[0]].clamp(1e-3, 1 - 1e-3)
        assert torch.allclose(made.boxes[0].sigmoid(), wanted, atol=1e-6)
        seen.append(set(picked[0].tolist()))
    assert seen[0] != seen[1]


def test_a_seed_makes_the_same_queries(naive):
    objects = naive.objects((9, 200))

    def draw(seed):
        return make(objects, max_gt=50, generator=torch.Generator().manual_seed(seed))

    first, again, other = draw(5), draw(5), draw(6)
    same = [torch.equal(a, b) for a, b in zip(first[:-1], again[:-1], strict=True)]
    assert all(same) and not torch.equal(first.boxes, other.boxes)
    torch.manual_seed(3)
    without = make(objects, generator=None)
    torch.manual_seed(3)
    assert torch.equal(without.boxes, make(objects, generator=None).boxes)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"number": -1}, "DN_NUMBER"),
        ({"label_noise": 1.5}, "LABEL_NOISE"),
        ({"box_noise": -0.1}, "BOX_NOISE"),
        ({"box_noise": math.nan}, "BOX_NOISE"),
        ({"max_gt": -3}, "DN_MAX_GT"),
    ],
)
def test_bad_settings_are_refused(naive, setting, said):
    with pytest.raises(UserError, match=said):
        make(naive.objects((2,)), **setting)
