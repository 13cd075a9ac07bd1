"""``import d2freq`` begins every command, so heavy packages are loaded when they are used."""

from ..process import output_of_python

HEAVY = "scipy matplotlib tensorboard faster_coco_eval onnx onnxruntime openvino rasterio sahi"
PROGRAM = f"""
import sys
import torch, torchvision
before = set(sys.modules)
import d2freq
print(*sorted({{*{HEAVY.split()}}} & (set(sys.modules) - before)), sep=",")
"""


def test_heavy_packages_wait_until_they_are_used():
    assert output_of_python("-c", PROGRAM) == ""
