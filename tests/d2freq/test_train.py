"""One training, three names: train_net.py, python -m d2freq.train, d2freq train."""

import pytest

from d2freq import cli, train
from d2freq.engine import processes

WORDS = ["--config-file", "c.yaml", "--num-gpus", "2", "--resume", "SOLVER.MAX_ITER", "9"]


def test_the_command_takes_the_same_flags():
    by_command = vars(cli.build_parser().parse_args(["train", *WORDS]))
    assert by_command.pop("run") is train.start
    assert by_command == vars(train.build_parser().parse_args(WORDS))
    assert by_command["opts"] == ["SOLVER.MAX_ITER", "9"] and by_command["resume"]


@pytest.mark.parametrize("said", ["python -m d2freq.train: error: ", "d2freq: "])
def test_bad_input_is_one_line_behind_the_host(said, capsys):
    words = ["--config-file", "nowhere.yaml"]
    code = train.main(words) if "python" in said else cli.main(["train", *words])
    out, err = capsys.readouterr()
    assert code == 2
    assert out.startswith("d2freq ") and " on " in out
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
