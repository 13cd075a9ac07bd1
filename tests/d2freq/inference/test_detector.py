"""Detector: from an output folder to boxes, whatever the picture comes as."""

import json
import logging
import shutil

import cv2
import numpy as np
import pytest
import torch
from detectron2.structures import Instances
from PIL import Image

from d2freq.cli import main
from d2freq.engine.config import load_config
from d2freq.errors import DatasetError, UserError
from d2freq.inference import Detections, Detector
from tests.d2freq.inference.blobs import BlobEngine, blob_picture
from tests.d2freq.inference.conftest import NAMES, ROOT, SMALL, write_run

# for other channels than three
RESNET = {"MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone"}


@pytest.fixture(scope="module")
def detector(run_folder):
    return Detector.load(run_folder)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (96, 120, 3), dtype=np.uint8)


def same(one: Detections, other: Detections, tolerance: float = 0.0) -> bool:
    return (
        len(one) == len(other) > 0
        and np.abs(one.boxes - other.boxes).max() <= tolerance
        and np.array_equal(one.classes, other.classes)
    )


def test_an_output_folder_is_enough(detector, pixels):
    found = detector(pixels)
    assert len(found) == 20 and detector.names == tuple(NAMES)
    assert found.boxes.dtype == found.scores.dtype == np.float64
    assert (np.diff(found.scores) <= 0).all() and found.labels[0] in NAMES
    assert (found.boxes[:, 2:] <= [120, 96]).all() and (found.boxes >= 0).all()


def test_it_finds_what_the_model_finds(detector, pixels):
    """The model is given what a test loader gives it."""
    image = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    with torch.no_grad():
        expected = detector.engine.model([{"image": image}])[0]["instances"]
    found = detector(pixels)
    assert np.array_equal(found.boxes, expected.pred_boxes.tensor.double().numpy())
    assert np.array_equal(found.classes, expected.pred_classes.numpy())


def test_paths_arrays_and_pictures_of_pillow_are_one(detector, pixels, tmp_path):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = detector(pixels)
    assert same(detector(str(tmp_path / "a.png")), expected)
    assert same(detector(Image.fromarray(pixels)), expected)
    several = detector([tmp_path / "a.png", pixels])
    assert len(several) == 2 and all(same(found, expected) for found in several)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_arrays_say_their_order_of_channels_whatever_the_models(
    order, small_config, pixels, tmp_path
):
    """A model of BGR finds other things in the colours exchanged, so a confusion shows."""
    folder = write_run(tmp_path / "run", small_config(**{"INPUT.FORMAT": order}))
    detector = Detector.load(folder)
    assert detector.about.channel_order == order
    cv2.imwrite(str(tmp_path / "a.png"), pixels[:, :, ::-1])
    from_file = detector(str(tmp_path / "a.png"))
    assert same(detector(pixels), from_file)
    assert same(detector(pixels, channel_order="RGB"), from_file)
    assert same(detector(cv2.imread(str(tmp_path / "a.png")), channel_order="BGR"), from_file)
    assert not same(detector(pixels, channel_order="BGR"), from_file, tolerance=1e-3)
    with pytest.raises(UserError, match="channel_order: 'rgb' is unknown; choose one of RGB, BGR"):
        detector(pixels, channel_order="rgb")


def test_the_lazy_config_of_a_run_is_read(pixels, tmp_path):
    words = ["model.backbone.out_channels=32", "model.roi_heads.num_classes=5"]
    source = str(ROOT / "configs/demo/faster_rcnn_R18_FPN_scenes.py")
    config = load_config(source, [*words, "train.device=cpu"])
    detector = Detector.load(write_run(tmp_path / "run", config))
    assert detector.about.crop == (192, 192) and detector.about.channel_order == "RGB"
    assert len(detector(pixels)) > 0


def test_a_set_model_is_its_detector(small_config, pixels, tmp_path):
    config = small_config(
        **{"MODEL.META_ARCHITECTURE": "SET", "MODEL.SET.DETECTOR": "GeneralizedRCNN"}
    )
    folder = write_run(tmp_path / "run", config)
    detector = Detector.load(folder)
    assert type(detector.engine.model).__name__ == "GeneralizedRCNN"
    expected = detector(pixels)
    # its checkpoint serves the plain config as well
    plain = write_run(tmp_path / "plain", small_config())
    assert same(Detector.load(plain / "config.yaml", folder)(pixels), expected)


