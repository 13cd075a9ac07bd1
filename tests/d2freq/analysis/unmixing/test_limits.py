"""The limits of unmixing from the command line: table, picture and numbers."""

import json

import numpy as np
import pytest
from PIL import Image

from d2freq.analysis.unmixing.limits import measure_limits
from d2freq.cli import main
from d2freq.errors import UserError

ANALYZE = ["analyze", "unmixing-limits", "--trajectories", "12"]


def test_the_command_prints_bounds_and_draws_them(tmp_path, capsys):
    output = tmp_path / "new" / "limits.png"
    words = ["--noise", "0", "3", "--frames", "1", "5", "--targets", "2", "3"]
    assert main([*ANALYZE, *words, "--output", str(output)]) == 0
    pixels = np.asarray(Image.open(output).convert("L"))
    assert pixels.shape[0] > 400 and pixels.std() > 10
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["topic"] == "unmixing-limits" and len(record["how"]) > 200
    rows = {(row["known"], row["targets"], row["noise"]): row for row in record["bounds"]}
    assert {targets for _, targets, _ in rows} == {0, 2, 3}
    one, window = "one frame", "a window of 5 frames"
    assert rows[one, 0, 0.0]["confidence"] == 100 and rows[one, 0, 3.0]["confidence"] < 80
    for targets in (2, 3):
        assert rows[window, targets, 3.0]["sd"] < rows[one, targets, 3.0]["sd"] < 0.2
    assert record["grid"]["perfect grid"] < record["grid"]["grid ceiling"] < 65
    printed = capsys.readouterr().out
    assert f"{rows[window, 3, 3.0]['sd']:.4f}" in printed and str(output) in printed


def test_eight_bits_and_unknown_intensities_cost(tmp_path):
    scores = []
    for words in ([], ["--uint8"], ["--uint8", "--unknown-intensity"]):
        output = tmp_path / "limits.png"
        assert (
            main([*ANALYZE, *words, "--noise", "1", "--frames", "5", "--output", str(output)]) == 0
        )
        record = json.loads(output.with_suffix(".json").read_text())
        scores.append(record["bounds"][0]["confidence"])
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[2] + 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--frames", "4"], "--frames 4: an odd number of frames, 1 to 20, or all"),
        (["--frames", "21"], "--frames 21: an odd number of frames, 1 to 20, or all"),
        (["--frames", "many"], "--frames many"),
        (["--noise", "-1"], "--noise -1: grey levels of a pixel's noise, 0 to 1e+06"),
        (["--noise", "0", "nan"], "--noise nan"),
        (["--noise", "inf"], "--noise inf"),
        (["--noise", "1e300"], "--noise 1e+300"),
        (["--trajectories", "0"], "--trajectories 0: to draw, 1 to 100000"),
        (["--intensity", "220", "inf"], "--intensity 220 inf"),
        (["--intensity", "nan", "250"], "--intensity nan 250"),
        (["--intensity", "230", "230"], "such as 227.7 232.3; or --unknown-intensity"),
        (["--seed", "99999999999999999999"], "--seed 99999999999999999999"),
    ],
)
def test_what_cannot_be_is_one_line(words, said, tmp_path, capsys):
    assert main([*ANALYZE, *words, "--output", str(tmp_path / "x.png")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_no_values_are_refused(tmp_path):
    for name in ("noise", "frames"):
        with pytest.raises(UserError, match=f"--{name} has no value"):
            measure_limits(str(tmp_path / "x.png"), **{name: []})
