"""Broken pictures and NaN in whole trainings, from YAML and from a lazy config."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from detectron2.engine import default_argument_parser

from d2freq.engine import check, load_config, run
from d2freq.engine.step import Step
from d2freq.engine.weights.finite import NonFiniteError, faults_of
from d2freq.errors import DatasetError, UserError

CONFIG = str(Path(__file__).parents[4] / "configs/hs_fpn/faster_rcnn_R18_HSFPN_kit_ais")
YAML = """MODEL.DEVICE cpu MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 32
    DATASETS.TRAIN ('vehicles_test',) DATASETS.TEST () TEST.EVAL_PERIOD 0 INPUT.CROP.SIZE [48,48]
    SOLVER.IMS_PER_BATCH 2 SOLVER.MAX_ITER 3 SOLVER.STEPS (2,) SOLVER.CHECKPOINT_PERIOD 1
    DATALOADER.NUM_WORKERS 1 OUTPUT_DIR"""
LAZY = """train.device=cpu model.backbone.out_channels=32 model.roi_heads.box_head.fc_dims=[32,32]
    model.roi_heads.box_predictor.input_shape.channels=32 train.eval_period=0 train.max_iter=3
    dataloader.train.dataset.names=vehicles_test dataloader.train.total_batch_size=2
    dataloader.test.dataset.names=vehicles_whole train.checkpointer.period=1
    dataloader.train.num_workers=1 train.output_dir="""
SWITCHES = {
    "skip": ("DATALOADER.BAD_IMAGES skip", "train.bad_images=skip"),
    "decode": ("D2FREQ.DECODE_IMAGES True", "train.decode_images=True"),
    "one step": ("D2FREQ.NONFINITE_STEPS 1", "train.nonfinite_steps=1"),
}


@pytest.fixture(params=["yaml", "lazy"])
def words(request):
    """A function to the words of a run of either kind."""

    def words(out: Path, *switches: str) -> list[str]:
        if request.param == "yaml":
            options = [*YAML.split(), str(out), *" ".join(SWITCHES[s][0] for s in switches).split()]
            return [CONFIG + ".yaml", *options]
        return [CONFIG + ".py", *f"{LAZY}{out}".split(), *(SWITCHES[s][1] for s in switches)]

    return words


@pytest.fixture(autouse=True)
def whole(vehicles):
    """The same pictures, none of them broken, which the lazy config measures."""
    folder = vehicles.parent / "whole"
    folder.mkdir()
    for file in (vehicles, *vehicles.parent.glob("*.png")):
        shutil.copy(file, folder)
    register_coco_instances("vehicles_whole", {}, str(folder / vehicles.name), str(folder))
    yield
    DatasetCatalog.remove("vehicles_whole")
    MetadataCatalog.remove("vehicles_whole")


def train(words: list[str], *flags: str) -> None:
    run(default_argument_parser().parse_args(["--config-file", words[0], *flags, *words[1:]]))


def truncate(picture: Path) -> None:
    picture.write_bytes(picture.read_bytes()[:-3000])


def metrics(out: Path) -> dict:
    """The last value of each metric; an evaluation has a line of its own."""
    lines = (out / "metrics.json").read_text().splitlines()
    return {name: value for line in lines for name, value in json.loads(line).items()}


def test_a_truncated_picture_is_passed_over_and_counted(words, vehicles, tmp_path, loggers):
    truncate(vehicles.with_name("2.png"))
    with pytest.raises(DatasetError, match=r"2\.png \(image_id 2\): truncated image"):
        train(words(tmp_path / "raise"))
    out = tmp_path / "skip"
    train(words(out, "skip"))
    assert metrics(out)["bad_images"] >= 1  # six of four pictures are used
    assert "2.png" in (out / "log.txt").read_text()


def test_the_preflight_reads_pictures_to_their_end_on_request(words, vehicles, tmp_path):
    file, *options = words(tmp_path / "out")
    truncate(vehicles.with_name("2.png"))
    check(load_config(file, options))
    file, *options = words(tmp_path / "out", "decode")
    with pytest.raises(DatasetError, match=r"truncated image.*2\.png"):
        check(load_config(file, options))
    file, *options = words(tmp_path / "out", "decode", "skip")
    vehicles.with_name("3.png").unlink()
    check(load_config(file, options))


def inject(monkeypatch, at: int) -> None:
    """A NaN into one number of a gradient, with finite losses, in one iteration."""
    usual = Step.after_backward

    def after_backward(self):
        usual(self)
        if self.iter == at:
            name, parameter = list(self.model.named_parameters())[-1]
            parameter.grad.view(-1)[0] = math.nan

    monkeypatch.setattr(Step, "after_backward", after_backward)


def test_a_nan_gradient_saves_no_nan(words, vehicles, tmp_path, loggers, monkeypatch):
    inject(monkeypatch, at=1)
    out = tmp_path / "ends"
    with pytest.raises(NonFiniteError, match=r"iteration 1: the losses are finite.*image_id"):
        train(words(out))
    assert (out / "last_checkpoint").read_text() == "model_0000000.pth"
    content = torch.load(out / "model_0000000.pth", weights_only=True)
    assert not list(faults_of(content))

    out = tmp_path / "goes_on"
    train(words(out, "one step"))
    assert metrics(out)["skipped_steps"] == 1
    assert not list(faults_of(torch.load(out / "model_final.pth", weights_only=True)))


def test_weights_with_nan_are_not_measured(words, vehicles, tmp_path, loggers):
    file, *options = words(tmp_path / "out")
    model = load_config(file, options).model()
    next(model.parameters()).data.view(-1)[0] = math.nan
    torch.save({"model": model.state_dict()}, tmp_path / "nan.pth")
    key = "MODEL.WEIGHTS" if file.endswith(".yaml") else "train.init_checkpoint"
    weights = [key, str(tmp_path / "nan.pth")]
    with pytest.raises(UserError, match=r"nan\.pth holds weights that are not finite: backbone"):
        train([file, *options, *weights], "--eval-only")
    with pytest.raises(UserError, match=r"nan\.pth holds weights that are not finite"):
        check(load_config(file, [*options, *weights]), eval_only=False)
