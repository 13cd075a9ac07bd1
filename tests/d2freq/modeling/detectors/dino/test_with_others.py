"""DINO with SET around it, and on other necks than its own."""

import pytest
import torch
from detectron2.modeling import build_model

from tests.d2freq.modeling.detectors.dino.dino_cases import losses_of, record, small_config


def with_set(**keys):
    cfg = small_config()
    cfg.MODEL.META_ARCHITECTURE = "SET"
    cfg.MODEL.SET.DETECTOR = "DINO"
    for key, value in keys.items():
        cfg.MODEL.SET[key] = value
    return cfg


def test_both_passes_of_set_have_the_same_noise():
    torch.manual_seed(0)
    model = build_model(with_set(SMOOTHING=False, PERTURBATION=False))
    for _ in range(2):  # with equal features in both passes, every loss is the same
        losses = losses_of(model, [record(64, 64, 3), record(64, 48, 0)])
        own = {name: value for name, value in losses.items() if not name.startswith("loss_set_")}
        assert len(losses) == 2 * len(own) == 30
        for name, value in own.items():
            assert losses["loss_set_" + name.removeprefix("loss_")].item() == value.item()
    assert model.noise_steps == 2  # of the detector: a step of training is one step of noise


def test_set_trains_classes_l1_and_giou_as_branches():
    torch.manual_seed(0)
    model = build_model(with_set(BRANCH_WEIGHTS=[["cls", 0.5], ["box", 0.2], ["giou", 0.3]]))
    sum(losses_of(model, [record(64, 64, 3)]).values()).backward()
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


def test_a_plain_dino_reads_what_was_trained_with_set():
    trained, plain = build_model(with_set()), build_model(small_config())
    missing = plain.load_state_dict(trained.state_dict(), strict=False)
    assert missing.missing_keys == []
    assert all(name.startswith("set_") or "smoothing" in name for name in missing.unexpected_keys)


@pytest.mark.parametrize("neck", ["fpn", "hsfpn"])
def test_takes_other_necks(neck):
    cfg = small_config(IN_FEATURES=["p2", "p3", "p4", "p5", "p6"])
    cfg.MODEL.BACKBONE.NAME = f"build_mobilenetv2_{neck}_backbone"
    sources = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.MOBILENETV2.OUT_FEATURES = cfg.MODEL.FPN.IN_FEATURES = sources
    model = build_model(cfg)
    records = [record(65, 90, 3), record(40, 33, 0)]  # padded to multiples of 32
    assert all(loss.isfinite() for loss in losses_of(model, records).values())
    with torch.no_grad():
        found = model.eval()(records)
    assert [each["instances"].image_size for each in found] == [(65, 90), (40, 33)]
