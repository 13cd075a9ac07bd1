"""What is imported when: by the command line next to nothing, by ``import d2freq`` all it needs."""

import json

from PIL import Image

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


# Command lines that end with what is not there, and what is said of it.
REFUSED = {
    "d2freq train --config-file nosuch": "no such config file",
    "d2freq train --data nosuch": "--data nosuch: no such file or folder",
    "d2freq train": "nothing to train",
    "d2freq train --images x --config-file demo/faster_rcnn_R18_HSFPN_scenes": "belongs to --data",
    "d2freq demo --config-file demo/nosuch": "no such config file",
    "d2freq cost --config-file hs_fpn/faster_rcnn_R50_HSFPN_aitd": "did you mean",
    "d2freq detect nosuch.png --weights nosuch": "nosuch.png: no such picture, folder or list",
    "d2freq detect --tile 64 64 nosuch.png --weights x": "nosuch.png: no such picture",
    "d2freq detect . --weights nosuch": "nosuch: no such checkpoint or output folder",
    "d2freq export --weights nosuch --format onnx --output x.onnx": "no such checkpoint or output",
    "d2freq evaluate nosuch.json x.json": "nosuch.json: no such file or folder",
    "d2freq evaluate . nosuch": "nosuch: no such file or folder",
    "d2freq report . nosuch": "nosuch: no such file or folder",
    "d2freq validate x.json --images nosuch": "--images nosuch: no such folder",
    "d2freq validate nosuch.json": "nosuch.json: no such file or folder",
    "d2freq convert results nosuch x.json --ground-truth .": "nosuch: no such file or folder",
    "d2freq convert results . x.json --ground-truth nosuch": "nosuch: no such file or folder",
    "d2freq strip nosuch x": "nosuch: no such file or folder",
    "d2freq unmix nosuch": "give a .npy file",
    "d2freq visualize losses --metrics nosuch --output x.png": "--metrics nosuch: no such file",
    "d2freq convert yolo nosuch --output x.json": "nosuch: no such folder",
    "d2freq configs nosuch": "no config has nosuch",
    "train_net.py --config-file nosuch": "no such config file",
    "train_net.py": "nothing to train",
}


# Command lines whose output cannot be written, or is there already.
TAKEN = {
    "d2freq detect a.json --weights a.json --output found": "which stays as it is: name another "
    "folder with --output DIR, or",
    "d2freq detect a.json --weights a.json --output half": "interrupted run: go on with --resume",
    "d2freq detect a.json --weights a.json --output a.json": "a.json is a file, not a folder",
    "d2freq detect a.json --weights a.json --output loop": "leads back to itself",
    "d2freq evaluate a.json a.json --output a.json": "--output a.json: a.json is a file",
    "d2freq report a.json a.json --output a.json/x.html": "/a.json is a file, not a folder",
    "d2freq validate a.json --fix a.json/x.json": "--fix a.json/x.json: ",
    "d2freq export --weights a.json --format onnx --output a.json/x.onnx": "name another place",
    "d2freq strip a.json half": "half is there already; name another file",
}


def read_without_torch(lines, folder):
    """Runs command lines in one process, in ``folder``; what each said, and what is loaded."""
    program = f"import os; os.chdir({str(folder)!r})\n{READING}"
    words = json.dumps([line.split() for line in lines])
    said, loaded, _ = json.loads(output_of_python("-c", program, words))
    return said, [name for name in loaded if name in ("torch", "detectron2", "minid2")]


def test_what_is_not_there_is_told_without_torch(tmp_path):
    said, loaded = read_without_torch(REFUSED, tmp_path)
    for line, words in REFUSED.items():
        assert said[line][0] == 2 and words in said[line][1], line
    assert loaded == [] and not list(tmp_path.iterdir())


def test_an_output_that_is_taken_is_told_without_torch(tmp_path):
    """Before a detector is loaded, let alone hours of search."""
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "found").mkdir()
    (tmp_path / "found/run.json").write_text("{}")
    (tmp_path / "half/run.parts").mkdir(parents=True)
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.rglob("*"))
    said, loaded = read_without_torch(TAKEN, tmp_path)
    for line, words in TAKEN.items():
        assert said[line][0] == 2 and words in said[line][1], (line, said[line])
    assert loaded == [] and sorted(tmp_path.rglob("*")) == before


def test_files_are_converted_checked_and_measured_without_torch(tmp_path):
    """What needs no host does not load one; else it would fail, since none is registered."""
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    (tmp_path / "classes.txt").write_text("car\n")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    box = {"image_id": 1, "category_id": 1, "bbox": [16, 12, 8, 6], "score": 0.9}
    (tmp_path / "found.json").write_text(json.dumps([box]))
    lines = {
        "d2freq convert yolo . --output a.json --workers 1": "1 box",
        "d2freq convert coco-to-yolo a.json --output yolo": "yolo",
        "d2freq convert coco-to-voc a.json --output voc": "voc",
        "d2freq convert tiles a.json --images . --size 20 20 --overlap 4 4 --output tiles": "tiles",
        "d2freq validate a.json --images .": "no fault",
        "d2freq evaluate a.json found.json": "100.00",
        "d2freq report a.json found.json --images .": "report.html",
        "d2freq convert results found.json x.json --ground-truth a.json": "x.json: 1 detection",
        "d2freq configs": "hs_fpn/faster_rcnn_R50_HSFPN_aitod",
        "d2freq configs --copy configs": "configs",
    }
    said, loaded = read_without_torch(lines, tmp_path)
    for line, words in lines.items():
        code, text, _ = said[line]
        assert code == 0 and words in text, (line, text)
    assert loaded == [] and (tmp_path / "tiles").is_dir() and (tmp_path / "yolo").is_dir()
