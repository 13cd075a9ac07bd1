"""What is imported when: by the command line next to nothing, by ``import d2freq`` all it needs."""

import json

from d2freq.cli import COMMANDS

from ..process import output_of_python

HEAVY = "scipy matplotlib tensorboard faster_coco_eval onnx onnxruntime openvino rasterio sahi"
PROGRAM = f"""
import sys
import torch, torchvision
before = set(sys.modules)
import d2freq
print(*sorted({{*{HEAVY.split()}}} & (set(sys.modules) - before)), sep=",")
"""

# Each command line in one process, which stays without torch as long as none does any work.
READING = """
import contextlib, io, json, sys, time
import d2freq_command
said = {}
for words in json.loads(sys.argv[1]):
    program, *sys.argv[1:] = words
    began, told = time.process_time(), io.StringIO()
    run = d2freq_command.main if program == "d2freq" else lambda: d2freq_command.train(program)
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            code = run()
        except SystemExit as stop:
            code = stop.code
    said[" ".join(words)] = (code, told.getvalue(), time.process_time() - began)
loaded = sorted({"torch", "numpy", "cv2", "PIL", "detectron2", "minid2"} & set(sys.modules))
import d2freq
late = (d2freq.add_d2freq_config.__name__, d2freq.HOST)  # registers now
from detectron2.modeling import BACKBONE_REGISTRY
late = (*late, "build_resnet_hsfpn_backbone" in BACKBONE_REGISTRY)
print(json.dumps([said, loaded, late]))
"""
TOPICS = ["analyze bands", "analyze gate", "convert yolo", "convert tiles", "generate seqcsist"]
TOPICS += ["analyze unmixing-limits", "visualize detections", "visualize scr", "visualize unmixing"]
TYPOS = {  # the command line: who answers, and what
    "d2freq trian": ("d2freq", "did you mean train?"),
    "d2freq convert ylo": ("d2freq convert", "did you mean yolo?"),
    "d2freq detect x.png --wieghts y": ("d2freq detect", "did you mean --weights?"),
    "d2freq evaluate a.json b.json --protcl=coco": ("d2freq evaluate", "did you mean --protocol?"),
    "d2freq train --config-fiel c.yaml": ("d2freq train", "did you mean --config-file?"),
    "d2freq convert voc v --output o --oen-based": ("d2freq convert voc", "mean --one-based?"),
    "train_net.py --evalonly": ("train_net.py", "did you mean --eval-only?"),
    "d2freq": ("d2freq", "commands:"),
    "d2freq generate seqcsist --frames many": ("d2freq generate seqcsist", "invalid int value"),
}


def test_heavy_packages_wait_until_they_are_used():
    assert output_of_python("-c", PROGRAM) == ""


def test_help_and_typos_are_answered_without_torch():
    helps = [f"d2freq {name} --help" for name in (*COMMANDS, *TOPICS)]
    helps += ["d2freq --help", "d2freq --version", "train_net.py --help"]
    lines = [line.split() for line in (*helps, *TYPOS)]
    found = json.loads(output_of_python("-c", READING, json.dumps(lines)))
    said, loaded, (_, host, registered) = found
    assert loaded == []
    assert {line: said[line][0] for line in helps} == dict.fromkeys(helps, 0)
    for line, (asked, words) in TYPOS.items():
        code, text, _ = said[line]
        assert code == 2 and words in text and text.startswith(f"usage: {asked} ["), line
    # 0.1 s each, and the first a little more; the margin is for a machine that is busy
    assert sorted(seconds for _, _, seconds in said.values())[-1] < 2
    assert host in ("detectron2", "minid2") and registered
