"""A batch in one call against the model's own inference, picture by picture."""

import pytest
import torch
from detectron2.modeling.roi_heads.fast_rcnn import FastRCNNOutputLayers

from d2freq.engine.export import BatchDetector, ImageDetector
from d2freq.engine.export.rows import NOTHING, best, suppress
from d2freq.errors import UserError
from d2freq.modeling.set import SET

from .cases import MODELS, SIZES, assert_same, build, noise


def assert_as_alone(detector, alone, batch):
    with torch.no_grad():
        *found, images = detector(batch)
        assert images.dtype == torch.int64 and (images[:-1] <= images[1:]).all()
        counts = []
        for place, image in enumerate(batch):
            expected = alone(image)
            counts.append(len(expected[0]))
            assert_same([part[images == place] for part in found], expected)
    return counts


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_is_its_pictures(name):
    model = build(name)
    detector = BatchDetector(model)
    assert detector.takes_batches
    for size in SIZES:
        batch = torch.stack([noise(size, seed=seed) for seed in range(3)])
        assert min(assert_as_alone(detector, ImageDetector(model), batch)) > 2, "a test of nothing"


@pytest.mark.parametrize("name", ["faster_hsfpn", "fcos_published"])
def test_pictures_without_any_object_among_others(name):
    """Thresholds between the scores of two pictures leave one of them empty."""
    model = build(name)
    batch = torch.stack(
        [noise((64, 80)), noise((64, 80), seed=1) * 0 + 116, noise((64, 80), seed=2)]
    )
    with torch.no_grad():
        *_, scores, _, images = BatchDetector(model)(batch)[-4:]
    best_of = [float(scores[images == place].max()) for place in range(3)]
    threshold = sorted(best_of)[1] - 1e-4
    for module in model.modules():
        if hasattr(module, "test_score_thresh"):
            module.test_score_thresh = threshold**2 if name == "fcos_published" else threshold
    counts = assert_as_alone(BatchDetector(model), ImageDetector(model), batch)
    assert sum(counts) > 0
    if name == "faster_hsfpn":
        assert 0 in counts


def test_boxes_that_are_not_finite_are_dropped_as_the_model_drops_them():
    model = build("faster_hsfpn")
    torch.nn.init.constant_(model.roi_heads.box_predictor.bbox_pred.bias, float("nan"))
    batch = torch.stack([noise((64, 64)), noise((64, 64), seed=1)])
    assert assert_as_alone(BatchDetector(model), ImageDetector(model), batch) == [0, 0]


def test_set_detects_by_the_detector_within():
    model = build("fcos")
    batch = torch.stack([noise((64, 64)), noise((64, 64), seed=1)])
    detector = BatchDetector(SET(model))
    assert detector.takes_batches
    assert_as_alone(detector, ImageDetector(model), batch)


class Stricter(FastRCNNOutputLayers):
    """Has inference of its own, which a batch's must not stand for."""

    def predict_probs(self, predictions, proposals):
        return tuple(0.5 * scores for scores in super().predict_probs(predictions, proposals))


def test_a_model_with_inference_of_its_own_keeps_it_and_takes_one_picture():
    model = build("faster_fpn")
    model.roi_heads.box_predictor.__class__ = Stricter
    detector = BatchDetector(model)
    assert not detector.takes_batches
    image = noise((64, 64))
    assert_as_alone(detector, ImageDetector(model), image[None])


def test_what_finds_no_boxes_is_refused():
    class Classifier(torch.nn.Linear):
        def forward(self, records):
            return [{"logits": record["image"].mean((1, 2))} for record in records]

    with pytest.raises(UserError, match="Classifier gives logits, no boxes"):
        BatchDetector(Classifier(1, 1))(torch.zeros(1, 3, 8, 8))


def test_rows_are_filled_up_and_suppressed_apart():
    scores, places = best(torch.tensor([[0.1, 0.9, 0.5]]), 5)
    assert scores[0, :3].tolist() == pytest.approx([0.9, 0.5, 0.1])
    assert (scores[0, 3:] == NOTHING).all() and places[0].tolist()[:3] == [1, 2, 0]
    box = torch.tensor([[[0.0, 0, 10, 10], [1, 0, 11, 10], [40, 40, 50, 50]]])
    table = torch.tensor([[[0.9, 0.8, NOTHING], [NOTHING, 0.8, 0.7]]])  # two classes, one row
    kept = suppress(box, table, iou=0.5)
    assert (kept == torch.tensor([[[0.9, NOTHING, NOTHING], [NOTHING, 0.8, 0.7]]])).all()
