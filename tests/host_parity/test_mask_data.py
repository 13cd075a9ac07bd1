"""Masks from the records to the model, and their COCO metrics, on Detectron2 and minid2."""

import json

import detectron2.config
import detectron2.data
import detectron2.data.detection_utils
import detectron2.data.transforms
import detectron2.evaluation
import detectron2.structures
import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

import minid2.config
import minid2.data
import minid2.data.detection_utils
import minid2.data.transforms
import minid2.evaluation
import minid2.structures

HOSTS = (detectron2, minid2)
HEIGHT, WIDTH = 40, 52

# ruff: noqa: NPY002 - both hosts draw from numpy's global generator


def polygons(rng, whole):
    """One or two shapes of one object, of floats or of whole numbers."""
    centre, found = rng.uniform(5, 35, 2), []
    for _ in range(rng.integers(1, 3)):
        points = (centre + rng.uniform(-6, 6, (rng.integers(3, 7), 2))).ravel()
        found.append(points.round().astype(int).tolist() if whole else points.tolist())
    return found


def records(folder, kind):
    """Six records, the first without objects; ``kind`` of segmentations."""
    rng = np.random.default_rng(2)
    found = []
    for number in range(6):
        path = str(folder / f"{number}.png")
        Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(path)
        annotations = []
        for k in range(number):
            shape = polygons(rng, kind == "whole")
            mask = coco_mask.merge(coco_mask.frPyObjects(shape, HEIGHT, WIDTH))
            if kind == "rle" or (kind == "mixed" and k % 2):
                shape = mask
            box = coco_mask.toBbox(mask).tolist()
            annotation = {"bbox": box, "bbox_mode": detectron2.structures.BoxMode.XYWH_ABS}
            annotation |= {"category_id": k % 3, "iscrowd": int(k == 3), "segmentation": shape}
            annotations.append(annotation)
        sizes = {"height": HEIGHT, "width": WIDTH, "image_id": number}
        found.append({"file_name": path, "annotations": annotations, **sizes})
    return found


def augmentations(T, crop):
    start = [T.RandomCrop("relative", (0.4, 0.5))] if crop else []
    resize = T.ResizeShortestEdge((20, 61), 90, "range")
    return [*start, resize, T.RandomFlip(), T.RandomFlip(vertical=True, horizontal=False)]


def outcome(function):
    try:
        return function()
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize(
    ("kind", "form", "crop"),
    [
        ("float", "polygon", False),
        ("whole", "polygon", False),
        ("float", "bitmask", False),
        ("rle", "bitmask", False),
        ("mixed", "bitmask", False),
        ("rle", "bitmask", True),
        ("float", "polygon", True),
        ("rle", "polygon", False),  # an error
    ],
)
def test_mappers_give_equal_masks(tmp_path, kind, form, crop, recompute):
    if crop and kind != "rle":
        pytest.importorskip("shapely", reason="polygons are cropped by shapely")
    outputs = []
    for host in HOSTS:
        mapper = host.data.DatasetMapper(
            is_train=True,
            augmentations=augmentations(host.data.transforms, crop),
            image_format="BGR",
            use_instance_mask=True,
            instance_mask_format=form,
            recompute_boxes=recompute,
        )
        np.random.seed(3)
        # Detectron2 recomputes no boxes where an image has no objects: AttributeError
        given = records(tmp_path, kind)[1 if recompute else 0 :]
        outputs.append([outcome(lambda r=r, m=mapper: m(r)) for r in given for _ in range(4)])
    covered = 0
    for expected, found in zip(*outputs, strict=True):
        if isinstance(expected, type):
            assert found is expected is ValueError and (kind, form) == ("rle", "polygon")
            continue
        theirs, ours = expected["instances"], found["instances"]
        assert list(ours.get_fields()) == list(theirs.get_fields())
        assert torch.equal(ours.gt_boxes.tensor, theirs.gt_boxes.tensor)
        assert torch.equal(ours.gt_classes, theirs.gt_classes)
        if not theirs.has("gt_masks"):
            continue
        assert type(ours.gt_masks).__name__ == type(theirs.gt_masks).__name__
        masks = [each.gt_masks.crop_and_resize(each.gt_boxes.tensor, 28) for each in (theirs, ours)]
        assert torch.equal(*masks)
        covered += int(masks[0].sum())
        if form == "polygon":
            for pair in zip(theirs.gt_masks, ours.gt_masks, strict=True):
                assert all(map(np.array_equal, *pair)) and len(pair[0]) == len(pair[1])
        else:
            assert torch.equal(ours.gt_masks.tensor, theirs.gt_masks.tensor)
    assert covered > 1000 or form == "polygon"


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("is_train", [False, True])
def test_a_config_makes_the_same_mapper_of_masks(masks, crop, is_train):
    settings = []
    for host in HOSTS:
        cfg = host.config.get_cfg()
        cfg.MODEL.MASK_ON, cfg.INPUT.CROP.ENABLED, cfg.INPUT.MASK_FORMAT = masks, crop, "bitmask"
        made = host.data.DatasetMapper.from_config(cfg, is_train)
        keys = ("is_train", "use_instance_mask", "instance_mask_format", "recompute_boxes")
        settings.append([made[key] for key in keys])
    assert settings[0] == settings[1]
    assert settings[1][-1] == (masks and crop and is_train)


