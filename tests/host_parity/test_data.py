"""The same files, seeds and settings give the same data on minid2 and on Detectron2."""

import copy
import functools
import importlib
import inspect
import itertools
import json

import detectron2.data as host
import detectron2.data.detection_utils as host_utils
import detectron2.data.transforms as host_T
import numpy as np
import pytest
import torch
from detectron2.config import get_cfg as host_get_cfg
from detectron2.data import build as host_build
from detectron2.data.datasets import coco as host_coco
from PIL import Image

import minid2.data as mini
import minid2.data.detection_utils as mini_utils
import minid2.data.transforms as mini_T
from minid2.config import get_cfg as mini_get_cfg
from minid2.data import build as mini_build
from minid2.data.datasets import coco as mini_coco

from .test_names import offered

SIZES = [(40, 60), (61, 33), (50, 50), (28, 90), (90, 28), (45, 46)]  # height, width

# ruff: noqa: NPY002 - both hosts draw from numpy's global generator


@pytest.fixture(scope="module")
def coco_file(tmp_path_factory):
    """Six small images with gaps in the ids, a crowd, masks, whole-number and float boxes."""
    root = tmp_path_factory.mktemp("coco")
    rng = np.random.RandomState(0)
    images, annotations = [], []
    for index, (height, width) in enumerate(SIZES):
        Image.fromarray(rng.randint(0, 256, (height, width, 3)).astype("uint8")).save(
            root / f"{index}.png"
        )
        image_id = 30 - 3 * index
        images.append(
            {"id": image_id, "file_name": f"{index}.png", "height": height, "width": width}
        )
        for k in range(index):  # the first image has none
            x, y = rng.uniform(0, 20, 2).round(3)
            box = [x, y, 7.5, 5.25] if k % 2 else [int(x), int(y), 9, 6]
            annotations.append(
                {
                    "id": 100 + len(annotations),
                    "image_id": image_id,
                    "category_id": (7, 2, 5)[k % 3],
                    "bbox": box,
                    "area": 1,
                    "iscrowd": int(k == 3),
                    "score": k / 10,
                }
            )
    annotations[0]["segmentation"] = [[1, 1, 9, 1, 9, 9.5], [1, 2]]
    annotations[1]["segmentation"] = {"counts": [10, 20, 61 * 33 - 30], "size": [61, 33]}
    annotations[2]["segmentation"] = [[1, 1, 2, 2]]  # no valid polygon: left out
    categories = [{"id": i, "name": n} for i, n in ((7, "ship"), (2, "car"), (5, "plane"))]
    path = root / "annotations.json"
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return str(path), str(root)


@pytest.fixture(scope="module")
def names(coco_file):
    """The file registered in the catalogues of both hosts."""
    name = "parity_of_data"
    host_coco.register_coco_instances(name, {"extra": 1}, *coco_file)
    mini_coco.register_coco_instances(name, {"extra": 1}, *coco_file)
    return name


def pair(make):
    """Call ``make`` with each host's data package, numpy seeded alike."""
    results = []
    for module in (host, mini):
        np.random.seed(11)
        torch.manual_seed(11)
        results.append(make(module))
    return results


def test_records_metadata_and_conversion_are_equal(coco_file, names):
    args = (*coco_file, None, ["score"])
    assert mini_coco.load_coco_json(*args) == host_coco.load_coco_json(*args)
    expected, found = pair(lambda m: m.DatasetCatalog.get(names))
    assert found == expected
    assert found[0]["annotations"][0]["bbox_mode"] == expected[0]["annotations"][0]["bbox_mode"]
    expected, found = pair(lambda m: m.MetadataCatalog.get(names).as_dict())
    assert found == expected
    expected, found = (c.convert_to_coco_dict(names) for c in (host_coco, mini_coco))
    del expected["info"], found["info"]
    assert found == expected


