"""DINO's losses against loops in Python's floats, of few, one, no and 1,200 objects."""

import pytest
import torch

from d2freq.modeling.detectors.dino import losses as module
from d2freq.modeling.detectors.dino.denoising import make_denoising
from d2freq.modeling.detectors.dino.losses import Weights, dino_losses
from d2freq.modeling.detectors.dino.matching import Costs, match
from d2freq.modeling.detectors.dino.outputs import Outputs, Predictions

CLASSES = 4


def predictions(images, number, seed):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, number, CLASSES, generator=random)
    boxes = torch.randn(images, number, 4, generator=random).sigmoid()
    return Predictions(logits.requires_grad_(), boxes.requires_grad_())


def case(objects, *, queries=12, layers=3, seed=0, **settings):
    """Outputs of a network for these objects, and its denoising queries."""
    generator = torch.Generator().manual_seed(seed)
    denoising = make_denoising(
        *objects,
        num_classes=CLASSES,
        num_queries=queries,
        generator=generator,
        **{"number": 10, **settings},
    )
    images = len(objects[0])
    hidden = 0 if denoising is None else denoising.labels.shape[1]
    found = [predictions(images, hidden + queries, seed + layer) for layer in range(layers)]
    return Outputs(found, predictions(images, queries, seed + 99)), denoising


def loop_terms(naive, logits, boxes, answers, normaliser, weights):
    """``answers``: for each image query -> (class, box)."""
    cls = box = giou = 0.0
    for image, answer in enumerate(answers):
        for query in range(logits.shape[1]):
            label, wanted = answer.get(query, (None, None))
            for k in range(CLASSES):
                cls += naive.focal(logits[image, query, k].item(), k == label)
            if wanted is not None:
                placed = boxes[image, query].tolist()
                box += naive.distance(placed, wanted)
                giou += 1 - naive.giou(placed, wanted)
    parts = weights.cls * cls, weights.box * box, weights.giou * giou
    return [part / normaliser for part in parts]


def loop_losses(naive, outputs, denoising, classes, truth, weights):
    images = range(len(classes))
    objects = max(1, sum(len(each) for each in classes))
    hidden = 0 if denoising is None else denoising.labels.shape[1]
    last = len(outputs.layers) - 1
    expected = {}
    sets = [(("" if i == last else f"_stage{i}"), p) for i, p in enumerate(outputs.layers)]
    for name, (logits, boxes) in [*sets, ("_enc", outputs.encoder)]:
        skip = 0 if name == "_enc" else hidden
        pairs = match(logits[:, skip:], boxes[:, skip:], classes, truth)
        answers = [
            {
                int(q): (int(classes[i][o]), truth[i][o].tolist())
                for q, o in zip(*pairs[i], strict=True)
            }
            for i in images
        ]
        found = logits[:, skip:], boxes[:, skip:]
        expected[name] = loop_terms(naive, *found, answers, objects, weights)
    for name, (logits, boxes) in sets:
        answers, positives = [{} for _ in images], 0
        if denoising is not None:
            positives = int(denoising.positive.sum())
            for i in images:
                for row in range(hidden):
                    if denoising.positive[i, row]:
                        o = denoising.target[i, row]
                        answers[i][row] = (int(classes[i][o]), truth[i][o].tolist())
        found = logits[:, :hidden], boxes[:, :hidden]
        expected["_dn" + name] = loop_terms(naive, *found, answers, max(1, positives), weights)
    return {
        f"loss_dino_{kind}{name}": value
        for name, values in expected.items()
        for kind, value in zip(("cls", "box", "giou"), values, strict=True)
    }


@pytest.mark.parametrize(
    ("counts", "max_gt"),
    [((3, 1), 0), ((0, 4), 0), ((1,), 0), ((0, 0), 0), ((5, 2, 0), 3), ((15,), 0)],
)
def test_losses_are_the_loops(naive, counts, max_gt):
    """Twelve queries: of fifteen objects three stay without one."""
    for seed, weights in enumerate((Weights(), Weights(cls=2.0, box=0.3, giou=7.0))):
        objects = naive.objects(counts, classes=CLASSES, seed=seed)
        outputs, denoising = case(objects, seed=seed, max_gt=max_gt)
        found = dino_losses(outputs, denoising, *objects, weights=weights)
        expected = loop_losses(naive, outputs, denoising, *objects, weights)
        assert {name: value.item() for name, value in found.items()} == pytest.approx(
            expected, rel=2e-5, abs=1e-6
        )


def test_39_terms_of_six_layers(naive):
    objects = naive.objects((2,))
    outputs, denoising = case(objects, layers=6)
    found = dino_losses(outputs, denoising, *objects)
    assert len(found) == 39 and all(value.shape == () for value in found.values())
    stages = {name for name in found if name.startswith("loss_dino_cls")}
    kinds = ["", "_dn"]
    expected = {f"loss_dino_cls{k}_stage{i}" for k in kinds for i in range(5)}
    assert stages == expected | {"loss_dino_cls", "loss_dino_cls_dn", "loss_dino_cls_enc"}


def test_without_denoising_there_are_no_terms_of_it(naive):
    objects = naive.objects((2, 3))
    outputs, denoising = case(objects, number=0)
    assert denoising is None
    found = dino_losses(outputs, None, *objects, with_denoising=False)
    zeros = dino_losses(outputs, None, *objects)
    assert len(found) == 12 and len(zeros) == 21
    assert all(zeros[name] == value for name, value in found.items())
    assert all(zeros[name] == 0 for name in zeros.keys() - found.keys())


