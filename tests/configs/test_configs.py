"""Every config, and every command of the tables in configs/, trains a step and evaluates."""

import json
import math
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from detectron2.config import LazyCall as L
from detectron2.config import LazyConfig
from detectron2.data import MetadataCatalog
from detectron2.data.transforms import ResizeShortestEdge
from detectron2.modeling import build_model
from PIL import Image

from d2freq.data.builtin import SOURCES
from d2freq.engine import Trainer, check, load_lazy, load_yaml
from d2freq.engine.config import as_config
from d2freq.engine.train_lazy import train as train_lazy
from d2freq.engine.weights.safe import SafeCheckpointer
from d2freq.evaluation.protocols import get_protocol

from .config_cases import (
    CLASSIFIER,
    CONFIGS,
    commands,
    examples,
    leaves,
    names,
    num_classes,
    readme,
    write_example,
)


def switches(suffix: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(config, overrides) of the READMEs: the first one with these overrides, and the others."""
    found, again = {}, []
    for file, each in commands().items():
        for words in each if file.endswith(suffix) else ():
            if words in found:
                again.append((file, words))
            found.setdefault(words, (file, words))
    return list(found.values()), again


def cases(suffix: str) -> list[tuple[str, str]]:
    """(config, overrides): each config as it is, and each set of overrides once."""
    plain = [(f"{name}{suffix}", "") for name in names(suffix)]
    return plain + switches(suffix)[0]


def test_each_lazy_config_is_the_twin_of_a_yaml_config():
    without = set(leaves(".py")) - set(leaves())
    assert leaves(".py") and not without


@pytest.mark.parametrize("name", leaves(".py"))
def test_a_lazy_config_saves_and_loads(name, tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    LazyConfig.save(LazyConfig.load(str(CONFIGS / f"{name}.py")), str(first))
    LazyConfig.save(LazyConfig.load(str(first)), str(second))
    assert first.read_text() == second.read_text()
    assert len(list(tmp_path.iterdir())) == 2  # a lambda or a partial would add a pickle


@pytest.mark.parametrize(
    ("system", "overrides"),
    [("hs_fpn", 13), ("set", 15), ("frequency_input", 10), ("detectors", 0)],
)
def test_each_config_of_a_system_has_a_command_in_its_readme(system, overrides):
    pattern = rf"--config-file configs/({system}/(?!{CLASSIFIER})\w+)\.yaml"
    shown = re.findall(pattern, readme(system))
    assert set(shown) == {name for name in names() if name.startswith(f"{system}/")}
    found = [words for file, words in commands().items() if file.startswith(f"{system}/")]
    assert sum(map(len, found)) >= overrides  # ablations, controls, weights of a lazy config


def test_the_yaml_config_of_the_readme_is_what_it_says(tmp_path):
    (file,) = (file for file in examples() if file.endswith(".yaml"))
    assert file == "mine/cascade_rcnn_R50_HSFPN_NWD_visdrone.yaml"
    cfg = load_yaml(str(write_example(file, tmp_path)))
    assert (cfg.MODEL.ROI_HEADS.NAME, cfg.MODEL.RESNETS.DEPTH) == ("CascadeROIHeads", 50)
    assert cfg.MODEL.BACKBONE.NAME == "build_resnet_hsfpn_backbone"
    assert cfg.MODEL.PROPOSAL_GENERATOR.NAME == "NWDRPN"
    assert cfg.DATASETS.TRAIN == ("visdrone_train",) and cfg.MODEL.ROI_HEADS.NUM_CLASSES == 10


def smallest(file: str) -> int:
    """Side of the pictures; switchable convolutions take no map of two cells."""
    return 96 if "SAC" in file else 64


@pytest.fixture
def miniature(data_root, tiny_data):
    """Puts three noise images where each of some known data sets is looked for."""

    def write(data: list[str], classes: int) -> None:
        tiny = MetadataCatalog.get(tiny_data(classes))
        for name in data:
            source = SOURCES[name]
            content = json.loads(Path(tiny.json_file).read_text())
            for category, word in zip(content["categories"], source.classes, strict=False):
                category["name"] = word
            shutil.copytree(tiny.image_root, data_root / source.image_roots[0], dirs_exist_ok=True)
            if "4band" in name:  # alpha counts as a band
                for path in (data_root / source.image_roots[0]).glob("*.png"):
                    Image.open(path).convert("RGBA").save(path)
            file = data_root / source.json_files[0]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))

    return write


@pytest.fixture
def saved(monkeypatch):
    """Names of the checkpoints; nothing is written, since each would have up to 600 MB."""
    found: list[str] = []
    monkeypatch.setattr(SafeCheckpointer, "save", lambda self, name, **_: found.append(name))
    return found


def assert_trained(
    results: dict, folder: Path, saved: list[str], *, protocol: str, masks: bool
) -> None:
    """A step with a loss, weights and a measurement of each size that the protocol has."""
    sizes = [f"AP{area.label}" for area in get_protocol(protocol).areas]
    assert len(sizes) >= 3 and set(results) == {"bbox", *(["segm"] if masks else [])}
    for found in results.values():
        assert set(found) >= {"AP", "AP50", "AP75", *sizes}
    lines = [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]
    losses = [line["total_loss"] for line in lines if "total_loss" in line]
    assert losses and all(map(math.isfinite, losses))
    assert saved == ["model_final"]


@pytest.mark.parametrize(("file", "overrides"), cases(".yaml"))
def test_yaml_config_trains_a_step_and_evaluates(file, overrides, miniature, saved, tmp_path):
    cfg = load_yaml(str(CONFIGS / file), shlex.split(overrides))
    miniature([*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST], num_classes(cfg))
    if "://" in cfg.MODEL.WEIGHTS:
        cfg.MODEL.WEIGHTS = ""  # a test has no network
    check(cfg)
    side = smallest(file)
    cfg.merge_from_list(
        ["MODEL.DEVICE", "cpu", "SOLVER.IMS_PER_BATCH", 2]
        + ["SOLVER.MAX_ITER", 1, "SOLVER.STEPS", (), "MODEL.ROI_BOX_HEAD.FC_DIM", 64]
        + ["MODEL.RPN.POST_NMS_TOPK_TRAIN", 64, "MODEL.RPN.POST_NMS_TOPK_TEST", 64]
        + ["MODEL.ROI_MASK_HEAD.CONV_DIM", 16, "MODEL.ROI_GRID_HEAD.POINT_CHANNELS", 4]
        + ["MODEL.RESNETS.RES2_OUT_CHANNELS", 64, "MODEL.FPN.OUT_CHANNELS", 64]
        + ["MODEL.RESNETS.WIDTH_PER_GROUP", 64 if cfg.MODEL.RESNETS.DEPTH < 50 else 16]
        + ["INPUT.MIN_SIZE_TRAIN", (side,), "INPUT.MIN_SIZE_TEST", side]
        + ["INPUT.CROP.ENABLED", False, "INPUT.AUGMENT.RESIZE_CROP", 0.0]
        + ["MODEL.DINO.ENC_LAYERS", 1, "MODEL.DINO.DEC_LAYERS", 2, "MODEL.DINO.NUM_QUERIES", 50]
        + ["DATALOADER.NUM_WORKERS", 0, "OUTPUT_DIR", str(tmp_path)]
    )
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=False)
    wanted = dict(protocol=cfg.TEST.TINY.PROTOCOL, masks=cfg.MODEL.MASK_ON)
    assert_trained(trainer.train(), tmp_path, saved, **wanted)


@pytest.mark.parametrize(("file", "overrides"), switches(".yaml")[1])
def test_overrides_that_another_config_trains_with_are_taken(file, overrides):
    cfg = load_yaml(str(CONFIGS / file), shlex.split(overrides))
    cfg.MODEL.DEVICE = "meta"
    with torch.device("meta"):
        assert sum(p.numel() for p in build_model(cfg).parameters()) > 1e6


@pytest.mark.parametrize(("file", "overrides"), cases(".py"))
def test_lazy_config_trains_a_step_and_evaluates(file, overrides, miniature, saved, tmp_path):
    cfg = load_lazy(str(CONFIGS / file), shlex.split(overrides))
    loaders = cfg.dataloader
    detector = cfg.model.get("detector", cfg.model)
    classes = detector.get("roi_heads", detector).num_classes
    miniature([loaders.train.dataset.names, loaders.test.dataset.names], classes)
    check(cfg)
    small = [L(ResizeShortestEdge)(short_edge_length=smallest(file))]
    loaders.train.mapper.augmentations = loaders.test.mapper.augmentations = small
    loaders.train.total_batch_size = 2
    loaders.train.num_workers = loaders.test.num_workers = 0
    detector.backbone.out_channels = 64
    if "roi_heads" in detector:
        detector.proposal_generator.post_nms_topk = (64, 64)
    if "grid_head" in detector.get("roi_heads", {}):
        detector.roi_heads.grid_head.point_channels = 4
    if "num_queries" in detector:
        detector.update(enc_layers=1, dec_layers=2, num_queries=50)
    cfg.train.update(device="cpu", max_iter=1, output_dir=str(tmp_path), eval_period=1)
    masks = "mask_head" in detector.get("roi_heads", {})
    wanted = dict(protocol=loaders.evaluator.protocol, masks=masks)
    assert_trained(train_lazy(as_config(cfg)), tmp_path, saved, **wanted)
