"""Features of an image, the heads on others, and losses that leave no trace."""

import numpy as np
import pytest
import torch
from detectron2.layers import ShapeSpec

from d2freq.analysis.model_and_data import areas_of, choose, load_subject, pick_record, scales_of
from d2freq.analysis.set.features import branch_gradients, detect, pick_level, pyramid, stride_of
from d2freq.errors import UserError

FASTER = "configs/demo/faster_rcnn_R18_FPN_scenes.yaml"


def test_images_have_the_geometry_of_testing_and_their_boxes(tiny_data):
    subject = load_subject(FASTER, ["INPUT.MIN_SIZE_TEST", "104"], dataset=tiny_data(5))
    image = subject.image(subject.records[0])
    assert image.inputs["image"].shape == (3, 104, 112)
    expected = torch.tensor([[20.0, 45, 31, 54], [50, 45, 61, 54]])
    torch.testing.assert_close(image.boxes, expected)
    assert areas_of(image).tolist() == [396, 396]  # of the image on disk
    inside = scales_of(np.array([396, 64, 1e6]), subject.protocol)
    assert {label: mask.tolist() for label, mask in inside.items()} == {
        "vt": [False, True, False],
        "t": [False, True, False],  # 64 is an end, of both classes
        "s": [True, False, False],
        "m": [False, False, True],
    }
    assert len(subject.image(subject.records[2]).boxes) == 0


def test_lazy_config_gives_the_same_images(tiny_data):
    name = tiny_data(5)
    yaml = load_subject(FASTER, dataset=name)
    lazy = load_subject(FASTER.replace(".yaml", ".py"), dataset=name)
    one, other = (subject.image(subject.records[1]) for subject in (yaml, lazy))
    assert torch.equal(one.inputs["image"], other.inputs["image"])
    assert torch.equal(one.boxes, other.boxes)
    assert yaml.protocol == lazy.protocol and lazy.about["model"] == "GeneralizedRCNN"


def test_heads_on_the_own_features_find_what_the_detector_finds(tiny_data):
    torch.manual_seed(0)
    overrides = ["MODEL.ROI_HEADS.SCORE_THRESH_TEST", "0.0"]
    subject = load_subject(FASTER, overrides, dataset=tiny_data(5))
    image = subject.image(subject.records[0])
    with torch.no_grad():
        expected = subject.detector([image.inputs])[0]["instances"]
    found = detect(subject.detector, image, pyramid(subject.detector, image).features)["instances"]
    assert len(found) > 10
    assert torch.equal(found.pred_boxes.tensor, expected.pred_boxes.tensor)
    assert torch.equal(found.scores, expected.scores)


def test_choice_of_images():
    records = [{"image_id": n} for n in range(10)]
    assert [r["image_id"] for r in choose(records, 3)] == [0, 4, 9]
    assert choose(records, 0) == choose(records, 99) == records
    one, again, other = (choose(records, 4, seed=seed) for seed in (1, 1, 2))
    assert one == again != other and len({r["image_id"] for r in one}) == 4
    with pytest.raises(UserError, match="--count -1"):
        choose(records, -1)


def test_records_are_found_by_id_or_by_objects(planted):
    assert pick_record(planted, None)["image_id"] == 1
    assert pick_record(planted, 3)["image_id"] == 3
    with pytest.raises(UserError, match="--image-id 9: .* has no such image, but 1, 2, 3"):
        pick_record(planted, 9)


def test_levels_by_name_or_the_finest():
    class Backbone:
        def output_shape(self):
            return {"p5": ShapeSpec(stride=32), "p3": ShapeSpec(stride=8)}

    class Detector:
        backbone = Backbone()

    assert pick_level(Detector(), None) == "p3" and stride_of(Detector(), "p5") == 32
    with pytest.raises(UserError, match="--level p9: the backbone has the levels p5, p3"):
        pick_level(Detector(), "p9")


def test_gradients_of_the_branches_by_hand(planted):
    detector = planted.model
    image = planted.image(planted.records[0])
    features = pyramid(detector, image).features
    found = branch_gradients(detector, image, features, "p2")
    plane = torch.ones(3, *features["p2"].shape[-2:])
    torch.testing.assert_close(found["cls"], plane * detector.a[:, None, None])
    torch.testing.assert_close(found["reg"], plane * detector.b[:, None, None])  # of two stages


def test_losses_leave_no_trace(planted):
    detector = planted.model
    image = planted.image(planted.records[0])
    features = pyramid(detector, image).features
    state = {key: value.clone() for key, value in detector.state_dict().items()}
    random = torch.get_rng_state()
    branch_gradients(detector, image, features, "p2", seed=3)
    first = detector.drawn
    branch_gradients(detector, image, features, "p2", seed=3)
    assert first == detector.drawn  # what is drawn follows the seed
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(module.training for module in detector.modules())
    assert detector.seen == 0 and features["p2"].grad is None
    for key, value in detector.state_dict().items():
        assert torch.equal(value, state[key])
    detector.forward = None
    with pytest.raises(TypeError):
        branch_gradients(detector, image, features, "p2")
    assert not detector.training and type(detector.backbone).__name__ == "Stride4"


def test_a_level_without_a_gradient_has_zeros(planted):
    image = planted.image(planted.records[0])
    features = {**pyramid(planted.model, image).features, "unused": torch.ones(1, 2, 3, 3)}
    found = branch_gradients(planted.model, image, features, "unused")
    assert all(not gradient.any() for gradient in found.values())
