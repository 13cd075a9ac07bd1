"""Every config of configs/derefnet and its lazy twin: equal, trained for a step, and measured."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from detectron2.config import instantiate
from detectron2.data import build_detection_test_loader
from detectron2.engine import default_argument_parser
from detectron2.modeling import build_model
from detectron2.solver import LRMultiplier, build_lr_scheduler

from d2freq.data.seqcsist import Rules, generate_seqcsist
from d2freq.engine import check, load_lazy, load_yaml, run
from d2freq.engine.solver import build_optimizer
from d2freq.engine.tasks.unmixing import Unmixing

CONFIGS = Path(__file__).resolve().parents[2] / "configs/derefnet"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
TRAINING_FREE = ("least_squares", "ista_seqcsist", "fista_seqcsist")


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


@pytest.fixture(scope="module", params=NAMES)
def twins(request, data):
    """Both configs of a name, and the model of each from the same seed."""
    file = str(CONFIGS / request.param)
    cfg = load_yaml(f"{file}.yaml", ["MODEL.DEVICE", "cpu"])
    lazy = load_lazy(f"{file}.py", ["train.device=cpu"])
    models = []
    for build in (lambda: build_model(cfg), lambda: instantiate(lazy.model)):
        torch.manual_seed(1)
        models.append(build())
    return SimpleNamespace(name=request.param, cfg=cfg, lazy=lazy, models=models)


def trains(name: str) -> bool:
    return not name.startswith(TRAINING_FREE)


def test_every_config_has_a_twin():
    assert NAMES == sorted(path.stem for path in CONFIGS.glob("*.py")) and len(NAMES) >= 10


def test_same_model(twins):
    ours, theirs = (model.state_dict() for model in twins.models)
    assert type(twins.models[0]) is type(twins.models[1]) and list(ours) == list(theirs)
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())
    plain = (int, float, str, bool, tuple)
    settings = [
        {
            f"{name}.{key}": value
            for name, module in model.named_modules()
            for key, value in vars(module).items()
            if isinstance(value, plain) or key == "switches"
        }
        for model in twins.models
    ]
    assert settings[0] == settings[1]


def test_same_optimizer_and_schedule(twins):
    if not trains(twins.name):
        pytest.skip("nothing to train")
    cfg, lazy, model = twins.cfg, twins.lazy, twins.models[0]
    recipe = copy.deepcopy(lazy.optimizer)
    recipe.params.model = model
    found = []
    for optimizer in (build_optimizer(cfg, model), instantiate(recipe)):
        assert type(optimizer) is torch.optim.Adam
        keys = ("lr", "betas", "eps", "weight_decay", "amsgrad")
        groups = [{k: g[k] for k in keys} | {"n": len(g["params"])} for g in optimizer.param_groups]
        found.append(groups)
    assert found[0] == found[1]
    last = cfg.SOLVER.MAX_ITER
    assert last == lazy.train.max_iter and cfg.TEST.EVAL_PERIOD == lazy.train.eval_period
    assert cfg.SOLVER.CHECKPOINT_PERIOD == lazy.train.checkpointer.period
    assert cfg.SOLVER.IMS_PER_BATCH == lazy.dataloader.train.total_batch_size
    assert (cfg.OUTPUT_DIR, cfg.SEED) == (lazy.train.output_dir, lazy.train.seed)
    rates = []
    for schedule in (
        lambda optimizer: build_lr_scheduler(cfg, optimizer),
        lambda optimizer: LRMultiplier(optimizer, instantiate(lazy.lr_multiplier), last),
    ):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=cfg.SOLVER.BASE_LR)
        scheduler = schedule(optimizer)
        for iteration in range(0, last, max(1, last // 50)):
            scheduler.last_epoch = iteration
            rates.append(scheduler.get_lr())
    assert rates[: len(rates) // 2] == rates[len(rates) // 2 :]


def test_same_data_and_evaluator(twins):
    cfg, loaders = twins.cfg.clone(), copy.deepcopy(twins.lazy.dataloader)
    assert list(cfg.DATASETS.TRAIN) == [loaders.train.dataset.names]
    assert list(cfg.DATASETS.TEST) == [loaders.test.dataset.names]
    assert cfg.DATALOADER.NUM_WORKERS == loaders.train.num_workers == loaders.test.num_workers
    cfg.DATALOADER.NUM_WORKERS = 0
    name = cfg.DATASETS.TEST[0]
    ours = next(iter(Unmixing().test_loader(cfg, name)))[0]
    test = twins.lazy.dataloader.test
    dataset = instantiate(test.dataset)
    theirs = next(iter(build_detection_test_loader(dataset, mapper=instantiate(test.mapper))))[0]
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ("frames", "positions"))
    assert instantiate(twins.lazy.dataloader.train.mapper).noise == cfg.INPUT.UNMIXING.NOISE
    evaluators = [
        Unmixing().evaluator(cfg, name, None),
        instantiate(twins.lazy.dataloader.evaluator),
    ]
    ours, theirs = (vars(evaluator) for evaluator in evaluators)
    assert [ours[k] for k in ("_name", "_threshold", "_window", "_factor")] == [
        theirs[k] for k in ("_name", "_threshold", "_window", "_factor")
    ]


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_trains_a_step_and_measures_alike_from_both(name, loggers, tmp_path, monkeypatch):
    monkeypatch.setattr("detectron2.checkpoint.DetectionCheckpointer.save", lambda *_, **__: None)
    yaml = ["MODEL.DEVICE", "cpu", "SOLVER.IMS_PER_BATCH", "1", "SOLVER.MAX_ITER", "1"]
    yaml += ["SOLVER.STEPS", "()", "DATALOADER.NUM_WORKERS", "0", "SEED", "3", "TEST.EVAL_PERIOD"]
    yaml += ["1", "OUTPUT_DIR", str(tmp_path / "yaml")]
    lazy = ["train.device=cpu", "dataloader.train.total_batch_size=1", "train.max_iter=1"]
    lazy += ["dataloader.train.num_workers=0", "dataloader.test.num_workers=0", "train.seed=3"]
    lazy += ["train.eval_period=1", f"train.output_dir={tmp_path / 'lazy'}"]
    flags = [] if trains(name) else ["--eval-only"]
    results = []
    for load, suffix, words in ((load_yaml, ".yaml", yaml), (load_lazy, ".py", lazy)):
        file = str(CONFIGS / name) + suffix
        check(load(file, words), eval_only=bool(flags))
        arguments = default_argument_parser().parse_args(["--config-file", file, *flags, *words])
        results.append(run(arguments))
    assert results[0] == results[1]
    assert list(results[0]["cso"]) == ["CSO-mAP", "AP05", "AP10", "AP15", "AP20", "AP25"]
    if trains(name):
        found = []
        for kind in ("yaml", "lazy"):
            line = next(line for line in records(tmp_path / kind) if "total_loss" in line)
            found.append({key: value for key, value in line.items() if "loss" in key})
            assert any("cso/CSO-mAP" in line for line in records(tmp_path / kind))
        assert found[0] == found[1] and found[0]["total_loss"] > 0
