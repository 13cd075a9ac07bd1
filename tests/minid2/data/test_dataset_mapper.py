"""From a record to the input of a model, and the input that has to be refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from minid2.config import get_cfg
from minid2.data import DatasetMapper
from minid2.data import detection_utils as utils
from minid2.data import transforms as T
from minid2.structures import BoxMode


@pytest.fixture
def record(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, (40, 60, 3)).astype(np.uint8)
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    anno = {"bbox_mode": BoxMode.XYWH_ABS, "category_id": 2, "iscrowd": 0}
    return {
        "file_name": str(path),
        "image_id": 7,
        "width": 60,
        "height": 40,
        "annotations": [
            {**anno, "bbox": [5, 6, 10, 12], "segmentation": [[5, 6, 15, 6, 15, 18]]},
            {**anno, "bbox": [5, 6, 10, 12], "iscrowd": 1},
            {**anno, "bbox": [50, 6, 5, 5]},
        ],
    }


def mapper(*augmentations, is_train=True, image_format="RGB", **options):
    return DatasetMapper(
        is_train=is_train, augmentations=augmentations, image_format=image_format, **options
    )


def test_image_and_boxes(record):
    before = repr(record)
    out = mapper(T.HFlipTransform(60), T.CropTransform(30, 0, 30, 40))(record)
    assert repr(record) == before  # the record is the data set's own
    assert out["image"].shape == (3, 40, 30) and out["image"].dtype == torch.uint8
    pixels = np.asarray(Image.open(record["file_name"]))[:, ::-1][:, 30:]
    assert np.array_equal(out["image"].permute(1, 2, 0).numpy(), pixels)
    # the crowd is no target, and the third box was cropped away
    assert out["instances"].gt_boxes.tensor.tolist() == [[15, 6, 25, 18]]
    assert out["instances"].gt_classes.tolist() == [2] and "annotations" not in out
    assert "instances" not in mapper(is_train=False)(record)


def test_an_image_without_objects_gives_empty_instances(record):
    record["annotations"] = []
    instances = mapper()(record)["instances"]
    assert len(instances) == 0 and instances.gt_boxes.tensor.shape == (0, 4)
    assert instances.gt_classes.dtype == torch.int64


def test_config_of_training_and_inference(record):
    cfg = get_cfg()
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE = True, "absolute", [20, 30]
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MIN_SIZE_TEST = (10,), 80
    augs = DatasetMapper(cfg, True).augmentations.augs
    assert [type(a).__name__ for a in augs] == ["RandomCrop", "ResizeShortestEdge", "RandomFlip"]
    assert DatasetMapper(cfg, True)(record)["image"].shape == (3, 10, 15)
    assert DatasetMapper(cfg, False)(record)["image"].shape == (3, 80, 120)
    cfg.INPUT.RANDOM_FLIP = "sideways"
    with pytest.raises(ValueError, match="INPUT.RANDOM_FLIP.*'sideways'"):
        DatasetMapper(cfg, True)
    cfg.MODEL.KEYPOINT_ON, cfg.INPUT.RANDOM_FLIP = True, "none"
    with pytest.raises(NotImplementedError, match=r"MODEL\.KEYPOINT_ON.*real Detectron2"):
        DatasetMapper(cfg, True)


@pytest.mark.parametrize(
    "option, value",
    [
        ("use_keypoint", True),
        ("precomputed_proposal_topk", 100),
    ],
)
def test_unsupported_arguments_are_named(option, value):
    with pytest.raises(NotImplementedError, match=option):
        mapper(**{option: value})


def test_missing_and_damaged_images_are_named(record, tmp_path):
    path = record["file_name"]
    data = open(path, "rb").read()
    for damaged in (data[: len(data) // 2], b"", b"no image at all"):
        with open(path, "wb") as file:
            file.write(damaged)
        with pytest.raises(OSError, match="record image_id=7.*image.png.*copy it again"):
            mapper()(record)
    record["file_name"] = str(tmp_path / "gone.png")
    with pytest.raises(FileNotFoundError, match="image_id=7: .*gone.png.*Check the folder"):
        mapper()(record)


def test_wrong_sizes_and_keypoints_are_refused(record):
    with pytest.raises(utils.SizeMismatchError, match=r"image.png is \(60, 40\).*\(60, 41\)"):
        mapper()({**record, "height": 41})
    posed = {**record["annotations"][0], "keypoints": [1, 2, 2]}
    with pytest.raises(NotImplementedError, match="'keypoints'"):
        utils.transform_instance_annotations(posed, T.NoOpTransform(), (40, 60))


def test_an_image_is_read_upright_and_in_the_format(tmp_path):
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:10] = (250, 130, 10)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    path = str(tmp_path / "turned.png")
    Image.fromarray(pixels).save(path, exif=exif)
    rgb = utils.read_image(path, "RGB")
    assert rgb.shape == (30, 20, 3) and np.array_equal(rgb, np.rot90(pixels, -1))
    assert np.array_equal(utils.read_image(path, "BGR"), rgb[..., ::-1])
    assert utils.read_image(path, "L").shape == (30, 20, 1)
    bgr = torch.from_numpy(rgb[..., ::-1].copy())
    assert np.array_equal(utils.convert_image_to_rgb(bgr, "BGR"), rgb)


def test_empty_boxes_are_dropped():
    annos = [{"bbox": b, "bbox_mode": 0, "category_id": 0} for b in ([1, 1, 3, 3], [1, 1, 1, 3])]
    for anno in annos:
        anno["bbox_mode"] = BoxMode.XYXY_ABS
    kept, mask = utils.filter_empty_instances(
        utils.annotations_to_instances(annos, (9, 9)), return_mask=True
    )
    assert len(kept) == 1 and mask.tolist() == [True, False]
