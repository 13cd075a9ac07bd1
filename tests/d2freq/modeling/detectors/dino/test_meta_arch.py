import logging

import pytest
import torch
from detectron2.modeling import META_ARCH_REGISTRY, build_model

from d2freq.errors import UserError
from d2freq.modeling.detectors.dino import DINO, ground_truth
from d2freq.ops.boxes import NWD_CONSTANT
from tests.d2freq.modeling.detectors.dino.dino_cases import (
    awake,
    losses_of,
    record,
    small_config,
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return awake(build_model(small_config()))


def untouched(model):
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    ]


@pytest.mark.parametrize("name", ["DINO", "D2FreqDINO"])
def test_is_registered_under_both_names(name):
    assert META_ARCH_REGISTRY.get(name) is DINO


@pytest.mark.parametrize("objects", [(5, 0), (0, 0), (1, 3)])
def test_losses_are_finite_and_reach_every_parameter(model, objects):
    model.zero_grad()
    losses = losses_of(model, [record(64, 80, objects[0]), record(70, 49, objects[1], seed=1)])
    # two decoder layers and the encoder, and denoising of the two layers
    assert len(losses) == 3 * (2 + 1 + 2)
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert untouched(model) == []


def test_more_objects_than_queries_warn_once_and_train(model, caplog, monkeypatch):
    monkeypatch.setattr(ground_truth, "_told_of_crowd", [])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            losses = losses_of(model, [record(64, 64, 1200), record(64, 64, 2)])
    assert all(loss.isfinite() for loss in losses.values())
    assert [r.message for r in caplog.records if "NUM_QUERIES" in r.message] == [
        "an image has 1200 objects, and DINO 20 queries: those beyond them are never learned. Set "
        "MODEL.DINO.NUM_QUERIES to as many as the fullest image has"
    ]


def test_every_odd_size_is_detected_on(model):
    model.eval()
    with torch.no_grad():
        for side in range(33, 130, 2):
            size = (side, side if side % 4 == 1 else 162 - side)
            found = model([{"image": record(*size, 0)["image"], "height": 40, "width": 30}])
            instances = found[0]["instances"]
            assert instances.image_size == (40, 30) and len(instances) > 0
            boxes = instances.pred_boxes.tensor
            assert boxes.isfinite().all() and boxes.min() >= 0
            assert (boxes.amax(0)[2:] <= torch.tensor([30.0, 40.0])).all()


def test_images_of_a_batch_are_found_on_as_alone(model):
    model.eval()
    records = [record(65, 90, 0), record(96, 48, 0, seed=1), record(33, 33, 0, seed=2)]
    with torch.no_grad():
        together = model(records)
        for both, own in zip(together, [model([each])[0] for each in records], strict=True):
            both, own = both["instances"], own["instances"]
            torch.testing.assert_close(both.scores, own.scores, rtol=0, atol=1e-4)
            torch.testing.assert_close(
                both.pred_boxes.tensor, own.pred_boxes.tensor, rtol=0, atol=1e-3
            )


def test_the_best_of_all_queries_and_classes_are_detections(model):
    model.eval()
    image = record(64, 96, 0)
    images = model.preprocess_image([image])
    with torch.no_grad():
        found = model([image])[0]["instances"]
        outputs = model.predict(
            model.backbone(images.tensor), torch.tensor([[96.0, 64.0]]), full=True
        )
    logits, boxes = (each[0] for each in outputs.layers[-1])
    rows = [
        (logits[q, k].sigmoid().item(), k, boxes[q].tolist()) for q in range(20) for k in range(4)
    ]
    rows.sort(key=lambda row: -row[0])
    assert len(found) == 80  # of 20 queries x 4 classes, as TEST.DETECTIONS_PER_IMAGE is 100
    for row, (score, kind, (x, y, width, height)) in enumerate(rows[:30]):
        assert found.scores[row].item() == pytest.approx(score, abs=1e-6)
        assert found.pred_classes[row].item() == kind
        corners = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
        clipped = [min(max(v, 0), 1) * s for v, s in zip(corners, (96, 64) * 2, strict=True)]
        assert found.pred_boxes.tensor[row].tolist() == pytest.approx(clipped, abs=1e-3)


def test_1500_detections_of_1500_queries():
    cfg = small_config(NUM_QUERIES=1500)
    cfg.TEST.DETECTIONS_PER_IMAGE = 1500
    model = build_model(cfg).eval()
    with torch.no_grad():
        found = model([record(96, 96, 0)])[0]["instances"]
    assert len(found) == 1500


