"""Data of one's own is found in the layouts that people have it in."""

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d2freq.data.own import find_own_data
from d2freq.data.own.coco_layout import find_coco, find_images, purpose_of
from d2freq.errors import DatasetError, UserError


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 50, 3), 90, np.uint8)).save(path)


def coco(path: Path, names: list[str], *, classes: tuple[str, ...] = ("boat", "buoy")) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"id": i, "file_name": n, "width": 50, "height": 40} for i, n in enumerate(names, 1)]
    boxes = [
        {"id": i, "image_id": i, "category_id": 7, "bbox": [3, 4, 9, 8], "area": 72, "iscrowd": 0}
        for i in range(1, len(names) + 1)
    ]
    # ids out of order: the order of names is that of ids
    categories = [{"id": 9 - 2 * i, "name": name} for i, name in enumerate(classes)]
    data = {"images": images, "annotations": boxes, "categories": categories}
    path.write_text(json.dumps(data), encoding="utf-8")


def yolo(root: Path, images: str, labels: str, count: int = 2) -> None:
    for number in range(count):
        picture(root / images / f"{number}.png")
        (root / labels).mkdir(parents=True, exist_ok=True)
        (root / labels / f"{number}.txt").write_text("0 0.5 0.5 0.2 0.2\n", encoding="utf-8")


