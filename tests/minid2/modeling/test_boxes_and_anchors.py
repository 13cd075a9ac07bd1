"""Anchors, matching, encodings, sampling, pooling, rescaling, against naive loops."""

import pytest
import torch
from torchvision.ops import roi_align

from minid2.modeling import detector_postprocess
from minid2.modeling.anchor_generator import DefaultAnchorGenerator
from minid2.modeling.box_regression import Box2BoxTransform, Box2BoxTransformLinear
from minid2.modeling.matcher import Matcher
from minid2.modeling.poolers import ROIPooler
from minid2.modeling.sampling import subsample_labels
from minid2.structures import Boxes, Instances, pairwise_point_box_distance


def random_boxes(count: int) -> torch.Tensor:
    corner = torch.rand(count, 2) * 50
    return torch.cat([corner, corner + 1 + torch.rand(count, 2) * 30], dim=1)


def test_anchors_have_their_centre_area_and_ratio():
    sizes, ratios, stride, offset = [8, 20], [0.5, 2.0], 4, 0.5
    generator = DefaultAnchorGenerator(
        sizes=[sizes], aspect_ratios=[ratios], strides=[stride], offset=offset
    )
    (anchors,) = generator([torch.zeros(1, 1, 2, 3)])
    assert len(anchors) == 2 * 3 * generator.num_anchors[0] == 24
    rows = iter(anchors.tensor)
    for y in range(2):
        for x in range(3):
            for size in sizes:
                for ratio in ratios:
                    x1, y1, x2, y2 = next(rows).tolist()
                    assert (x1 + x2) / 2 == pytest.approx((x + offset) * stride, abs=1e-4)
                    assert (y1 + y2) / 2 == pytest.approx((y + offset) * stride, abs=1e-4)
                    assert (x2 - x1) * (y2 - y1) == pytest.approx(size**2, rel=1e-4)
                    assert (y2 - y1) / (x2 - x1) == pytest.approx(ratio, rel=1e-4)
    assert len(generator([torch.zeros(1, 1, 0, 3)])[0]) == 0


def test_anchor_settings_that_do_not_fit():
    good = {"sizes": [[8]], "aspect_ratios": [[1.0]], "strides": [4, 8]}
    for bad, said in (
        ({"sizes": [[8], [16], [32]]}, "3 lists for 2"),
        ({"offset": 1.0}, "offset"),
    ):
        with pytest.raises(ValueError, match=said):
            DefaultAnchorGenerator(**{**good, **bad})


@pytest.mark.parametrize("low_quality", [False, True])
def test_matcher_against_a_loop(low_quality):
    quality = (torch.rand(4, 60) * 10).round() / 10
    matches, labels = Matcher([0.3, 0.7], [0, -1, 1], low_quality)(quality)
    for column in range(60):
        best = max(float(value) for value in quality[:, column])
        wanted = (
            0 if best < quality.new_tensor(0.3) else -1 if best < quality.new_tensor(0.7) else 1
        )
        if low_quality and any(quality[row, column] == quality[row].max() for row in range(4)):
            wanted = 1
        assert labels[column] == wanted
        assert quality[matches[column], column] == best


def test_matcher_bad_input():
    for thresholds, labels in (([0.7, 0.3], [0, -1, 1]), ([0.5], [0, -1, 1]), ([0.5], [0, 2])):
        with pytest.raises(ValueError, match="Matcher"):
            Matcher(thresholds, labels)
    with pytest.raises(ValueError, match="NaN"):
        Matcher([0.5], [0, 1])(torch.tensor([[0.1, float("nan")]]))


def test_decoding_undoes_encoding():
    transform = Box2BoxTransform((10.0, 10.0, 5.0, 5.0))
    source = random_boxes(30)
    grow = torch.rand(30, 4) * torch.tensor([-5, -5, 5, 5])  # keeps the centre inside
    deltas = transform.get_deltas(source, source + grow)
    torch.testing.assert_close(
        transform.apply_deltas(deltas, source), source + grow, rtol=1e-4, atol=1e-3
    )


def test_decoding_is_bounded_and_encoding_refuses_flat_boxes():
    transform = Box2BoxTransform((1.0, 1.0, 1.0, 1.0))
    grown = transform.apply_deltas(torch.full((1, 4), 1e3), torch.tensor([[0.0, 0.0, 16.0, 16.0]]))
    assert torch.isfinite(grown).all() and grown[0, 2] - grown[0, 0] == pytest.approx(
        1000, rel=0.01
    )
    with pytest.raises(ValueError, match="width"):
        transform.get_deltas(torch.zeros(1, 4), torch.ones(1, 4))


