"""The adapter on the real SAHI: loading, colours, seams, batches."""

import numpy as np
import pytest
from PIL import Image

from d2freq.errors import UserError
from d2freq.inference import Detections, Detector
from d2freq.inference.engines.engine import ModelAbout

pytest.importorskip("sahi", reason='needs SAHI: pip install -e ".[sahi]"')

from sahi import AutoDetectionModel
from sahi.predict import get_prediction, get_sliced_prediction

from d2freq.inference.adapters.sahi import D2FreqDetectionModel

from .colour_engine import RED_AND_BLUE, ColourEngine, red_and_blue


def boxes_of(result) -> list:
    found = [(p.category.name, *map(int, p.bbox.to_xyxy())) for p in result.object_prediction_list]
    return sorted(found)


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "squares.png"
    Image.fromarray(red_and_blue()).save(file)
    return str(file)


@pytest.fixture
def colours():
    detector = Detector(ColourEngine())
    return AutoDetectionModel.from_pretrained(
        model_type="d2freq", model=detector, confidence_threshold=0.3, device="cpu"
    )


def test_red_is_red_and_blue_is_blue(colours, picture):
    assert isinstance(colours, D2FreqDetectionModel)
    assert colours.category_mapping == {"0": "red", "1": "blue"}
    assert boxes_of(get_prediction(picture, colours)) == RED_AND_BLUE
    assert boxes_of(get_prediction(red_and_blue(), colours)) == RED_AND_BLUE


@pytest.mark.parametrize("batch", [1, 3])
def test_slices_are_put_back_in_their_places(batch, colours, picture):
    result = get_sliced_prediction(
        picture,
        colours,
        slice_height=64,
        slice_width=64,
        overlap_height_ratio=0.25,
        overlap_width_ratio=0.25,
        perform_standard_pred=False,
        batch_size=batch,
        verbose=0,
    )
    assert boxes_of(result) == RED_AND_BLUE


def test_the_threshold_may_change_and_classes_be_renumbered(picture):
    detector = Detector(ColourEngine())
    model = AutoDetectionModel.from_pretrained(
        model_type="d2freq", model=detector, category_remapping={"0": 7, "1": 8}
    )
    found = get_prediction(picture, model).object_prediction_list
    assert {p.category.name: p.category.id for p in found} == {"red": 7, "blue": 8}
    model.confidence_threshold = 0.95
    assert get_prediction(picture, model).object_prediction_list == []


def test_an_output_folder_is_enough_and_finds_what_detect_finds(run_folder, tmp_path):
    model = AutoDetectionModel.from_pretrained(
        model_type="d2freq", model_path=str(run_folder), confidence_threshold=0.0
    )
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    ours = Detector.load(run_folder)(pixels, tile="none")
    theirs = get_prediction(pixels, model).object_prediction_list
    assert len(ours) == len(theirs) > 0
    by_score = sorted(theirs, key=lambda p: -p.score.value)
    assert np.allclose([p.bbox.to_xyxy() for p in by_score], ours.boxes, atol=1e-3)
    assert [p.category.name for p in by_score] == ours.labels
    assert np.allclose([p.score.value for p in by_score], ours.scores)
    weights, config = str(run_folder / "model_final.pth"), str(run_folder / "config.yaml")
    for words in ({}, {"config_path": config}):
        same = AutoDetectionModel.from_pretrained("d2freq", model_path=weights, **words)
        assert same.category_mapping == model.category_mapping


def test_bad_words_are_refused(run_folder):
    with pytest.raises(UserError, match="image_size=640"):
        D2FreqDetectionModel(model_path=str(run_folder), image_size=640)
    with pytest.raises(UserError, match="nowhere"):
        D2FreqDetectionModel(model_path="nowhere")
    with pytest.raises(TypeError, match=r"d2freq\.inference\.Detector"):
        D2FreqDetectionModel(model=object())


def test_the_fake_is_an_engine():
    """Of what the tests above stand on: nothing is found where nothing is."""
    engine = ColourEngine()
    assert isinstance(engine.about, ModelAbout)
    (found,) = engine([np.zeros((64, 64, 3), np.uint8)])
    assert isinstance(found, Detections) and len(found) == 0