LAYOUTS = {
    # train file, val file, folder of train images, folder of val images
    "files beside images": ("train.json", "val.json", "images", "images"),
    "coco": (
        *("annotations/instances_train2017.json", "annotations/instances_val2017.json"),
        *("train2017", "val2017"),
    ),
    "roboflow": (
        *("train/_annotations.coco.json", "valid/_annotations.coco.json"),
        *("train", "valid"),
    ),
    "images by split": (
        "annotations/train.json",
        "annotations/val.json",
        "images/train",
        "images/val",
    ),
    "cvat": (
        "a/instances_Train.json",
        "a/instances_Validation.json",
        "images/Train",
        "images/Validation",
    ),
    "images below the split": (
        "train/labels.json",
        "val/labels.json",
        "train/images",
        "val/images",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_coco(layout, tmp_path):
    train, val, train_images, val_images = LAYOUTS[layout]
    root = tmp_path / "mine"
    coco(root / train, ["a.png", "b.png"])
    coco(root / val, ["c.png"])
    for folder, name in ((train_images, "a"), (train_images, "b"), (val_images, "c")):
        picture(root / folder / f"{name}.png")
    found = find_own_data(root, work=tmp_path / "work")
    assert found.train == (root / train, root / train_images)
    assert found.val == (root / val, root / val_images)
    assert found.classes == ["buoy", "boat"]  # ids 7 and 9
    assert not found.notes
    assert not (tmp_path / "work").exists()


YAMLS = {
    "ultralytics": ("path: .\ntrain: images/train\nval: images/val\n", "images/{}", "labels/{}"),
    "roboflow": ("train: ../train/images\nval: ../val/images\n", "{}/images", "{}/labels"),
    "bare": ("train: train/images\nval: val/images\n", "{}/images", "{}/labels"),
    "side by side": ("train: train\nval: val\n", "{}", "{}"),
    "valid": ("train: images/train\nvalid: images/val\n", "images/{}", "labels/{}"),
}


@pytest.mark.parametrize("layout", YAMLS)
@pytest.mark.parametrize("by_file", [True, False])
def test_layouts_of_yolo(layout, by_file, tmp_path):
    text, images, labels = YAMLS[layout]
    root = tmp_path / "mine"
    for split, count in (("train", 3), ("val", 2)):
        yolo(root, images.format(split), labels.format(split), count)
    (root / "data.yaml").write_text(f"{text}names: [boat, buoy]\n", encoding="utf-8")
    found = find_own_data(root / "data.yaml" if by_file else root, work=tmp_path / "work")
    for split, name, count in ((found.train, "train", 3), (found.val, "val", 2)):
        data = json.loads(split.json_file.read_text(encoding="utf-8"))
        assert [len(data["images"]), len(data["annotations"])] == [count, count]
        assert split.json_file == tmp_path / "work" / f"{name}.json"
        assert all((split.images / image["file_name"]).is_file() for image in data["images"])
    assert found.classes == ["boat", "buoy"]


def test_data_in_one_part_is_split_the_same_way_each_time(tmp_path):
    names = [f"{number}.png" for number in range(20)]
    coco(tmp_path / "all.json", names)
    for name in names:
        picture(tmp_path / name)
    parts = []
    for work in ("one", "two"):
        found = find_own_data(tmp_path / "all.json", work=tmp_path / work)
        parts.append([json.loads(s.json_file.read_text()) for s in (found.train, found.val)])
        assert "one image in five" in found.notes[0]
    assert parts[0] == parts[1]
    train, val = parts[0]
    assert (len(train["images"]), len(val["images"])) == (16, 4)
    files = [image["file_name"] for part in parts[0] for image in part["images"]]
    assert sorted(files) == sorted(names)
    for part in parts[0]:
        assert {a["image_id"] for a in part["annotations"]} == {i["id"] for i in part["images"]}


def test_two_places_and_images_elsewhere(tmp_path):
    coco(tmp_path / "labels/one.json", ["a.png"])
    coco(tmp_path / "labels/two.json", ["b.png"])
    picture(tmp_path / "far/a.png")
    picture(tmp_path / "away/b.png")
    found = find_own_data(
        tmp_path / "labels/one.json",
        tmp_path / "labels/two.json",
        images=tmp_path / "far",
        val_images=tmp_path / "away",
        work=tmp_path / "work",
    )
    assert found.train.images == tmp_path / "far"
    assert found.val.images == tmp_path / "away"


def test_test_data_measures_where_there_is_no_validation_data(tmp_path):
    for split in ("train", "test"):
        coco(tmp_path / f"{split}.json", ["a.png"])
    picture(tmp_path / "a.png")
    found = find_own_data(tmp_path, work=tmp_path / "work")
    assert found.val.json_file == tmp_path / "test.json"
    assert "test data measures" in found.notes[0]


def test_instances_go_before_captions(tmp_path):
    for name in ("captions_train.json", "instances_train.json", "instances_val.json"):
        coco(tmp_path / "annotations" / name, ["a.png"])
    picture(tmp_path / "a.png")
    found = find_own_data(tmp_path, work=tmp_path / "work")
    assert found.train.json_file.name == "instances_train.json"


def both_train(root: Path) -> None:
    coco(root / "train_1.json", ["a.png"])
    coco(root / "train_2.json", ["a.png"])


def val_alone(root: Path) -> None:
    coco(root / "val.json", ["a.png"])
    picture(root / "a.png")


def no_images(root: Path) -> None:
    coco(root / "train.json", ["a.png"])


def one_image(root: Path) -> None:
    coco(root / "all.json", ["a.png"])
    picture(root / "a.png")


def no_train_in_yaml(root: Path) -> None:
    root.joinpath("data.yaml").write_text("names: [boat]\n", encoding="utf-8")


def yaml_of_nowhere(root: Path) -> None:
    root.joinpath("data.yaml").write_text("train: images/train\nnames: [a]\n", encoding="utf-8")


def yaml_of_a_list(root: Path) -> None:
    root.joinpath("data.yaml").write_text("train: train.txt\nnames: [a]\n", encoding="utf-8")


def no_categories(root: Path) -> None:
    for name in ("train", "val"):
        coco(root / f"{name}.json", ["a.png"], classes=())
    picture(root / "a.png")


def broken(root: Path) -> None:
    root.joinpath("train.json").write_text('{"images": [], "annotations": [{"id"', encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (both_train, "two COCO files for train"),
        (val_alone, "data for val alone"),
        (no_images, "say where the images are: --images"),
        (one_image, "1 images"),
        (no_train_in_yaml, "no 'train' in it"),
        (yaml_of_nowhere, "images/train: no such folder or list"),
        (yaml_of_a_list, "train.txt: no such folder or list"),
        (no_categories, "no categories"),
        (broken, "cut off"),
        (lambda root: None, "no COCO file and no YOLO data.yaml"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_not_found_is_said_with_the_cure(make, words, tmp_path):
    root = tmp_path / "mine"
    root.mkdir()
    make(root)
    with pytest.raises((UserError, DatasetError), match=words):
        find_own_data(root, work=tmp_path / "work")


@pytest.mark.parametrize("name", ["{}.json", "{}.json.gz"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig", "gzip"])
def test_coco_files_of_every_encoding_are_found(name, encoding, tmp_path):
    for split in ("train", "val"):
        file = tmp_path / f"{split}.json"
        coco(file, ["a.png"])
        text = file.read_text(encoding="utf-8")
        file.unlink()
        content = gzip.compress(text.encode()) if encoding == "gzip" else text.encode(encoding)
        (tmp_path / name.format(split)).write_bytes(content)
    picture(tmp_path / "a.png")
    found = find_own_data(tmp_path, work=tmp_path / "work")
    assert found.train.json_file.name == name.format("train") and found.classes == ["buoy", "boat"]
    single = find_own_data(found.train.json_file, found.val.json_file, work=tmp_path / "work")
    assert single.train == found.train


@pytest.mark.parametrize("image_id", ["1", 99, [1], None])
def test_no_box_gets_lost_where_data_is_split(image_id, tmp_path):
    names = [f"{n}.png" for n in range(5)]
    coco(tmp_path / "all.json", names)
    picture(tmp_path / "0.png")
    data = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    data["annotations"][2]["image_id"] = image_id
    (tmp_path / "all.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(DatasetError, match="annotation 3 of image"):
        find_own_data(tmp_path / "all.json", work=tmp_path / "work")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("wrong", [3, "text", {"a": 1}, [3]])
def test_sections_of_another_kind_are_named(wrong, tmp_path):
    coco(tmp_path / "all.json", ["a.png", "b.png"])
    data = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    (tmp_path / "all.json").write_text(json.dumps({**data, "images": wrong}), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"all\.json: "):
        find_own_data(tmp_path / "all.json", work=tmp_path / "work")


def test_images_whose_names_have_other_folders_are_told(tmp_path):
    coco(tmp_path / "train.json", [r"images\a.png"])
    picture(tmp_path / "images/a.png")
    with pytest.raises(UserError, match=r"as a\.png: d2freq validate .* --fix OUT\.json"):
        find_own_data(tmp_path, work=tmp_path / "work")


YAML_PARTS = {
    "two folders": ("train: [images/a, images/b]\nval: images/c\n", "utf-8", (4, 2)),
    "lists of images": ("train: train.txt\nval: [images/b, images/c]\n", "utf-8", (1, 4)),
    "utf-16": ("train: images/a\nvalidation: images/b\n", "utf-16", (2, 2)),
}


@pytest.mark.parametrize("case", YAML_PARTS)
def test_yolo_is_found_as_convert_finds_it(case, tmp_path):
    text, encoding, counts = YAML_PARTS[case]
    for folder in "abc":
        yolo(tmp_path, f"images/{folder}", f"labels/{folder}")
    (tmp_path / "train.txt").write_text("./images/a/1.png\n", encoding="utf-8")
    (tmp_path / "data.yaml").write_bytes(f"{text}names: [no, yes]\n".encode(encoding))
    found = find_own_data(tmp_path, work=tmp_path / "work")
    for split, count in zip((found.train, found.val), counts, strict=True):
        images = json.loads(split.json_file.read_text(encoding="utf-8"))["images"]
        assert len(images) == count
        assert all((split.images / image["file_name"]).is_file() for image in images)
    assert found.classes == ["no", "yes"]


def test_a_place_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="--val-data"):
        find_own_data(tmp_path, tmp_path / "nowhere", work=tmp_path)
    with pytest.raises(UserError, match="--data .*no such file"):
        find_own_data(tmp_path / "nowhere", work=tmp_path)
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="neither a COCO file"):
        find_own_data(tmp_path / "notes.txt", work=tmp_path)


def test_files_of_another_kind_are_passed_over(tmp_path):
    picture(tmp_path / "images/a.png")
    coco(tmp_path / "train.json", ["a.png"])
    coco(tmp_path / "val.json", ["a.png"])
    with zipfile.ZipFile(tmp_path / "archive.json", "w") as archive:
        archive.writestr("train.json", "{}")
    (tmp_path / "settings.json").write_text('{"colour": "red"}')
    (tmp_path / "categories.json").write_text('{"categories": []}')
    found = find_coco(tmp_path)
    assert {key: path.name for key, path in found.items()} == {
        "train": "train.json",
        "val": "val.json",
    }


def test_lists_longer_than_what_is_looked_at(tmp_path):
    coco(tmp_path / "train.json", [f"{'x' * 200}{n}.png" for n in range(4500)])
    text = (tmp_path / "train.json").read_text()
    assert '"annotations"' not in text[: 1 << 20]
    (tmp_path / "val.json").write_text('{"images": [}')  # its reader says what is wrong
    assert find_coco(tmp_path).keys() == {"train", "val"}


def test_what_a_path_is_for():
    for path, purpose in (
        ("train_val.json", ""),
        ("training/labels.json", "train"),
        ("train/labels/instances_for_dev.json", "val"),
        ("labels.json", ""),
    ):
        assert purpose_of(Path(path)) == purpose


def test_the_only_folder_beside_the_file_that_holds_the_images_is_theirs(tmp_path):
    for name in ("a.png", "b.png"):
        picture(tmp_path / "aerial" / name)
    (tmp_path / "other").mkdir()
    coco(tmp_path / "all.json", ["a.png", "b.png"])
    assert find_images(tmp_path / "all.json") == tmp_path / "aerial"
    picture(tmp_path / "other" / "b.png")  # two could be meant
    with pytest.raises(UserError, match="say where the images are"):
        find_images(tmp_path / "all.json")
