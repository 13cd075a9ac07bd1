"""Every config builds, trains a step and evaluates."""

from pathlib import Path

import pytest
from detectron2.config import LazyCall as L
from detectron2.config import instantiate
from detectron2.data.transforms import ResizeShortestEdge

from d2freq.engine import Trainer, load_lazy, load_yaml
from d2freq.engine.lazy import train as train_lazy
from d2freq.engine.preflight import check_names, lazy_datasets

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
NAMES = sorted(
    str(path.relative_to(CONFIGS).with_suffix(""))
    for path in CONFIGS.rglob("*.yaml")
    if "_base_" not in path.parts
)


def test_each_yaml_has_a_lazy_twin_and_each_lazy_config_a_yaml():
    twins = {
        str(path.relative_to(CONFIGS).with_suffix(""))
        for path in CONFIGS.rglob("*.py")
        if "_base_" not in path.parts
    }
    assert NAMES and twins == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_yaml_config_trains_a_step_and_evaluates(name, tiny_data, tmp_path):
    cfg = load_yaml(str(CONFIGS / f"{name}.yaml"))
    check_names([*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST], where=name)
    one_stage = cfg.MODEL.META_ARCHITECTURE == "RetinaNet"
    data = tiny_data((cfg.MODEL.RETINANET if one_stage else cfg.MODEL.ROI_HEADS).NUM_CLASSES)
    cfg.merge_from_list(
        ["MODEL.DEVICE", "cpu", "DATASETS.TRAIN", (data,), "DATASETS.TEST", (data,)]
        + ["SOLVER.MAX_ITER", 1, "SOLVER.STEPS", (), "SOLVER.IMS_PER_BATCH", 2]
        + ["INPUT.MIN_SIZE_TRAIN", (64,), "INPUT.MIN_SIZE_TEST", 64, "INPUT.CROP.ENABLED", False]
        + ["DATALOADER.NUM_WORKERS", 0, "OUTPUT_DIR", str(tmp_path)]
    )
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=False)
    results = trainer.train()
    assert set(results["bbox"]) >= {"AP", "AP50", "AP75", "APvt", "APt", "APs", "APm"}
    assert (tmp_path / "model_final.pth").is_file()
    assert (tmp_path / "metrics.json").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_lazy_config_trains_a_step_and_evaluates(name, tiny_data, tmp_path):
    cfg = load_lazy(str(CONFIGS / f"{name}.py"))
    check_names(lazy_datasets(cfg, train=True), where=name)
    data = tiny_data(cfg.model.get("roi_heads", cfg.model).num_classes)
    cfg.dataloader.train.dataset.names = cfg.dataloader.test.dataset.names = data
    small = [L(ResizeShortestEdge)(short_edge_length=64)]
    cfg.dataloader.train.mapper.augmentations = cfg.dataloader.test.mapper.augmentations = small
    cfg.dataloader.train.total_batch_size = 2
    cfg.dataloader.train.num_workers = cfg.dataloader.test.num_workers = 0
    cfg.train.update(device="cpu", max_iter=1, output_dir=str(tmp_path), eval_period=1)
    results = train_lazy(cfg, instantiate(cfg.model).cpu())
    assert set(results["bbox"]) >= {"AP", "AP50", "APvt", "APt", "APs", "APm"}
