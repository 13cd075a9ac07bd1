"""Structures, configs, events and their public signatures: minid2 against Detectron2."""

import importlib
import inspect
import json

import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf

HOSTS = ("detectron2", "minid2")

PUBLIC = {
    "structures": "Boxes BoxMode Instances ImageList pairwise_iou pairwise_ioa",
    "structures.boxes": "pairwise_intersection",
    "config": "CfgNode get_cfg configurable LazyCall LazyConfig instantiate",
    "utils.events": "EventStorage EventWriter JSONWriter TensorboardXWriter CommonMetricPrinter "
    "get_event_storage",
    "utils.logger": "setup_logger create_small_table",
    "utils.comm": "get_world_size get_rank get_local_rank get_local_size is_main_process "
    "synchronize all_gather gather shared_random_seed create_local_process_group "
    "get_local_process_group",
    "utils.env": "seed_all_rng",
    "utils.collect_env": "collect_env_info",
    "utils.registry": "Registry locate _convert_target_to_string",
    "utils.serialize": "PicklableWrapper",
    "utils.memory": "retry_if_cuda_oom",
}
ABSENT = "LazyConfig.load_rel LazyConfig.to_py EventStorage.name_scope EventStorage.put_histogram "
ABSENT += "EventStorage.clear_histograms EventStorage.smoothing_hints"
SPECIAL = ("__init__", "__getitem__", "__len__", "__iter__", "__contains__")


def both(module: str):
    return [importlib.import_module(f"{host}.{module}") for host in HOSTS]


def parameters(function) -> list[tuple]:
    signature = inspect.signature(function)
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


@pytest.mark.parametrize("module", PUBLIC)
def test_signatures(module):
    theirs, ours = both(module)
    for name in PUBLIC[module].split():
        pairs = [(name, getattr(theirs, name), getattr(ours, name))]
        if inspect.isclass(pairs[0][1]):
            members = [m for m in vars(pairs[0][1]) if m[0] != "_" or m in SPECIAL]
            members = [m for m in members if not isinstance(vars(pairs[0][1])[m], property)]
            members = [m for m in members if f"{name}.{m}" not in ABSENT.split()]
            pairs += [(f"{name}.{m}", *(getattr(p, m) for p in pairs[0][1:])) for m in members]
        for label, their, our in pairs:
            # `dump` only passes its arguments on, in both
            if callable(their) and label != "CfgNode.dump" and not inspect.isclass(their):
                assert parameters(their) == parameters(our), label


def assert_same_tree(their, our, path="cfg"):
    if isinstance(their, dict):
        assert set(their) == set(our), path
        for key in their:
            assert_same_tree(their[key], our[key], f"{path}.{key}")
    else:
        assert type(their) is type(our) and repr(their) == repr(our), path


def test_every_default_key_has_the_same_value_and_type():
    theirs, ours = both("config")
    assert_same_tree(theirs.get_cfg(), ours.get_cfg())


@pytest.mark.parametrize("host", [0, 1])
def test_a_dumped_yaml_config_is_read_by_the_other_host(host, tmp_path):
    writer, reader = (both("config")[i] for i in (host, 1 - host))
    cfg = writer.get_cfg()
    cfg.merge_from_list(["DATASETS.TRAIN", "('a', 'b')", "SOLVER.BASE_LR", 0.5])
    (tmp_path / "c.yaml").write_text(cfg.dump())
    other = reader.get_cfg()
    other.merge_from_file(str(tmp_path / "c.yaml"))
    # through text, in which tuples inside of tuples become lists on either host
    assert yaml.safe_load(cfg.dump()) == yaml.safe_load(other.dump())
    assert other.DATASETS.TRAIN == ("a", "b")


LAZY = """
from {host}.config import LazyCall as L
from {host}.layers import ShapeSpec
from {host}.structures import Boxes, ImageList
from torch.nn import Conv2d
from .common import train
model = L(Conv2d)(in_channels=4, out_channels="${{.in_channels}}", kernel_size=1)
boxes = L(Boxes)(tensor=[[1, 2, 3, 4]])
images = L(ImageList)(tensor=L(ShapeSpec)(channels=3), image_sizes=[ShapeSpec(stride=8)])
kind = dict(of=Boxes)
train.steps = [1, 2]
"""


