"""A resumed training names the settings that differ from those it was begun with."""

import pytest

from d2freq.engine import changed_keys as module
from d2freq.engine.changed_keys import changed_keys
from d2freq.engine.config import load_config
from tests.d2freq.engine.toy_training import KEYS, KINDS, train


def said_of(folder):
    log = (folder / "run/log.txt").read_text()
    return [line.strip() for line in log.partition("differ")[2].splitlines() if " -> " in line]


@pytest.mark.parametrize("kind", KINDS)
def test_what_differs_is_said_in_a_line_each(kind, vehicles, loggers, tmp_path):
    train(kind, tmp_path, max_iter=2)
    train(kind, tmp_path, "--resume", max_iter=2)
    assert said_of(tmp_path) == []
    train(kind, tmp_path, "--resume", max_iter=4, lr=0.5, evaluate=3)
    keys = KEYS[kind]
    expected = {
        f"{keys.max_iter}: 2 -> 4",
        f"{keys.lr}: 0.01 -> 0.5",
        f"{keys.evaluate}: 0 -> 3",
    }
    said = said_of(tmp_path)
    assert set(said) == expected and len(said) == 3
    assert "3 settings differ from the training so far" in (tmp_path / "run/log.txt").read_text()


def test_a_new_run_and_a_folder_without_a_config_say_nothing(tmp_path):
    config = load_config("demo/faster_rcnn_R18_FPN_scenes", ["OUTPUT_DIR", str(tmp_path)])
    assert changed_keys(config) == []
    (tmp_path / "config.yaml").write_text("MODEL: [")
    assert changed_keys(config) == []
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00")
    assert changed_keys(config) == []


def test_ten_lines_at_most_and_a_folder_that_was_moved_is_none(tmp_path, caplog, monkeypatch):
    before = load_config("demo/faster_rcnn_R18_FPN_scenes", ["OUTPUT_DIR", "elsewhere"])
    (tmp_path / "config.yaml").write_text(before.cfg.dump())
    now = load_config("demo/faster_rcnn_R18_FPN_scenes", ["OUTPUT_DIR", str(tmp_path)])
    assert changed_keys(now) == []
    for number, key in enumerate(now.cfg.SOLVER):
        if type(now.cfg.SOLVER[key]) is int:
            now.cfg.SOLVER[key] = 1000 + number
    now.cfg.INPUT.CROP.SIZE = [64, 32]
    changed = changed_keys(now)
    assert len(changed) > 5 and any(line.endswith("-> [64, 32]") for line in changed)
    monkeypatch.setattr(module, "newest_readable", lambda *given, **named: "model.pth")
    module.tell_changed_keys(now, [*changed, *changed, *changed])
    lines = caplog.records[-1].getMessage().splitlines()
    assert len(lines) == 12 and lines[-1].strip() == f"... and {3 * len(changed) - 10} more"


def test_a_value_of_python_is_compared_as_text(tmp_path):
    lazy = load_config("demo/faster_rcnn_R18_FPN_scenes.py", [f"train.output_dir={tmp_path}"])
    (tmp_path / "config.yaml").write_text(
        "train: {device: !!python/object/apply:os.system ['exit 1'], max_iter: !!python/tuple [1]}"
    )
    lines = changed_keys(lazy)
    assert f"train.max_iter: [1] -> {lazy.max_iter}" in lines
    assert "optimizer.lr: not set -> " in "\n".join(lines)