def test_equal_seeds_give_equal_trainings():
    runs = []
    for _ in range(2):
        torch.manual_seed(7)
        model = build_model(small_config())
        records = [record(64, 64, 3)]
        runs.append([losses_of(model, records)["loss_dino_giou_dn"].item() for _ in range(2)])
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[0][1]  # each step has noise of its own


def test_a_validation_loss_leaves_the_noise_of_training_as_it_is(model):
    before = model.noise_steps
    with torch.no_grad():
        losses_of(model, [record(64, 64, 3)])
    assert model.noise_steps == before


@pytest.mark.parametrize("keys", [{"USE_ACT_CHECKPOINT": True}, {"QUERY_CHUNK": 7}])
def test_memory_is_saved_without_another_gradient(model, keys):
    lean = build_model(small_config(**keys))
    lean.load_state_dict(model.state_dict())
    records, gradients = [record(64, 64, 3), record(48, 64, 0)], []
    for each in (model, lean):
        each.zero_grad()
        each.noise_steps = 0
        sum(losses_of(each, records).values()).backward()
        gradients.append([p.grad for p in each.parameters() if p.grad is not None])
    for own, other in zip(*gradients, strict=True):
        torch.testing.assert_close(other, own, rtol=1e-4, atol=1e-5)


def test_mixed_precision_gives_the_losses_of_float32(model):
    records, losses = [record(64, 64, 3), record(48, 64, 0)], []
    for enabled in (False, True):
        model.noise_steps = 0
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            losses.append(losses_of(model, records))
    for name, exact in losses[0].items():
        assert losses[1][name].dtype == torch.float32, name
        assert losses[1][name].item() == pytest.approx(exact.item(), rel=0.1, abs=0.02), name
    sum(losses[1].values()).backward()


def test_options_of_matching_and_losses_are_those_of_the_keys(model):
    other = build_model(small_config(COST_NWD=2.0, BOX_WEIGHT=10.0, DN_NUMBER=0))
    other.load_state_dict(model.state_dict())
    records = [record(64, 64, 3)]
    plain, changed = losses_of(model, records), losses_of(other, records)
    assert sorted(changed) == sorted(name for name in plain if "_dn" not in name)
    assert other.costs.nwd == 2.0 and other.costs.nwd_constant == NWD_CONSTANT
    # which queries are matched may differ by NWD, their losses are finite either way
    assert all(loss.isfinite() for loss in changed.values())


@pytest.mark.parametrize(
    "keys, part",
    [
        ({"LAYOUT": "mmdetection"}, "MODEL.DINO.LAYOUT.*mmdetection.*detrex"),
        ({"IN_FEATURES": ["p2", "p3"]}, "asks for p2; the backbone gives p3, p4, p5, p6"),
        ({"HIDDEN_DIM": 32}, "p3 of the backbone has 64 channels"),
        ({"LABEL_ROWS": 3}, "LABEL_ROWS is 3"),
        ({"IN_FEATURES": ["p4", "p3"]}, "IN_FEATURES is p4, p3: .*finest first"),
        ({"IN_FEATURES": ["p3", "p3"]}, "each level once"),
        ({"NUM_CLASSES": 0}, "NUM_CLASSES is 0: give a whole number from 1 on"),
        ({"NUM_QUERIES": 0}, "NUM_QUERIES is 0"),
        ({"NUM_HEADS": 0}, "NUM_HEADS is 0"),
        ({"NUM_POINTS": 0}, "NUM_POINTS is 0"),
        ({"ENC_LAYERS": -1}, "ENC_LAYERS is -1: give a whole number from 0 on"),
        ({"DEC_LAYERS": 0}, "DEC_LAYERS is 0"),
        ({"QUERY_CHUNK": -3}, "QUERY_CHUNK is -3"),
        ({"DROPOUT": 1.5}, "DROPOUT is 1.5"),
        ({"PE_TEMPERATURE": 0.0}, "PE_TEMPERATURE: got 0.0; give a finite number above 0"),
        ({"LABEL_NOISE": 2.0}, "LABEL_NOISE is 2.0"),  # not only when a step is made
    ],
)
def test_what_does_not_fit_is_refused_with_its_key(keys, part):
    with pytest.raises(UserError, match=part):
        build_model(small_config(**keys))


def test_a_record_without_ground_truth_is_refused(model):
    with pytest.raises(UserError, match="record 1 of the batch .a.png. has no 'instances'"):
        losses_of(
            model, [record(64, 64, 1), {"image": torch.zeros(3, 64, 64), "file_name": "a.png"}]
        )
