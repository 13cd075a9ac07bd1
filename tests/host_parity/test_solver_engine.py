"""Solver and engine against the real Detectron2: rates, groups, hooks, command line, metrics."""

import argparse
import inspect
from copy import deepcopy

import detectron2.engine as engine_d2
import detectron2.solver as solver_d2
import detectron2.solver.build as build_d2
import numpy as np
import pytest
import torch
from detectron2.config import get_cfg as get_cfg_d2
from fvcore.common.param_scheduler import CosineParamScheduler
from torch import nn

import minid2.engine as engine_mini
import minid2.solver as solver_mini
import minid2.solver.build as build_mini
from minid2.config import get_cfg as get_cfg_mini
from minid2.modeling import build_model

from .test_names import offered

HOSTS = [(get_cfg_d2, solver_d2, engine_d2), (get_cfg_mini, solver_mini, engine_mini)]


class _Toy(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 1)
        self.layers = nn.Sequential(nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 1))

    def forward(self, batch):
        out = self.layers(self.stem(batch))
        return {"loss_a": out.square().mean(), "loss_b": (out - 1).abs().mean()}


def _seeded_toy():
    torch.manual_seed(7)
    return _Toy()


def _configured(get_cfg, options):
    cfg = get_cfg()
    cfg.merge_from_list([part for pair in options.items() for part in pair])
    return cfg


@pytest.mark.parametrize(
    "options",
    [
        {"SOLVER.STEPS": (12, 20)},
        {"SOLVER.STEPS": (12, 99), "SOLVER.WARMUP_METHOD": "constant"},
        {"SOLVER.STEPS": (2, 12)},  # a drop within the warm-up
        {"SOLVER.STEPS": (12,), "SOLVER.RESCALE_INTERVAL": True},
        {"SOLVER.WARMUP_ITERS": 90, "SOLVER.STEPS": ()},
        {"SOLVER.LR_SCHEDULER_NAME": "WarmupCosineLR", "SOLVER.BASE_LR_END": 1e-4},
        {"SOLVER.LR_SCHEDULER_NAME": "WarmupCosineLR", "SOLVER.RESCALE_INTERVAL": True},
    ],
)
def test_rates_are_equal(options):
    options = {"SOLVER.MAX_ITER": 30, "SOLVER.WARMUP_ITERS": 5, **options}
    rates, states = [], []
    for get_cfg, solver, _ in HOSTS:
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
        scheduler = solver.build_lr_scheduler(_configured(get_cfg, options), optimizer)
        rates.append([])
        for _ in range(30):
            rates[-1].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        states.append(scheduler.state_dict())
    assert rates[0] == pytest.approx(rates[1], rel=1e-12)
    assert states[0] == states[1]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"SOLVER.WEIGHT_DECAY_NORM": 0.1, "SOLVER.NESTEROV": True},
        {"SOLVER.BIAS_LR_FACTOR": 2.0, "SOLVER.WEIGHT_DECAY_BIAS": 0.3},
        {"SOLVER.CLIP_GRADIENTS.ENABLED": True, "SOLVER.CLIP_GRADIENTS.CLIP_VALUE": 0.01},
        {"SOLVER.CLIP_GRADIENTS.ENABLED": True, "SOLVER.CLIP_GRADIENTS.CLIP_TYPE": "norm"},
    ],
)
def test_optimizers_have_equal_groups_and_steps(options):
    options = {"SOLVER.BASE_LR": 0.1, **options}
    states, weights = [], []
    for get_cfg, solver, _ in HOSTS:
        model = _seeded_toy()
        optimizer = solver.build_optimizer(_configured(get_cfg, options), model)
        for _ in range(3):
            optimizer.zero_grad()
            (100 * sum(model(torch.ones(2, 1, 3, 3)).values())).backward()
            optimizer.step()
        states.append(optimizer.state_dict()["param_groups"])
        weights.append(model.state_dict())
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        states[-1] = [
            {**group, "params": [names[id(p)] for p in live["params"]]}
            for group, live in zip(states[-1], optimizer.param_groups, strict=True)
        ]
    assert states[0] == states[1]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"base_lr": 0.1, "weight_decay": 0.2, "weight_decay_norm": 0.0, "weight_decay_bias": 0.5},
        {"base_lr": 0.1, "lr_factor_func": lambda name: 0.5 if "stem" in name else 1.0},
        {"base_lr": 0.1, "bias_lr_factor": 3.0, "overrides": {"weight": {"lr": 2.0}}},
    ],
)
def test_default_params_are_equal(options):
    model = _seeded_toy()
    both = [
        solver.get_default_optimizer_params(model, **deepcopy(options)) for _, solver, _ in HOSTS
    ]
    for real, mini in zip(*both, strict=True):
        assert list(map(id, real.pop("params"))) == list(map(id, mini.pop("params")))
        assert real == mini


