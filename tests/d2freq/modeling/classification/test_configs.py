"""Classifiers from YAML and from the lazy twin: equal models, data and schedules; they learn."""

import json
import re
import shutil

import pytest
import torch
from detectron2.config import LazyCall as L
from detectron2.config import instantiate
from detectron2.engine import default_argument_parser
from detectron2.modeling import build_model

from d2freq.engine import check, load_lazy, load_yaml
from d2freq.engine import run as run_config
from d2freq.engine.tasks.classification import Classification
from d2freq.errors import DatasetError, UserError
from d2freq.modeling.frequency_input.build_stem import build_transform

from ....configs.config_cases import CLASSIFIER, CONFIGS, readme
from ....configs.twin_checks import assert_same_training, settings
from .conftest import NarrowBackbone

NAMES = sorted(path.stem for path in CONFIGS.glob(f"frequency_input/{CLASSIFIER}*.yaml"))
TWINS = sorted(path.stem for path in CONFIGS.glob(f"frequency_input/{CLASSIFIER}*.py"))
RGB = str(CONFIGS / "frequency_input/classifier_R50_imagenet")


def both(name: str, yaml=(), lazy=()):
    file = str(CONFIGS / "frequency_input" / name)
    return load_yaml(f"{file}.yaml", list(yaml)), load_lazy(f"{file}.py", list(lazy))


def test_every_config_has_a_command():
    assert len(NAMES) == 10
    assert "(classification.md)" in readme("frequency_input")
    page = (CONFIGS / "frequency_input/classification.md").read_text()
    shown = [file for file, _ in re.findall(r"configs/frequency_input/(\w+)\.yaml( *`)", page)]
    assert sorted(shown) == NAMES  # behind each row of the table


@pytest.mark.parametrize("name", TWINS)
def test_twins_are_equal(name):
    cfg, lazy = both(name, ["MODEL.DEVICE", "meta"], ["train.device=cpu"])
    with torch.device("meta"):
        models = [build_model(cfg), instantiate(lazy.model).to("meta")]
    ours, theirs = map(settings, models)
    assert ours == theirs and ours["linear.out_features"] == 1000
    if "DCT" in name:  # the model without memory has no values to compare
        backbone = lazy.model.backbone
        stem = backbone.stem if "stem" in backbone else backbone.first_layers[0]
        kept = [dict(each.named_buffers()) for each in (build_transform(cfg), instantiate(stem))]
        assert set(kept[0]) >= {"kernel", "shift", "mean", "std"} and kept[0]["std"].max() > 100
        for key, value in kept[0].items():
            assert torch.equal(value, kept[1][key]), key
    assert list(cfg.MODEL.PIXEL_MEAN) == lazy.model.pixel_mean
    assert list(cfg.MODEL.PIXEL_STD) == lazy.model.pixel_std
    shapes = [{k: v.shape for k, v in model.state_dict().items()} for model in models]
    assert list(shapes[0].items()) == list(shapes[1].items())
    assert_same_training(cfg, lazy, models[0])

    loaders = lazy.dataloader
    for is_train, loader in ((True, loaders.train), (False, loaders.test)):
        ours, theirs = Classification().mapper(cfg, is_train=is_train), instantiate(loader.mapper)
        assert (ours.crop, ours.image_format) == (theirs.crop, theirs.image_format)
        assert list(map(repr, ours.steps)) == list(map(repr, theirs.steps))
    assert loaders.test.batch_size == cfg.INPUT.CLASSIFICATION.TEST_BATCH
    assert lazy.train.output_dir == f"./output/{name}"


