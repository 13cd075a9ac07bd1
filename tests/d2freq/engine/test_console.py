"""The terminal is short and the log file whole; --verbose prints what the file has."""

import logging
import warnings

import pytest

from d2freq.engine.config import load_config
from d2freq.engine.config.device import present_device
from d2freq.engine.console import set_up_logs, warnings_logged
from d2freq.utils import notices
from d2freq.utils.notices import BRIEF, note, noted, notice, tell_waiting

DEMO = "demo/faster_rcnn_R18_FPN_scenes"

TABLE = "Loaded weights:\n" + "\n".join(f"| layer{n} |" for n in range(40))


@pytest.fixture(autouse=True)
def _nothing_noted(loggers, monkeypatch):
    monkeypatch.setattr(notices, "_noted", [])
    monkeypatch.setattr(notices, "_waiting", {})


def log_as_a_training() -> None:
    """One record of each kind, some of them twice."""
    host, own = logging.getLogger("detectron2"), logging.getLogger("d2freq.engine.somewhere")
    data = logging.getLogger("detectron2.data.build")
    host.info("Running with full config:\nMODEL: x")
    for _ in range(2):
        data.info("Loaded 3 images in COCO format from gt.json")
        data.info("Removed 0 images with no usable annotations. 3 images left.")
        data.info("Distribution of 9 instances:\n| ship | 9 |")
        own.warning("the rate is high")
    logging.getLogger("fvcore.common.checkpoint").info(TABLE)
    own.info("Model:\n(a long one)", extra={BRIEF: "Model: FCOS, 3 million parameters"})
    logging.getLogger("detectron2.evaluation.testing").info("copypaste: AP,AP50")
    logging.getLogger("detectron2.evaluation.coco_evaluation").info(TABLE)


def test_the_terminal_has_the_short_form_and_the_file_all(tmp_path, capsys):
    note("d2freq on a host")
    set_up_logs(str(tmp_path), 0)
    log_as_a_training()
    shown, log = capsys.readouterr().out, (tmp_path / "log.txt").read_text()
    for once in ("Loaded 3 images", "the rate is high", "Model: FCOS, 3 million parameters"):
        assert shown.count(once) == 1, once
    assert "Loaded weights: (40 more lines are in the log)" in shown
    assert shown.count("| layer39 |") == 1  # of what an evaluation has found
    hidden = ["full config", "(a long one)", "Distribution", "copypaste", "Removed 0", "on a host"]
    assert not [words for words in hidden if words in shown]
    missing = [words for words in (*hidden, "| layer39 |") if words not in log]
    assert not missing and log.count("the rate is high") == 2
    assert "log.txt has the config" in shown


def test_verbose_brings_everything_back(tmp_path, capsys):
    set_up_logs(str(tmp_path), 0)
    set_up_logs(str(tmp_path), 0, verbose=True)
    capsys.readouterr()
    log_as_a_training()
    shown = capsys.readouterr().out
    assert shown.count("the rate is high") == 2 == shown.count("Distribution of 9")
    assert shown.count("| layer39 |") == 2 and "(a long one)" in shown and "copypaste" in shown
    assert "Model: FCOS" not in shown


def test_a_second_run_in_one_process_is_short_again_and_says_each_line_once(tmp_path, capsys):
    for name in ("first", "second"):
        capsys.readouterr()
        set_up_logs(str(tmp_path / name), 0)
        log_as_a_training()
        shown = capsys.readouterr().out
        assert shown.count("the rate is high") == 1 and "full config" not in shown


def test_other_ranks_print_nothing(tmp_path, capsys):
    set_up_logs(str(tmp_path), 1)
    log_as_a_training()
    assert capsys.readouterr().out == "" and (tmp_path / "log.txt.rank1").is_file()


def test_a_notice_is_told_once_and_again_in_the_log(caplog, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for _ in range(3):
        assert present_device("cuda", "MODEL.DEVICE") == "cpu"
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 and said[0].startswith("MODEL.DEVICE is cuda") and noted() == said
    assert "That is fine, only slower; with MODEL.DEVICE cpu this line goes away" in said[0]
    note(*said)  # as a new process gets them
    notice(logging.getLogger("d2freq"), said[0])
    assert len(caplog.records) == 1
    set_up_logs(str(tmp_path), 0)
    assert said[0] in (tmp_path / "log.txt").read_text()
    assert said[0] not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["own_data/faster_rcnn_MobileNetV2_FPN", f"{DEMO}.py"])
def test_the_device_is_told_when_the_models_own_is_taken_and_once(name, caplog, monkeypatch):
    """Not where the config is read: a command first says what it does, and may have a device."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = load_config(name)
    load_config(name).model("cpu")
    assert not caplog.records
    config.model()
    config.model()
    load_config(name)
    tell_waiting()
    assert ["has no CUDA device" in record.getMessage() for record in caplog.records] == [True]


def test_what_packages_deprecate_in_each_other_stays_in_the_log(tmp_path, capsys):
    set_up_logs(str(tmp_path), 0)
    show = warnings.showwarning
    with warnings_logged():
        place = {"lineno": 3, "module": "m", "registry": {}}
        others = "/x/lib/python3/site-packages/pkg/mod.py"
        warnings.warn_explicit("old name", FutureWarning, filename=others, **place)
        few = "This DataLoader will create 9 worker processes"
        warnings.warn_explicit(few, UserWarning, filename=others, **place)
        warnings.warn_explicit("of mine", UserWarning, filename="/home/me/mine.py", **place)
    assert warnings.showwarning is show
    shown, log = capsys.readouterr().out, (tmp_path / "log.txt").read_text()
    assert "old name" in log and "old name" not in shown
    assert few in shown and "of mine" in shown


def test_of_several_processes_the_first_one_tells_a_notice(monkeypatch, caplog):
    logger = logging.getLogger("d2freq.test")
    monkeypatch.setenv("RANK", "1")
    notice(logger, "told by the first")
    assert not caplog.records and noted() == ["told by the first"]
    monkeypatch.setenv("RANK", "0")
    notice(logger, "told by this")
    assert [record.getMessage() for record in caplog.records] == ["told by this"]