@pytest.mark.parametrize("host", [0, 1])
def test_a_saved_lazy_config_is_read_by_the_other_host(host, tmp_path):
    (tmp_path / "common.py").write_text("train = dict(max_iter=5)\n")
    (tmp_path / "c.py").write_text(LAZY.format(host=HOSTS[host]))
    writer, reader = (both("config")[i] for i in (host, 1 - host))
    cfg = writer.LazyConfig.load(str(tmp_path / "c.py"))
    writer.LazyConfig.apply_overrides(cfg, ["model.in_channels=6", "train.max_iter=7"])
    path = str(tmp_path / "saved.yaml")
    writer.LazyConfig.save(cfg, path)
    assert "minid2" not in open(path).read()
    loaded = reader.LazyConfig.load(path)
    assert reader.instantiate(loaded.model).weight.shape == (6, 6, 1, 1)
    assert OmegaConf.to_container(loaded.train) == {"max_iter": 7, "steps": [1, 2]}
    structures, layers = (
        importlib.import_module(f"{HOSTS[1 - host]}.{m}") for m in ("structures", "layers")
    )
    assert type(reader.instantiate(loaded.boxes)) is structures.Boxes
    assert loaded.kind.of is structures.Boxes
    images = reader.instantiate(loaded.images)
    assert images.tensor == layers.ShapeSpec(channels=3)
    again = str(tmp_path / "again.yaml")
    reader.LazyConfig.save(loaded, again)
    assert open(again).read() == open(path).read()


def test_dotted_names():
    theirs, ours = both("utils.registry")
    for module, name in [("structures.boxes", "Boxes"), ("config.config", "CfgNode")]:
        their, our = (getattr(m, name) for m in both(module))
        text = theirs._convert_target_to_string(their)
        assert ours._convert_target_to_string(our) == text and ours.locate(text) is our
    for target in (torch.nn.Conv2d, torch.optim.SGD, len):
        text = theirs._convert_target_to_string(target)
        assert ours._convert_target_to_string(target) == text and ours.locate(text) is target


def test_configurable_calls():
    def results(config):
        class Part:
            @config.configurable
            def __init__(self, a, b=2, *, c=3):
                self.values = (a, b, c)

            @classmethod
            def from_config(cls, cfg, z=0):
                return {"a": cfg.SEED, "b": z}

        cfg = config.get_cfg()
        omega = OmegaConf.create({"SEED": 5})
        calls = [
            ((cfg,), {}),
            ((cfg, 4), {}),
            ((cfg,), {"z": 9, "c": 7}),
            ((), {"cfg": cfg}),
            ((1,), {}),
            ((omega,), {"b": 8}),
        ]
        return [Part(*args, **kwargs).values for args, kwargs in calls]

    theirs, ours = both("config")
    assert results(theirs) == results(ours)


def random_corners(count: int, generator) -> torch.Tensor:
    boxes = torch.randint(0, 12, (count, 2, 2), generator=generator).float()
    boxes += torch.rand(count, 1, 1, generator=generator)
    return torch.cat([boxes.amin(1), boxes.amax(1)], dim=1)  # some of them without area


def test_boxes():
    generator = torch.Generator().manual_seed(1)
    a, b = random_corners(40, generator), random_corners(30, generator)

    def results(module):
        first, second = module.Boxes(a), module.Boxes(b)
        clipped = first.clone()
        clipped.clip((7, 5))
        scaled = module.Boxes(a.clone())
        scaled.scale(1.7, 0.3)
        yield from (clipped.tensor, scaled.tensor, first.area(), first.get_centers())
        yield from (first.nonempty(), first.nonempty(threshold=3.0))
        yield from (first.inside_box((9, 8)), first.inside_box((9, 8), boundary_threshold=2))
        yield from (first[3].tensor, first[2:9].tensor, first[first.nonempty()].tensor)
        yield module.Boxes.cat([first, second]).tensor
        yield from (module.pairwise_iou(first, second), module.pairwise_ioa(first, second))
        yield module.pairwise_intersection(first, second)

    theirs, ours = both("structures.boxes")
    for index, (their, our) in enumerate(zip(results(theirs), results(ours), strict=True)):
        assert their.dtype == our.dtype and torch.equal(their, our), index


