"""The limits of unmixing from the command line: table, picture and numbers."""

import json

import numpy as np
import pytest
from PIL import Image

from d2freq.cli import main

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
    "words", [["--frames", "4"], ["--frames", "many"], ["--noise", "-1"], ["--trajectories", "0"]]
)
def test_what_cannot_be_is_one_line(words, tmp_path, capsys):
    assert main([*ANALYZE, *words, "--output", str(tmp_path / "x.png")]) == 2
    assert words[0] in capsys.readouterr().err
