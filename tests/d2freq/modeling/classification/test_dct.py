"""Every classifier's config trains a step, with fewer channels and classes; so does a gated one."""

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.utils.events import EventStorage

from d2freq.engine import load_yaml

from ....configs.config_cases import CONFIGS
from .test_configs import NAMES

SMALL = [
    *("MODEL.DEVICE", "cpu", "MODEL.CLASSIFIER.NUM_CLASSES", "3"),
    *("MODEL.RESNETS.RES2_OUT_CHANNELS", "32", "MODEL.RESNETS.WIDTH_PER_GROUP", "8"),
]
GATED = "classifier_R50_DCT24_imagenet gated"  # as classification.md has it
GATE = [
    *("MODEL.META_ARCHITECTURE", "Gated", "MODEL.FREQ_INPUT.GATE.DETECTOR", "ImageClassifier"),
    *("MODEL.FREQ_INPUT.GATE.ENABLED", "True", "MODEL.FREQ_INPUT.CHANNELS", "192"),
]


@pytest.mark.parametrize("case", [*NAMES, GATED])
def test_trains_a_step(case):
    name, _, gate = case.partition(" ")
    file = str(CONFIGS / f"frequency_input/{name}.yaml")
    torch.manual_seed(0)
    model = build_model(load_yaml(file, [*SMALL, *(GATE if gate else ())])).train()
    inputs = [
        {"image": torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8), "label": label}
        for label in (0, 2)
    ]
    with EventStorage():
        losses = model(inputs)
    assert set(losses) == ({"loss_cls", "loss_gate"} if gate else {"loss_cls"})
    sum(losses.values()).backward()
    for parameter in model.parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all()
    before = model.linear.weight.clone()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert not torch.equal(model.linear.weight, before)
    with torch.no_grad():
        assert [output["logits"].shape for output in model.eval()(inputs)] == [(3,), (3,)]
