"""From a wheel, in a folder of its own, without a source tree: train, measure, configs by name."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import d2freq

# isort: split
import detectron2

ROOT = Path(__file__).parents[1]
SOURCES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "d2freq", "minid2", "configs")
SOURCES += ("d2freq_command.py",)
TINY = """
MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 32 DATALOADER.NUM_WORKERS 0
SOLVER.IMS_PER_BATCH 2 SOLVER.MAX_ITER 1 SOLVER.STEPS () MODEL.DEVICE cpu OUTPUT_DIR out
""".split()

LAZY = """
model.backbone.out_channels=32 model.roi_heads.box_predictor.input_shape.channels=32
model.roi_heads.box_head.fc_dims=[32,32] dataloader.test.num_workers=0
train.init_checkpoint=out/model_final.pth train.output_dir=lazy
""".split()


def run(*words: str | Path, path: str, folder: Path) -> str:
    """A process that sees the packages of ``path`` and no source tree; what it prints."""
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    environment.pop("DETECTRON2_DATASETS", None)
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """(the folder that the wheel was installed into, PYTHONPATH with it and the host)."""
    if not importlib.util.find_spec("pip"):
        pytest.skip("needs pip in this environment")
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "target"))
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    wheel = (*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", target, source)
    run(*wheel, path="", folder=target)
    file = next(target.glob("d2freq-*.whl"))
    packages = target / "packages"
    run(
        *pip,
        "install",
        "--no-deps",
        "--no-index",
        "--target",
        packages,
        file,
        path="",
        folder=target,
    )
    home = Path(str(detectron2.__file__)).parents[1]
    host = [] if d2freq.HOST == "minid2" else [str(home)]
    return packages, os.pathsep.join([str(packages), *host])


# seconds: a wheel is built and installed, and three processes import torch and run a model
@pytest.mark.slow
def test_a_wheel_trains_measures_and_knows_its_configs(installed, tmp_path):
    packages, path = installed
    generate = (
        "generate",
        "scenes",
        "--train",
        "2",
        "--val",
        "2",
        "--size",
        "64",
        "--workers",
        "1",
    )
    run(packages / "bin" / "d2freq", *generate, path=path, folder=tmp_path)
    config = "demo/faster_rcnn_R18_HSFPN_scenes"
    words = ("-m", "d2freq.train", "--config-file", config, *TINY)
    assert run(*words, path=path, folder=tmp_path).startswith(f"d2freq {d2freq.__version__} on ")

    again = ["train", "--config-file", config + ".py", "--eval-only", *LAZY]
    truth = "datasets/tiny_scenes/annotations/val.json"
    found = "lazy/inference/coco_instances_results.json"
    picture = "datasets/tiny_scenes/val/000001.png"
    commands = [
        ["configs", "demo"],
        again,
        ["evaluate", truth, found, "--protocol", "aitod"],
        ["detect", picture, "--weights", "out", "--score", "0", "--output", "found"],
    ]
    lines = run("-c", SEVERAL, json.dumps(commands), path=path, folder=tmp_path).splitlines()
    assert lines[0].startswith(str(packages)) and f"{config}  (also .py)" in lines
    assert (tmp_path / "found/report.html").is_file() and list((tmp_path / "found").glob("*.json"))
    by_yaml, by_lazy = (tmp_path / f"{n}/inference/tiny_results.json" for n in ("out", "lazy"))
    assert by_yaml.read_bytes() == by_lazy.read_bytes()


SEVERAL = """
import json, sys, d2freq
from d2freq.cli import main
print(d2freq.__file__)
for words in json.loads(sys.argv[1]):
    assert main(words) == 0, words
"""
