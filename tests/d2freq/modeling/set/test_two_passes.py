"""What a step gives to every parameter, against both passes written down by hand."""

import pytest
import torch

from d2freq.modeling.set import SET

from .toy import Toy, toy_batch

LEVELS = ("p2", "p3")


def by_hand(model, records, *, smoothing, perturbation, rho=1.0, loss_weight=1.0):
    """Losses of both passes, from Eqs. 2, 6, 8 and 9 and nothing of SET but its blocks."""
    toy = model.detector
    features = toy.backbone(torch.stack([record["image"] for record in records]))
    first = toy.losses(features)
    given = {}
    for level, stride in zip(LEVELS, (4, 8), strict=True):
        feature = features[level]
        given[level] = feature
        if smoothing:
            objects = torch.zeros(len(records), 1, 32 // stride, 32 // stride)
            for image, record in enumerate(records):
                for x1, y1, x2, y2 in record["instances"].gt_boxes.tensor.long().tolist():
                    pixels = torch.zeros(32, 32)
                    pixels[y1:y2, x1:x2] = 1
                    objects[image, 0] += pixels[::stride, ::stride]
            background = (objects == 0).float()
            block = model.smoothing[level]
            plain = feature * background
            change = block.expand(block.reduce(plain).relu())
            given[level] = (plain + change) * background + feature * (1 - background)
        if perturbation:
            for loss in first.values():
                (slope,) = torch.autograd.grad(loss, feature, retain_graph=True)
                given[level] = given[level] + rho * slope / slope.norm() / 2
    second = toy.losses(given)
    return {**first, **{f"loss_set_{n[5:]}": value * loss_weight for n, value in second.items()}}


@pytest.mark.parametrize("smoothing", [True, False])
@pytest.mark.parametrize("perturbation", [True, False])
@pytest.mark.parametrize(("rho", "loss_weight"), [(1.0, 1.0), (5.0, 0.3)])
def test_losses_and_gradients_are_those_of_two_passes_by_hand(
    smoothing, perturbation, rho, loss_weight
):
    model = SET(
        Toy(), smoothing=smoothing, perturbation=perturbation, rho=rho, loss_weight=loss_weight
    ).double()
    records = toy_batch()
    for record in records:
        record["image"] = record["image"].double()
    losses = model(records)
    sum(losses.values()).backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    expected = by_hand(
        model,
        records,
        smoothing=smoothing,
        perturbation=perturbation,
        rho=rho,
        loss_weight=loss_weight,
    )
    sum(expected.values()).backward()
    assert list(losses) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-10, atol=0)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-8, atol=1e-12)
        assert parameter.grad.abs().sum() > 0, name


def test_the_perturbation_is_a_constant_of_size_rho_shared_by_the_branches():
    model = SET(Toy(), smoothing=False, rho=3.0, branch_weights={"cls": 0.25, "reg": 0.0})
    seen = []
    model.detector.classify.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(toy_batch())
    first, second = seen[:2], seen[2:]
    for plain, perturbed in zip(first, second, strict=True):
        assert abs(float((perturbed - plain).detach().norm()) - 0.75) < 1e-5


def test_a_weight_of_zero_leaves_the_plain_gradient():
    model, records = SET(Toy(), loss_weight=0.0), toy_batch()
    sum(model(records).values()).backward()
    with_set = [p.grad.clone() for p in model.detector.parameters()]
    model.zero_grad()
    sum(model.detector(records).values()).backward()
    for ours, parameter in zip(with_set, model.detector.parameters(), strict=True):
        torch.testing.assert_close(ours, parameter.grad)


def test_accumulated_steps_add_their_gradients():
    model, batches = SET(Toy()), [toy_batch(), toy_batch()]
    each = []
    for records in batches:
        model.zero_grad()
        sum(model(records).values()).backward()
        each.append([p.grad.clone() for p in model.parameters()])
    model.zero_grad()
    for records in batches:
        sum(model(records).values()).backward()
    for parameter, *parts in zip(model.parameters(), *each, strict=True):
        torch.testing.assert_close(parameter.grad, sum(parts))


def test_without_gradients_there_are_the_detectors_losses_alone():
    model, records = SET(Toy()), toy_batch()
    with torch.no_grad():
        assert list(model(records)) == ["loss_cls", "loss_box_reg"]
