"""wandb and mlflow: what they are told, offline and after a resume; modules that only listen."""

import importlib.machinery
import json
import os
import subprocess
import sys
import types

import pytest
from detectron2.utils.events import EventStorage

from d2freq.engine.writers import MLflowWriter, WandbWriter
from d2freq.engine.writers.scalars import ScalarWriter
from d2freq.errors import UserError

from ....process import output_of_python


class Listener(types.ModuleType):
    """A module that notes what is called on it."""

    def __init__(self, name):
        super().__init__(name)
        self.calls = []
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)

    def note(self, name, result=None):
        def called(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            return result() if callable(result) else result

        return called

    def named(self, name):
        return [call for call in self.calls if call[0] == name]


@pytest.fixture
def wandb(monkeypatch):
    module = Listener("wandb")
    run = types.SimpleNamespace(log=module.note("log"), finish=module.note("finish"))
    module.init = module.note("init", run)
    monkeypatch.setenv("NETRC", os.devnull)
    module.errors = types.SimpleNamespace(CommError=ConnectionError)
    monkeypatch.setitem(sys.modules, "wandb", module)
    for variable in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    return module


@pytest.fixture
def mlflow(monkeypatch):
    module = Listener("mlflow")
    run = types.SimpleNamespace(info=types.SimpleNamespace(run_id="17"))
    module.start_run = module.note("start_run", run)
    for name in ("set_tracking_uri", "set_experiment", "log_metrics", "log_artifact", "end_run"):
        setattr(module, name, module.note(name))
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return module


def test_both_are_told_what_metrics_json_has(training, wandb, mlflow, tmp_path):
    training.run(tmp_path, max_iter=2, WRITERS='["wandb","mlflow"]')
    wanted = {}
    for line in (tmp_path / "metrics.json").read_text().splitlines():
        record = json.loads(line)
        iteration = record.pop("iteration")
        wanted.setdefault(iteration, {}).update(record)
    for told in (
        {call[2]["step"]: call[1][0] for call in wandb.named("log")},
        {call[2]["step"]: call[1][0] for call in mlflow.named("log_metrics")},
    ):
        assert set(told) == set(wanted)
        for iteration, scalars in wanted.items():
            assert told[iteration] == pytest.approx(scalars)
    assert len(wandb.named("finish")) == len(mlflow.named("end_run")) == 1
    assert mlflow.named("log_artifact")[0][1] == (str(tmp_path / "config.yaml"),)
    # a resumed training goes on with its runs
    training.run(tmp_path, "--resume", max_iter=3, WRITERS='["wandb","mlflow"]')
    first, second = (call[2]["id"] for call in wandb.named("init"))
    assert first == second
    assert mlflow.named("start_run")[1][2] == {"run_id": "17"}


def test_wandb_without_a_login_or_a_server_stays_offline(wandb, tmp_path, monkeypatch):
    def modes():
        writer = WandbWriter(str(tmp_path))
        writer.log(0, {"a": 1.0})
        return [call[2].get("mode") for call in wandb.named("init")]

    assert modes() == ["offline"]
    wandb.calls.clear()
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password k")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert modes() == [None]
    monkeypatch.setenv("NETRC", os.devnull)
    wandb.calls.clear()
    monkeypatch.setenv("WANDB_API_KEY", "k")
    assert modes() == [None]
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert modes()[-1] == "disabled"
    monkeypatch.delenv("WANDB_MODE")
    wandb.calls.clear()
    usual = wandb.init

    def unreachable(**options):
        if options.get("mode") != "offline":
            raise ConnectionError("no route")
        return usual(**options)

    wandb.init = unreachable
    assert modes() == ["offline"]
    with pytest.raises(UserError, match="WANDB.MODE: 'of' is unknown"):
        WandbWriter(str(tmp_path), mode="of")


def test_mlflow_names_and_places(mlflow, tmp_path):
    writer = MLflowWriter(str(tmp_path / "run"), experiment="ships")
    writer.log(3, {"[metric]grad_scaler": 2.0, "bbox/AP-small car": 1.0})
    assert mlflow.named("log_metrics")[0][1][0] == {
        "_metric_grad_scaler": 2.0,
        "bbox/AP-small car": 1.0,
    }
    assert mlflow.named("set_tracking_uri")[0][1] == (f"sqlite:///{tmp_path / 'mlflow.db'}",)
    assert mlflow.named("start_run")[0][2] == {"run_name": "run"}


def test_each_value_is_sent_once_in_the_order_of_iterations():
    sent = []

    class Writer(ScalarWriter):
        def log(self, iteration, scalars):
            sent.append((iteration, scalars))

    writer = Writer()
    with EventStorage() as storage:
        storage.put_scalar("late", 2.0, cur_iter=5, smoothing_hint=False)
        storage.put_scalar("early", 1.0, cur_iter=3, smoothing_hint=False)
        writer.write()
        writer.write()
        storage.put_scalar("early", 4.0, cur_iter=4, smoothing_hint=False)
        writer.write()
    assert sent == [(3, {"early": 1.0}), (5, {"late": 2.0}), (4, {"early": 4.0})]


def test_an_unknown_or_missing_writer_is_refused_before_training(training, tmp_path, monkeypatch):
    from d2freq.engine import writers

    where = "D2FREQ.WRITERS" if training.kind == "yaml" else "train.writers"
    with pytest.raises(UserError, match=f"{where}: 'wanbd' is unknown; choose one of wandb, mlfl"):
        training.run(tmp_path, WRITERS='["wanbd"]')
    monkeypatch.setattr(writers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'mlflow is not installed: pip install "d2freq\[mlflow\]"'):
        training.run(tmp_path, WRITERS='["mlflow"]')


def test_neither_is_imported_before_it_is_asked_for():
    code = "import sys, d2freq.engine; print([n for n in ('wandb', 'mlflow') if n in sys.modules])"
    assert output_of_python("-c", code) == "[]"


def test_the_real_packages_offline(tmp_path):
    """Where they are installed: a run of each, without a server."""
    pytest.importorskip("wandb")
    pytest.importorskip("mlflow")
    code = f"""
from d2freq.engine.writers import MLflowWriter, WandbWriter
for writer in (WandbWriter({str(tmp_path / "a")!r}), MLflowWriter({str(tmp_path / "a")!r})):
    writer.log(0, {{"total_loss": 2.0}}); writer.log(5, {{"bbox/AP": 1.0}}); writer.close()
import mlflow
runs = mlflow.search_runs(experiment_names=["d2freq"])
print(float(runs["metrics.bbox/AP"][0]))
"""
    try:
        assert output_of_python("-c", code, WANDB_MODE="offline").endswith("1.0")
    except subprocess.TimeoutExpired:
        pytest.fail("a writer waits for a server")
    assert list((tmp_path / "a" / "wandb").glob("offline-run-*"))
