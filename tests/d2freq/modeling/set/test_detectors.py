"""SET around each detector: what stays exactly as it was, and that it learns."""

import copy
import pickle

import pytest
import torch
from detectron2.utils.events import EventStorage
from torch import nn

from .set_cases import DETECTORS, batch, build


def losses_of(model, records, seed=1):
    """The losses with a seed for the samplers, and what went into the event storage."""
    with EventStorage(7) as storage:
        torch.manual_seed(seed)
        return model(records), storage


def detections_of(model, records):
    """Boxes, scores and classes of each image; batch norm has the statistics of the records."""
    if hasattr(model, "head"):  # FCOS starts with boxes of no size
        nn.init.constant_(model.head.bbox_pred.bias, 0.5)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        losses_of(model, records)
        found = [output["instances"] for output in model.eval()(records)]
    model.train()
    assert all(len(each) > 3 for each in found)
    return [(each.pred_boxes.tensor, each.scores, each.pred_classes) for each in found]


def assert_equal(first, second):
    for ours, theirs in zip(first, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("case", DETECTORS)
def test_wrapping_changes_neither_the_weights_nor_a_bit_of_the_detections(case):
    plain, model = build(case, with_set=False), build(case)
    assert list(plain.state_dict()) == list(model.detector.state_dict())
    for name, value in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    others = model.state_dict().keys() - plain.state_dict().keys()
    assert all(name.startswith("set.smoothing.p") for name in others) and len(others) == 5 * 4
    assert_equal(detections_of(plain, batch()), detections_of(model, batch()))
    assert_equal(detections_of(plain, batch()), detections_of(model.detector, batch()))


@pytest.mark.parametrize("case", DETECTORS)
def test_the_first_pass_is_the_plain_detectors_also_after_some_steps(case):
    """Losses bit by bit, what is logged, running means and statistics; weights do not move."""
    plain, model = build(case, with_set=False), build(case)
    for seed in range(3):
        expected, log = losses_of(plain, batch(seed=seed), seed)
        losses, own_log = losses_of(model, batch(seed=seed), seed)
        for name, value in expected.items():
            assert torch.equal(losses[name], value), name
        assert set(losses) - set(expected) == {f"loss_set_{name[5:]}" for name in expected}
        assert all(torch.isfinite(value) for value in losses.values())
        for name, value in log.latest().items():
            assert own_log.latest()[name] == value, name
        added = set(own_log.latest()) - set(log.latest())
        assert added == {f"set/{name}" for name in log.latest()}
    for name, value in plain.state_dict().items():
        assert torch.equal(model.detector.state_dict()[name], value), name
    assert getattr(model, "loss_normalizer", None) == getattr(plain, "loss_normalizer", None)
    assert hasattr(plain, "loss_normalizer") == (case in ("fcos", "retinanet"))


@pytest.mark.parametrize("case", DETECTORS)
def test_it_learns_and_every_parameter_takes_part(case):
    model = build(case)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    totals = []
    for _ in range(5):
        losses, _ = losses_of(model, batch())
        optimizer.zero_grad()
        sum(losses.values()).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        optimizer.step()
        total = float(sum(value.detach() for value in losses.values()))
        totals.append(total * getattr(model, "loss_normalizer", 1))  # as a sum, where a mean moves
    assert totals[-1] < totals[0]
    blocks = {n.split(".")[0] for n, p in model.smoothing.named_parameters() if p.grad.any()}
    assert blocks == set(model.in_features)


@pytest.mark.parametrize("case", ["fcos", "faster"])
def test_copies_by_deepcopy_and_pickle_train_alike(case):
    model = build(case)
    expected, _ = losses_of(copy.deepcopy(model), batch())
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        losses, _ = losses_of(twin, batch())
        assert all(torch.equal(losses[name], value) for name, value in expected.items())


@pytest.mark.parametrize("case", ["fcos", "faster"])
def test_what_others_ask_of_a_detector_is_there(case):
    plain, model = build(case, with_set=False), build(case)
    assert model.device == plain.device and model.input_format == plain.input_format == "BGR"
    assert model.backbone is model.detector.backbone
    heads = getattr(model, "roi_heads", model)
    assert heads.num_classes == 3
    assert torch.equal(
        model.preprocess_image(batch()).tensor, plain.preprocess_image(batch()).tensor
    )
    assert not hasattr(model, "no_such_thing")


def test_of_a_frozen_backbone_the_heads_and_the_smoothing_learn():
    model = build("fcos")
    for parameter in model.backbone.parameters():
        parameter.requires_grad_(False)
    plain = build("fcos", with_set=False)
    expected, _ = losses_of(plain, batch())
    losses, _ = losses_of(model, batch())
    assert all(torch.equal(losses[name], value) for name, value in expected.items())
    sum(losses.values()).backward()
    learning = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in learning)
    assert all(p.grad is None for p in model.backbone.parameters())
    without = build("fcos", "MODEL.SET.PERTURBATION", False)
    for parameter in without.backbone.parameters():
        parameter.requires_grad_(False)
    plainer, _ = losses_of(without, batch())
    assert plainer["loss_set_fcos_cls"] != losses["loss_set_fcos_cls"]  # noise there, too