def augmentations(T):
    """One list of each kind that chance or arithmetic could tell apart."""
    return {
        "none": [],
        "default": [T.ResizeShortestEdge((40, 55), 80, "range"), T.RandomFlip()],
        "choice": [
            T.ResizeShortestEdge([20, 64, 100], 90, "choice"),
            T.RandomFlip(vertical=True, horizontal=False),
        ],
        "relative": [T.RandomCrop("relative", (0.51, 0.33))],
        "relative_range": [T.RandomCrop("relative_range", [0.5, 0.3]), T.RandomFlip()],
        "absolute": [T.RandomCrop("absolute", (32, 40))],
        "absolute_range": [T.RandomCrop("absolute_range", (20, 40)), T.ResizeShortestEdge(33)],
        "fixed": [T.Resize((31, 17))],
        "colour": [
            T.RandomBrightness(0.6, 1.4),
            T.RandomContrast(0.6, 1.4),
            T.RandomSaturation(0.6, 1.4),
        ],
    }


@pytest.mark.parametrize("kind", list(augmentations(mini_T)))
def test_mappers_give_equal_images_and_boxes(names, kind):
    outputs = []
    for module, T in ((host, host_T), (mini, mini_T)):
        mapper = module.DatasetMapper(
            is_train=True, augmentations=augmentations(T)[kind], image_format="BGR"
        )
        np.random.seed(3)
        records = module.DatasetCatalog.get(names)
        outputs.append([mapper(record) for record in records for _ in range(4)])
    for expected, found in zip(*outputs, strict=True):
        assert torch.equal(found["image"], expected["image"])
        assert found["image"].dtype == expected["image"].dtype
        ours, theirs = found.pop("instances"), expected.pop("instances")
        assert ours.image_size == theirs.image_size
        assert torch.equal(ours.gt_boxes.tensor, theirs.gt_boxes.tensor)
        assert torch.equal(ours.gt_classes, theirs.gt_classes)
        assert found.keys() == expected.keys()


@pytest.mark.parametrize("is_train", [True, False])
def test_mapper_of_a_config(names, is_train):
    outputs = []
    for module, get_cfg in ((host, host_get_cfg), (mini, mini_get_cfg)):
        cfg = get_cfg()
        cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN = (30, 50), 70
        cfg.INPUT.MIN_SIZE_TEST = 64
        cfg.INPUT.FORMAT = "RGB"
        cfg.INPUT.RANDOM_FLIP = "vertical"
        cfg.INPUT.CROP.ENABLED = True
        mapper = module.DatasetMapper(cfg, is_train)
        np.random.seed(0)
        outputs.append([mapper(r) for r in module.DatasetCatalog.get(names)])
        assert repr(mapper.augmentations)
    for expected, found in zip(*outputs, strict=True):
        assert found.keys() == expected.keys()
        assert torch.equal(found["image"], expected["image"])


def test_resized_shapes_are_equal():
    rng = np.random.RandomState(0)
    for height, width, length in rng.randint(1, 1500, (20000, 3)).tolist():
        args = (height, width, length, 1333)
        expected = host_T.ResizeShortestEdge.get_output_shape(*args)
        assert mini_T.ResizeShortestEdge.get_output_shape(*args) == expected, args