def _parameters(function):
    """Names, kinds and defaults; the way annotations are written does not matter."""
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def test_signatures_are_equal():
    pairs = [
        (getattr(solver_d2, n), getattr(solver_mini, n))
        for n in offered(solver_mini)
        if hasattr(solver_d2, n)
    ]
    pairs += [(getattr(build_d2, n), getattr(build_mini, n)) for n in offered(build_mini)]
    pairs += [(getattr(engine_d2, n), getattr(engine_mini, n)) for n in offered(engine_mini)]
    for real, mini in pairs:
        if not callable(real) or real is mini:
            continue
        assert _parameters(real) == _parameters(mini), real
        for name, method in vars(real).items() if inspect.isclass(real) else ():
            if not name.startswith("_") and callable(method) and name != "auto_scale_workers":
                assert _parameters(getattr(real, name)) == _parameters(getattr(mini, name)), name


def test_command_lines_are_read_alike():
    lines = [
        [],
        ["--config-file", "a.yaml", "--num-gpus", "2", "--resume", "X.Y", "1", "--odd", "2"],
        ["--eval-only", "--num-machines", "2", "--machine-rank", "1", "--dist-url", "auto"],
    ]
    for line in lines:
        real, mini = (engine.default_argument_parser().parse_args(line) for *_, engine in HOSTS)
        assert vars(real) == vars(mini)
    assert isinstance(engine_mini.default_argument_parser("text"), argparse.ArgumentParser)


def _train_by_default_trainer(get_cfg, engine, folder, **options):
    """Train the toy through DefaultTrainer; returns the trainer and the scalars it stored."""

    class Trainer(engine.DefaultTrainer):
        build_model = classmethod(lambda cls, cfg: _seeded_toy())
        build_train_loader = classmethod(lambda cls, cfg: [torch.ones(2, 1, 3, 3)] * 99)
        test = classmethod(lambda cls, cfg, model, evaluators=None: {"bbox": {"AP": 12.5}})

    cfg = _configured(
        get_cfg,
        {
            "OUTPUT_DIR": str(folder),
            "SOLVER.MAX_ITER": 7,
            "SOLVER.STEPS": (4,),
            "SOLVER.WARMUP_ITERS": 3,
            "SOLVER.BASE_LR": 0.1,
            "SOLVER.CHECKPOINT_PERIOD": 3,
            "TEST.EVAL_PERIOD": 2,
            **options,
        },
    )
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=True)
    trainer.train()
    return trainer


def test_default_trainers_do_the_same(tmp_path):
    real, mini = (
        _train_by_default_trainer(get_cfg, engine, tmp_path / engine.__name__)
        for get_cfg, _, engine in HOSTS
    )
    assert [type(h).__name__ for h in real._hooks] == [type(h).__name__ for h in mini._hooks]
    timed = {"time", "data_time", "rank_data_time", "eta_seconds"}
    latest = [trainer.storage.latest() for trainer in (real, mini)]
    assert list(latest[0]) == list(latest[1])
    for name in set(latest[0]) - timed:
        assert latest[0][name] == pytest.approx(latest[1][name]), name
    for name in timed - {"eta_seconds"}:
        assert latest[0][name][1] == latest[1][name][1], name
    for name, value in real.model.state_dict().items():
        assert torch.equal(value, mini.model.state_dict()[name]), name
    files = [sorted(p.name for p in (tmp_path / e.__name__).glob("*.pth")) for *_, e in HOSTS]
    assert files[0] == files[1]


