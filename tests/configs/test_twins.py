"""Every lazy config is its YAML twin: weights, losses, settings, batches and training."""

import copy
import json
from types import SimpleNamespace

import pytest
import torch
from detectron2.config import instantiate
from detectron2.data import DatasetMapper
from detectron2.engine import default_argument_parser
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import Boxes, Instances, PolygonMasks
from detectron2.utils.env import seed_all_rng
from detectron2.utils.events import EventStorage

from d2freq.data.augmentation.config import augmenting_mapper
from d2freq.engine import load_lazy, load_yaml, run
from d2freq.engine.tasks.detection import Detection

from .config_cases import CONFIGS, examples, names, num_classes, write_example
from .twin_checks import assert_same_training, plain, settings

EXAMPLES = [file.removesuffix(".py") for file in examples() if file.endswith(".py")]


@pytest.fixture(scope="module", params=[*names(".py"), *EXAMPLES])
def twins(request, tmp_path_factory):
    """Both configs of a name, and the model of each from the same seed."""
    cfg = load_yaml(str(CONFIGS / f"{request.param}.yaml"), ["MODEL.DEVICE", "cpu"])
    file = CONFIGS / f"{request.param}.py"
    if request.param in EXAMPLES:
        file = write_example(f"{request.param}.py", tmp_path_factory.mktemp("configs"))
    lazy = load_lazy(str(file), ["train.device=cpu"])
    models = []
    architecture = META_ARCH_REGISTRY.get(cfg.MODEL.META_ARCHITECTURE)
    for build in (lambda: architecture(cfg), lambda: instantiate(lazy.model)):
        torch.manual_seed(1)
        models.append(build().train())
    return SimpleNamespace(name=request.param, cfg=cfg, lazy=lazy, models=models)


def batch(num_classes: int, masks: bool, channels: int) -> list[dict]:
    target = Instances((80, 96))
    target.gt_boxes = Boxes(torch.tensor([[10.0, 12.0, 22.0, 20.0], [50.0, 40.0, 56.0, 47.0]]))
    target.gt_classes = torch.tensor([0, num_classes - 1])
    if masks:
        corners = target.gt_boxes.tensor[:, [0, 1, 2, 1, 2, 3, 0, 3]].double().numpy()
        target.gt_masks = PolygonMasks([[polygon] for polygon in corners])
    return [{"image": torch.randint(0, 256, (channels, 80, 96)), "instances": target}]


def assert_same_tensors(one: dict, other: dict) -> None:
    assert list(one) == list(other)
    for key, value in one.items():
        assert torch.equal(value, other[key]), key


@pytest.fixture
def few_regions(twins, monkeypatch):
    """Both models look at 32 regions a step where they have RoI heads, of the usual 512."""
    for model in twins.models:
        heads = getattr(getattr(model, "detector", model), "roi_heads", None)
        if heads is not None:
            monkeypatch.setattr(heads, "batch_size_per_image", 32)


def test_same_parameters(twins):
    ours, theirs = (
        {name: (p.shape, p.requires_grad) for name, p in model.named_parameters()}
        for model in twins.models
    )
    assert ours and list(ours.items()) == list(theirs.items())


def test_same_weights_and_losses(twins, few_regions):
    if "cascade" in twins.name:
        # YAML makes head and predictor stage by stage, a lazy config all heads first: the draws of
        # a seed go to other layers.
        twins.models[1].load_state_dict(twins.models[0].state_dict())
    weights, losses = [], []
    for model in twins.models:
        weights.append({key: value.clone() for key, value in model.state_dict().items()})
        torch.manual_seed(2)
        with EventStorage():
            channels = len(twins.cfg.MODEL.PIXEL_MEAN)
            given = batch(num_classes(twins.cfg), twins.cfg.MODEL.MASK_ON, channels)
            losses.append(model(given))
    assert_same_tensors(*weights)
    assert_same_tensors(*losses)


def test_same_model_settings(twins):
    ours, theirs = map(settings, twins.models)
    statistics = [key for key in ours if key.endswith((".stem.std", ".transform.std"))]
    fixed = "DCT" in twins.name or "random" in twins.name or "unshuffle" in twins.name
    assert len(statistics) == fixed and all(min(ours[key]) > 0 for key in statistics)
    assert any(key.endswith(".input_format") for key in ours) and any(
        key.endswith((".test_nms_thresh", ".num_select")) for key in ours
    )
    assert ours == theirs


def test_same_training(twins):
    assert_same_training(twins.cfg, twins.lazy, twins.models[0])


def augmentation(step) -> dict:
    """Kind and arguments; the lengths of a resize as a set, since [800] is (800, 800)."""
    found = {"kind": type(step).__name__} | plain(vars(step))
    if "short_edge_length" in found:
        found["short_edge_length"] = set(found["short_edge_length"])
    return found


