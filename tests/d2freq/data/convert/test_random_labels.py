"""Twenty random files of VisDrone, DOTA and VOC each come back as they were written."""

import json

import numpy as np
import pytest
from PIL import Image

from d2freq.data.builtin import DOTA_V2, VISDRONE
from d2freq.data.convert.dota import read_dota
from d2freq.data.convert.visdrone import convert_visdrone
from d2freq.data.convert.voc import convert_voc
from d2freq.errors import UserError

NAMES = [f"{number:03d} ü" for number in range(20)]
SIZE = (200, 150)


@pytest.fixture
def folder(tmp_path):
    def make(images, labels):
        for place in (images, labels):
            (tmp_path / place).mkdir(parents=True)
        for name in NAMES:
            Image.new("L", SIZE).save(tmp_path / images / f"{name}.png")
        return tmp_path

    return make


def random_boxes(seed):
    random = np.random.default_rng(seed)
    count = int(random.integers(0, 8))
    corner, size = random.integers(0, 150, (count, 2)), random.integers(1, 50, (count, 2))
    return random, np.hstack([corner, size]).tolist()


def test_visdrone(folder):
    root, wish = folder("images", "annotations"), []
    for number, name in enumerate(NAMES):
        random, boxes = random_boxes(number)
        lines = []
        for box in boxes:
            score, kind = int(random.integers(2)), int(random.integers(1, 11))
            flags = random.integers(0, 3, 2).tolist()
            lines.append(",".join(map(str, [*box, score, kind, *flags])))
            wish.append((number + 1, kind, *box, 1 - score, *flags))
        (root / f"annotations/{name}.txt").write_text("\n".join(lines))
    file = convert_visdrone(root, root / "gt.json", workers=1, progress=False)
    data = json.loads(file.read_text())
    assert [c["name"] for c in data["categories"]] == list(VISDRONE)
    keys = ("iscrowd", "truncation", "occlusion")
    found = [
        (a["image_id"], a["category_id"], *a["bbox"], *(a[key] for key in keys))
        for a in data["annotations"]
    ]
    assert found == wish


def test_dota_and_its_images_alone(folder):
    root, wish = folder("images", "labelTxt-v2.0"), []
    for number, name in enumerate(NAMES):
        random = np.random.default_rng(number)
        lines = []
        for corners in random.uniform(0, 150, (int(random.integers(0, 8)), 8)).tolist():
            kind, hard = int(random.integers(1, 19)), int(random.integers(2))
            lines.append(" ".join(map(str, [*corners, DOTA_V2[kind - 1], hard])))
            wish.append((number + 1, kind, corners, hard))
        (root / f"labelTxt-v2.0/{name}.txt").write_text("\n".join(lines))
    data, _ = read_dota(root, version="2.0")
    found = [
        (a["image_id"], a["category_id"], a["segmentation"][0], a["difficult"])
        for a in data["annotations"]
    ]
    assert found == wish
    for label in (root / "labelTxt-v2.0").iterdir():
        label.unlink()
    with pytest.raises(UserError, match="no labels of version 2.0.*--no-labels .test sets."):
        read_dota(root, version="2.0")
    data, notes = read_dota(root, version="2.0", labels=False)
    assert len(data["images"]) == 20 and data["annotations"] == []
    assert notes == {"images whose labels were not asked for": 20}


def test_voc_as_a_tool_writes_it(folder):
    root, wish = folder("JPEGImages", "Annotations"), []
    for number, name in enumerate(NAMES):
        random, boxes = random_boxes(number)
        things = []
        for x, y, w, h in boxes:
            kind, flags = int(random.integers(2)), random.integers(0, 2, 3).tolist()
            keys = ("difficult", "truncated", "occluded")
            about = "".join(f"<{k}>{v}</{k}>" for k, v in zip(keys, flags, strict=True))
            sides = zip(("xmin", "ymin", "xmax", "ymax"), (x + 1, y + 1, x + w, y + h), strict=True)
            inner = "".join(f"<{k}>{v}</{k}>" for k, v in sides)
            things.append(f"<object><name>k{kind}</name>{about}<bndbox>{inner}</bndbox></object>")
            wish.append((number + 1, kind + 1, x, y, w, h, flags[0], *flags))
        text = f"<annotation>{''.join(things)}</annotation>"
        (root / f"Annotations/{name}.xml").write_text(text)
    file = convert_voc(root, root / "gt.json", names="k0,k1", workers=1, progress=False)
    keys = ("iscrowd", "difficult", "truncated", "occluded")
    found = [
        (a["image_id"], a["category_id"], *a["bbox"], *(a[key] for key in keys))
        for a in json.loads(file.read_text())["annotations"]
    ]
    assert found == wish