def test_half_precision_places_boxes_to_the_pixel():
    transform = Box2BoxTransformLinear()
    point = torch.tensor([[700.0, 700.0, 708.0, 708.0]])
    half = torch.tensor([[0.5, 0.25, 0.75, 1.0]], dtype=torch.bfloat16)
    decoded = transform.apply_deltas(half, point)
    assert decoded.dtype == torch.float32 and decoded.tolist() == [[700.0, 702.0, 710.0, 712.0]]


@pytest.mark.parametrize("normalize", [True, False])
def test_linear_encoding_is_undone_and_never_turns_a_box_inside_out(normalize):
    transform = Box2BoxTransformLinear(normalize)
    corner = torch.rand(30, 2) * 50
    source = torch.cat([corner, corner + 8], dim=1)
    boxes = source + torch.rand(30, 4) * torch.tensor([-5, -5, 5, 5])
    deltas = transform.get_deltas(source, boxes)
    assert torch.equal(
        deltas > 0, pairwise_point_box_distance(corner + 4, Boxes(boxes)).diagonal().T > 0
    )
    torch.testing.assert_close(transform.apply_deltas(deltas, source), boxes)
    shrunk = transform.apply_deltas(torch.cat([-deltas, deltas], dim=1), source)
    torch.testing.assert_close(shrunk[:, :4], (corner + 4).repeat(1, 2))
    torch.testing.assert_close(shrunk[:, 4:], boxes)


def test_subsampling_keeps_the_shares():
    labels = torch.tensor([3] * 40 + [0] * 50 + [-1] * 10)[torch.randperm(100)]
    for num, wanted in ((20, (5, 15)), (80, (20, 50)), (400, (40, 50))):
        positive, negative = subsample_labels(labels, num, 0.25, 0)
        assert (len(positive), len(negative)) == wanted
        assert (labels[positive] == 3).all() and (labels[negative] == 0).all()
        assert len(set(positive.tolist() + negative.tolist())) == sum(wanted)


def test_pooler_takes_each_box_from_its_level():
    maps = [torch.randn(2, 3, 32 // 2**k, 32 // 2**k) for k in range(3)]
    lists = [torch.tensor([[0.0, 0, 20, 20], [3, 3, 100, 120], [5, 5, 9, 9]]), random_boxes(4)]
    pooler = ROIPooler((2, 3), [1 / 4, 1 / 8, 1 / 16], 2, "ROIAlignV2", 32, 3)
    pooled = pooler(maps, [Boxes(boxes) for boxes in lists])
    wanted = []
    for image, boxes in enumerate(lists):
        for box in boxes:
            side = float(((box[2] - box[0]) * (box[3] - box[1])) ** 0.5)
            level = 0 if side < 32 else 1 if side < 64 else 2
            row = torch.cat([torch.tensor([float(image)]), box]).unsqueeze(0)
            scale = 1 / 4 / 2**level
            wanted.append(roi_align(maps[level], row, (2, 3), scale, 2, aligned=True))
    torch.testing.assert_close(pooled, torch.cat(wanted))
    assert pooler(maps, [Boxes(torch.zeros(0, 4))] * 2).shape == (0, 3, 2, 3)
    assert pooler([m[:0] for m in maps], []).shape == (0, 3, 2, 3)
    with pytest.raises(ValueError, match="3 levels, got 1"):
        pooler(maps[:1], lists)


def test_pooler_settings_that_do_not_fit():
    good = {"output_size": 7, "scales": [1 / 4, 1 / 8], "sampling_ratio": 0}
    for bad, said in (
        ({"scales": [1 / 4, 1 / 16]}, "half the last"),
        ({"scales": [1 / 3]}, "2\\^k"),
        ({"pooler_type": "RoiAlign"}, "RoiAlign"),
    ):
        with pytest.raises(ValueError, match=said):
            ROIPooler(**{"pooler_type": "ROIAlignV2", **good, **bad})


def test_rescaling_returns_new_boxes_of_the_other_size():
    seen = Instances((10, 20))
    raw = torch.tensor([[-5.0, 0, 30, 10], [1, 1, 1, 5], [2, 2, 4, 5]])
    seen.pred_boxes, seen.scores = Boxes(raw.clone()), torch.tensor([0.1, 0.2, 0.3])
    found = detector_postprocess(seen, 20, 10)
    assert found.pred_boxes.tensor.tolist() == [[0, 0, 10, 20], [1, 4, 2, 10]]
    assert found.image_size == (20, 10) and found.scores.tolist() == pytest.approx([0.1, 0.3])
    assert torch.equal(seen.pred_boxes.tensor, raw)
