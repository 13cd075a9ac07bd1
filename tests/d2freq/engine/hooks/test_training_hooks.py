"""Best checkpoint, early stopping, EMA, validation loss, summary, dry run: YAML and lazy."""

import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from detectron2.engine import SimpleTrainer
from detectron2.utils.events import EventStorage

from d2freq.engine.hooks import best
from d2freq.engine.hooks.ema import ModelEMA
from d2freq.engine.hooks.finite_steps import FiniteSteps
from d2freq.engine.hooks.left_out import LeftOut
from d2freq.errors import UserError

METRIC = "cso/CSO-mAP"


def saved(path):
    return torch.load(path, weights_only=False)


def weights_of(folder, name="model_final.pth"):
    return saved(folder / name)["model"]


def assert_equal(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def metrics_of(folder) -> dict:
    """{name: {iteration: value}} of metrics.json."""
    found: dict = {}
    for line in (folder / "metrics.json").read_text().splitlines():
        record = json.loads(line)
        for name, value in record.items():
            found.setdefault(name, {})[record["iteration"]] = value
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Folders of trainings without a switch, by kind; made by the first test that asks."""
    return {}


@pytest.fixture
def usual(training, plain, tmp_path):
    """The folder of four iterations with evaluations at 2 and 4, nothing switched on."""
    if training.kind not in plain:
        training.run(tmp_path / "usual", max_iter=4, eval_period=2)
        plain[training.kind] = tmp_path / "usual"
    return plain[training.kind]


def test_everything_together_leaves_the_training_as_it_is(training, usual, tmp_path):
    switches = {"EMA.ENABLED": True, "VALIDATION_LOSS": True, "BEST.VAL_METRIC": METRIC}
    switches |= {"EARLY_STOPPING.PATIENCE": 9}
    training.run(tmp_path / "all", max_iter=4, eval_period=2, **switches)
    assert_equal(weights_of(tmp_path / "all"), weights_of(usual))
    before, found = metrics_of(usual), metrics_of(tmp_path / "all")
    for name, values in before.items():
        if "time" not in name and name != "eta_seconds":
            assert found[name] == values, name
    extra = {name.split("/")[0] for name in found.keys() - before.keys()}
    assert extra == {"ema", "validation"}


def test_the_best_weights_are_those_of_the_best_evaluation(training, tmp_path, monkeypatch):
    """Of the values NaN, 3, 7, 5 the third is best: the weights of iteration 6."""
    from d2freq.evaluation.cso.evaluator import CSOEvaluator

    values = iter([np.nan, 3.0, 7.0, 5.0])
    monkeypatch.setattr(
        CSOEvaluator, "evaluate", lambda self: {"cso": {"CSO-mAP": next(values), "AP05": 1.0}}
    )
    training.run(tmp_path, max_iter=8, eval_period=2, **{"BEST.VAL_METRIC": METRIC})
    assert_equal(weights_of(tmp_path, "model_best.pth"), weights_of(tmp_path, "model_0000005.pth"))
    record = json.loads((tmp_path / "model_best.json").read_text())
    assert [value for _, value in record["values"]][-1] == 7.0
    assert "model_best" not in (tmp_path / "last_checkpoint").read_text()


def test_the_best_is_known_after_a_resume(training, tmp_path, monkeypatch):
    from d2freq.evaluation.cso.evaluator import CSOEvaluator

    values = iter([5.0, 6.0, 4.0, 5.5, 2.0])
    monkeypatch.setattr(CSOEvaluator, "evaluate", lambda self: {"cso": {"CSO-mAP": next(values)}})
    switches = {"BEST.VAL_METRIC": METRIC, "BEST.MODE": "min"}
    training.run(tmp_path, max_iter=4, eval_period=2, **switches)  # 5 and 6
    first = saved(tmp_path / "model_best.pth")
    assert first["iteration"] == 1
    training.run(tmp_path, "--resume", max_iter=8, eval_period=2, **switches)  # 4, 5.5
    best = saved(tmp_path / "model_best.pth")
    assert best["iteration"] == 5


def test_a_metric_that_is_not_there_is_named(training, tmp_path, caplog):
    logging.getLogger("d2freq").propagate = True
    training.run(tmp_path, max_iter=1, **{"BEST.VAL_METRIC": "cso/CSOmAP"})
    assert "did you mean cso/CSO-mAP" in (tmp_path / "log.txt").read_text()
    assert not (tmp_path / "model_best.pth").exists()


def test_training_stops_early(training, tmp_path, monkeypatch):
    """5, 6, then three that are no better by 0.5: it ends behind the fifth evaluation."""
    from d2freq.evaluation.cso.evaluator import CSOEvaluator

    values = iter([5.0, 6.0, 6.4, np.nan, 6.5, 9.0, 9.0, 9.0, 9.0])
    monkeypatch.setattr(CSOEvaluator, "evaluate", lambda self: {"cso": {"CSO-mAP": next(values)}})
    switches = {"EARLY_STOPPING.VAL_METRIC": METRIC, "EARLY_STOPPING.PATIENCE": 3}
    switches |= {"EARLY_STOPPING.MIN_DELTA": 0.5}
    results = training.run(tmp_path, max_iter=20, eval_period=1, **switches)
    assert results["cso"]["CSO-mAP"] == 6.5
    found = metrics_of(tmp_path)
    assert max(found["total_loss"]) <= 5
    assert (tmp_path / "model_final.pth").exists()
    log = (tmp_path / "log.txt").read_text()
    assert "has not improved in 3 evaluations" in log and "Traceback" not in log
    assert "Training has ended before its end" in log
    training.run(tmp_path, "--resume", max_iter=20, eval_period=1, **switches)
    log = (tmp_path / "log.txt").read_text()
    assert "a larger PATIENCE lets it go on" in log and log.count("\n  5 of 20 iterations") == 2
    assert max(metrics_of(tmp_path)["total_loss"]) <= 5


def test_a_patience_without_a_metric_is_refused(training, tmp_path):
    where = "D2FREQ.BEST.VAL_METRIC" if training.kind == "yaml" else "train.best.val_metric"
    with pytest.raises(UserError, match=where):
        training.run(tmp_path, **{"EARLY_STOPPING.PATIENCE": 3})
    switches = {"EARLY_STOPPING.PATIENCE": 3, "BEST.VAL_METRIC": METRIC}
    with pytest.raises(UserError, match="nothing is evaluated before the end"):
        training.run(tmp_path, **switches)


def test_mixed_precision_goes_with_all_of_it(training, tmp_path):
    words = {"yaml": ("SOLVER.AMP.ENABLED=True",), "lazy": ("train.amp.enabled=True",)}
    switches = {"EMA.ENABLED": True, "VALIDATION_LOSS": True, "ACCUMULATE": 2}
    training.run(tmp_path, words=words[training.kind], max_iter=2, eval_period=1, **switches)
    found = metrics_of(tmp_path)
    assert len(found["validation/total_loss"]) == len(found[f"ema/{METRIC}"]) == 2
    assert (tmp_path / "model_ema.pth").exists()


def test_ema_is_the_average_by_hand(training, tmp_path):
    """Of the checkpoints of each iteration, with the decay's warm-up, and over a resume."""
    switches = {"EMA.ENABLED": True, "EMA.DECAY": 0.5, "EMA.WARMUP": 3, "checkpoint_period": 1}
    training.run(tmp_path / "start", max_iter=1, lr=0.0)
    begin = weights_of(tmp_path / "start")
    training.run(tmp_path / "run", max_iter=2, **switches)
    training.run(tmp_path / "run", "--resume", max_iter=4, **switches)
    average = {name: value.clone() for name, value in begin.items()}
    for n in range(1, 5):
        decay = min(0.5, (1 + n) / (3 + n))
        now = weights_of(tmp_path / "run", f"model_{n - 1:07d}.pth")
        average = {name: decay * average[name] + (1 - decay) * now[name] for name in average}
    found = weights_of(tmp_path / "run", "model_ema.pth")
    last = weights_of(tmp_path / "run")
    moved = max(float((found[name] - last[name]).abs().max()) for name in found)
    assert moved > 1e-3
    for name, value in average.items():
        assert torch.allclose(found[name], value, rtol=1e-5, atol=1e-6), name
    metrics = metrics_of(tmp_path / "run")
    assert {name for name in metrics if name.startswith("ema/")} >= {f"ema/{METRIC}"}
    # measured as any weights are
    again = training.run(
        tmp_path / "again", "--eval-only", weights=tmp_path / "run" / "model_ema.pth"
    )
    assert again["cso"]["CSO-mAP"] == pytest.approx(metrics[f"ema/{METRIC}"][4], abs=1e-9)


def test_a_resumed_average_is_the_average_of_one_run(training, tmp_path):
    switches = {"EMA.ENABLED": True, "VALIDATION_LOSS": True, "eval_period": 1}
    training.run(tmp_path / "one", max_iter=4, **switches)
    training.run(tmp_path / "two", max_iter=2, **switches)
    training.run(tmp_path / "two", "--resume", max_iter=4, **switches)
    for name in ("model_final.pth", "model_ema.pth"):
        assert_equal(weights_of(tmp_path / "one", name), weights_of(tmp_path / "two", name))
    one, two = metrics_of(tmp_path / "one"), metrics_of(tmp_path / "two")
    assert one["validation/total_loss"][4] == two["validation/total_loss"][4]


def test_the_best_of_the_averages_is_an_average(training, tmp_path):
    switches = {"EMA.ENABLED": True, "EMA.DECAY": 0.5, "BEST.VAL_METRIC": f"ema/{METRIC}"}
    training.run(tmp_path, max_iter=2, **switches)
    assert_equal(weights_of(tmp_path, "model_best.pth"), weights_of(tmp_path, "model_ema.pth"))


def test_validation_loss_is_the_loss_on_the_test_set(training, tmp_path):
    """Measured at the end of a training without rate: the start's loss, the mean of two."""
    training.run(tmp_path, max_iter=1, lr=0.0, VALIDATION_LOSS=True)
    found = metrics_of(tmp_path)
    parts = [n for n in found if n.startswith("validation/") and not n.endswith("total_loss")]
    total = found["validation/total_loss"][1]
    assert len(parts) > 1 and total == pytest.approx(sum(found[name][1] for name in parts))
    assert total > 0


def test_the_end_is_summed_up_once(training, tmp_path):
    training.run(tmp_path, max_iter=2, **{"BEST.VAL_METRIC": METRIC})
    log = (tmp_path / "log.txt").read_text()
    assert log.count("Training has come to its end") == 1
    end = log[log.index("Training has come to its end") :]
    assert "2 of 2 iterations" in end and f"best: {METRIC}" in end and "model_best.pth" in end


def test_a_dry_run_goes_through_everything_in_a_folder_of_its_own(training, tmp_path):
    training.run(tmp_path, max_iter=1000, **{"FAST_DEV_RUN.ENABLED": True, "EMA.ENABLED": True})
    assert [path.name for path in tmp_path.iterdir()] == ["fast_dev_run"]
    folder = tmp_path / "fast_dev_run"
    found = metrics_of(folder)
    assert max(found["total_loss"]) == 3 and set(found[METRIC]) == {1, 4}
    assert (folder / "model_final.pth").exists() and f"ema/{METRIC}" in found


def test_a_dry_run_goes_through_everything_each_time(training, tmp_path):
    for flags in ((), ("--resume",)):
        training.run(tmp_path, *flags, **{"FAST_DEV_RUN.ENABLED": True})
    folder = tmp_path / "fast_dev_run"
    assert max(metrics_of(folder)["total_loss"]) == 3
    assert (folder / "log.txt").read_text().count("Starting training from iteration 0") == 2
    assert len(list(folder.glob("events.out.tfevents.*"))) == 1


def test_an_average_without_a_test_set_is_saved(training, tmp_path):
    words = ("DATASETS.TEST=()",) if training.kind == "yaml" else ("dataloader.test=null",)
    switches = {"EMA.ENABLED": True, "VALIDATION_LOSS": True}
    if training.kind == "lazy":
        words = (*words, "dataloader.evaluator=null")
    training.run(tmp_path, words=words, max_iter=2, **switches)
    assert (tmp_path / "model_ema.pth").exists() and (tmp_path / "model_final.pth").exists()


def test_the_end_of_a_training_that_did_not_begin_hides_no_error(training, tmp_path):
    training.run(tmp_path, max_iter=1, **{"EMA.ENABLED": True})
    with pytest.raises(UserError, match="BAD_IMAGES"):
        training.run(tmp_path, "--resume", max_iter=2, **{"DATALOADER.BAD_IMAGES": "no"})


def test_a_loop_of_ones_own_trains_with_the_hooks():
    """A subclass of the trainer may have an inner loop that is no Step."""
    model = torch.nn.Linear(2, 1)
    loader = [torch.ones(3, 2)] * 2
    trainer = SimpleTrainer(model, loader, torch.optim.SGD(model.parameters(), lr=0.1))
    trainer.model.forward = lambda batch: {"loss": (batch @ model.weight.T).square().mean()}
    ema = ModelEMA(model, decay=0.5)
    trainer.register_hooks([LeftOut(), FiniteSteps(most=0), ema])
    trainer.train(0, 2)
    assert ema.updates == 2


def test_a_full_disk_leaves_the_best_before(monkeypatch, tmp_path, caplog):
    hook = best.BestCheckpointer(1, torch.nn.Linear(1, 1), str(tmp_path), "bbox/AP")
    with EventStorage(0) as storage:
        hook.trainer = SimpleNamespace(storage=storage, start_iter=0, iter=0)
        hook.before_train()

        def measure(iteration, value):
            storage.iter = iteration
            storage.put_scalar("bbox/AP", value, smoothing_hint=False)
            hook.evaluated()

        measure(1, 3.0)
        with monkeypatch.context() as patch:
            patch.setattr(best.comm, "is_main_process", lambda: False)
            measure(2, 9.0)  # the first process alone saves
        assert saved(tmp_path / "model_best.pth")["iteration"] == 1

        def full(*words, **named):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(best, "save_weights", full)
            measure(3, 5.0)
        assert "No space left on device. The best before it stays" in caplog.text
        assert hook.watched.values[-1] == (3, None) and hook.watched.best() == (1, 3.0)
        measure(4, 4.0)  # better than what could be saved
    assert saved(tmp_path / "model_best.pth")["iteration"] == 4
