"""ImageClassifier: its loss, its predictions, what it refuses, and torchvision's weights."""

import pytest
import torch
import torchvision
from detectron2.config import get_cfg
from detectron2.modeling import build_model

from d2freq import add_d2freq_config
from d2freq.errors import UserError


def build(backbone: str, *options):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.merge_from_list(
        ["MODEL.META_ARCHITECTURE", "ImageClassifier", "MODEL.DEVICE", "cpu", "VERSION", 2]
        + ["MODEL.BACKBONE.NAME", backbone, "MODEL.BACKBONE.FREEZE_AT", 0]
        + ["MODEL.CLASSIFIER.NUM_CLASSES", 7, "INPUT.FORMAT", "RGB", *options]
    )
    torch.manual_seed(0)
    return build_model(cfg)


def batch(*labels: int) -> list[dict]:
    torch.manual_seed(1)
    return [
        {"image": torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8), "label": label}
        for label in labels
    ]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_logits_are_those_written_out(narrow, smoothing):
    model = build(narrow, "MODEL.CLASSIFIER.LABEL_SMOOTHING", smoothing)
    inputs, loss = batch(0, 6, 3), 0.0
    found = model.eval()(inputs)
    for record, output in zip(inputs, found, strict=True):
        pixels = (record["image"] - model.pixel_mean) / model.pixel_std
        feature = model.backbone.conv(pixels[None]).clamp(min=0)[0].flatten(1).mean(1)
        logits = model.linear.weight @ feature + model.linear.bias
        torch.testing.assert_close(output["logits"], logits)
        target = torch.full((7,), smoothing / 7)
        target[record["label"]] += 1 - smoothing
        loss -= (target * logits.log_softmax(0)).sum() / 3
    losses = model.train()(inputs)
    assert list(losses) == ["loss_cls"]
    torch.testing.assert_close(losses["loss_cls"], loss)
    losses["loss_cls"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_dropout_is_for_training(narrow):
    model = build(narrow, "MODEL.CLASSIFIER.DROPOUT", 0.5)
    inputs = batch(0, 1)
    drawn = {model.train()(inputs)["loss_cls"].item() for _ in range(4)}
    assert len(drawn) > 1
    first, second = (model.eval()(inputs)[0]["logits"] for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("NUM_CLASSES", 0, "at least one"),
        ("DROPOUT", 1.0, r"DROPOUT is 1\.0"),
        ("LABEL_SMOOTHING", -0.1, "LABEL_SMOOTHING"),
        ("IN_FEATURE", "res5", "the backbone gives last, not 'res5'"),
    ],
)
def test_wrong_keys_are_refused(narrow, option, value, words):
    with pytest.raises(UserError, match=words):
        build(narrow, f"MODEL.CLASSIFIER.{option}", value)


def test_wrong_batches_are_refused(narrow):
    model = build(narrow)
    with pytest.raises(UserError, match="label 7, but the model tells 7 classes"):
        model(batch(7))
    unlabelled = [{"image": batch(0)[0]["image"], "file_name": "a.png"}]
    with pytest.raises(UserError, match=r"a\.png has no 'label'"):
        model(unlabelled)
    with pytest.raises(UserError, match=r"shapes \(3, 24, 32\), \(3, 32, 32\).*CROP"):
        model([*batch(0), {"image": torch.zeros(3, 24, 32), "label": 0}])


@pytest.mark.parametrize(
    ("backbone", "options", "reference"),
    [
        (
            "build_resnet_backbone",
            ["MODEL.RESNETS.DEPTH", 18, "MODEL.RESNETS.RES2_OUT_CHANNELS", 64]
            + ["MODEL.RESNETS.NORM", "BN", "MODEL.RESNETS.OUT_FEATURES", ["res5"]],
            torchvision.models.resnet18,
        ),
        (
            "build_mobilenetv2_backbone",
            ["MODEL.MOBILENETV2.NORM", "BN", "MODEL.MOBILENETV2.OUT_FEATURES", ["res5"]],
            torchvision.models.mobilenet_v2,
        ),
    ],
)
def test_torchvisions_weights_classify_as_there(backbone, options, reference, tmp_path):
    from d2freq.engine import StrictCheckpointer

    torch.manual_seed(2)
    network = reference(num_classes=7).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    model = build(
        backbone,
        *options,
        *("MODEL.PIXEL_MEAN", [123.675, 116.28, 103.53]),
        *("MODEL.PIXEL_STD", [58.395, 57.12, 57.375]),
    )
    checkpointer = StrictCheckpointer(model)
    checkpointer.complete = True
    checkpointer.load(str(tmp_path / "weights.pth"))
    inputs = batch(0)
    with torch.no_grad():
        found = model.eval()(inputs)[0]["logits"]
        expected = network(model.preprocess_image(inputs))[0]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
