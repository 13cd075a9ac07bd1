"""Folders of images by name: records, what is left out and said, and what is refused."""

import os

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog, get_detection_dataset_dicts
from PIL import Image

from d2freq.data import register_image_folder
from d2freq.data.image_folders.mapper import ImageMapper
from d2freq.errors import DatasetError, UserError


def test_records_are_numbered_by_the_order_of_the_folders(colours):
    (colours / "train/.cache").mkdir()
    records = get_detection_dataset_dicts("imagenet_train", filter_empty=False)
    assert [r["image_id"] for r in records] == [
        f"{name}/{n}.png" for name in ("blue", "green", "red") for n in (0, 1)
    ]
    assert [r["label"] for r in records] == [0, 0, 1, 1, 2, 2]
    assert all(os.path.isfile(r["file_name"]) for r in records)
    assert MetadataCatalog.get("imagenet_train").thing_classes == ["blue", "green", "red"]


def test_what_is_no_image_is_left_out_and_said(colours, caplog):
    (colours / "val/red/notes.txt").write_text("no image")
    (colours / "val/red/deeper").mkdir()
    (colours / "val/red/1.png").rename(colours / "val/red/1.JPEG")  # as ImageNet's are named
    assert len(DatasetCatalog.get("imagenet_val")) == 6
    (said,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "2 entries" in said and "deeper" in said


def test_faulty_folders_are_named_with_the_cure(data_root, colours, monkeypatch):
    def refused(*words: str) -> None:
        with pytest.raises(DatasetError) as error:
            DatasetCatalog.get("imagenet_val")
        assert all(word in str(error.value) for word in words), error.value

    (colours / "val/empty").mkdir()
    refused(str(colours / "val/empty"), "remove the folder")
    for path in (colours / "val").rglob("*.png"):
        path.rename(colours / "val" / f"{path.parent.name}{path.name}")
    for path in (colours / "val").iterdir():
        if path.is_dir():
            path.rmdir()
    refused("6 images but no folder", "one folder a class", str(colours / "val"))
    (colours / "val").rename(colours / "elsewhere")
    refused(str(colours / "val"), "not found", "$DETECTRON2_DATASETS", str(data_root))

    def locked(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", locked)  # root reads everything
    refused("Permission denied", "chmod", str(colours / "val"))


def test_a_folder_of_ones_own(colours):
    name = "my_colours"
    try:
        for _ in range(2):  # a lazy config is read more than once
            register_image_folder(name, colours / "train")
        assert len(DatasetCatalog.get(name)) == 6
        assert MetadataCatalog.get(name).folder == str(colours / "train")
        with pytest.raises(UserError, match="another name"):
            register_image_folder(name, colours / "val")
    finally:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def test_evaluation_cuts_the_middle_of_the_resized_image(tmp_path):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = (9, 99, 199)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    record = {"file_name": str(tmp_path / "image.png"), "image_id": "a", "label": 1}
    for order in ("RGB", "BGR"):
        found = ImageMapper(False, crop=12, resize=20, image_format=order)(record)
        assert found["image"].shape == (3, 12, 12) and found["image"].dtype == torch.uint8
        expected = (9, 99, 199) if order == "RGB" else (199, 99, 9)
        assert [plane.unique().tolist() for plane in found["image"]] == [[v] for v in expected]
        assert (found["image_id"], found["label"]) == ("a", 1)


def test_training_draws_part_and_flip_from_torch(tmp_path):
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8)[None, :, None] * 3, (64, 64, 3))
    Image.fromarray(np.ascontiguousarray(ramp)).save(tmp_path / "image.png")
    record = {"file_name": str(tmp_path / "image.png")}
    mapper = ImageMapper(True, crop=16, area=(0.25, 0.5))
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        found.append(torch.stack([mapper(record)["image"] for _ in range(12)]).float())
    assert torch.equal(*found)
    slopes = found[0][:, 0, 8, -1] - found[0][:, 0, 8, 0]
    assert (slopes > 0).any() and (slopes < 0).any()  # flipped or not
    # an area of 1/4 to 1/2 at ratios of 3/4 to 4/3 is 0.43 to 0.82 of the width
    assert (slopes.abs() > 0.3 * 189).all() and (slopes.abs() < 0.85 * 189).all()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"crop": 0}, "CROP"),
        ({"resize": 100}, "RESIZE_TEST"),
        ({"area": (0.5, 1.5)}, "AREA"),
        ({"area": (0.5,)}, "AREA"),
        ({"aspect": (0, 1)}, "ASPECT"),
        ({"flip": 1.5}, "FLIP"),
        ({"image_format": "L"}, "FORMAT"),
    ],
)
def test_wrong_numbers_are_refused(options, key):
    with pytest.raises(UserError, match=key):
        ImageMapper(False, **options)


def test_metadata_as_a_dict_has_what_is_looked_up(colours):
    found = MetadataCatalog.get("imagenet_train").as_dict()
    assert found["folder"] == str(colours / "train") and found["name"] == "imagenet_train"
    assert found["thing_classes"] == ["blue", "green", "red"]
    (colours / "train").rename(colours / "away")
    assert "thing_classes" not in MetadataCatalog.get("imagenet_train").as_dict()
