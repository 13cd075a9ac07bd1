"""Augmentations, balanced sampling and box losses in the training of a detector, YAML and lazy."""

import json
from pathlib import Path

import pytest
import torch
from detectron2.engine import default_argument_parser

from d2freq.engine import run
from d2freq.engine.step import Step

ROOT = Path(__file__).resolve().parents[3]
CONFIG = str(ROOT / "configs/hs_fpn/faster_rcnn_R18_FPN_kit_ais")
YAML = """
MODEL.DEVICE cpu MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 32
DATASETS.TRAIN ('vehicles_test',) DATASETS.TEST ('vehicles_test',) TEST.EVAL_PERIOD 0
SOLVER.IMS_PER_BATCH 2 SOLVER.STEPS () DATALOADER.NUM_WORKERS 0 SOLVER.MAX_ITER 2
INPUT.AUGMENT.MOSAIC 1.0 INPUT.AUGMENT.COPY_PASTE 1.0 INPUT.AUGMENT.COPY_PASTE_SOURCE dataset
INPUT.AUGMENT.OBJECT_CROP 1.0 INPUT.AUGMENT.OBJECT_CROP_SIZE [40,48] INPUT.AUGMENT.ROTATE_90 1.0
INPUT.AUGMENT.ROTATE_ANGLE 5.0 INPUT.MIN_SIZE_TRAIN (0,) INPUT.CROP.ENABLED False
DATALOADER.SAMPLER_TRAIN RepeatFactorTrainingSampler DATALOADER.REPEAT_THRESHOLD 0.5
MODEL.ROI_HEADS.NAME D2FreqROIHeads MODEL.ROI_BOX_HEAD.CLS_LOSS focal
"""
PLACE = "d2freq.data.augmentation"
STEPS = ",".join(
    f"{{_target_:{PLACE}.{step}}}"
    for step in (
        *("Mosaic,prob:1.0", "CopyPaste,prob:1.0,source:dataset"),
        *("RandomObjectCrop,crop_size:[40,48]", "RandomRotation90,prob:1.0", "RandomAngle,angle:5"),
    )
)
LAZY = f"""
train.device=cpu model.backbone.out_channels=32 model.roi_heads.box_head.fc_dims=[32,32]
model.roi_heads.box_predictor.input_shape.channels=32
dataloader.train.dataset.names=vehicles_test dataloader.test.dataset.names=vehicles_test
dataloader.train.total_batch_size=2 dataloader.train.num_workers=0 dataloader.test.num_workers=0
train.eval_period=0 train.max_iter=2
dataloader.train.mapper._target_={PLACE}.AugmentingDatasetMapper
dataloader.train.mapper.augmentations=[{STEPS}]
+dataloader.train.sampler=RepeatFactorTrainingSampler +dataloader.train.repeat_threshold=0.5
model.roi_heads.box_predictor._target_=d2freq.modeling.roi_heads.WeightedOutputLayers
+model.roi_heads.box_predictor.cls_loss=focal
"""
KINDS = {"yaml": (YAML, "OUTPUT_DIR"), "lazy": (LAZY, "train.output_dir")}


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_detector_trains_on_augmented_images(kind, vehicles, tmp_path, loggers, monkeypatch):
    batches = []
    whole = Step.losses
    monkeypatch.setattr(
        Step, "losses", lambda self, batch: (batches.append(batch), whole(self, batch))[1]
    )
    words, out = KINDS[kind]
    suffix = ".yaml" if kind == "yaml" else ".py"
    given = ["--config-file", CONFIG + suffix, *words.split(), out, str(tmp_path / "run")]
    run(default_argument_parser().parse_args(given))
    records = [record for batch in batches for record in batch]
    assert len(records) == 4
    for record in records:
        assert sorted(record["image"].shape[1:]) == [40, 48]
        assert set(record["left_out"]) == {"outside", "hardly_visible"}
    found: dict = {}
    for line in (tmp_path / "run" / "metrics.json").read_text().splitlines():
        found |= json.loads(line)
    lost = [sum(each["left_out"][n] for each in records) for n in ("outside", "hardly_visible")]
    assert sum(lost) > 0 and {"left_out/outside", "left_out/hardly_visible"} <= found.keys()
    assert {"bbox/F1", "bbox/precision", "bbox/recall", "bbox/best_score"} <= found.keys()
    model = (tmp_path / "run" / "log.txt").read_text()
    assert "WeightedOutputLayers" in model and "Mosaic(prob=1.0" in model


def test_a_resumed_training_sees_the_same_augmented_images(vehicles, tmp_path, loggers):
    """With mosaics and copies of other images: numpy's generator says it all."""

    def train(out, stop, *flags):
        words = [*YAML.split(), "SOLVER.MAX_ITER", str(stop), "SOLVER.WARMUP_ITERS", "0"]
        words += ["OUTPUT_DIR", str(tmp_path / out)]
        given = ["--config-file", f"{CONFIG}.yaml", *flags, *words]
        run(default_argument_parser().parse_args(given))

    train("one", 3)
    train("two", 2)
    train("two", 3, "--resume")
    one, two = (
        torch.load(tmp_path / name / "model_final.pth", weights_only=False)["model"]
        for name in ("one", "two")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
