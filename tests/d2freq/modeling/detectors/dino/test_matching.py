"""The assignment of least cost against all permutations, and costs against loops."""

import itertools

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.detectors.dino.matching import Costs, match, pairwise_costs
from d2freq.ops.boxes import WASSERSTEIN_EPSILON, gaussian_wasserstein2, gaussians

SIZES = torch.tensor([[640.0, 480.0], [320.0, 320.0], [800.0, 600.0]])  # width, height


def queries(images, number, classes=4, seed=0):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, number, classes, generator=random)
    boxes = torch.randn(images, number, 4, generator=random).sigmoid()
    boxes[..., 2:] *= 0.3
    return logits, boxes


def loop_costs(naive, logits, boxes, classes, truth, costs):
    """Of one image, in Python's floats."""
    return [
        [
            costs.cls * naive.class_cost(scores[int(label)])
            + costs.box * naive.distance(box, wanted)
            - costs.giou * naive.giou(box, wanted)
            for label, wanted in zip(classes, truth.tolist(), strict=True)
        ]
        for scores, box in zip(logits.tolist(), boxes.tolist(), strict=True)
    ]


def test_costs_are_the_loops(naive):
    for seed in range(5):
        logits, boxes = queries(3, 6, seed=seed)
        classes, truth = naive.objects((4, 4, 4), seed=seed)
        stacked = torch.stack(classes), torch.stack(truth)
        for costs in (Costs(), Costs(cls=1.0, box=0.5, giou=3.0)):
            found = pairwise_costs(logits, boxes, *stacked, costs)
            for image in range(3):
                one = logits[image], boxes[image], classes[image], truth[image]
                expected = torch.tensor(loop_costs(naive, *one, costs))
                assert torch.allclose(found[image], expected, atol=1e-5)


@pytest.mark.parametrize("counts", [(3, 0), (1,), (0, 5, 2), (7, 6), (5, 5)])
def test_the_pairs_cost_least_of_all_permutations(naive, counts):
    """Five queries: with six or seven objects, one or two stay without."""
    for seed in range(4):
        logits, boxes = queries(len(counts), 5, seed=seed)
        classes, truth = naive.objects(counts, seed=seed)
        found = match(logits, boxes, classes, truth)
        assert len(found) == len(counts)
        for image, (query, object_) in enumerate(found):
            size = min(5, counts[image])
            assert query.shape == object_.shape == (size,) and query.dtype == torch.int64
            assert len(query.unique()) == len(object_.unique()) == size
            assert query.tolist() == sorted(query.tolist())
            if not size:
                continue
            one = logits[image], boxes[image], classes[image], truth[image]
            costs = torch.tensor(loop_costs(naive, *one, Costs())).double()
            costs = costs if costs.shape[0] >= costs.shape[1] else costs.T
            orders = torch.tensor(list(itertools.permutations(range(costs.shape[0]), size)))
            least = costs[orders, torch.arange(size)].sum(1).min()
            reached = torch.tensor(loop_costs(naive, *one, Costs()))[query, object_].sum()
            assert reached.item() == pytest.approx(least.item(), abs=1e-5)


def test_each_image_is_matched_as_if_alone(naive):
    logits, boxes = queries(3, 40)
    classes, truth = naive.objects((3, 0, 25), seed=8)
    together = match(logits, boxes, classes, truth)
    for image in range(3):
        part = slice(image, image + 1)
        (alone,) = match(logits[part], boxes[part], classes[part], truth[part])
        assert [each.tolist() for each in alone] == [each.tolist() for each in together[image]]


def test_permuted_objects_are_matched_alike(naive):
    logits, boxes = queries(1, 60)
    classes, truth = naive.objects((35,), seed=9)
    order = torch.randperm(35)
    ((query, object_),) = match(logits, boxes, classes, truth)
    ((again, permuted),) = match(logits, boxes, [classes[0][order]], [truth[0][order]])
    assert torch.equal(query, again) and torch.equal(object_, order[permuted])