@pytest.mark.parametrize(
    "make",
    [
        lambda T: T.RandomRotation([-40, 70]),
        lambda T: T.RandomRotation([-40, 70], expand=False, center=[[0.2, 0.3], [0.8, 0.7]]),
        lambda T: T.RandomRotation([15, 90, 200], sample_style="choice"),
        lambda T: T.ResizeScale(0.3, 2.0, 60, 50),
        lambda T: T.RandomApply(T.RandomRotation(33), prob=0.6),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_geometry_is_drawn_and_applied_alike(make, seed):
    image = np.random.default_rng(seed).integers(0, 256, (40, 61, 3)).astype("uint8")
    boxes = np.array([[3.0, 4.0, 20.0, 30.0], [0.0, 0.0, 61.0, 40.0]])
    results = []
    for T in (host_T, mini_T):
        np.random.seed(seed)
        held = T.AugInput(image.copy(), boxes=boxes.copy(), sem_seg=image[..., 0].copy())
        make(T)(held)
        results.append((held.image, held.boxes, held.sem_seg, np.random.rand()))
    for theirs, mine in zip(*results, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6)


def test_coco_has_the_same_classes():
    ours, theirs = (
        importlib.import_module(f"{name}.data.datasets.builtin_meta")._get_coco_instances_meta()
        for name in ("minid2", "detectron2")
    )
    assert ours == {key: theirs[key] for key in ours}


def test_transforms_of_float_and_grey_images():
    rng = np.random.RandomState(0)
    images = [rng.rand(9, 12, 3).astype("float32"), rng.rand(9, 12), rng.rand(9, 12, 1) * 255]
    images += [(rng.rand(9, 12, c) * 255).astype("uint8") for c in (1, 2, 3, 4)]
    for image, interp in itertools.product(images, (Image.NEAREST, Image.BILINEAR, Image.BICUBIC)):
        a, b = (
            T.ResizeTransform(9, 12, 20, 7, interp).apply_image(image) for T in (host_T, mini_T)
        )
        assert np.array_equal(a, b) and a.dtype == b.dtype and a.shape == b.shape
    points = rng.rand(5, 2) * 9
    a, b = (T.ResizeTransform(9, 12, 20, 7) for T in (host_T, mini_T))
    assert np.allclose(a.apply_coords(points.copy()), b.apply_coords(points.copy()), atol=1e-5)
    assert repr(a) == repr(b)


@pytest.mark.parametrize("format", [None, "RGB", "BGR", "L", "CMYK", "HSV"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "I;16", "CMYK", "rotated"])
def test_images_are_read_alike(tmp_path, mode, format):
    pixels = np.random.RandomState(0).randint(0, 256, (8, 10, 3)).astype("uint8")
    image, exif = Image.fromarray(pixels), Image.Exif()
    if mode == "rotated":
        exif[0x0112] = 6
    elif mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype("uint16") * 200)
    else:
        image = image.convert(mode)
    path = str(tmp_path / ("x.jpg" if mode in ("CMYK", "rotated") else "x.png"))
    image.save(path, **({"exif": exif} if mode == "rotated" else {}))
    a, b = (utils.read_image(path, format) for utils in (host_utils, mini_utils))
    assert np.array_equal(a, b) and a.dtype == b.dtype
    if format in ("RGB", "BGR", "L"):
        a, b = (utils.convert_image_to_rgb(a, format) for utils in (host_utils, mini_utils))
        assert np.allclose(a, b, atol=1e-9)


def samplers(module):
    S = module.samplers
    factors = torch.tensor([1.5, 1.0, 2.2, 1.0, 3.7])
    return {
        "training": lambda: S.TrainingSampler(7, seed=5),
        "in order": lambda: S.TrainingSampler(7, shuffle=False),
        "unseeded": lambda: S.TrainingSampler(7),
        "repeat": lambda: S.RepeatFactorTrainingSampler(factors, seed=5),
        "repeat in order": lambda: S.RepeatFactorTrainingSampler(factors, shuffle=False, seed=5),
        "inference": lambda: S.InferenceSampler(7),
    }


@pytest.mark.parametrize("kind", list(samplers(mini)))
@pytest.mark.parametrize("rank, world", [(0, 1), (0, 2), (1, 2), (2, 3)])
def test_samplers_give_equal_streams(monkeypatch, kind, rank, world):
    for name in ("detectron2.utils.comm", "minid2.utils.comm"):
        monkeypatch.setattr(f"{name}.get_rank", lambda: rank)
        monkeypatch.setattr(f"{name}.get_world_size", lambda: world)
        monkeypatch.setattr(f"{name}.all_gather", lambda value: [value] * world)
    expected, found = pair(lambda m: list(itertools.islice(samplers(m)[kind](), 40)))
    assert found == expected


@pytest.mark.parametrize("sqrt", [True, False])
def test_repeat_factors_are_equal(sqrt):
    rng = np.random.RandomState(0)
    records = [
        {"annotations": [{"category_id": int(c)} for c in rng.geometric(0.4, rng.randint(4))]}
        for _ in range(40)
    ]
    expected, found = pair(
        lambda m: m.samplers.RepeatFactorTrainingSampler.repeat_factors_from_category_frequency(
            records, 0.3, sqrt=sqrt
        )
    )
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"aspect_ratio_grouping": False},
        {"num_workers": 2},
        {"num_workers": 2, "aspect_ratio_grouping": False, "seed": 4},
        {"collate_fn": len},
    ],
    ids=str,
)
def test_train_loaders_give_equal_batches(options):
    records = [{"width": 10 + i % 3, "height": 11, "index": i} for i in range(9)]

    def batches(module):
        def draw(record):
            return {**record, "chance": np.random.uniform()}

        loader = module.build_detection_train_loader(
            records, mapper=draw, total_batch_size=2, **options
        )
        return list(itertools.islice(loader, 6))

    expected, found = pair(batches)
    assert found == expected


