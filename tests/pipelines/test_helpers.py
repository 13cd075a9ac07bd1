"""Detectron2's helpers in Python: predictor, tracing, scripting, test time augmentation."""

import copy

import numpy as np
import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Boxes
from torch import Tensor

from d2freq.modeling.set import SET

pytestmark = [
    pytest.mark.slow,  # TorchScript compiles a whole detector for each neck
    pytest.mark.usefixtures("loggers"),
    pytest.mark.filterwarnings("ignore"),  # of TorchScript, which torch calls deprecated
]
KINDS = ["GeneralizedRCNN", "SET"]
NECKS = ["hsfpn", "fftfpn", "waveletfpn", "dct_fpn"]
FIELDS = {
    "proposal_boxes": Boxes,
    "objectness_logits": Tensor,
    "pred_boxes": Boxes,
    "scores": Tensor,
    "pred_classes": Tensor,
}


def images(*sizes):
    generator = torch.Generator().manual_seed(3)
    return [{"image": 255 * torch.rand(3, *size, generator=generator)} for size in sizes]


@pytest.mark.parametrize("kind", KINDS)
def test_default_predictor(kind, small, tmp_path):
    from detectron2.checkpoint import DetectionCheckpointer
    from detectron2.engine import DefaultPredictor

    cfg = small("MODEL.META_ARCHITECTURE", kind)
    model = build_model(cfg).eval()
    DetectionCheckpointer(model, str(tmp_path)).save("a")
    cfg.MODEL.WEIGHTS = str(tmp_path / "a.pth")
    picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    found = DefaultPredictor(cfg)(picture)["instances"]
    (same,) = model([{"image": torch.as_tensor(picture.transpose(2, 0, 1).astype("float32"))}])
    assert len(found) and torch.equal(found.scores, same["instances"].scores)


@pytest.mark.parametrize("kind", KINDS)
def test_tracing_adapter(kind, small):
    from detectron2.export import TracingAdapter

    model = build_model(small("MODEL.META_ARCHITECTURE", kind)).eval()
    (first,), (other,) = images((64, 96)), images((100, 130))
    adapter = TracingAdapter(model, [first])
    with torch.no_grad():
        traced = torch.jit.trace(adapter, adapter.flattened_inputs, check_trace=False)
        found = adapter.outputs_schema(traced(other["image"]))
        (same,) = model.inference([other], do_postprocess=False)
    found = found[0]["instances"] if isinstance(found[0], dict) else found[0]
    assert len(found) == len(same) > 0
    torch.testing.assert_close(found.scores, same.scores, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        found.pred_boxes.tensor, same.pred_boxes.tensor, rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize(
    "keys",
    [
        *(("MODEL.BACKBONE.NAME", f"build_resnet_{neck}_backbone") for neck in NECKS),
        ("MODEL.META_ARCHITECTURE", "SET"),
        ("MODEL.BACKBONE.NAME", "build_mobilenetv2_fpn_backbone"),
        ("MODEL.BACKBONE.NAME", "build_resnet_fpn_backbone"),  # which has nothing of d2freq
    ],
    ids=lambda keys: keys[1],
)
def test_scripting_with_instances(keys, small, tmp_path):
    """Sizes that were not seen when the backbone was traced, from a file."""
    from detectron2.export import scripting_with_instances

    model = build_model(small(*keys)).eval()
    reference = copy.deepcopy(model)  # Detectron2 takes the model apart
    scripted = scripting_with_instances(model, FIELDS)
    scripted.save(str(tmp_path / "model.ts"))
    again = torch.jit.load(str(tmp_path / "model.ts"))
    batch = images((100, 130), (128, 160))
    with torch.no_grad():
        for records in ([batch[0]], batch[1:], [batch[1], batch[1]]):
            expected = reference.inference(records, do_postprocess=False)
            found = again.inference(records, do_postprocess=False)
            for mine, same in zip(found, expected, strict=True):
                assert len(same)
                torch.testing.assert_close(mine.scores, same.scores, rtol=1e-5, atol=1e-6)
                boxes = mine.pred_boxes.tensor
                torch.testing.assert_close(boxes, same.pred_boxes.tensor, rtol=1e-4, atol=1e-3)


def test_test_time_augmentation_takes_set_as_it_takes_its_detector(small):
    from detectron2.modeling import GeneralizedRCNNWithTTA

    cfg = small("MODEL.META_ARCHITECTURE", "SET")
    model = build_model(cfg).eval()
    assert isinstance(model, SET)
    record = {**images((64, 64))[0], "height": 64, "width": 64}
    with torch.no_grad():
        (found,), (same,) = (
            GeneralizedRCNNWithTTA(cfg, m)([record]) for m in (model, model.detector)
        )
    assert len(found["instances"]) and torch.equal(
        found["instances"].scores, same["instances"].scores
    )
