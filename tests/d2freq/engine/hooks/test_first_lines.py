"""A training shows life after its first iteration, and now and then until its usual lines begin."""

from types import SimpleNamespace

import pytest
from detectron2.utils.events import EventStorage

from d2freq.engine.hooks import first_lines
from d2freq.engine.hooks.first_lines import FirstLines
from tests.d2freq.engine.toy_training import KINDS, train


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_iteration_is_told(kind, vehicles, loggers, tmp_path, capsys):
    train(kind, tmp_path, max_iter=3)
    log = (tmp_path / "run/log.txt").read_text()
    (line,) = [line for line in log.splitlines() if "the first iteration takes longer" in line]
    assert "iter: 0  total_loss: " in line and "s/iter: " in line and "eta: 0:00:0" in line
    assert f"a line comes every {20 if kind == 'yaml' else 2} iterations" in line
    assert line.partition("eta")[2] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "start", "told"),
    [
        (1, 0, [0]),  # the host's own line is not far
        (20, 0, [0, 2, 5, 11]),  # after 30, 60 and 120 seconds of silence
        (20, 37, [37]),  # a resumed training, two iterations before its next line
        (1000, 39, []),  # at once with the host's line
        (1000, 95, [95, 96, 97, 98]),  # the last iteration is the host's
    ],
)
def test_lines_are_seldom_and_end_where_the_usual_ones_begin(
    seconds, start, told, monkeypatch, caplog
):
    caplog.set_level("INFO", logger="d2freq")
    clock = [0.0]
    monkeypatch.setattr(first_lines.time, "perf_counter", lambda: clock[0])
    hook = FirstLines(20)
    with EventStorage(start) as storage:
        hook.trainer = SimpleNamespace(start_iter=start, max_iter=100, iter=start, storage=storage)
        hook.before_train()
        for iteration in range(start, 100):
            clock[0] += seconds if iteration > start else 3 * seconds
            hook.trainer.iter = storage.iter = iteration
            storage.put_scalar("total_loss", 0.5)
            hook.after_step()
    lines = [record.getMessage() for record in caplog.records]
    assert [int(line.split("iter: ")[1].split()[0]) for line in lines] == told
    later = [line for line in lines if "takes longer" not in line]
    assert all(f"s/iter: {seconds:.2f}" in line for line in later) and len(later) < max(
        len(told), 1
    )