@pytest.mark.parametrize("sampler", ["TrainingSampler", "RepeatFactorTrainingSampler"])
def test_loaders_of_a_config_give_equal_images(names, sampler):
    outputs = []
    for module, get_cfg in ((host, host_get_cfg), (mini, mini_get_cfg)):
        cfg = get_cfg()
        cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = (names, names), (names,)
        cfg.DATALOADER.SAMPLER_TRAIN = sampler
        cfg.DATALOADER.REPEAT_THRESHOLD = 0.9
        cfg.DATALOADER.NUM_WORKERS = 0
        cfg.SOLVER.IMS_PER_BATCH = 2
        cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MIN_SIZE_TEST = (40, 48), 32
        np.random.seed(2)
        train = itertools.islice(module.build_detection_train_loader(cfg), 5)
        test = module.build_detection_test_loader(cfg, names)
        outputs.append([item for batch in itertools.chain(train, test) for item in batch])
    for expected, found in zip(*outputs, strict=True):
        assert found["image_id"] == expected["image_id"]
        assert torch.equal(found["image"], expected["image"])
        if "instances" in expected:
            theirs, ours = expected["instances"], found["instances"]
            assert torch.equal(ours.gt_boxes.tensor, theirs.gt_boxes.tensor)


def test_skipping_mappers_and_test_loaders_agree():
    def odd(index):
        return index if index % 2 else None

    expected, found = pair(
        lambda m: [m.MapDataset(list(range(9)), odd)[i] for i in (0, 2, 3, 4, 4, 6, 8)]
    )
    assert found == expected
    records = [{"index": i} for i in range(7)]
    expected, found = pair(
        lambda m: list(m.build_detection_test_loader(records, mapper=copy.copy, batch_size=3))
    )
    assert found == expected


def test_worker_seeds_are_equal():
    draws = []
    for build in (host_build, mini_build):
        torch.manual_seed(2**33 + 5)
        build.worker_init_reset_seed(3)
        draws.append((np.random.rand(), torch.rand(1).item()))
    assert draws[0] == draws[1]


def methods(module, names):
    """The callables of these names, and the public methods of those that are classes."""
    for name in names:
        item = getattr(module, name)
        if not callable(item):
            continue
        yield name, item
        for method, function in vars(item).items() if inspect.isclass(item) else ():
            if inspect.isfunction(function) and (method == "__init__" or method[0] != "_"):
                yield f"{name}.{method}", function


@pytest.mark.parametrize(
    "module",
    [
        "data",
        "data.build",
        "data.catalog",
        "data.common",
        "data.datasets",
        "data.datasets.coco",
        "data.detection_utils",
        "data.samplers",
        "data.transforms",
        "data.transforms.augmentation_impl",
        "utils.colormap",
        "utils.visualizer",
    ],
)
def test_public_names_exist_there_with_the_same_arguments(module):
    ours, theirs = (
        importlib.import_module(f"{host}.{module}") for host in ("minid2", "detectron2")
    )
    for name, item in methods(ours, offered(ours)):
        other = functools.reduce(getattr, name.split("."), theirs)
        if inspect.isclass(item):  # its __init__ comes by itself
            continue
        arguments = [
            [(p.name, p.kind, str(p.default)) for p in inspect.signature(f).parameters.values()]
            for f in (item, other)
        ]
        assert arguments[0] == arguments[1], name
