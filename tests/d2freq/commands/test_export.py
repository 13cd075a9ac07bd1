"""``d2freq export``: a file's ending says which engine reads it, so it has to fit the format."""

import pytest

from d2freq.cli import main

DEMO = "demo/faster_rcnn_R18_FPN_scenes"


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("onnx", "x.pt", "end in .onnx|or take --format torchscript"),
        ("openvino", "x.onnx", "end in .xml|or take --format onnx"),
        ("torchscript", "x.xml", "end in .pt or .ts|or take --format openvino"),
        ("torchscript", "x.pth", "end in .pt or .ts|name it so"),
        ("onnx", "x", "end in .onnx|name it so"),
    ],
)
def test_an_ending_of_another_engine_is_refused(kind, name, message, tmp_path, capsys):
    path = tmp_path / name
    words = ["--config-file", DEMO, "--format", kind, "--output", str(path)]
    assert main(["export", *words]) == 2
    error = capsys.readouterr().err
    ends, hint = message.split("|")
    assert f"--output {path}: " in error and ends in error and hint in error
    assert error.count("\n") == 1 and not path.exists()