def mapper_settings(mapper: DatasetMapper) -> dict:
    """What a mapper does; a resize to length 0 does nothing, so a config may leave it out."""
    found = {key: value for key, value in vars(mapper).items() if key != "augmentations"}
    steps = map(augmentation, getattr(mapper.augmentations, "augs", mapper.augmentations))
    return found | {"steps": [s for s in steps if s.get("short_edge_length") != {0}]}


def assert_same_mappers(cfg, split, *, is_train: bool) -> None:
    ours = augmenting_mapper(cfg) if is_train else None
    ours = ours or Detection().mapper(cfg, is_train=is_train)
    theirs = instantiate(split.mapper)
    assert type(ours) is type(theirs)
    assert mapper_settings(ours) == mapper_settings(theirs)


def test_same_data_and_evaluator(twins):
    cfg, loaders = twins.cfg, twins.lazy.dataloader
    for split, is_train in ((loaders.train, True), (loaders.test, False)):
        assert_same_mappers(cfg, split, is_train=is_train)
    assert loaders.train.dataset.filter_empty == cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS
    assert loaders.test.dataset.filter_empty is False  # Detectron2 measures on empty images too
    grouping = loaders.train.get("aspect_ratio_grouping", True)
    assert grouping == cfg.DATALOADER.ASPECT_RATIO_GROUPING
    assert cfg.DATALOADER.SAMPLER_TRAIN == "TrainingSampler"
    assert loaders.evaluator.protocol == cfg.TEST.TINY.PROTOCOL
    assert loaders.evaluator.get("strict", False) == cfg.TEST.TINY.STRICT
    assert loaders.evaluator.get("originals", False) == cfg.TEST.TINY.ORIGINALS
    assert loaders.evaluator.get("merge", "nms") == cfg.TEST.TINY.MERGE
    assert loaders.evaluator.get("merge_iou", 0.5) == cfg.TEST.TINY.MERGE_IOU


def test_same_first_batch(twins, tiny_data):
    cfg, lazy = twins.cfg.clone(), copy.deepcopy(twins.lazy)
    name = tiny_data(num_classes(cfg))
    cfg.merge_from_list(["DATASETS.TRAIN", (name,), "DATALOADER.NUM_WORKERS", 0])
    lazy.dataloader.train.dataset.names, lazy.dataloader.train.num_workers = name, 0
    if cfg.INPUT.PIXELS.RANGE is not None:  # the pictures have three bands
        bands = [min(band, 3) for band in cfg.INPUT.PIXELS.BANDS]
        cfg.INPUT.PIXELS.BANDS = lazy.dataloader.train.mapper.pixels.bands = bands
    batches = []
    for build in (
        lambda: Detection().train_loader(cfg),
        lambda: instantiate(lazy.dataloader.train),
    ):
        seed_all_rng(5)
        batches.append(next(iter(build())))
    for ours, theirs in zip(*batches, strict=True):
        assert ours["file_name"] == theirs["file_name"]
        assert torch.equal(ours["image"], theirs["image"])
        assert torch.equal(ours["instances"].gt_boxes.tensor, theirs["instances"].gt_boxes.tensor)
        assert torch.equal(ours["instances"].gt_classes, theirs["instances"].gt_classes)


@pytest.mark.parametrize("name", ["demo/faster_rcnn_R18_HSFPN_scenes"])
def test_same_losses_and_weights_after_two_steps_of_training(name, tiny_data, loggers, tmp_path):
    data, out = tiny_data(5), tmp_path
    yaml = [
        "DATASETS.TRAIN",
        f"('{data}',)",
        "DATASETS.TEST",
        f"('{data}',)",
        "SOLVER.IMS_PER_BATCH",
        "2",
    ]
    yaml += ["SOLVER.MAX_ITER", "2", "SOLVER.STEPS", "()", "OUTPUT_DIR", str(out / "yaml")]
    yaml += ["SOLVER.WARMUP_ITERS", "0", "DATALOADER.NUM_WORKERS", "0"]
    lazy = [f"dataloader.train.dataset.names={data}", "dataloader.train.num_workers=0"]
    lazy += ["dataloader.train.total_batch_size=2", "train.max_iter=2"]
    lazy += [f"dataloader.test.dataset.names={data}", "dataloader.test.num_workers=0"]
    lazy += [f"train.output_dir={out / 'lazy'}", "lr_multiplier.warmup_length=0"]
    records, weights = [], []
    for suffix, options in ((".yaml", yaml), (".py", lazy)):
        file = str(CONFIGS / name) + suffix
        run(default_argument_parser().parse_args(["--config-file", file, *options]))
        folder = out / suffix.replace(".py", ".lazy")[1:]
        lines = map(json.loads, (folder / "metrics.json").read_text().splitlines())
        last = next(line for line in lines if "total_loss" in line)
        records.append({k: v for k, v in last.items() if "loss" in k or k in ("lr", "iteration")})
        weights.append(torch.load(folder / "model_final.pth", weights_only=False)["model"])
    assert records[0] == records[1] and records[0]["iteration"] == 1
    assert_same_tensors(*weights)
