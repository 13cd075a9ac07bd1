"""Mask R-CNN on generated scenes trains and is measured by boxes and masks."""

import json

import pytest

from d2freq.data.scenes.dataset import generate_scenes
from d2freq.engine import Trainer, load_yaml

from .config_cases import CONFIGS

SMALL = (
    "MODEL.DEVICE cpu MODEL.RESNETS.DEPTH 18 MODEL.RESNETS.RES2_OUT_CHANNELS 64 "
    "MODEL.RESNETS.NORM BN MODEL.BACKBONE.FREEZE_AT 0 MODEL.FPN.OUT_CHANNELS 16 "
    "MODEL.ANCHOR_GENERATOR.SIZES [[4],[8],[16],[32],[64]] MODEL.ROI_HEADS.NUM_CLASSES 5 "
    "MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE 64 MODEL.ROI_HEADS.SCORE_THRESH_TEST 0.01 "
    "MODEL.ROI_BOX_HEAD.FC_DIM 32 MODEL.ROI_MASK_HEAD.NUM_CONV 1 MODEL.ROI_MASK_HEAD.CONV_DIM 16 "
    "INPUT.MIN_SIZE_TRAIN (64,) INPUT.MIN_SIZE_TEST 64 DATALOADER.NUM_WORKERS 0 "
    "DATASETS.TRAIN ('tiny_scenes_train',) DATASETS.TEST ('tiny_scenes_val',) "
    "SOLVER.IMS_PER_BATCH 2 SOLVER.MAX_ITER 12 SOLVER.STEPS () SOLVER.WARMUP_ITERS 0 "
    "SOLVER.BASE_LR 0.02 SEED 3"
).split()


def test_it_trains_on_scenes_and_both_tables_are_measured(data_root, tmp_path, loggers):
    generate_scenes(
        data_root / "tiny_scenes", train=3, val=2, size=64, workers=1, progress=False, seed=3
    )
    cfg = load_yaml(
        str(CONFIGS / "_base_/mask_rcnn_R50_FPN.yaml"),
        [*SMALL, "OUTPUT_DIR", str(tmp_path / "out")],
    )
    trainer = Trainer(cfg)
    results = trainer.train()
    losses = trainer.storage.history("loss_mask").values()
    assert losses[0][0] > 0.5 and losses[-1][0] < losses[0][0]
    assert list(results) == ["bbox", "segm"]
    folder = tmp_path / "out/inference"
    found = json.loads((folder / "coco_instances_results.json").read_text())
    assert found and all(row["segmentation"]["size"] == [64, 64] for row in found)
    for task, file in (("bbox", "tiny_results.json"), ("segm", "tiny_results_segm.json")):
        saved = json.loads((folder / file).read_text())
        assert saved["detections"] == len(found) and saved["ground_truth"] > 0
        assert saved[task]["AP"] == pytest.approx(results[task]["AP"])
