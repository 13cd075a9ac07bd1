"""One training, three names: train_net.py, python -m d2freq.train, d2freq train."""

import pytest
from detectron2.engine import default_argument_parser

from d2freq import cli, train
from d2freq.data.own.flags import check_data_flags
from d2freq.engine import processes

WORDS = ["--config-file", "c.yaml", "--num-gpus", "2", "--resume", "SOLVER.MAX_ITER", "9"]


def test_the_command_takes_the_same_flags():
    by_command = vars(cli.build_parser().parse_args(["train", *WORDS]))
    assert by_command.pop("run").__wrapped__ is train.start
    assert by_command.pop("check").__wrapped__ is check_data_flags
    assert by_command == vars(train.build_parser().parse_args(WORDS))
    assert by_command["opts"] == ["SOLVER.MAX_ITER", "9"] and by_command["resume"]


def test_the_flags_are_those_of_the_host():
    """By name, default and kind, so that a command line of train_net.py stays one."""

    def flags(parser):
        return {
            (*action.option_strings, action.dest): (action.default, action.nargs, action.type)
            for action in parser._actions
        }

    own, usual = flags(train.build_parser()), flags(default_argument_parser())
    assert {name: own.get(name) for name in usual} == usual
    added = {"overwrite", "reset_lr", "verbose", "data", "val_data", "images", "val_images"}
    assert {name[-1] for name in own.keys() - usual.keys()} == added


@pytest.mark.parametrize("said", ["python -m d2freq.train: error: ", "d2freq: "])
def test_bad_input_is_one_line_behind_the_host(said, capsys):
    words = ["--config-file", "nowhere.yaml"]
    code = train.main(words) if "python" in said else cli.main(["train", *words])
    out, err = capsys.readouterr()
    assert code == 2
    assert (out.startswith("d2freq ") and " on " in out) or (said == "d2freq: " and not out)
    assert err.startswith(f"{said}nowhere.yaml: no such config file") and err.count("\n") == 1


def test_a_run_is_launched_with_what_was_asked(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(train, "output_folder", lambda arguments: str(tmp_path / "run"))
    monkeypatch.setattr(train, "check_arguments", lambda arguments: seen.append("checked"))
    monkeypatch.setattr(processes, "launch", lambda *words: seen.append(words))
    assert train.main([*WORDS, "DATASETS.TRAIN", "()"]) == 0
    assert seen[0] == "checked"
    run, arguments = seen[1]
    assert run is processes.run and arguments.num_gpus == 2
    assert arguments.opts[:2] == ["SOLVER.MAX_ITER", "9"]


@pytest.mark.parametrize("named", [True, False])
def test_a_failed_write_and_an_interrupt_end_in_a_line(named, monkeypatch, tmp_path, capsys):
    out, file = tmp_path / "run", str(tmp_path / "model.pth")
    error = OSError(28, "No space left", file) if named else OSError(28, "No space left")
    monkeypatch.setattr(train, "output_folder", lambda arguments: str(out))
    monkeypatch.setattr(train, "check_arguments", lambda arguments: None)

    def end(arguments):
        raise ends.pop()

    ends = [KeyboardInterrupt(), error]
    monkeypatch.setattr(train, "start_processes", end)
    assert train.main([*WORDS, "DATASETS.TRAIN", "()"]) == 2
    said = capsys.readouterr().err
    assert "No space left" in said and "--resume goes on from it" in said
    assert (file in said) == named and (f"(below {out})" in said) == (not named)
    assert train.main([*WORDS, "DATASETS.TRAIN", "()"]) == 130
    assert "interrupted before the first iteration" in capsys.readouterr().err