def test_box_mode():
    theirs, ours = both("structures")
    assert {m.name: m.value for m in theirs.BoxMode} == {m.name: m.value for m in ours.BoxMode}
    array = np.array([[1.5, 2.25, 3.1, 4.7]])
    for box in (
        [1, 2, 3, 4],
        (0.1, 0.2, 0.7, 0.9),
        array,
        array.astype(np.float32),
        torch.tensor(array),
    ):
        for modes in ((0, 1), (1, 0)):
            their, our = (m.BoxMode.convert(box, *map(m.BoxMode, modes)) for m in (theirs, ours))
            assert type(their) is type(our) and np.array_equal(np.asarray(their), np.asarray(our))
            assert getattr(their, "dtype", None) == getattr(our, "dtype", None)


def test_image_list_padding():
    theirs, ours = both("structures")
    generator = torch.Generator().manual_seed(2)
    for divisor in (0, 1, 2, 7, 32):
        for constraints in (
            None,
            {"square_size": 0},
            {"square_size": 70},
            {"size_divisibility": 5},
            {"square_size": 65, "size_divisibility": 16},
        ):
            for channels in ((), (3,), (2, 3)):
                sizes = torch.randint(1, 65, (3, 2), generator=generator).tolist()
                images = [torch.rand(*channels, *size, generator=generator) for size in sizes]
                their, our = (
                    m.ImageList.from_tensors(images, divisor, -1.5, constraints)
                    for m in (theirs, ours)
                )
                assert their.image_sizes == our.image_sizes and len(our) == 3
                assert torch.equal(their.tensor, our.tensor) and torch.equal(their[1], our[1])


def test_instances():
    def results(module):
        found = module.Instances((4, 6), scores=torch.arange(3.0), names=["a", "b", "c"])
        found.boxes = module.Boxes(torch.ones(3, 4))
        for part in (found[-1], found[1:], module.Instances.cat([found, found[:1]])):
            yield (
                part.image_size,
                len(part),
                list(part.get_fields()),
                part.scores.tolist(),
                part.names,
                len(part.boxes),
            )

    theirs, ours = both("structures")
    assert list(results(theirs)) == list(results(ours))


def test_events(tmp_path):
    def results(module, path):
        with module.EventStorage(10) as storage:
            writer = module.JSONWriter(str(path), window_size=5)
            printer = module.CommonMetricPrinter(200, window_size=5)
            for iteration in range(10, 35):
                storage.iter = iteration
                storage.put_scalars(loss=float(iteration % 7), time=iteration**2 * 0.01)
                storage.put_scalar("lr", 0.001 * iteration, smoothing_hint=False)
                if iteration % 4 == 0:
                    storage.put_scalar("rare", iteration)
                if iteration % 10 == 9:
                    writer.write()
                    printer.write()
            storage.put_scalar("x", 1, cur_iter=3)
            lines = sorted(path.read_text().splitlines())
            return (
                [json.loads(line) for line in lines],
                storage.latest(),
                [storage.latest_with_smoothing_hint(window) for window in (1, 3, 20)],
                [storage.count_samples("rare", window) for window in (1, 4, 9, 20)],
            )

    theirs, ours = both("utils.events")
    assert results(theirs, tmp_path / "a") == results(ours, tmp_path / "b")


def test_seeds_give_the_same_numbers():
    def results(env, comm):
        env.seed_all_rng(7)
        return torch.rand(2).tolist(), np.random.rand(), comm.shared_random_seed()  # noqa: NPY002

    theirs, ours = zip(*[both("utils.env"), both("utils.comm")], strict=True)
    assert results(*theirs) == results(*ours)
