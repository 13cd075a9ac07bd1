"""Detectors on frequencies: a step with FPN, HS-FPN, SET and the gate, and inference."""

import os

import pytest
import torch
from detectron2.config import LazyCall as L
from detectron2.config import instantiate
from detectron2.modeling import build_model
from detectron2.utils.events import EventStorage
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from d2freq.engine.checks import check
from d2freq.errors import UserError
from d2freq.modeling.frequency_input import ChannelGate, add_gate_loss

from .frequency_cases import FCOS, GATE, batch, frequency_config, gradients

DETECTOR = "MODEL.FREQ_INPUT.GATE.DETECTOR"
HS = ("MODEL.FPN.OUT_CHANNELS", 32)
WITH_SET = ("MODEL.META_ARCHITECTURE", "SET", "MODEL.SET.DETECTOR")
RETINA = "build_retinanet_resnet_dct_fpn_backbone"
CASES = {
    "fpn": ("faster", "build_resnet_dct_fpn_backbone", ()),
    "hs_fpn": ("faster", "build_resnet_dct_hsfpn_backbone", HS),
    "retinanet": ("retinanet", RETINA, ()),
    "retinanet hs_fpn": ("retinanet", "build_retinanet_resnet_dct_hsfpn_backbone", HS),
    "mobilenet": ("faster", "build_mobilenetv2_dct_fpn_backbone", ("MODEL.FREQ_INPUT.MODE", "x4")),
    "mobilenet hs_fpn": (
        "faster",
        "build_mobilenetv2_dct_hsfpn_backbone",
        ("MODEL.FREQ_INPUT.MODE", "x4", *HS),
    ),
    "set": ("fcos", RETINA, (*WITH_SET, FCOS)),
    "set hs_fpn": ("fcos", "build_retinanet_resnet_dct_hsfpn_backbone", (*HS, *WITH_SET, FCOS)),
    "gate": ("faster", "build_resnet_dct_fpn_backbone", (*GATE,)),
    "gate hs_fpn": ("faster", "build_resnet_dct_hsfpn_backbone", (*GATE, *HS)),
    "gate retinanet": ("retinanet", RETINA, (*GATE, DETECTOR, "RetinaNet")),
    "gate around set": ("fcos", RETINA, (*GATE, DETECTOR, "SET", "MODEL.SET.DETECTOR", FCOS)),
    "set around gate": (
        "fcos",
        RETINA,
        (*GATE, DETECTOR, FCOS, *WITH_SET[:3], "Gated"),
    ),
}


def build(case):
    name, backbone, options = CASES[case]
    torch.manual_seed(0)
    return build_model(frequency_config(name, *options, backbone=backbone)).train()


@pytest.mark.parametrize("case", CASES)
def test_a_step_trains_all_and_inference_is_deterministic(case):
    model, records = build(case), batch()
    with EventStorage() as storage:
        losses = model(records)
        sum(losses.values()).backward()
    assert ("loss_gate" in losses) == ("gate" in case)
    assert any(name.startswith("loss_set_") for name in losses) == ("set" in case)
    assert "loss_set_gate" not in losses  # the second pass replays features: no gate runs
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    if "gate" in case:
        assert 0 < storage.latest()["gate/channels_on"][0] <= 6
        assert any(
            p.grad.abs().sum() > 0 for n, p in model.named_parameters() if ".gate.decision" in n
        )
    model.eval()
    with torch.no_grad():
        first, again = (model(batch()) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one["instances"].scores, other["instances"].scores)


def test_weights_keep_their_names_behind_the_gate():
    plain, gated = (set(build(case).state_dict()) for case in ("fpn", "gate"))
    own = {name for name in gated if ".stem.gate." in name}
    moved = {n.replace("stem.transform.", "stem.") for n in gated - own}
    assert moved == plain and len(own) == 6


def test_two_steps_of_one_seed_are_equal():
    first, second = (gradients(build("gate"), batch()) for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_mixed_precision_keeps_the_gate_in_float32():
    model = build("gate")
    with EventStorage(), torch.autocast("cpu", torch.bfloat16):
        losses = model(batch())
    assert losses["loss_gate"].dtype == torch.float32
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_distributed_training_gives_the_same_gradients(tmp_path):
    expected = gradients(build("gate"), batch())
    store = torch.distributed.FileStore(os.fspath(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        found = gradients(DistributedDataParallel(build("gate")), batch())
    finally:
        torch.distributed.destroy_process_group()
    for name, value in expected.items():
        torch.testing.assert_close(found[f"module.{name}"], value)


class Pooled(nn.Module):
    """The smallest detector: a gate, and a loss of what it lets through."""

    def __init__(self, channels: int, gated: bool = True) -> None:
        super().__init__()
        self.backbone = ChannelGate(channels) if gated else nn.Identity()

    def forward(self, x):
        found = self.backbone(x)
        return {"loss_cls": found.square().mean()} if self.training else found


def test_a_lazy_config_adds_the_loss_to_any_detector():
    model = instantiate(L(add_gate_loss)(detector=L(Pooled)(channels=8)))
    assert type(model) is Pooled
    x = torch.randn(2, 8, 4, 4)
    for _ in range(2):  # taken every time
        with EventStorage():
            assert set(model(x)) == {"loss_cls", "loss_gate"}
    with torch.no_grad():  # a validation loss: the detector's own
        assert set(model(x)) == {"loss_cls"}
    assert model.eval()(x).shape == x.shape
    with pytest.raises(UserError, match="Pooled has no gate.*ENABLED"):
        add_gate_loss(Pooled(8, gated=False))


def test_a_gate_without_its_loss_is_an_error_with_the_cure():
    _, backbone, options = CASES["gate"]
    plain = ("MODEL.META_ARCHITECTURE", "GeneralizedRCNN")
    model = build_model(frequency_config("faster", *options, *plain, backbone=backbone)).train()
    with EventStorage():
        model(batch())
        with pytest.raises(UserError, match="in nobody's loss.*META_ARCHITECTURE Gated"):
            model(batch())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((*GATE, DETECTOR, "Gated"), "Gated inside Gated"),
        ((*GATE, DETECTOR, "GeneralizedRCN"), f"{DETECTOR}: no 'GeneralizedRCN'.*did you mean"),
        ((*GATE, "MODEL.FREQ_INPUT.GATE.ENABLED", False), "has no gate.*ENABLED"),
        ((*GATE, "MODEL.FREQ_INPUT.GATE.PENALTY", "count"), "TARGET with PENALTY"),
    ],
)
def test_keys_of_the_gate_that_do_not_fit_are_refused_before_training(options, message):
    with pytest.raises(UserError, match=message):
        check(frequency_config("faster", *options))
