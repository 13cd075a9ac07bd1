"""Detectron2's own tools on HS-FPN and SET: they train, measure, count and draw."""

import json
import logging
import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import cv2
import pytest
import torch
from detectron2.engine import DefaultPredictor

from tests.pipelines.conftest import DATA, source_tree
from tests.process import ROOT

pytestmark = [
    pytest.mark.slow,  # each tool builds, trains and measures detectors
    pytest.mark.usefixtures("loggers", "data"),
    pytest.mark.filterwarnings("ignore"),  # of Detectron2 on today's libraries
]
LAZY = ROOT / "configs" / "demo" / "faster_rcnn_R18_HSFPN_scenes.py"


@pytest.fixture(scope="module")
def trained(run_tool, config_file, data, tmp_path_factory):
    """The folder of a run of tools/train_net.py: SET around the detector on HS-FPN, and TTA."""
    folder = tmp_path_factory.mktemp("trained")
    words = ["MODEL.META_ARCHITECTURE", "SET", "TEST.AUG.ENABLED", "True", "OUTPUT_DIR", folder]
    run_tool("tools/train_net.py", "--config-file", config_file, *words)
    return folder


def weights(file):
    return torch.load(file, weights_only=False)["model"]


def metrics(folder):
    lines = (folder / "metrics.json").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_train_net_trains_set_on_hs_fpn_and_augments_its_tests(trained):
    names = {name for line in metrics(trained) for name in line}
    assert {"loss_cls", "loss_set_cls", "bbox/AP"} <= names
    found = weights(trained / "model_final.pth")
    assert any(name.startswith("set.") for name in found)
    assert any(name.startswith("backbone.fpn_hfp2.") for name in found)
    assert (trained / "inference_TTA" / "coco_instances_results.json").is_file()


def test_train_net_measures_the_detector_alone_from_what_set_trained(
    trained, run_tool, config_file, tmp_path
):
    words = ["MODEL.WEIGHTS", trained / "model_final.pth", "OUTPUT_DIR", tmp_path]
    run_tool("tools/train_net.py", "--eval-only", "--config-file", config_file, *words)
    results = "inference/coco_instances_results.json"
    assert json.loads((tmp_path / results).read_text()) == json.loads(
        (trained / results).read_text()
    )


def test_plain_train_net_goes_on_from_what_set_trained(trained, run_tool, config_file, tmp_path):
    words = ["MODEL.WEIGHTS", trained / "model_final.pth", "OUTPUT_DIR", tmp_path]
    words += ["SOLVER.BASE_LR", "0.0", "SOLVER.MAX_ITER", "3"]  # the checkpoint is of step 2
    run_tool("tools/plain_train_net.py", "--config-file", config_file, *words)
    before, after = (weights(f / "model_final.pth") for f in (trained, tmp_path))
    assert after.keys() == {name for name in before if not name.startswith("set.")}
    learned = [name for name in after if "running" not in name and "num_batches" not in name]
    assert all(torch.equal(after[name], before[name]) for name in learned)


def test_lazyconfig_train_net_takes_a_config_of_d2freq(run_tool, tmp_path):
    words = [f"train.output_dir={tmp_path}", "train.max_iter=1", "train.device=cpu"]
    words += [f"dataloader.{part}.dataset.names={DATA}" for part in ("train", "test")]
    words += [f"dataloader.{part}.num_workers=0" for part in ("train", "test")]
    words += ["dataloader.train.total_batch_size=2", "model.roi_heads.num_classes=1"]
    run_tool("tools/lazyconfig_train_net.py", "--config-file", LAZY, *words)
    assert any("bbox/APvt" in line for line in metrics(tmp_path))
    assert any("fpn_sdp2" in name for name in weights(tmp_path / "model_final.pth"))


def test_analyze_model_counts_hs_fpn(run_tool, config_file, caplog, monkeypatch):
    monkeypatch.setattr("detectron2.utils.logger.setup_logger", lambda *_, **__: None)
    with caplog.at_level("INFO"):
        tasks = ["--tasks", "flop", "activation", "parameter", "structure"]
        run_tool("tools/analyze_model.py", "-n", "2", *tasks, "--config-file", config_file)
    for text in ("fpn_hfp2", "fpn_sdp2", "Total GFlops", "Total (Million) Activations"):
        assert text in caplog.text, text


@pytest.mark.parametrize("kind", ["GeneralizedRCNN", "SET"])
def test_demo_draws_detections(
    kind, trained, run_tool, small, config_file, data, tmp_path, monkeypatch, caplog
):
    # demo.py names its neighbour predictor.py by a path of its authors' own repository
    neighbour = source_tree() / "demo" / "predictor.py"
    spec = spec_from_file_location("vision.fair.detectron2.demo.predictor", neighbour)
    for end in range(1, 4):
        parent = ".".join(spec.name.split(".")[:end])
        monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "vision.fair.detectron2.demo", ModuleType("demo"))
    monkeypatch.setitem(sys.modules, spec.name, module)
    monkeypatch.setattr("multiprocessing.set_start_method", lambda *_, **__: None)
    # the tool's own set-up would keep its lines from caplog
    logger = logging.getLogger("detectron2")
    monkeypatch.setattr("detectron2.utils.logger.setup_logger", lambda *_, **__: logger)
    words = ["--config-file", config_file, "--confidence-threshold", "0.0"]
    words += ["--input", data / "1.png", "--output", tmp_path / "drawn.png", "--opts"]
    keys = ["MODEL.WEIGHTS", str(trained / "model_final.pth"), "MODEL.META_ARCHITECTURE", kind]
    with caplog.at_level("INFO"):
        run_tool("demo/demo.py", *words, *keys)
    # how many detections a detector of two steps has above 0.0 differs between machines
    expected = DefaultPredictor(small(*keys))(cv2.imread(str(data / "1.png")))["instances"]
    assert f"1.png: detected {len(expected)} instances" in caplog.text
    assert (tmp_path / "drawn.png").stat().st_size > 0


@pytest.mark.parametrize("source", ["annotation", "dataloader"])
def test_visualize_data_draws_the_boxes(source, run_tool, config_file, tmp_path):
    words = ["--source", source, "--config-file", config_file, "--output-dir", tmp_path]
    if source == "dataloader":  # it draws without an end: the first pictures are enough
        with pytest.raises(Enough), pytest.MonkeyPatch.context() as patch:
            patch.setattr("detectron2.utils.visualizer.VisImage.save", stop_at(3))
            run_tool("tools/visualize_data.py", *words)
    else:
        run_tool("tools/visualize_data.py", *words)
        assert len(list(tmp_path.iterdir())) == 4


class Enough(Exception):
    """Ends a tool that has no end."""


def stop_at(count: int):
    """What takes the place of VisImage.save and stops the tool at the last of ``count`` calls."""
    seen = []

    def save(image, path):
        assert image.get_image().shape[2] == 3
        seen.append(path)
        if len(seen) == count:
            raise Enough

    return save