def test_1200_objects_for_900_queries(naive):
    """All queries are taken, and no exchange of two objects makes it cheaper."""
    logits, boxes = queries(1, 900)
    classes, truth = naive.objects((1200,), seed=10)
    ((query, object_),) = match(logits, boxes, classes, truth)
    assert query.tolist() == list(range(900)) and len(object_.unique()) == 900
    costs = pairwise_costs(logits, boxes, classes[0][None], truth[0][None], Costs())[0]
    chosen = costs[query, object_]
    crossed = costs[:, object_]
    assert (crossed + crossed.T >= chosen[:, None] + chosen[None] - 1e-3).all()
    left = torch.ones(1200, dtype=torch.bool)
    left[object_] = False
    assert (costs[:, left] >= chosen[:, None] - 1e-3).all(), "one that was left out costs less"


def test_nwd_is_that_of_d2freqs_assigners(naive):
    logits, boxes = queries(3, 30)
    classes, truth = naive.objects((8, 8, 8), seed=11, largest=0.02)
    stacked = torch.stack(classes), torch.stack(truth)
    off = Costs(cls=0.0, box=0.0, giou=0.0)
    found = pairwise_costs(logits, boxes, *stacked, off._replace(nwd=2.0), SIZES)
    for image, (width, height) in enumerate(SIZES.tolist()):

        def pixels(shares, width=width, height=height):
            centre, half = shares[:, :2], shares[:, 2:] / 2
            scale = torch.tensor([width, height] * 2)
            return gaussians(torch.cat((centre - half, centre + half), 1) * scale)

        squared = gaussian_wasserstein2(pixels(boxes[image]), pixels(truth[image]))
        nwd = torch.exp(-(squared + WASSERSTEIN_EPSILON).sqrt() / off.nwd_constant)
        assert torch.allclose(found[image], 2 * (1 - nwd), atol=5e-4)
    assert pairwise_costs(logits, boxes, *stacked, off).abs().max() == 0
    itself = pairwise_costs(logits[:, :8], stacked[1], *stacked, off._replace(nwd=1.0), SIZES)
    assert itself.diagonal(dim1=1, dim2=2).abs().max() < 1e-6
    with pytest.raises(UserError, match="COST_NWD"):
        match(logits, boxes, classes, truth, Costs(nwd=1.0))


def test_nwd_tells_tiny_boxes_apart_where_giou_says_little(naive):
    """Two queries beside a 4 px object, the nearer one of another size."""
    truth = [torch.tensor([[0.5, 0.5, 0.005, 0.005]])]
    boxes = torch.tensor([[[0.51, 0.5, 0.005, 0.005], [0.505, 0.5, 0.001, 0.001]]])
    logits, classes = torch.zeros(1, 2, 4), [torch.tensor([1])]
    sizes = torch.tensor([[800.0, 800.0]])

    def first_choice(costs):
        ((query, _),) = match(logits, boxes, classes, truth, costs, sizes)
        return query.item()

    assert first_choice(Costs(box=0.0)) == 0
    assert first_choice(Costs(box=0.0, nwd=5.0)) == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_outputs_that_are_not_finite_still_give_pairs(naive, bad):
    """The losses are not finite then, which the trainer reports."""
    logits, boxes = queries(2, 5)
    classes, truth = naive.objects((3, 2))
    for spoilt in ((logits * bad, boxes), (logits, boxes * bad)):
        found = match(*spoilt, classes, truth)
        assert [len(query) for query, _ in found] == [3, 2]


def test_no_gradient_is_kept_and_half_precision_is_left(naive):
    logits, boxes = queries(1, 20)
    classes, truth = naive.objects((6,))
    stacked = torch.stack(classes), torch.stack(truth)
    found = pairwise_costs(logits.bfloat16(), boxes.requires_grad_(), *stacked, Costs())
    assert found.dtype == torch.float32
    (pair,) = match(logits.requires_grad_(), boxes, classes, truth)
    assert not any(each.requires_grad for each in pair)
