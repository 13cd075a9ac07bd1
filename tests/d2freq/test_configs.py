"""Every config builds, trains a step and evaluates; every lazy twin is its YAML."""

import json
from pathlib import Path

import pytest
import torch
from detectron2.config import instantiate
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage
from omegaconf import OmegaConf

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


@pytest.fixture(scope="module")
def tiny_data(tmp_path_factory):
    """COCO data of three noise images for any class count; yields a function to a name."""
    import numpy as np
    from PIL import Image

    root = tmp_path_factory.mktemp("tiny_data")
    random = np.random.default_rng(0)
    images, annotations = [], []
    for image_id in (1, 2, 3):
        pixels = random.integers(0, 256, (72, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{image_id}.png")
        images.append(dict(id=image_id, file_name=f"{image_id}.png", height=72, width=96))
        for x in (8, 40) if image_id < 3 else ():  # the third image is empty
            annotations.append(
                dict(id=len(annotations) + 1, image_id=image_id, category_id=1, iscrowd=0)
                | dict(bbox=[x, 20, 11, 9], area=99)
            )
    registered = []

    def name_for(classes: int) -> str:
        name = f"tiny_data_{classes}"
        if name not in registered:
            content = dict(images=images, annotations=annotations)
            content["categories"] = [dict(id=i + 1, name=f"c{i}") for i in range(classes)]
            (root / f"{name}.json").write_text(json.dumps(content))
            register_coco_instances(name, {}, str(root / f"{name}.json"), str(root))
            registered.append(name)
        return name

    yield name_for
    for name in registered:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


@pytest.mark.parametrize("name", NAMES)
def test_yaml_config_trains_a_step_and_evaluates(name, tiny_data, tmp_path):
    cfg = load_yaml(str(CONFIGS / f"{name}.yaml"))
    check_names([*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST], where=name)
    data = tiny_data(cfg.MODEL.ROI_HEADS.NUM_CLASSES)
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
    data = tiny_data(cfg.model.roi_heads.num_classes)
    cfg.dataloader.train.dataset.names = cfg.dataloader.test.dataset.names = data
    cfg.dataloader.train.mapper.augmentations = []
    cfg.dataloader.test.mapper.augmentations = []
    cfg.dataloader.train.total_batch_size = 2
    cfg.dataloader.train.num_workers = cfg.dataloader.test.num_workers = 0
    cfg.train.update(device="cpu", max_iter=1, output_dir=str(tmp_path), eval_period=1)
    results = train_lazy(cfg, instantiate(cfg.model).cpu())
    assert set(results["bbox"]) >= {"AP", "AP50", "APvt", "APt", "APs", "APm"}


def batch(num_classes: int) -> list[dict]:
    target = Instances((80, 96))
    target.gt_boxes = Boxes(torch.tensor([[10.0, 12.0, 22.0, 20.0], [50.0, 40.0, 56.0, 47.0]]))
    target.gt_classes = torch.tensor([0, num_classes - 1])
    return [{"image": torch.randint(0, 256, (3, 80, 96)), "instances": target}]


@pytest.mark.parametrize("name", NAMES)
def test_lazy_twin_has_the_same_weights_losses_and_settings(name):
    cfg = load_yaml(str(CONFIGS / f"{name}.yaml"), ["MODEL.DEVICE", "cpu"])
    lazy = load_lazy(str(CONFIGS / f"{name}.py"))
    outcome = []
    for build in (lambda: build_model(cfg), lambda: instantiate(lazy.model)):
        torch.manual_seed(1)
        model = build().train()
        state = {key: value.clone() for key, value in model.state_dict().items()}
        torch.manual_seed(2)
        with EventStorage():
            losses = model(batch(cfg.MODEL.ROI_HEADS.NUM_CLASSES))
        free = [n for n, p in model.named_parameters() if p.requires_grad]
        outcome.append((state, losses, free))
    (state, losses, free), (lazy_state, lazy_losses, lazy_free) = outcome
    assert list(state) == list(lazy_state) and free == lazy_free
    assert all(torch.equal(state[key], lazy_state[key]) for key in state)
    assert {k: float(v) for k, v in losses.items()} == {k: float(v) for k, v in lazy_losses.items()}
    assert tuple(cfg.DATASETS.TRAIN) == (lazy.dataloader.train.dataset.names,)
    assert tuple(cfg.DATASETS.TEST) == (lazy.dataloader.test.dataset.names,)
    assert cfg.SOLVER.MAX_ITER == lazy.train.max_iter
    assert cfg.SOLVER.BASE_LR == lazy.optimizer.lr
    assert cfg.SOLVER.IMS_PER_BATCH == lazy.dataloader.train.total_batch_size
    assert cfg.TEST.DETECTIONS_PER_IMAGE == lazy.model.roi_heads.box_predictor.test_topk_per_image
    schedule = OmegaConf.select(lazy, "lr_multiplier.scheduler")
    assert list(cfg.SOLVER.STEPS) == list(schedule.milestones)