@pytest.mark.parametrize(("by_box", "by_mask"), [(True, False), (False, True), (True, True)])
def test_empty_instances_are_dropped_alike(by_box, by_mask):
    boxes = torch.tensor([[0.0, 0, 4, 4], [1, 1, 1, 5], [0, 0, 6, 6], [2, 2, 2, 2]])
    bits = torch.zeros(4, 8, 8, dtype=torch.bool)
    bits[:2, 1:4, 1:4] = True
    shapes = [[[0, 0, 4, 0, 4, 4]], [], [[0, 0, 6, 0, 6, 6]], []]
    results = []
    for host in HOSTS:
        for masks in (host.structures.BitMasks(bits), host.structures.PolygonMasks(shapes)):
            target = host.structures.Instances(
                (8, 8), gt_boxes=host.structures.Boxes(boxes), gt_masks=masks
            )
            kept, flags = host.data.detection_utils.filter_empty_instances(
                target, by_box, by_mask, return_mask=True
            )
            results.append((kept.gt_boxes.tensor.tolist(), len(kept.gt_masks), flags.tolist()))
    assert results[:2] == results[2:]


@pytest.mark.parametrize(
    ("shape", "form"),
    [
        (["x"], "polygon"),
        ("text", "bitmask"),
        ([[1, 2, 3, 4]], "polygon"),
        (np.zeros((2, 2, 2)), "bitmask"),
    ],
)
def test_unknown_segmentations_are_refused_alike(shape, form):
    kinds = []
    for host in HOSTS:
        mode = host.structures.BoxMode.XYXY_ABS
        annotation = {"bbox": [0, 0, 3, 3], "bbox_mode": mode, "category_id": 0}
        annotation["segmentation"] = shape
        make = host.data.detection_utils.annotations_to_instances
        kinds.append(outcome(lambda a=annotation, make=make: make([a], (8, 8), mask_format=form)))
    assert all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds)
    if kinds[0] is not AssertionError:
        assert kinds[0] is kinds[1]


def predictions(host, truth):
    """Shifted masks of the ground truth, with scores that tie, and a few empty ones."""
    rng = np.random.default_rng(4)
    outputs = []
    for image in truth["images"]:
        masks, boxes, classes = [], [], []
        for a in truth["annotations"]:
            if a["image_id"] == image["id"]:
                for _ in range(3):
                    merged = coco_mask.merge(
                        coco_mask.frPyObjects(a["segmentation"], HEIGHT, WIDTH)
                    )
                    moved = np.roll(coco_mask.decode(merged), rng.integers(-2, 3, 2), (0, 1))
                    masks.append(moved * (rng.random() < 0.95))
                    x, y, w, h = np.array(a["bbox"]) + rng.normal(0, 1, 4)
                    boxes.append([x, y, x + max(w, 1), y + max(h, 1)])
                    classes.append(int(rng.integers(2)) if rng.random() < 0.2 else a["category_id"])
        found = host.structures.Instances((HEIGHT, WIDTH))
        found.pred_boxes = host.structures.Boxes(torch.tensor(boxes).reshape(-1, 4))
        found.scores = torch.tensor(rng.random(len(masks)).round(1))
        found.pred_classes = torch.tensor(classes, dtype=torch.int64)
        found.pred_masks = torch.from_numpy(np.array(masks, dtype=bool).reshape(-1, HEIGHT, WIDTH))
        outputs.append(found)
    return outputs


@pytest.mark.parametrize(
    "options",
    [{}, {"use_fast_impl": False}, {"max_dets_per_image": 1}, {"tasks": ("segm",)}],
    ids=str,
)
def test_coco_metrics_of_masks_are_equal(tmp_path, options):
    rng = np.random.default_rng(5)
    images = [{"id": i, "height": HEIGHT, "width": WIDTH, "file_name": ""} for i in range(5)]
    annotations = []
    for number in range(30):
        shape = polygons(rng, whole=False)
        mask = coco_mask.merge(coco_mask.frPyObjects(shape, HEIGHT, WIDTH))
        annotation = {"id": number + 1, "image_id": int(rng.integers(4)), "segmentation": shape}
        annotation |= {"category_id": int(rng.integers(3)), "iscrowd": int(number % 11 == 0)}
        # of all size classes, though the picture is small
        annotation |= {"bbox": coco_mask.toBbox(mask).tolist(), "area": 10.0 ** (1 + number % 5)}
        annotations.append(annotation)
    truth = {"info": {}, "images": images, "annotations": annotations}
    truth["categories"] = [{"id": k, "name": f"c{k}"} for k in range(3)]
    file = tmp_path / "gt.json"
    file.write_text(json.dumps(truth))
    results, files = [], []
    for host in HOSTS:
        name = f"masks_{tmp_path}"
        metadata = host.data.MetadataCatalog.get(name)
        metadata.set(json_file=str(file), thing_classes=["a", "b", "c"])
        folder = tmp_path / host.__name__
        evaluator = host.evaluation.COCOEvaluator(name, output_dir=str(folder), **options)
        evaluator.reset()
        for image, found in zip(images, predictions(host, truth), strict=True):
            evaluator.process([{"image_id": image["id"]}], [{"instances": found}])
        results.append(evaluator.evaluate())
        files.append(json.loads((folder / "coco_instances_results.json").read_text()))
    theirs, ours = results
    assert files[0] == files[1]
    assert list(ours) == list(theirs) == list(options.get("tasks", ("bbox", "segm")))
    for task, expected in theirs.items():
        assert list(ours[task]) == list(expected)
        values = list(expected.values())
        assert list(ours[task].values()) == pytest.approx(values, abs=1e-10, nan_ok=True)
        assert 0 < expected["AP"] < 100
