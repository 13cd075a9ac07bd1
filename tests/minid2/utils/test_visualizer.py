"""Pictures: tiny boxes are to be seen, and nothing covers the object."""

import numpy as np
import pytest
import torch

from minid2.data import Metadata
from minid2.structures import Boxes, BoxMode, Instances
from minid2.utils.colormap import colormap
from minid2.utils.visualizer import ColorMode, Visualizer

GREY = np.full((60, 80, 3), 100, np.uint8)


def drawn(picture):
    return (abs(picture.astype(int) - 100) > 2).any(axis=2)


@pytest.mark.parametrize("side", [1, 3, 6, 16])
@pytest.mark.parametrize("scale", [1, 4])
def test_a_box_surrounds_the_object_and_leaves_it_free(side, scale):
    vis = Visualizer(GREY, scale=scale)
    vis.overlay_instances(boxes=np.array([[30, 20, 30 + side, 20 + side]]), alpha=1.0)
    picture = vis.get_output().get_image()
    assert picture.shape == (60 * scale, 80 * scale, 3) and picture.dtype == np.uint8
    changed = drawn(picture)
    assert not changed[20 * scale : (20 + side) * scale, 30 * scale : (30 + side) * scale].any()
    y, x = np.nonzero(changed)
    reach = 3 * scale
    assert 30 * scale - reach <= x.min() < 30 * scale
    assert (30 + side) * scale <= x.max() < (30 + side) * scale + reach
    assert len(y) >= 4 * side * scale


def test_the_text_stands_outside_the_box():
    vis = Visualizer(GREY, scale=2)
    vis.overlay_instances(boxes=np.array([[30, 30, 36, 36.0]]), labels=["car"])
    with_text = drawn(vis.get_output().get_image())
    assert not with_text[60:72, 60:72].any() and with_text[:58].sum() > 50


def test_labels(monkeypatch):
    seen = []
    monkeypatch.setattr(Visualizer, "overlay_instances", lambda self, **k: seen.append(k["labels"]))
    found = Instances((60, 80))
    Visualizer(GREY).draw_instance_predictions(found)
    found.scores = torch.tensor([0.957, 0.5])
    Visualizer(GREY).draw_instance_predictions(found)
    found.pred_classes = torch.tensor([0, 1])
    named = Visualizer(GREY, Metadata(thing_classes=["car", "ship"]))
    named.draw_instance_predictions(found)
    Visualizer(GREY).draw_instance_predictions(found)
    anno = {"bbox": [1, 1, 9, 9], "bbox_mode": BoxMode.XYWH_ABS, "category_id": 1, "iscrowd": 1}
    named.draw_dataset_dict({"annotations": [anno]})
    assert seen[:2] == [None, ["96%", "50%"]]
    assert seen[2:] == [["car 96%", "ship 50%"], ["0 96%", "1 50%"], ["ship|crowd"]]


def test_detections_and_records(tmp_path):
    metadata = Metadata(thing_classes=["car"], thing_colors=[(255, 0, 0)])
    found = Instances((60, 80))
    found.pred_boxes = Boxes(torch.tensor([[10.0, 10, 20, 20], [40, 30, 44, 36]]))
    found.scores, found.pred_classes = torch.tensor([0.9, 0.4]), torch.tensor([0, 0])
    vis = Visualizer(GREY, metadata, scale=3, instance_mode=ColorMode.SEGMENTATION)
    picture = vis.draw_instance_predictions(found, jittering=False).get_image().astype(int)
    red = (picture[..., 0] - picture[..., 1] > 60).nonzero()
    assert red[0].min() < 30 and red[0].max() > 105  # both boxes, in the colour of the class
    vis.output.save(str(tmp_path / "out.png"))
    assert (tmp_path / "out.png").stat().st_size > 0

    anno = {"bbox": [10, 10, 9, 9], "bbox_mode": BoxMode.XYWH_ABS, "category_id": 0, "iscrowd": 1}
    vis = Visualizer(np.dstack([GREY[..., 0], GREY[..., :2] * 0]), metadata, 1, ColorMode.IMAGE_BW)
    picture = vis.draw_dataset_dict({"annotations": [anno]}).get_image()
    assert np.ptp(picture[40:, 40:].astype(int)) <= 1  # grey all over
    assert not drawn(Visualizer(GREY).draw_dataset_dict({}).get_image()).any()


def test_drawing_leaves_the_global_generators_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - it is what is looked at
    Visualizer(GREY).overlay_instances(boxes=np.ones((3, 4)))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert len({tuple(c) for c in colormap()}) == len(colormap())
    assert colormap().dtype == np.float32 and 200 < colormap().max() <= 255


def test_what_cannot_be_drawn_is_refused():
    vis = Visualizer(GREY)
    with pytest.raises(NotImplementedError, match="masks"):
        vis.overlay_instances(masks=[np.ones((60, 80))])
