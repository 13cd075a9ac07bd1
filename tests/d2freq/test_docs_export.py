"""The consumer's example in docs/export.md, run as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d2freq.inference import Detector

from ..process import output_of_python
from .engine.export.cases import FASTER, SMALL, build

ROOT = Path(__file__).parents[2]
PROGRAM = re.search(
    r"<!-- example.*?-->\n```python\n(.*?)```", (ROOT / "docs/export.md").read_text(), re.DOTALL
).group(1)


def test_the_example_is_as_short_as_its_title_says():
    lines = [line for line in PROGRAM.splitlines() if line and not line.startswith("import")]
    assert len(lines) <= 20


@pytest.mark.parametrize("short_side", [0, 96])
def test_the_example_prints_what_the_detector_finds(short_side, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    import torch

    from d2freq.cli import main

    model = build("faster_fpn")
    torch.save({"model": model.state_dict()}, tmp_path / "weights.pth")
    words = [*SMALL, "INPUT.MIN_SIZE_TEST", str(short_side), "INPUT.FORMAT", "BGR"]
    options = ["--config-file", FASTER, "--weights", str(tmp_path / "weights.pth")]
    options += ["--format", "onnx", "--output", str(tmp_path / "a.onnx"), "--size", "64", "64"]
    assert main(["export", *options, *words]) == 0
    pixels = np.random.default_rng(0).integers(0, 256, (72, 88, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "consumer.py").write_text(PROGRAM)
    files = [str(tmp_path / name) for name in ("consumer.py", "a.onnx", "a.png")]
    printed = [line.split() for line in output_of_python(*files).splitlines()]
    found = Detector.load(tmp_path / "a.onnx")(tmp_path / "a.png", tile="none")
    assert len(printed) == len(found) > 3
    rows = np.array([line[1:] for line in printed], float)
    assert [line[0] for line in printed] == [found.names[number] for number in found.classes]
    assert np.abs(rows[:, 0] - found.scores).max() < 2e-3
    assert np.abs(rows[:, 1:] - found.boxes).max() < 0.2