SMALL = {
    "yaml": [
        *("MODEL.DEVICE", "cpu", "MODEL.CLASSIFIER.NUM_CLASSES", "3", "OUTPUT_DIR", "{out}"),
        *("MODEL.BACKBONE.NAME", "build_narrow_backbone", "DATALOADER.NUM_WORKERS", "0"),
        *("INPUT.CLASSIFICATION.CROP", "16", "INPUT.CLASSIFICATION.RESIZE_TEST", "20"),
        *("SOLVER.IMS_PER_BATCH", "6", "SOLVER.STEPS", "()", "SOLVER.MAX_ITER", "{steps}"),
        *("SOLVER.BASE_LR", "0.02", "SEED", "4", "TEST.EVAL_PERIOD", "{steps}"),
        *("SOLVER.CHECKPOINT_PERIOD", "10", "INPUT.CLASSIFICATION.AREA", "[0.5, 1.0]"),
    ],
    "lazy": [
        *("train.device=cpu", "model.num_classes=3", "train.output_dir={out}", "train.seed=4"),
        *("dataloader.train.mapper.crop=16", "dataloader.test.mapper.resize=20"),
        *("dataloader.train.num_workers=0", "dataloader.test.num_workers=0"),
        *("dataloader.train.total_batch_size=6", "train.max_iter={steps}", "optimizer.lr=0.02"),
        *("train.eval_period={steps}", "train.checkpointer.period=10"),
        *("lr_multiplier.scheduler.values=[1.0]", "lr_multiplier.scheduler.milestones=[]"),
        "+dataloader.train.mapper.area=[0.5,1.0]",
    ],
}


@pytest.fixture
def run(colours, narrow, loggers, tmp_path, monkeypatch):
    """A function that trains or measures on the colours, as train_net.py does."""

    def load(file, words):
        cfg = load_lazy(file, words)
        cfg.model.backbone = L(NarrowBackbone)()
        return cfg

    monkeypatch.setattr("d2freq.engine.config.load.load_lazy", load)

    def start(kind: str, steps: int, *flags: str) -> dict:
        out = tmp_path / kind
        words = [word.format(out=out, steps=steps) for word in SMALL[kind]]
        is_lazy = kind == "lazy"
        file = RGB + (".py" if is_lazy else ".yaml")
        read = load if is_lazy else load_yaml
        check(read(file, words), eval_only="--eval-only" in flags, resume="--resume" in flags)
        arguments = ["--config-file", file, *flags, *words]
        return run_config(default_argument_parser().parse_args(arguments))

    return start


def losses(folder) -> dict[int, float]:
    lines = map(json.loads, (folder / "metrics.json").read_text().splitlines())
    return {line["iteration"]: line["total_loss"] for line in lines if "total_loss" in line}


def test_colours_are_learnt_resumed_and_measured_alike_from_both(run, tmp_path):
    found = []
    for kind in SMALL:
        assert set(run(kind, 20)["classification"]) == {"top1", "top5"}
        result = run(kind, 60, "--resume")
        history = losses(tmp_path / kind)
        assert min(history) < 20 < max(history), "one log of both runs"
        first, last = history[min(history)], history[max(history)]
        assert last < 0.3 * first
        assert result == {"classification": {"top1": 100.0, "top5": 100.0}}
        saved = tmp_path / kind / "inference/classification_results.json"
        assert json.loads(saved.read_text())["images"] == 6
        saved.unlink()
        assert run(kind, 60, "--resume", "--eval-only") == result and saved.is_file()
        weights = torch.load(tmp_path / kind / "model_final.pth", weights_only=False)
        assert weights["iteration"] == 59
        found.append((history, weights["model"]))
    assert found[0][0] == found[1][0]
    for name, value in found[0][1].items():
        assert torch.equal(value, found[1][1][name])


def test_what_cannot_be_trained_is_said_before(run, colours, monkeypatch):
    with pytest.raises(UserError, match="imagenet_train has classes of whole images alone"):
        detector = str(CONFIGS / "demo/faster_rcnn_R18_FPN_scenes.yaml")
        check(load_yaml(detector, ["DATASETS.TRAIN", "('imagenet_train',)"]))
    monkeypatch.setitem(SMALL, "yaml", [*SMALL["yaml"], "MODEL.CLASSIFIER.NUM_CLASSES", "4"])
    with pytest.raises(UserError, match="NUM_CLASSES is 4, but data set imagenet_train has 3"):
        run("yaml", 1)


def test_splits_of_other_classes_are_refused(run, colours):
    shutil.move(colours / "val/red", colours / "val/scarlet")
    with pytest.raises(DatasetError, match="different classes, such as red"):
        run("yaml", 1)
