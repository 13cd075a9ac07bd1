"""Training loops, hooks and DefaultTrainer."""

import json
import logging

import pytest
import torch
from torch import nn

from minid2.config import get_cfg
from minid2.engine import (
    AMPTrainer,
    DefaultTrainer,
    EvalHook,
    HookBase,
    LRScheduler,
    PeriodicCheckpointer,
    PeriodicWriter,
    SimpleTrainer,
    default_argument_parser,
    default_setup,
    hooks,
)
from minid2.utils.events import EventWriter, get_event_storage

BATCH = torch.arange(8.0).reshape(4, 2) / 8


@pytest.fixture(autouse=True)
def _untouched_loggers():
    """Undo what setup_logger() does, so that later tests can capture messages."""
    loggers = [logging.getLogger(name) for name in ("detectron2", "fvcore")]
    before = [(logger.propagate, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, (propagate, level, handlers) in zip(loggers, before, strict=True):
        logger.propagate, logger.handlers = propagate, handlers
        logger.setLevel(level)


class Toy(nn.Module):
    """Two losses of a small network; remembers the dtype of its activations."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)
        self.out = nn.Linear(3, 1)

    def forward(self, batch):
        activation = self.hidden(batch)
        self.dtype_inside = activation.dtype
        out = self.out(self.norm(activation))
        return {"loss_a": out.square().mean(), "loss_b": (out - 1).abs().mean()}


def _seeded_toy():
    torch.manual_seed(3)
    return Toy()


def _simple(model=None, loop=SimpleTrainer, **options):
    model = model or _seeded_toy()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return loop(model, [BATCH] * 100, optimizer, **options)


class Trainer(DefaultTrainer):
    """DefaultTrainer of the toy on one batch for ever; its AP is the iteration."""

    @classmethod
    def build_model(cls, cfg):
        return _seeded_toy()

    @classmethod
    def build_train_loader(cls, cfg):
        return [BATCH] * 100

    @classmethod
    def test(cls, cfg, model, evaluators=None):
        return {"bbox": {"AP": float(get_event_storage().iter)}}


def _config(folder, **options):
    cfg = get_cfg()
    cfg.OUTPUT_DIR = str(folder)
    cfg.SOLVER.BASE_LR = 0.1
    cfg.SOLVER.MAX_ITER = 8
    cfg.SOLVER.STEPS = (5,)
    cfg.SOLVER.WARMUP_ITERS = 2
    cfg.SOLVER.CHECKPOINT_PERIOD = 3
    cfg.merge_from_list([part for pair in options.items() for part in pair])
    return cfg


def _same_weights(one, other):
    other = other.state_dict()
    return all(torch.equal(value, other[name]) for name, value in one.state_dict().items())


class Recorder(HookBase):
    """Write down each call of a hook, under a name."""

    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    def __getattribute__(self, key):
        if key.startswith(("before_", "after_")):
            self.calls.append(f"{self.name} {key}")
        return super().__getattribute__(key)


def hook(**methods):
    """A hook with these methods, each of which gets the trainer."""
    bound = {name: lambda self, do=do: do(self.trainer) for name, do in methods.items()}
    return type("Hook", (HookBase,), bound)()


def test_hooks_are_called_in_order():
    calls = []
    trainer = _simple()
    trainer.register_hooks([Recorder("a", calls), None, Recorder("b", calls)])
    trainer.train(0, 2)
    step = ["before_step", "after_backward", "after_step"]
    events = ["before_train", *step, *step, "after_train"]
    assert calls == [f"{name} {event}" for event in events for name in "ab"]
    assert trainer.iter == 2


def test_failure_still_ends_the_hooks_but_does_not_evaluate(caplog):
    calls, evaluated = [], []

    def fail(trainer):
        if trainer.iter == 3:
            raise RuntimeError("broken disk")

    trainer = _simple()
    evaluation = EvalHook(2, lambda: evaluated.append(1))
    trainer.register_hooks([Recorder("a", calls), hook(after_step=fail), evaluation])
    with pytest.raises(RuntimeError, match="broken disk"):
        trainer.train(0, 4)
    assert calls[-1] == "a after_train" and trainer.iter == 3
    assert len(evaluated) == 1  # after the second iteration alone
    assert "Exception during training" in caplog.text


def test_nan_stops_the_run_before_it_spoils_the_weights():
    model = _seeded_toy()
    trainer = _simple(model)

    def poison(trainer):
        if trainer.iter == 2:
            trainer.healthy = {name: value.clone() for name, value in model.state_dict().items()}
            trainer.reset_data_loader(lambda: [BATCH * float("nan")] * 9)

    trainer.register_hooks([hook(before_step=poison)])
    with pytest.raises(FloatingPointError, match=r"iteration=2!\n.*'loss_a': nan"):
        trainer.train(0, 9)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, trainer.healthy[name]), name


def test_metrics_are_stored_every_gather_period():
    trainer = _simple(gather_metric_period=3)
    trainer.train(0, 7)
    latest = trainer.storage.latest()
    assert [i for _, i in trainer.storage.history("total_loss").values()] == [2, 5]
    total, losses = latest["total_loss"][0], (latest["loss_a"][0], latest["loss_b"][0])
    assert total == pytest.approx(sum(losses))


def test_zeroing_before_forward_trains_alike():
    one, other = _simple(), _simple(zero_grad_before_forward=True)
    one.train(0, 4)
    other.train(0, 4)
    assert _same_weights(one.model, other.model)


def test_bfloat16_on_cpu():
    trainer = _simple(loop=AMPTrainer, precision=torch.bfloat16)
    reference = _simple()
    trainer.train(0, 3)
    reference.train(0, 3)
    assert trainer.model.dtype_inside == torch.bfloat16
    assert all(parameter.dtype == torch.float32 for parameter in trainer.model.parameters())
    for name, value in reference.model.state_dict().items():
        torch.testing.assert_close(trainer.model.state_dict()[name], value, atol=0.05, rtol=0.05)
    assert not _same_weights(trainer.model, reference.model)


def test_gradient_scale_cancels_and_is_resumed():
    def build(**scaler):
        scaler = torch.amp.GradScaler("cpu", growth_interval=2, **scaler)
        return _simple(loop=AMPTrainer, precision=torch.bfloat16, grad_scaler=scaler)

    trainer, unscaled = build(init_scale=2.0**10), build(enabled=False)
    trainer.train(0, 4)
    unscaled.train(0, 4)
    assert _same_weights(trainer.model, unscaled.model)  # powers of two scale exactly
    resumed = build()
    resumed.load_state_dict(trainer.state_dict())
    assert resumed.grad_scaler.get_scale() == 2.0**12
    resumed.load_state_dict(unscaled.state_dict())  # one that has no scale
    assert resumed.grad_scaler.get_scale() == 2.0**12


def test_float16_on_cpu_is_refused():
    with pytest.raises(ValueError, match="bfloat16"):
        _simple(loop=AMPTrainer)


@pytest.mark.parametrize("amp", [False, True])
def test_resumed_run_equals_uninterrupted_one(tmp_path, amp):
    def config(name):
        return _config(tmp_path / name, **{"SOLVER.AMP.ENABLED": amp})

    straight = Trainer(config("straight"))
    straight.train()

    def stop(trainer):
        if trainer.iter == 4:
            raise KeyboardInterrupt

    stopped = Trainer(config("stopped"))
    stopped.register_hooks([hook(before_step=stop)])
    with pytest.raises(KeyboardInterrupt):
        stopped.train()

    resumed = Trainer(config("stopped"))
    resumed.resume_or_load(resume=True)
    assert resumed.start_iter == 3  # the last checkpoint came after iteration 2
    resumed.train()
    assert _same_weights(straight.model, resumed.model)
    one, other = straight.optimizer.state_dict(), resumed.optimizer.state_dict()
    assert one["param_groups"] == other["param_groups"]
    for key, state in one["state"].items():
        assert torch.equal(state["momentum_buffer"], other["state"][key]["momentum_buffer"])
    rates = [
        dict((i, lr) for lr, i in t.storage.history("lr").values()) for t in (straight, resumed)
    ]
    assert rates[1] == {i: lr for i, lr in rates[0].items() if i >= 3}


def test_resuming_a_finished_run_only_evaluates(tmp_path):
    Trainer(_config(tmp_path)).train()
    again = Trainer(_config(tmp_path))
    again.resume_or_load(resume=True)
    assert again.train() == {"bbox": {"AP": 8.0}} and again.start_iter == 8


def test_default_trainer_writes_what_it_should(tmp_path):
    cfg = _config(tmp_path, **{"TEST.EVAL_PERIOD": 3})
    default_setup(cfg, default_argument_parser().parse_args([]))
    trainer = Trainer(cfg)
    backward = []
    trainer.register_hooks([hook(after_backward=lambda trainer: backward.append(1))])
    assert trainer.train() == {"bbox": {"AP": 8.0}}
    assert len(backward) == 8
    lines = [json.loads(line) for line in (tmp_path / "metrics.json").read_text().splitlines()]
    scalars = set().union(*lines)
    assert {"total_loss", "loss_a", "loss_b", "lr", "time", "data_time", "bbox/AP"} <= scalars
    assert {"model_0000002.pth", "model_0000005.pth", "model_final.pth", "last_checkpoint"} <= {
        path.name for path in tmp_path.iterdir()
    }
    dumped = get_cfg()
    dumped.merge_from_file(str(tmp_path / "config.yaml"))
    assert dumped.SOLVER == cfg.SOLVER and dumped.OUTPUT_DIR == str(tmp_path)
    assert "total_loss" in (tmp_path / "log.txt").read_text()


def test_default_setup_seeds(tmp_path):
    cfg = _config(tmp_path, SEED=5)
    drawn = []
    for _ in range(2):
        default_setup(cfg, default_argument_parser().parse_args(["--eval-only"]))
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)


def test_missing_evaluator_is_reported(tmp_path, caplog):
    class NoEvaluator(Trainer):
        test = DefaultTrainer.__dict__["test"]  # unbound: it is to see this class
        build_test_loader = classmethod(lambda cls, cfg, name: [])

    cfg = _config(tmp_path, **{"DATASETS.TEST": ("some_val",)})
    with caplog.at_level(logging.WARNING):
        assert NoEvaluator.test(cfg, _seeded_toy()) == {}
    assert "some_val" in caplog.text and "build_evaluator" in caplog.text
    with pytest.raises(ValueError, match="2 evaluators for 1"):
        NoEvaluator.test(cfg, _seeded_toy(), [None, None])


def test_writers_see_the_last_evaluation_and_are_closed():
    seen = []

    class Writer(EventWriter):
        def write(self):
            seen.append(get_event_storage().latest().get("AP"))

        def close(self):
            seen.append("closed")

    trainer = _simple()
    trainer.register_hooks([EvalHook(0, lambda: {"AP": 7}), PeriodicWriter([Writer()], period=2)])
    trainer.train(0, 4)
    assert seen == [None, None, (7.0, 4), "closed"]


def test_what_only_detectron2_has_is_refused(tmp_path):
    for key, value in (("TEST.PRECISE_BN.ENABLED", True), ("SOLVER.REFERENCE_WORLD_SIZE", 8)):
        with pytest.raises(NotImplementedError, match=key):
            Trainer(_config(tmp_path, **{key: value}))


def test_hook_states_survive_and_unknown_ones_are_reported(caplog):
    trainer = _simple()
    trainer.register_hooks(
        [LRScheduler(None, torch.optim.lr_scheduler.StepLR(trainer.optimizer, 2))]
    )
    trainer.train(0, 3)
    state = trainer.state_dict()
    assert state["hooks"]["LRScheduler"]["last_epoch"] == 3
    _simple().load_state_dict(state)
    assert "LRScheduler" in caplog.text


def test_periodic_checkpointer_is_a_hook():
    assert issubclass(PeriodicCheckpointer, HookBase) and hooks.LRScheduler is LRScheduler