@pytest.mark.parametrize("first, second", [(0, 1), (1, 0)], ids=["d2-to-mini", "mini-to-d2"])
def test_each_continues_the_training_of_the_other(tmp_path, first, second):
    get_cfg, _, engine = HOSTS[first]
    # Stopped after 3 of 7 iterations; the schedule is that of the whole run.
    straight = _train_by_default_trainer(get_cfg, engine, tmp_path / "straight")
    saved = tmp_path / "straight" / "model_0000002.pth"
    resumed_in = tmp_path / "resumed"
    resumed_in.mkdir()
    (resumed_in / saved.name).write_bytes(saved.read_bytes())
    (resumed_in / "last_checkpoint").write_text(saved.name)

    get_cfg, _, engine = HOSTS[second]
    resumed = _train_by_default_trainer(get_cfg, engine, resumed_in)
    assert resumed.start_iter == 3
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_hook_accepts_a_bare_schedule():
    shown = []
    for _, _, engine in HOSTS:
        model = _seeded_toy()
        trainer = engine.SimpleTrainer(
            model, [torch.ones(2, 1, 3, 3)] * 9, torch.optim.SGD(model.parameters(), lr=0.1)
        )
        trainer.register_hooks([engine.LRScheduler(scheduler=CosineParamScheduler(1.0, 0.0))])
        trainer.train(0, 5)
        shown.append(trainer.storage.history("lr").values())
    assert shown[0] == shown[1]


@pytest.mark.parametrize("pixel_order", ["BGR", "RGB"])
def test_predictors_detect_the_same(tmp_path, pixel_order):
    options = {
        "INPUT.FORMAT": pixel_order,
        "INPUT.MIN_SIZE_TEST": 64,
        "MODEL.DEVICE": "cpu",
        "MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone",
        "MODEL.RESNETS.DEPTH": 18,
        "MODEL.RESNETS.RES2_OUT_CHANNELS": 64,
        "MODEL.RESNETS.OUT_FEATURES": ["res2", "res3", "res4", "res5"],
        "MODEL.FPN.IN_FEATURES": ["res2", "res3", "res4", "res5"],
        "MODEL.FPN.OUT_CHANNELS": 16,
        "MODEL.ANCHOR_GENERATOR.SIZES": [[8], [16], [32], [64], [128]],
        "MODEL.RPN.IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
        "MODEL.ROI_HEADS.NAME": "StandardROIHeads",
        "MODEL.ROI_HEADS.IN_FEATURES": ["p2", "p3", "p4", "p5"],
        "MODEL.ROI_HEADS.NUM_CLASSES": 3,
        "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0,
        "MODEL.ROI_BOX_HEAD.NAME": "FastRCNNConvFCHead",
        "MODEL.ROI_BOX_HEAD.NUM_FC": 1,
        "MODEL.ROI_BOX_HEAD.FC_DIM": 32,
        "MODEL.WEIGHTS": str(tmp_path / "weights.pth"),
        "DATASETS.TEST": (),
    }
    torch.manual_seed(0)
    torch.save(
        {"model": build_model(_configured(get_cfg_mini, options)).state_dict()},
        options["MODEL.WEIGHTS"],
    )
    image = np.random.RandomState(0).randint(0, 256, (80, 101, 3), dtype=np.uint8)
    real, mini = (
        engine.DefaultPredictor(_configured(get_cfg, options))(image)["instances"]
        for get_cfg, _, engine in HOSTS
    )
    assert len(real) == len(mini) > 0 and real.image_size == mini.image_size == (80, 101)
    torch.testing.assert_close(real.pred_boxes.tensor, mini.pred_boxes.tensor, atol=1e-3, rtol=0)
    torch.testing.assert_close(real.scores, mini.scores, atol=1e-5, rtol=0)
