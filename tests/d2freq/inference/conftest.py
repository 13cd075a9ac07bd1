"""The output folder of a training, with a detector small enough for tests."""

import json
from pathlib import Path

import pytest
import torch
from detectron2.config import LazyConfig

from d2freq.engine.config import load_config

ROOT = Path(__file__).parents[3]
NAMES = ["vehicle", "ship", "aircraft", "storage-tank", "person"]
SMALL = {
    "MODEL.BACKBONE.NAME": "build_mobilenetv2_fpn_backbone",
    "MODEL.FPN.OUT_CHANNELS": 16,
    "MODEL.FPN.NORM": "''",
    "MODEL.ROI_BOX_HEAD.FC_DIM": 16,
    "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0,
    "MODEL.DEVICE": "cpu",
    "TEST.DETECTIONS_PER_IMAGE": 20,
}


def write_run(folder: Path, config, *, names=NAMES) -> Path:
    """What a training leaves: config.yaml, classes.json, last_checkpoint, model_final.pth."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    model = config.model("cpu")
    torch.save({"model": model.state_dict()}, folder / "model_final.pth")
    (folder / "last_checkpoint").write_text("model_final.pth")
    if hasattr(config.cfg, "dump"):
        (folder / "config.yaml").write_text(config.cfg.dump())
    else:
        LazyConfig.save(config.cfg, str(folder / "config.yaml"))
    if names:
        content = dict(classes=names, picture=[256, 256], objects=636, long_side=[11.9, 28.0])
        (folder / "classes.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="session")
def small_config():
    """A function from further overrides to a small YAML config of five classes."""

    def load(**overrides):
        words = [str(word) for pair in (SMALL | overrides).items() for word in pair]
        return load_config(str(ROOT / "configs/demo/faster_rcnn_R18_FPN_scenes.yaml"), words)

    return load


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory, small_config):
    """A training's output folder."""
    return write_run(tmp_path_factory.mktemp("run"), small_config())
