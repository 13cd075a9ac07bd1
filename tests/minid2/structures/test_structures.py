"""Boxes, Instances and ImageList against torchvision and plain loops."""

import copy
import math
import pickle

import pytest
import torch
from torchvision.ops import box_iou

from minid2.modeling.postprocessing import sem_seg_postprocess
from minid2.structures import (
    Boxes,
    BoxMode,
    ImageList,
    Instances,
    pairwise_ioa,
    pairwise_iou,
)


def random_boxes(count: int) -> Boxes:
    corners = torch.rand(count, 2, 2) * 40
    return Boxes(torch.cat([corners.amin(1), corners.amax(1)], dim=1))


def test_pairwise_measures():
    a, b = random_boxes(7), random_boxes(5)
    expected = box_iou(a.tensor, b.tensor)
    torch.testing.assert_close(pairwise_iou(a, b), expected)
    union = a.area()[:, None] + b.area()
    shared = expected * union / (1 + expected)
    torch.testing.assert_close(pairwise_ioa(a, b), shared / b.area())


def test_boxes_without_area_have_no_overlap_and_no_nan():
    point = Boxes([[3, 3, 3, 3]])
    assert pairwise_iou(point, point).item() == 0
    assert pairwise_ioa(point, point).item() == 0


def test_boxes_behave_like_a_tensor():
    boxes = Boxes(torch.tensor([[-5.0, 2, 8, 30], [1, 1, 1, 9], [0, 0, 4, 4]], dtype=torch.float64))
    assert boxes.tensor.dtype == torch.float32
    assert boxes.nonempty().tolist() == [True, False, True]
    assert boxes.inside_box((10, 10)).tolist() == [False, True, True]
    assert len(boxes[1]) == 1 and len(boxes[boxes.nonempty()]) == 2 and len(list(boxes)) == 3
    assert boxes.get_centers()[2].tolist() == [2, 2]
    boxes.clip((10, 6))
    assert boxes.tensor[0].tolist() == [0, 2, 6, 10]
    boxes.scale(2, 0.5)
    assert boxes.tensor[0].tolist() == [0, 1, 12, 5]
    assert len(Boxes.cat([boxes, boxes[:1]])) == 4
    assert Boxes([]).tensor.shape == (0, 4) and len(Boxes.cat([])) == 0
    with pytest.raises(AssertionError, match="infinite or NaN"):
        Boxes([[0, 0, math.nan, 1]]).clip((4, 4))
    with pytest.raises(AssertionError, match=r"\(N, 4\)"):
        Boxes(torch.ones(2, 5))


@pytest.mark.parametrize("kind", ["list", "tuple", "tensor", "array"])
def test_box_mode_keeps_the_type_and_comes_back(kind):
    make = {
        "list": list,
        "tuple": tuple,
        "tensor": torch.tensor,
        "array": lambda box: torch.tensor(box).double().numpy(),
    }[kind]
    box = make([1, 2, 3, 4])
    there = BoxMode.convert(box, BoxMode.XYWH_ABS, BoxMode.XYXY_ABS)
    back = BoxMode.convert(there, BoxMode.XYXY_ABS, BoxMode.XYWH_ABS)
    assert type(there) is type(box) and list(there) == [1, 2, 4, 6] and list(back) == [1, 2, 3, 4]


def test_box_mode_refuses_what_it_cannot_do():
    with pytest.raises(NotImplementedError, match="XYXY_REL"):
        BoxMode.convert([0, 0, 1, 1], BoxMode.XYXY_REL, BoxMode.XYXY_ABS)
    with pytest.raises(NotImplementedError, match="rotated"):
        BoxMode.convert([0, 0, 1, 1, 5], BoxMode.XYWHA_ABS, BoxMode.XYXY_ABS)


def test_instances():
    found = Instances((4, 6), scores=torch.arange(3.0), names=["a", "b", "c"])
    found.boxes = random_boxes(3)
    assert "boxes" in found and not found.has("masks") and found.image_size == (4, 6)
    assert found[-1].names == ["c"] and len(found[1:]) == 2
    joined = Instances.cat([found, found[:1]])
    assert joined.names == ["a", "b", "c", "a"] and len(joined.boxes) == 4
    found.remove("names")
    assert len(found[found.scores > 0].boxes) == 2
    assert len(pickle.loads(pickle.dumps(found))) == len(copy.deepcopy(found)) == 3
    for wrong, error in [
        (lambda: setattr(found, "classes", [1]), AssertionError),
        (lambda: found.masks, AttributeError),
        (lambda: found[3], IndexError),
        (lambda: len(Instances((1, 1))), NotImplementedError),
        (lambda: iter(found), NotImplementedError),
    ]:
        with pytest.raises(error):
            wrong()