def test_the_best_checkpoint_goes_first(run_folder, tmp_path, pixels):
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    state = torch.load(folder / "model_final.pth", weights_only=True)
    name = "roi_heads.box_predictor.cls_score.bias"
    state["model"][name] = state["model"][name] + torch.arange(6.0)
    torch.save(state, folder / "model_best.pth")
    best = Detector.load(folder)
    assert not same(best(pixels), Detector.load(run_folder)(pixels), tolerance=1e-3)
    torch.save(state, folder / "model_0000009.pth")
    (folder / "model_best.pth").unlink()
    (folder / "last_checkpoint").write_text("model_0000009.pth")
    assert same(Detector.load(folder)(pixels), best(pixels))


def test_config_and_weights_by_themselves(run_folder, pixels):
    config = str(ROOT / "configs/demo/faster_rcnn_R18_FPN_scenes.yaml")
    words = [str(word) for pair in SMALL.items() for word in pair]
    by_file = Detector.load(config, run_folder / "model_final.pth", overrides=words)
    assert same(by_file(pixels), Detector.load(weights=run_folder)(pixels))
    assert by_file.names == tuple(NAMES)  # from the weights' folder


def test_names_come_from_the_catalog_else_are_numbers(small_config, tmp_path, dataset, caplog):
    kinds = [{"id": 3 * n + 1, "name": f"kind {n}"} for n in range(5)]
    name = dataset({"images": [], "annotations": [], "categories": kinds})
    known = small_config(**{"DATASETS.TRAIN": f"('{name}',)"})
    assert Detector.load(write_run(tmp_path / "a", known, names=None)).names[4] == "kind 4"
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
    unknown = small_config(**{"DATASETS.TRAIN": "()", "DATASETS.TEST": "()"})
    assert Detector.load(write_run(tmp_path / "b", unknown, names=None)).names == tuple("01234")
    assert [r.message for r in caplog.records if "called by their numbers" in r.message]
    other = write_run(tmp_path / "c", unknown, names=["one", "two"])
    assert Detector.load(other).names == tuple("01234")
    assert "2 names are known of 5 classes" in caplog.text


def test_tiles_find_what_the_whole_picture_holds():
    pixels, boxes = blob_picture(300, 220)
    engine = BlobEngine()
    detector = Detector(engine)
    whole = detector(pixels, tile="none")
    assert len(whole) == len(boxes) and engine.batches == [1]
    tiled = detector(pixels, tile=(100, 90), overlap=20, batch=3)
    assert max(engine.batches) == 3 and sum(engine.batches[1:]) == 4 * 3
    order = [np.lexsort(found.boxes.T[::-1]) for found in (whole, tiled)]
    assert np.abs(whole.boxes[order[0]] - tiled.boxes[order[1]]).max() <= 1e-6
    assert np.array_equal(whole.classes[order[0]], tiled.classes[order[1]])


def test_classes_and_scores_are_chosen():
    detector = Detector(BlobEngine())
    pixels, boxes = blob_picture(96, 96)
    greens = detector(pixels, classes=["green"])
    assert set(greens.labels) == {"green"} and len(greens) == len(boxes) // 2
    assert len(detector(pixels, classes=[0, "green"])) == len(boxes)
    assert set(detector(pixels, classes="green").labels) == {"green"}
    with pytest.raises(UserError, match="names no class"):
        detector(pixels, classes=[])
    assert len(detector(pixels, score=0.91)) == 0
    with pytest.raises(UserError, match="knows no 'gren'; did you mean green"):
        detector(pixels, classes=["gren"])
    with pytest.raises(UserError, match="classes 0 to 1, no 2"):
        detector(pixels, classes=[2])


def test_what_is_found_goes_to_other_packages():
    supervision = pytest.importorskip("supervision")
    found = Detector(BlobEngine())(blob_picture(96, 96)[0])
    theirs = found.to_supervision()
    assert isinstance(theirs, supervision.Detections)
    assert np.array_equal(theirs.xyxy, found.boxes) and len(theirs.data["class_name"]) == len(found)
    assert len(Detections.none().to_supervision()) == 0


def test_what_is_found_goes_to_detectron2():
    found = Detector(BlobEngine())(blob_picture(96, 96)[0])
    instances = found.to_detectron2((96, 96))
    assert isinstance(instances, Instances) and len(instances) == len(found)
    assert np.array_equal(instances.pred_boxes.tensor.numpy(), found.boxes)
    assert len(Detections.none().to_detectron2((9, 9)).pred_boxes) == 0


