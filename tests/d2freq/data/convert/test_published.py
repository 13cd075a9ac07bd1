"""KIT AIS and SIRST from their publishers' folders, in small."""

import json

import numpy as np
import pytest
from PIL import Image

from d2freq.data.convert.kit_ais import convert_kit_ais
from d2freq.data.convert.sirst import NO_TARGET, OTHER_XML, convert_sirst
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems

OPTIONS = {"workers": 1, "progress": False}


def boxes_of(file):
    data = json.loads(file.read_text())
    names = {image["id"]: image["file_name"] for image in data["images"]}
    return [(names[a["image_id"]], *a["bbox"]) for a in data["annotations"]], data


def test_kit_ais(tmp_path):
    source = tmp_path / "aerial"
    source.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (55, 80, 3), dtype=np.uint8)
    for name in ("MOS74", "MOS155", "MunichStreet02-MOS80", "MOSQUE", "harlem-1"):
        Image.fromarray(pixels).save(source / f"{name}.png")
        (source / f"{name}.txt").write_text("4 0.5 0.5 0.25 0.2\n0 0.99 0.5 0.1 0.1\n")
    (source / "train1.txt").write_text("aerial/MOS74.png\n")
    train, val = convert_kit_ais(source, tmp_path / "half", **OPTIONS)
    found, data = boxes_of(val)
    assert found == [("MOS74.jpg", 15, 11.2, 10, 5.6), ("MOS74.jpg", 37.6, 12.6, 2.4, 2.8)]
    assert [a["area"] for a in data["annotations"]] == [56, 6.72]
    names = {name for name, *_ in boxes_of(train)[0]}
    assert names == {"MOS155.jpg", "MunichStreet02-MOS80.jpg"}
    with Image.open(tmp_path / "half/images/MOS74.jpg") as half:
        assert half.size == (40, 28)
        small = np.asarray(Image.fromarray(pixels).resize((40, 28), Image.Resampling.LANCZOS))
        apart = np.abs(np.asarray(half).astype(int) - small)
        assert apart.mean() < 5  # halved colours would differ by 20
    (source / "MOS74.txt").write_text("0 0.5 0.5 0.1\n")
    with pytest.raises(FailedItems, match="MOS74.txt, line 1: 4 numbers"):
        convert_kit_ais(source, tmp_path / "other", **OPTIONS)
    (source / "MOS74.txt").unlink()
    with pytest.raises(UserError, match="no label file of MOS74; SOURCE is a copy of"):
        convert_kit_ais(source, tmp_path / "other", **OPTIONS)


def put_sirst(images, masks, name, at):
    for folder in (images, masks):
        folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30, 20)).save(images / f"{name}.png")
    mask = np.zeros((20, 30), np.uint8)
    if at:
        mask[at[1] : at[1] + 2, at[0] : at[0] + 3] = 255
    Image.fromarray(mask).save(masks / f"{name}_pixels0.png")


def test_sirst(tmp_path):
    source = tmp_path / "open-sirst-v2"
    xml = source / "annotations/bboxes"
    xml.mkdir(parents=True)
    (source / "splits").mkdir()
    for name, at in (("Misc_1", (4, 5)), ("Misc_2", (7, 1)), ("S_1", (0, 0)), ("sky", None)):
        put_sirst(source / "images/all", source / "annotations/masks", name, at)
        x, y = at or (0, 0)
        wrong = name == "Misc_2"
        sides = (x + 1 + wrong, y + 1, x + 4, y + 3)
        keys = ("xmin", "ymin", "xmax", "ymax")
        inner = "".join(f"<{k}>{v}</{k}>" for k, v in zip(keys, sides, strict=True))
        inner = f"<bndbox>{inner}</bndbox>" if at else "<pixels><id>0</id></pixels>"
        text = f"<annotation><object><name>Target</name>{inner}</object></annotation>"
        (xml / f"{name}.xml").write_text(text)
    lists = {
        "train_full": "Misc_1\nsky\n",
        "val_full": "Misc_2\n",
        "test_full": "S_1\n",
        "train_v1": "Misc_2\n",
        "val_v1": "Misc_1\n",
        "test_v1": "Misc_1\n",
    }
    for name, text in lists.items():
        (source / f"splits/{name}.txt").write_text(text)
    files = convert_sirst(source, tmp_path / "out", **OPTIONS)
    assert [file.name for file in files] == [
        *("train.json", "val.json", "test.json", "v1_train.json", "v1_val.json", "v1_test.json")
    ]
    found, data = boxes_of(files[0])
    assert found == [("Misc_1.png", 4, 5, 3, 2)] and data["info"]["notes"] == {NO_TARGET: 1}
    found, data = boxes_of(files[1])
    assert found == [("Misc_2.png", 7, 1, 3, 2)] and data["info"]["notes"] == {OTHER_XML: 1}
    assert [i["v1"] for i in data["images"] + boxes_of(files[2])[1]["images"]] == [True, False]
    assert sorted(path.name for path in (tmp_path / "out/images").iterdir()) == [
        *("Misc_1.png", "Misc_2.png", "S_1.png")
    ]
    (source / "annotations/masks/S_1_pixels0.png").unlink()
    with pytest.raises(UserError, match=r"test_full.txt, line 1: no mask .*S_1_pixels0.png; fetch"):
        convert_sirst(source, tmp_path / "other", **OPTIONS)


def test_sirst_version_1(tmp_path):
    source = tmp_path / "sirst"
    put_sirst(source / "images", source / "masks", "Misc_1", (4, 5))
    (source / "idx_427").mkdir()
    for split in ("train", "val", "test"):
        (source / f"idx_427/{split}.txt").write_text("Misc_1\n")
    files = convert_sirst(source, tmp_path / "out", **OPTIONS)
    assert [file.name for file in files] == ["v1_train.json", "v1_val.json", "v1_test.json"]
    assert boxes_of(files[0])[0] == [("Misc_1.png", 4, 5, 3, 2)]
    with pytest.raises(UserError, match=r"neither splits/ .*nor idx_427/"):
        convert_sirst(tmp_path, tmp_path / "other", **OPTIONS)