@pytest.mark.parametrize("divisor", [0, 1, 4, 32])
def test_image_list_pads_at_the_right_and_the_bottom(divisor):
    images = [torch.rand(3, 5, 17), torch.rand(3, 9, 2)]
    batch = ImageList.from_tensors(images, divisor, pad_value=7.0)
    height, width = batch.tensor.shape[-2:]
    step = max(divisor, 1)
    assert (height, width) == (math.ceil(9 / step) * step, math.ceil(17 / step) * step)
    assert batch.image_sizes == [(5, 17), (9, 2)]
    for index, image in enumerate(images):
        assert torch.equal(batch[index], image)
        padding = batch.tensor[index].sum() - image.sum()
        assert padding.item() == pytest.approx(7.0 * (3 * height * width - image.numel()), rel=1e-5)


def test_image_list_constraints():
    images = [torch.zeros(3, 5, 17)]
    shape = lambda **c: ImageList.from_tensors(images, 4, padding_constraints=c).tensor.shape[-2:]  # noqa: E731
    assert shape(square_size=20) == (20, 20) and shape(square_size=21) == (24, 24)
    assert shape(size_divisibility=16) == (16, 32) and shape(square_size=0) == (8, 20)


def test_image_list_passes_gradients():
    image = torch.rand(3, 5, 7, requires_grad=True)
    ImageList.from_tensors([image, image], 8).tensor.sum().backward()
    assert torch.equal(image.grad, torch.full_like(image, 2))


@pytest.mark.filterwarnings("ignore")  # torch deprecates tracing, which exporters still use
def test_image_list_traces_for_any_size():
    def batch(a, b):
        images = ImageList.from_tensors([a, b], 8)
        boxes = Boxes(images.tensor.reshape(-1, 4))
        boxes.clip(images.image_sizes[0])
        return images.tensor, images.image_sizes[0], images[1], boxes.tensor

    traced = torch.jit.trace(batch, (torch.rand(3, 5, 7), torch.rand(3, 9, 3)))
    other = torch.rand(3, 17, 3), torch.rand(3, 2, 30)
    for ours, expected in zip(traced(*other), batch(*other), strict=True):
        assert torch.equal(ours, torch.as_tensor(expected))


@pytest.mark.parametrize("box", [[[1, 2, 3, 4]], [1, 2, 3], (), [[1, 2, 3, 4]] * 3])
def test_a_list_is_one_box(box):
    with pytest.raises(ValueError, match="one box"):
        BoxMode.convert(box, BoxMode.XYXY_ABS, BoxMode.XYWH_ABS)


def test_instances_and_batches_tell_what_they_are():
    one = Instances((4, 6), scores=torch.ones(2))
    assert Instances.cat([one]) is one
    said = "Instances(num_instances=2, image_height=4, image_width=6, fields=[scores: "
    assert repr(one) == f"{said}{torch.ones(2)}])"
    assert repr(Instances((1, 2))).startswith("Instances(num_instances=0,")
    batch = ImageList.from_tensors([torch.ones(3, 4, 6), torch.ones(3, 5, 2)]).to(torch.float64)
    assert len(batch) == 2 and batch.tensor.dtype == torch.float64
    assert batch.device == torch.device("cpu") and batch.image_sizes == [(4, 6), (5, 2)]


@pytest.mark.filterwarnings("ignore")  # of the tracer
def test_a_traced_batch_is_square_whatever_the_image():
    def pad(image):
        return ImageList.from_tensors([image], 4, padding_constraints={"square_size": 10}).tensor

    traced = torch.jit.trace(pad, torch.ones(1, 5, 6), check_trace=False)
    found = traced(torch.ones(1, 9, 3))
    assert found.shape == (1, 1, 12, 12) and found.sum() == 27


def test_scores_of_an_image_lose_their_padding():
    scores = torch.arange(32.0).reshape(1, 4, 8)
    assert torch.equal(sem_seg_postprocess(scores, (3, 5), 3, 5), scores[:, :3, :5])
    assert sem_seg_postprocess(scores, (3, 5), 6, 10).shape == (1, 6, 10)