@pytest.mark.parametrize("counts", [(0, 0), (0, 3), (1200,)])
def test_gradients_reach_all_outputs_and_are_finite(naive, counts):
    objects = naive.objects(counts)
    outputs, denoising = case(objects, max_gt=100, queries=100, layers=1)
    found = dino_losses(outputs, denoising, *objects)
    assert all(value.isfinite() for value in found.values())
    leaves = [tensor for each in (*outputs.layers, outputs.encoder) for tensor in each]
    gradients = torch.autograd.grad(sum(found.values()), leaves)  # raises where one is unused
    assert all(gradient.isfinite().all() for gradient in gradients)
    if sum(counts):
        taken = [int((gradient != 0).any(-1).sum()) for gradient in gradients]
        assert min(taken) >= min(100, sum(counts))


def test_permuted_objects_change_nothing(naive):
    classes, truth = naive.objects((9, 14), seed=5)
    outputs, _ = case((classes, truth), queries=30, number=0)
    orders = [torch.randperm(len(each)) for each in classes]
    permuted = [[x[o] for x, o in zip(each, orders, strict=True)] for each in (classes, truth)]
    first = dino_losses(outputs, None, classes, truth, with_denoising=False)
    again = dino_losses(outputs, None, *permuted, with_denoising=False)
    for name, value in first.items():
        assert again[name].item() == pytest.approx(value.item(), rel=1e-6)


def test_other_queries_and_layers_do_not_mix(naive):
    """A layer's losses have no gradient at another one's outputs, denoising none at matching."""
    objects = naive.objects((4,))
    outputs, denoising = case(objects, layers=2)
    found = dino_losses(outputs, denoising, *objects)
    hidden = denoising.labels.shape[1]
    of_dn = found["loss_dino_cls_dn"] + found["loss_dino_giou_dn"]
    leaves = [*outputs.layers[1], *outputs.layers[0]]
    options = {"allow_unused": True, "retain_graph": True}
    gradients = torch.autograd.grad(of_dn, leaves, **options)
    assert gradients[2:] == (None, None)
    assert not gradients[0][:, hidden:].any() and gradients[0][:, :hidden].any()
    gradients = torch.autograd.grad(found["loss_dino_box_stage0"], leaves, **options)
    assert gradients[:2] == (None, None) and not gradients[3][:, :hidden].any()


def test_normalisers_are_means_over_processes(naive, monkeypatch):
    """With 5 objects here and 3 in the other process, both divide by 4."""
    objects = naive.objects((5,))
    outputs, denoising = case(objects)
    alone = dino_losses(outputs, denoising, *objects)
    seen = []

    def mean(values):
        seen.append(values.tolist())
        return values * torch.tensor([4 / 5, 1 / 2])

    monkeypatch.setattr(module, "mean_over_processes", mean)
    together = dino_losses(outputs, denoising, *objects)
    assert seen == [[5.0, 10.0]], "once, whatever the number of layers"
    for name, value in alone.items():
        factor = 2 if "_dn" in name else 5 / 4
        assert together[name].item() == pytest.approx(value.item() * factor, rel=1e-6)
    dino_losses(outputs, None, *objects)
    assert seen[1] == [5.0, 0.0], "a process without denoising takes part"


def test_nwd_changes_which_query_answers(naive):
    """Boxes some pixels beside tiny objects; denoising knows its pairs without any cost."""
    classes, truth = naive.objects((6,), largest=0.01)
    outputs, denoising = case((classes, truth), queries=60, layers=1)
    with torch.no_grad():
        for _, boxes in (*outputs.layers, outputs.encoder):
            boxes[:, -60:, :2] = truth[0][:, :2].repeat(10, 1) + torch.randn(60, 2) * 0.01
            boxes[:, -60:, 2:] = truth[0][:, 2:].repeat(10, 1) * (0.1 + 2 * torch.rand(60, 2))
    of_pixels = {"sizes": torch.tensor([[800.0, 600.0]])}
    plain = dino_losses(outputs, denoising, classes, truth, **of_pixels)
    nwd = dino_losses(outputs, denoising, classes, truth, costs=Costs(nwd=50.0), **of_pixels)
    changed = {name for name in plain if plain[name] != nwd[name]}
    assert changed == {name for name in plain if "_dn" not in name}


def test_outputs_that_are_not_finite_make_losses_that_are_not(naive):
    objects = naive.objects((3,))
    outputs, denoising = case(objects, layers=1)
    spoilt = Predictions(outputs.layers[0].logits * torch.nan, outputs.layers[0].boxes)
    found = dino_losses(Outputs([spoilt], outputs.encoder), denoising, *objects)
    assert found["loss_dino_cls"].isnan() and found["loss_dino_cls_enc"].isfinite()


def test_half_precision_is_left_behind(naive):
    objects = naive.objects((3,))
    outputs, denoising = case(objects, layers=1)
    half = Outputs(
        [Predictions(outputs.layers[0].logits.bfloat16(), outputs.layers[0].boxes)],
        outputs.encoder,
    )
    found = dino_losses(half, denoising, *objects)
    assert all(value.dtype == torch.float32 for value in found.values())
