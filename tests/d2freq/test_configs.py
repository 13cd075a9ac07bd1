"""Every config, and every command of the tables in configs/hs_fpn, trains a step and evaluates."""

import json
import math
import re
import shlex
import shutil
from pathlib import Path

import pytest
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import LazyCall as L
from detectron2.config import instantiate
from detectron2.data import MetadataCatalog
from detectron2.data.transforms import ResizeShortestEdge

from d2freq.data.sources import SOURCES
from d2freq.engine import Trainer, check_lazy, check_yaml, load_lazy, load_yaml
from d2freq.engine.lazy import train as train_lazy

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
NAMES = sorted(
    str(path.relative_to(CONFIGS).with_suffix(""))
    for path in CONFIGS.rglob("*.yaml")
    if "_base_" not in path.parts
)
README = CONFIGS / "hs_fpn" / "README.md"
COMMAND = re.compile(r"python train_net\.py --config-file configs/(\S+) ([^`|\n]+)")
# The twins' test holds the others: equal models, data, schedule and batches.
LAZY = (
    "demo/faster_rcnn_R18_HSFPN_scenes",
    "hs_fpn/cascade_rcnn_R50_HSFPN_NWD_aitod",
    "hs_fpn/faster_rcnn_MobileNetV2_FPN_aitod",
    "hs_fpn/faster_rcnn_R50_FPN_RFLA_aitod",
    "hs_fpn/retinanet_R50_HSFPN_aitod",
)


def commands() -> dict[str, list[str]]:
    """Config file -> the distinct overrides that the README's commands give it, one text each."""
    found: dict[str, list[str]] = {}
    for file, words in COMMAND.findall(README.read_text()):
        kept = re.sub(r"\b(MODEL\.WEIGHTS|OUTPUT_DIR|train\.\w+)[ =]\S+", "", words).strip()
        if kept:
            found.setdefault(file, []).append(kept)
    return found


def cases(suffix: str) -> list[tuple[str, str]]:
    """(config, overrides): each config as it is, and with each set of overrides."""
    plain = [(f"{name}{suffix}", "") for name in (NAMES if suffix == ".yaml" else LAZY)]
    more = [(f, words) for f, each in commands().items() for words in each if f.endswith(suffix)]
    return plain + more


def test_each_yaml_has_a_lazy_twin_and_each_lazy_config_a_yaml():
    twins = {
        str(path.relative_to(CONFIGS).with_suffix(""))
        for path in CONFIGS.rglob("*.py")
        if "_base_" not in path.parts
    }
    assert NAMES and twins == set(NAMES)
    assert set(LAZY) <= twins


def test_each_config_of_hs_fpn_has_a_command_in_its_readme():
    shown = re.findall(r"--config-file configs/(hs_fpn/\w+)\.yaml", README.read_text())
    assert set(shown) == {name for name in NAMES if name.startswith("hs_fpn/")}
    assert sum(map(len, commands().values())) >= 13  # Tables 1 and 2, the controls, lazy weights


@pytest.fixture
def miniature(data_root, tiny_data):
    """Puts three noise images where each of some known data sets is looked for."""

    def write(names: list[str], classes: int) -> None:
        tiny = MetadataCatalog.get(tiny_data(classes))
        for name in names:
            source = SOURCES[name]
            content = json.loads(Path(tiny.json_file).read_text())
            for category, word in zip(content["categories"], source.classes, strict=False):
                category["name"] = word
            shutil.copytree(tiny.image_root, data_root / source.image_roots[0], dirs_exist_ok=True)
            file = data_root / source.json_files[0]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))

    return write


@pytest.fixture
def saved(monkeypatch):
    """Names of the checkpoints; nothing is written, since each would have up to 600 MB."""
    names: list[str] = []
    monkeypatch.setattr(DetectionCheckpointer, "save", lambda self, name, **_: names.append(name))
    return names


def assert_trained(results: dict, folder: Path, saved: list[str]) -> None:
    """A step with a loss, weights and a measurement."""
    assert set(results["bbox"]) >= {"AP", "AP50", "AP75", "APvt", "APt", "APs", "APm"}
    lines = [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]
    losses = [line["total_loss"] for line in lines if "total_loss" in line]
    assert losses and all(map(math.isfinite, losses))
    assert saved == ["model_final"]


@pytest.mark.parametrize(("file", "overrides"), cases(".yaml"))
def test_yaml_config_trains_a_step_and_evaluates(file, overrides, miniature, saved, tmp_path):
    cfg = load_yaml(str(CONFIGS / file), shlex.split(overrides))
    one_stage = cfg.MODEL.META_ARCHITECTURE == "RetinaNet"
    classes = (cfg.MODEL.RETINANET if one_stage else cfg.MODEL.ROI_HEADS).NUM_CLASSES
    miniature([*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST], classes)
    check_yaml(cfg)
    cfg.merge_from_list(
        ["MODEL.DEVICE", "cpu", "SOLVER.IMS_PER_BATCH", 2]
        + ["SOLVER.MAX_ITER", 1, "SOLVER.STEPS", (), "MODEL.ROI_BOX_HEAD.FC_DIM", 64]
        + ["MODEL.RPN.POST_NMS_TOPK_TRAIN", 64, "MODEL.RPN.POST_NMS_TOPK_TEST", 64]
        + ["INPUT.MIN_SIZE_TRAIN", (64,), "INPUT.MIN_SIZE_TEST", 64, "INPUT.CROP.ENABLED", False]
        + ["DATALOADER.NUM_WORKERS", 0, "OUTPUT_DIR", str(tmp_path)]
    )
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=False)
    assert_trained(trainer.train(), tmp_path, saved)


@pytest.mark.parametrize(("file", "overrides"), cases(".py"))
def test_lazy_config_trains_a_step_and_evaluates(file, overrides, miniature, saved, tmp_path):
    cfg = load_lazy(str(CONFIGS / file), shlex.split(overrides))
    loaders = cfg.dataloader
    classes = cfg.model.get("roi_heads", cfg.model).num_classes
    miniature([loaders.train.dataset.names, loaders.test.dataset.names], classes)
    check_lazy(cfg)
    small = [L(ResizeShortestEdge)(short_edge_length=64)]
    loaders.train.mapper.augmentations = loaders.test.mapper.augmentations = small
    loaders.train.total_batch_size = 2
    loaders.train.num_workers = loaders.test.num_workers = 0
    if "roi_heads" in cfg.model:
        cfg.model.proposal_generator.post_nms_topk = (64, 64)
    cfg.train.update(device="cpu", max_iter=1, output_dir=str(tmp_path), eval_period=1)
    assert_trained(train_lazy(cfg, instantiate(cfg.model).cpu()), tmp_path, saved)