def test_half_computes_in_bfloat16_or_says_that_it_does_not(run_folder, pixels, caplog):
    half = Detector.load(run_folder, half=True)
    found, expected = half(pixels), Detector.load(run_folder)(pixels)
    if "stays float32" in caplog.text:
        assert same(found, expected)
    else:
        assert len(found) > 0 and not same(found, expected)
    assert found.boxes.dtype == np.float64


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((9, 9, 4), np.uint8), r"shape \(9, 9, 4\).*\(H, W, 3\)"),
        (np.zeros((9, 9, 3)), "type float64"),
        (np.zeros((0, 9, 3), np.uint8), "no pixels"),
        (7, "not int"),
    ],
)
def test_what_is_no_picture_is_refused(value, message):
    with pytest.raises(UserError, match=message):
        Detector(BlobEngine())(value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.png: no such image"):
        Detector(BlobEngine())(str(tmp_path / "gone.png"))
    (tmp_path / "scene_1.png").touch()
    with pytest.raises(DatasetError, match=r"scene_l\.png: no such .* did you mean scene_1\.png"):
        Detector(BlobEngine())(str(tmp_path / "scene_l.png"))
    with pytest.raises(DatasetError, match=r"no such image; there is no folder .*nowhere either"):
        Detector(BlobEngine())(str(tmp_path / "nowhere" / "a.png"))


def test_a_picture_below_the_stride_is_refused(detector):
    with pytest.raises(UserError, match="120 x 3 px is less than the model's stride of 4 px"):
        detector(np.arange(3 * 120 * 3, dtype=np.uint8).reshape(3, 120, 3))


def test_what_is_missing_of_a_run_is_named(run_folder, tmp_path, small_config):
    with pytest.raises(UserError, match="name a training's output folder"):
        Detector.load()
    with pytest.raises(UserError, match=r"has no config\.yaml.*--config-file"):
        Detector.load(tmp_path)
    shutil.copy(run_folder / "config.yaml", tmp_path)
    with pytest.raises(UserError, match=r"model_best\.pth, last_checkpoint or model_final\.pth"):
        Detector.load(tmp_path)
    with pytest.raises(UserError, match="names no weights.*--weights"):
        Detector.load(tmp_path / "config.yaml")
    with pytest.raises(UserError, match="no such file"):
        Detector.load(tmp_path / "config.yaml", tmp_path / "gone.pth")
    with pytest.raises(UserError, match="'onxx' is unknown"):
        Detector.load(run_folder, engine="onxx")


def test_a_model_of_other_channels_is_refused(small_config, tmp_path):
    ones = "[1.0, 1.0, 1.0, 1.0]"
    four = RESNET | {"MODEL.PIXEL_MEAN": ones, "MODEL.PIXEL_STD": ones}
    folder = write_run(tmp_path / "run", small_config(**four))
    with pytest.raises(UserError, match="takes 4 channels in order RGB"):
        Detector.load(folder)


def test_a_grey_model_is_given_grey(small_config, pixels, tmp_path):
    grey = {"MODEL.PIXEL_MEAN": "[100.0]", "MODEL.PIXEL_STD": "[50.0]", "INPUT.FORMAT": "L"}
    detector = Detector.load(write_run(tmp_path / "run", small_config(**RESNET | grey)))
    alike = np.repeat(np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None], 3, 2)
    assert same(detector(pixels), detector(alike))
    assert same(detector(alike[:, :, 0]), detector(alike))


def test_a_broken_checkpoint_is_one_line(run_folder, tmp_path):
    """Cut off, another format, and empty; export and analyses read weights by this road, too."""
    whole = (run_folder / "model_final.pth").read_bytes()
    for n, content in enumerate((whole[: len(whole) // 2], b"no checkpoint", b"")):
        broken = tmp_path / f"{n}.pth"
        broken.write_bytes(content)
        said = rf"{n}\.pth \({len(content)} bytes\) .+\. Take another one, or fetch it again$"
        with pytest.raises(UserError, match=said) as refused:
            Detector.load(run_folder / "config.yaml", broken)
        assert "\n" not in str(refused.value)


def test_a_broken_classes_file_counts_as_none(run_folder, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    (folder / "classes.json").write_text(json.dumps({"classes": "all"}))
    assert Detector.load(folder).data is None


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
def test_an_exported_file_elsewhere_cuts_the_tiles_that_its_weights_do(run_folder, tmp_path):
    """What training saw goes with the file, whatever lies beside it."""
    words = ["--config-file", str(run_folder / "config.yaml"), "--weights", str(run_folder)]
    file = tmp_path / "elsewhere" / "model.pt"
    file.parent.mkdir()
    options = ["--format", "torchscript", "--output", str(file), "--size", "64", "64"]
    assert main(["export", *words, *options]) == 0
    detector = Detector.load(file)
    assert detector.data == Detector.load(run_folder).data and detector.data.objects == 636
    assert detector.tiles() == Detector.load(run_folder).tiles()
