"""d2freq detect: from pictures and an output folder to files, and one line for what is wrong."""

import argparse
import ast
import contextlib
import io
import json
import multiprocessing
import os
import re
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d2freq.cli import main
from d2freq.commands import detect as command
from d2freq.data.tiles.geometry import windows
from d2freq.inference import Detector
from d2freq.inference.detect import DetectOptions
from d2freq.utils.lock import FolderLock
from tests.d2freq.inference.conftest import (  # noqa: F401  fixtures of the folder of inference
    NAMES,
    run_folder,
    small_config,
    write_run,
)

FIELDS = set(DetectOptions.__dataclass_fields__)


@pytest.fixture
def pictures(tmp_path):
    """Two pictures of noise, 120 x 96 and 64 x 64."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, (height, width) in {"a.png": (96, 120), "b.png": (64, 64)}.items():
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


@pytest.fixture
def detect(run_folder, tmp_path, capsys):  # noqa: F811
    """A function from words to (exit code, stdout, stderr) of a run into tmp_path/out."""

    def run(*words, weights=run_folder):
        options = ["--weights", str(weights), "--output", str(tmp_path / "out"), "--score", "0"]
        code = main(["detect", *options, *map(str, words)])
        captured = capsys.readouterr()
        errors = [line for line in captured.err.splitlines() if line.startswith("d2freq:")]
        return code, captured.out, errors

    return run


def read(path):
    return json.loads(path.read_text())


def test_a_folder_and_an_output_folder_are_enough(detect, pictures, run_folder, tmp_path):  # noqa: F811
    code, out, errors = detect(pictures, "--tile", "none")
    assert code == 0 and not errors
    assert "5 classes: vehicle, ship" in out and "searched as a whole" in out
    found = read(tmp_path / "out/detections.json")
    detector = Detector.load(run_folder)
    for image_id, name in ((1, "a.png"), (2, "b.png")):
        expected = detector(pictures / name, tile="none")
        own = [row for row in found if row["image_id"] == image_id]
        xywh = np.array([row["bbox"] for row in own])
        corners = np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])
        order = np.argsort([-row["score"] for row in own], kind="stable")
        assert np.abs(corners[order] - expected.boxes).max() < 0.01
    coco = read(tmp_path / "out/detections_coco.json")
    assert [c["name"] for c in coco["categories"]] == NAMES
    assert str(tmp_path / "out/detections.csv") in out
    assert "<html" in (tmp_path / "out/report.html").read_text(encoding="utf-8")[:200]
    assert len(list((tmp_path / "out/pictures").iterdir())) == 2
    assert not (tmp_path / "out/run.parts").exists()


def test_tiles_are_chosen_and_said(detect, pictures, tmp_path):
    code, out, _ = detect(pictures)
    assert code == 0 and "tiles of 512 x 512 px (trained on crops of 192 x 192" in out
    assert "99 of 100 objects are at most 28 px long" in out and "2 pictures, 2 tiles" in out
    # sources may stand behind the two numbers of --tile
    code, out, _ = detect("--overwrite", "--tile", "64", "64", pictures, "--overlap", "0.25")
    count = sum(len(windows(size, (64, 64), (16, 16))) for size in ((120, 96), (64, 64)))
    assert code == 0 and f"2 pictures, {count} tiles" in out


def test_classes_scores_and_formats_are_chosen(detect, pictures, tmp_path):
    code, out, _ = detect(pictures, "--classes", "ship,person", "--format", "csv")
    assert code == 0 and not (tmp_path / "out/detections.json").exists()
    text = (tmp_path / "out/detections.csv").read_text()
    assert "vehicle" not in text and ("ship" in text or "person" in text)


def test_a_coco_file_gives_its_ids(detect, pictures, tmp_path):
    """And its boxes say how large objects are; results can be evaluated against it."""
    kinds = [{"id": 10 + n, "name": name} for n, name in enumerate(reversed(NAMES))]
    images = [{"id": 77, "file_name": "b.png", "width": 64, "height": 64}]
    box = {"id": 1, "image_id": 77, "category_id": 10, "bbox": [5, 5, 9, 7], "area": 63}
    content = {"images": images, "annotations": [box | {"iscrowd": 0}], "categories": kinds}
    (tmp_path / "gt.json").write_text(json.dumps(content))
    code, out, _ = detect(tmp_path / "gt.json", "--images", pictures)
    assert code == 0 and "at most 9 px long" in out
    found = read(tmp_path / "out/detections.json")
    assert {row["image_id"] for row in found} == {77}
    assert {row["category_id"] for row in found} <= {10, 11, 12, 13, 14}
    assert main(["evaluate", str(tmp_path / "gt.json"), str(tmp_path / "out/detections.json")]) == 0


def test_detections_given_back_as_a_source_judge_nothing(detect, pictures, tmp_path, caplog):
    """The file has pictures, classes and boxes as ground truth has, but its boxes have scores."""
    options = ["--images", pictures, "--format"]
    assert detect(pictures, "--score", "0", "--format", "coco")[0] == 0
    found = tmp_path / "out/detections_coco.json"
    again = found.rename(tmp_path / "again.json")
    assert json.loads(again.read_text())["annotations"]
    assert detect(again, *options, "report", "--overwrite", "--score", "0.4")[0] == 0
    assert "they are detections, no truth" in caplog.text
    page = tmp_path / "out/report.html"
    assert judged(page) is None
    data = re.search('id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert json.loads(data[1])["least"] == 0.4  # where the slider begins


def judged(page: Path) -> list[list]:
    """Rows [class, hundredth, size, number] of a report's objects; None without ground truth."""
    data = re.search('id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(data[1]).get("truth", {}).get("objects")


@pytest.mark.parametrize(
    ("kinds", "words", "counted"),
    [
        (NAMES, [], {0: 1, 1: 2}),
        (NAMES, ["--classes", "ship"], {1: 2}),  # what nobody searched for is no miss
        (NAMES, ["--classes", "person"], None),
        ([*NAMES, "buoy"], [], {0: 1, 1: 2}),
        (NAMES[1:], [], None),
    ],
)
def test_a_coco_files_boxes_judge_what_was_searched_for(
    kinds, words, counted, detect, pictures, tmp_path
):
    """Whatever categories it has beside the model's; a run does not end on them."""
    categories = [{"id": 10 + n, "name": name} for n, name in enumerate(kinds)]
    boxes = [
        {"id": n, "image_id": 7, "category_id": kind, "bbox": [5, 5, 9, 7], "area": 63}
        for n, kind in enumerate([10, 11, 11, categories[-1]["id"]][: 3 + (len(kinds) > 5)])
    ]
    images = [{"id": 7, "file_name": "b.png", "width": 64, "height": 64}]
    content = {"images": images, "annotations": boxes, "categories": categories}
    (tmp_path / "gt.json").write_text(json.dumps(content))
    options = ["--images", pictures, "--format", "report", *words]
    assert detect(tmp_path / "gt.json", *options)[0] == 0
    objects = judged(tmp_path / "out/report.html")
    assert (objects and {row[0]: row[3] for row in objects}) == counted


@pytest.mark.parametrize(
    "fault",
    [
        {"categories": [{"id": "x", "name": "ship"}]},
        {"categories": [{"id": 1}]},
        {"annotations": None},
        {"annotations": [3]},
    ],
)
def test_a_faulty_coco_file_is_one_line(fault, detect, pictures, tmp_path):
    images = [{"id": 7, "file_name": "b.png", "width": 64, "height": 64}]
    (tmp_path / "gt.json").write_text(json.dumps({"images": images} | fault))
    code, _, errors = detect(tmp_path / "gt.json", "--images", pictures)
    assert code == 2 and len(errors) == 1 and f"{next(iter(fault))}[0] is" in errors[0]


def test_a_broken_picture_is_reported_and_the_exit_code_is_2(detect, pictures, tmp_path):
    (pictures / "a.png").write_bytes(b"broken")
    code, out, errors = detect(pictures)
    assert code == 2 and len(errors) == 1 and errors[0].startswith("d2freq: a.png: ")
    assert "1 picture, 1 tile: " in out and "; 1 picture failed" in out
    assert {row["image_id"] for row in read(tmp_path / "out/detections.json")} == {2}


def test_small_pictures_and_further_pages_are_said(detect, pictures, tmp_path):
    for name, size in {"dot.png": (1, 1), "line 1.png": (1, 2000), "Ä/x.png": (70, 50)}.items():
        (pictures / name).parent.mkdir(exist_ok=True)
        Image.effect_noise(size, 50).convert("RGB").save(pictures / name)
    pages = [Image.effect_noise((64, 64), 50) for _ in range(3)]
    for name in ("film.gif", "pages.tif"):
        pages[0].save(pictures / name, save_all=True, append_images=pages[1:])
    code, out, errors = detect(pictures)
    assert code == 2 and len(errors) == 2 and "5 pictures, " in out and "; 2 pictures failed" in out
    assert [line.split(": ")[1] for line in errors] == ["dot.png", "line 1.png"]
    assert all("too small" in line or "stride" in line for line in errors), errors
    assert "film.gif holds 3 pictures, and 1 other file like it: the first alone is searched" in out
    names = [image["file_name"] for image in read(tmp_path / "out/detections_coco.json")["images"]]
    assert "Ä/x.png" in names and len(names) >= 5


def test_a_geotiff_without_a_crs_is_said_once(detect, tmp_path):
    for name in "ab":
        pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.tif")
    code, out, _ = detect(tmp_path / "a.tif", tmp_path / "b.tif")
    assert code == 0 and out.count("no CRS") == 1 and "2 pictures do not say where" in out


def test_a_geotiff_gives_its_place(detect, run_folder, tmp_path):  # noqa: F811
    """From the file through windows to GeoJSON: corners to a millionth of a pixel."""
    rasterio = pytest.importorskip("rasterio")
    place = rasterio.transform.Affine(0.25, 0.01, 400_000.0, 0.02, -0.25, 5_600_000.0)
    bands = np.random.default_rng(0).integers(1, 256, (3, 150, 190), dtype=np.uint8)
    with rasterio.open(
        tmp_path / "a.tif",
        "w",
        driver="GTiff",
        width=190,
        height=150,
        count=3,
        dtype="uint8",
        crs="EPSG:32632",
        transform=place,
    ) as data:
        data.write(bands)
    code, out, _ = detect(tmp_path / "a.tif", "--tile", "64", "64", "--overlap", "16")
    assert code == 0 and "no CRS" not in out
    boxes = Detector.load(run_folder)(tmp_path / "a.tif", tile=(64, 64), overlap=16).boxes
    (file,) = [path for path in (tmp_path / "out").rglob("*.geojson") if "32632" in path.name]
    features = read(file)["features"]
    assert len(features) == len(boxes) > 20
    for box, feature in zip(boxes, features, strict=True):
        ring = np.array(feature["geometry"]["coordinates"][0])[:, :2]
        pixels = np.array([~place @ tuple(point) for point in ring.tolist()])
        low, high = pixels.min(0), pixels.max(0)
        # the place is oblique, so that the box is a parallelogram there
        assert np.abs(np.hstack([low, high]) - box).max() < 1e-6


def test_scores_below_the_models_own_are_said(detect, pictures, small_config, tmp_path):  # noqa: F811
    config = small_config(**{"MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.05})
    _, out, _ = detect(pictures, weights=write_run(tmp_path / "run", config))
    assert "the model itself drops scores below 0.05" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gone"], "gone: no such picture, folder or list"),
        ([], "no source"),
        (["EMPTY"], "no picture in"),
        (["PICTURES", "--tile", "big"], "--tile big: auto, none, or a width and a height"),
        (["PICTURES", "--tile", "0", "64"], "at least one pixel"),
        (["PICTURES", "--tile", "64", "64", "--overlap", "64"], "--overlap 64: a share"),
        (["PICTURES", "--merge", "best"], "'best' is unknown; choose one of nms, weighted, soft"),
        (["PICTURES", "--merge-iou", "2"], "2.0 is no overlap"),
        (["PICTURES", "--classes", "shp"], "knows no 'shp'; did you mean ship?"),
        (["PICTURES", "--format", "docx"], "--format: 'docx' is unknown; choose one of coco"),
        (["PICTURES", "--batch", "0"], "--batch 0"),
        (["PICTURES", "--limit", "-1"], "--limit -1"),
        (["PICTURES", "--score", "7"], "--score 7"),
        (["PICTURES", "--engine", "tensorrt"], "'tensorrt' is unknown; choose one of torch, "),
        (["PICTURES", "--device", "gpu"], "--device gpu: torch knows no such device"),
        (["PICTURES", "--device", "cuda:99"], "--device cuda:99: torch sees "),
        (["PICTURES", "--opts", "MODEL.DEVICE", "gpu"], "MODEL.DEVICE gpu: torch knows no such"),
        (["PICTURES", "--classes", ""], "--classes names no class"),
        (["PICTURES", "--format", ","], "--format names no format"),
        (["PICTURES", "--weights", "m.onnx", "--opts", "MODEL.DEVICE", "cpu"], "has no config"),
        (["PICTURES", "--weights", "m.xml", "--half"], "computes as it was written"),
        (["PICTURES", "--config-file", "gone.yaml"], "gone.yaml"),
        (["PICTURES", "--opts", "MODEL.RPN.NMS_TRESH", "0.5"], "MODEL.RPN.NMS_THRESH"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(words, message, pictures, detect, tmp_path):
    (tmp_path / "empty").mkdir()
    named = {"PICTURES": str(pictures), "EMPTY": str(tmp_path / "empty")}
    words = [named.get(word, word) for word in words]
    code, _, errors = detect(*words)
    assert code == 2 and len(errors) == 1 and message in errors[0]
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_two_runs_into_one_folder(detect, pictures, tmp_path, monkeypatch):
    """The lock is another process's, by its number; a finished run is kept."""
    lock = FolderLock(tmp_path / "out", "detecting").acquire()
    content = json.loads(lock.path.read_text())
    content |= {"pid": os.getppid(), "process": "", "token": "another"}
    monkeypatch.setattr("d2freq.utils.lock._process_start", lambda pid: "")
    lock.path.write_text(json.dumps(content))
    monkeypatch.setattr(Detector, "load", None)  # nothing is loaded for a folder that is taken
    code, _, errors = detect(pictures)
    assert code == 2 and len(errors) == 1 and "is at work in this folder" in errors[0]
    monkeypatch.undo()
    lock.path.unlink()
    assert detect(pictures)[0] == 0
    code, _, errors = detect(pictures)
    assert code == 2 and "finished run, which stays as it is: name another folder" in errors[0]
    code, out, _ = detect(pictures, "--resume")
    assert code == 0 and "nothing is left to do" in out


def _run_with_little_room(words, errors) -> None:
    """A limit on the size of files stands for a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main(words)
    errors.put((code, said.getvalue()))


def test_a_full_disk_leaves_nothing_half_written(pictures, run_folder, tmp_path):  # noqa: F811
    words = ["detect", str(pictures), "--weights", str(run_folder)]
    words += ["--output", str(tmp_path / "out"), "--score", "0", "--tile", "32", "32"]
    context = multiprocessing.get_context("fork")
    errors = context.SimpleQueue()
    process = context.Process(target=_run_with_little_room, args=(words, errors))
    process.start()
    code, said = errors.get()
    process.join()
    lines = [line for line in said.splitlines() if line.startswith("d2freq:")]
    assert code == 2 and len(lines) == 1, said
    assert "make room there, and the same command with --resume goes on" in lines[0]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"run.parts"}
    assert main([*words, "--resume"]) == 0 and (tmp_path / "out/detections.json").is_file()


def test_options_and_help_need_nothing_of_inference():
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    options = set(vars(parser.parse_args(["a.png", "--tile", "none"])))
    assert options - {"run", "check", "opts", "more_sources"} == FIELDS - {"overrides"}
    tree = ast.parse(Path(command.__file__).read_text(encoding="utf-8"))
    imported = {n.module for n in tree.body if isinstance(n, ast.ImportFrom)}
    imported |= {a.name for n in tree.body if isinstance(n, ast.Import) for a in n.names}
    own = {"d2freq.utils.output", "d2freq.utils.present"}
    assert imported <= {"argparse", "sys", "typing", *own}
