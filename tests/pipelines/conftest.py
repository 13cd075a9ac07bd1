"""Detectron2's own tools and helpers with d2freq in them, run on its source tree where it stands.

The tools run in this process, which has imported torch already. What a user adds to a copy of one,
``import d2freq`` and ``d2freq.add_d2freq_config(cfg)``, is here a ``get_cfg`` that does the latter.
"""

import runpy
import sys
from pathlib import Path

import pytest
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances

import d2freq
from tests.conftest import write_vehicles

DATA = "pipeline_vehicles"

# A two-stage detector on HS-FPN as small as it gets, on images of 64 pixels.
SMALL = f"""
MODEL:
  DEVICE: cpu
  META_ARCHITECTURE: GeneralizedRCNN
  BACKBONE: {{NAME: build_resnet_hsfpn_backbone, FREEZE_AT: 0}}
  RESNETS: {{DEPTH: 18, RES2_OUT_CHANNELS: 64, OUT_FEATURES: [res2, res3, res4, res5]}}
  FPN: {{IN_FEATURES: [res2, res3, res4, res5], OUT_CHANNELS: 32}}
  HSFPN: {{POOL_SIZE: 4}}
  SET: {{DETECTOR: GeneralizedRCNN}}
  ANCHOR_GENERATOR: {{SIZES: [[8], [16], [32], [64], [128]]}}
  RPN: {{IN_FEATURES: [p2, p3, p4, p5, p6], POST_NMS_TOPK_TRAIN: 50, POST_NMS_TOPK_TEST: 20}}
  ROI_HEADS:
    NAME: StandardROIHeads
    IN_FEATURES: [p2, p3, p4, p5]
    NUM_CLASSES: 1
    SCORE_THRESH_TEST: 0.0
  ROI_BOX_HEAD: {{NAME: FastRCNNConvFCHead, NUM_FC: 1, FC_DIM: 32, POOLER_RESOLUTION: 7}}
DATASETS: {{TRAIN: [{DATA}], TEST: [{DATA}]}}
DATALOADER: {{NUM_WORKERS: 0}}
INPUT: {{MIN_SIZE_TRAIN: [64], MIN_SIZE_TEST: 64}}
SOLVER: {{MAX_ITER: 2, IMS_PER_BATCH: 2, BASE_LR: 0.0001}}
TEST: {{DETECTIONS_PER_IMAGE: 10, AUG: {{MIN_SIZES: [64], FLIP: true}}}}
SEED: 1
VERSION: 2
"""


def pytest_collection_modifyitems(items):
    """Skip, with the reason, where there is no source tree of Detectron2 with its tools."""
    if d2freq.HOST == "detectron2" and (source_tree() / "tools" / "train_net.py").is_file():
        return
    reason = "Detectron2's tools come with its source tree (README, 'The host'): make parity"
    for item in items:
        if "pipelines" in Path(item.path).parts:
            item.add_marker(pytest.mark.skip(reason=reason))


def source_tree() -> Path:
    """The folder that Detectron2 was found in."""
    import detectron2

    return Path(detectron2.__file__).resolve().parents[1]


def get_cfg_with_d2freq():
    """Detectron2's config with d2freq's keys: the line that a user adds to a tool."""
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    return cfg


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The folder of four small images; their data set is DATA."""
    folder = tmp_path_factory.mktemp("vehicles")
    register_coco_instances(DATA, {}, str(write_vehicles(folder)), str(folder))
    yield folder
    DatasetCatalog.remove(DATA)
    MetadataCatalog.remove(DATA)


@pytest.fixture(scope="module")
def config_file(tmp_path_factory):
    """The small detector, as a file."""
    file = tmp_path_factory.mktemp("config") / "small.yaml"
    file.write_text(SMALL)
    return file


@pytest.fixture(scope="module")
def small(config_file, data):
    """From keys and values to a config of the small detector."""

    def make(*keys: str):
        cfg = get_cfg_with_d2freq()
        cfg.merge_from_file(str(config_file))
        cfg.merge_from_list(list(keys))
        return cfg

    return make


@pytest.fixture(scope="module")
def run_tool():
    """Runs a file of Detectron2's tree as ``python FILE WORDS`` does; returns its globals."""

    def run(file: str, *words: object) -> dict:
        path = source_tree() / file
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("detectron2.config.get_cfg", get_cfg_with_d2freq)
            patch.setattr(sys, "argv", [str(path), *map(str, words)])
            return runpy.run_path(str(path), run_name="__main__")

    return run
