"""Configs of configs/derefnet train a step and are measured; their lazy twins are their equals."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from detectron2.config import instantiate
from detectron2.data import build_detection_test_loader
from detectron2.engine import default_argument_parser
from detectron2.modeling import META_ARCH_REGISTRY, build_model

from d2freq.data.seqcsist import Rules, generate_seqcsist
from d2freq.engine import check, load_lazy, load_yaml, run
from d2freq.engine.tasks.unmixing import Unmixing

from .config_cases import CONFIGS, SEQUENCES, leaves
from .twin_checks import assert_same_training, settings

NAMES = [name for name in leaves() if name.startswith(SEQUENCES)]
TWINS = [name for name in leaves(".py") if name in NAMES]
METHODS = [name for name in NAMES if "/derefnet_" not in name and name not in TWINS]


@pytest.fixture(scope="module", autouse=True)
def data(tmp_path_factory):
    """Every data set of the configs with two trajectories of 5 frames, one window."""
    root = tmp_path_factory.mktemp("sequences")
    few = {"train": 2, "val": 1, "test": 1, "progress": False}
    for folder, most, background in (
        ("seqcsist", 4, None),
        ("seqcsist_small", 4, None),
        ("seqcsist_dense", 8, None),
        ("seqcsist_mixed", 4, "clutter"),
    ):
        rules = Rules(frames=5, targets=(2, most))
        generate_seqcsist(root / folder, rules=rules, background=background, **few)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETECTRON2_DATASETS", str(root))
        yield root


@pytest.fixture(scope="module", params=TWINS)
def twins(request, data):
    """Both configs of a name, and the model of each from the same seed."""
    file = str(CONFIGS / request.param)
    cfg = load_yaml(f"{file}.yaml", ["MODEL.DEVICE", "cpu"])
    lazy = load_lazy(f"{file}.py", ["train.device=cpu"])
    models = []
    for build in (lambda: build_model(cfg), lambda: instantiate(lazy.model)):
        torch.manual_seed(1)
        models.append(build())
    return SimpleNamespace(cfg=cfg, lazy=lazy, models=models)


def has_parameters(model: torch.nn.Module) -> bool:
    return next(model.parameters(), None) is not None


def test_same_model(twins):
    ours, theirs = (model.state_dict() for model in twins.models)
    assert type(twins.models[0]) is type(twins.models[1]) and list(ours) == list(theirs)
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())
    assert settings(twins.models[0]) == settings(twins.models[1])


def test_same_training(twins):
    if not has_parameters(twins.models[0]):
        pytest.skip("nothing to train")
    assert_same_training(twins.cfg, twins.lazy, twins.models[0])


def test_same_data_and_evaluator(twins):
    cfg, loaders = twins.cfg.clone(), twins.lazy.dataloader
    cfg.DATALOADER.NUM_WORKERS = 0
    name = cfg.DATASETS.TEST[0]
    ours = next(iter(Unmixing().test_loader(cfg, name)))[0]
    dataset, mapper = instantiate(loaders.test.dataset), instantiate(loaders.test.mapper)
    theirs = next(iter(build_detection_test_loader(dataset, mapper=mapper)))[0]
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ("frames", "positions"))
    assert instantiate(loaders.train.mapper).noise == cfg.INPUT.UNMIXING.NOISE
    evaluators = Unmixing().evaluator(cfg, name, None), instantiate(loaders.evaluator)
    ours, theirs = map(vars, evaluators)
    for key in ("_name", "_threshold", "_window", "_factor"):
        assert ours[key] == theirs[key], key


@pytest.mark.parametrize("name", METHODS)
def test_a_method_without_arguments_is_that_of_its_config(name):
    """So that a lazy config may say L(SRCNN)(q_init=...) and no more."""
    cfg = load_yaml(str(CONFIGS / f"{name}.yaml"), ["MODEL.DEVICE", "cpu"])
    method = META_ARCH_REGISTRY.get(cfg.MODEL.META_ARCHITECTURE)
    with torch.device("meta"):  # some have 22 million weights
        ours = method(cfg)
        theirs = method(q_init=getattr(ours, "q_init", None))
    assert settings(ours) == settings(theirs)
    shapes = [{key: v.shape for key, v in m.state_dict().items()} for m in (ours, theirs)]
    assert shapes[0] == shapes[1]


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]


YAML = (
    "MODEL.DEVICE cpu SOLVER.IMS_PER_BATCH 1 SOLVER.MAX_ITER 1 SOLVER.STEPS () "
    "DATALOADER.NUM_WORKERS 0 SEED 3 TEST.EVAL_PERIOD 1 OUTPUT_DIR"
).split()
LAZY = (
    "train.device=cpu dataloader.train.total_batch_size=1 train.max_iter=1 "
    "dataloader.train.num_workers=0 dataloader.test.num_workers=0 train.seed=3 train.eval_period=1"
).split()


# networks of 3 to 22 million weights take their step with fewer layers; test_unmixing.py of cost/
# has a frame pass all of them
FEWER = {
    "liht": "MODEL.LIHT.LAYERS 2",
    "gmfn": "MODEL.GMFN.BLOCKS 2",
    "rdn": "MODEL.RDN.BLOCKS 2 MODEL.RDN.LAYERS 2",
    "esrgan": "MODEL.ESRGAN.BLOCKS 1",
    "bsrgan": "MODEL.BSRGAN.BLOCKS 1",
}


@pytest.mark.parametrize("name", NAMES)
def test_trains_a_step_and_measures_alike_from_both(name, loggers, tmp_path, monkeypatch):
    monkeypatch.setattr("detectron2.checkpoint.DetectionCheckpointer.save", lambda *_, **__: None)
    cfg = load_yaml(str(CONFIGS / f"{name}.yaml"), ["MODEL.DEVICE", "cpu"])
    cfg.MODEL.DEVICE = "meta"
    with torch.device("meta"):
        trains = has_parameters(build_model(cfg))
    flags = [] if trains else ["--eval-only"]
    fewer = FEWER.get(name.removeprefix(SEQUENCES).removesuffix("_seqcsist"), "").split()
    results, losses = [], []
    for load, suffix, words in (
        (load_yaml, ".yaml", [*YAML, str(tmp_path / ".yaml"), *fewer]),
        (load_lazy, ".py", [*LAZY, f"train.output_dir={tmp_path / '.py'}"]),
    )[: 2 if name in TWINS else 1]:
        file = str(CONFIGS / name) + suffix
        check(load(file, words), eval_only=not trains)
        arguments = default_argument_parser().parse_args(["--config-file", file, *flags, *words])
        results.append(run(arguments))
        if trains:
            lines = records(tmp_path / suffix)
            assert any("cso/CSO-mAP" in line for line in lines)
            line = next(line for line in lines if "total_loss" in line)
            losses.append({key: value for key, value in line.items() if "loss" in key})
            assert losses[0] == losses[-1] and losses[-1]["total_loss"] > 0
        assert results[0] == results[-1]
        assert list(results[-1]["cso"]) == ["CSO-mAP", "AP05", "AP10", "AP15", "AP20", "AP25"]
