"""HS-FPN's Table 5: our counts beside the paper's, and the documented table as it is computed."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
HS_FPN_README = ROOT / "configs" / "hs_fpn" / "README.md"


@pytest.fixture(scope="module")
def table5():
    """benchmarks/table5.py as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("table5")


@pytest.mark.parametrize("name", ["FPN", "only CP", "only SP", "only HFP", "only SDP", "HS-FPN"])
def test_counts_are_those_of_the_paper(table5, name):
    row = table5.PAPER[name]
    parameters, flops = table5.count(row)
    assert parameters == pytest.approx(row.parameters, abs=0.01, rel=0)
    assert flops == pytest.approx(row.flops, abs=0.01 if name == "FPN" else 0.06, rel=0)


def test_the_readme_shows_the_table(table5):
    assert table5.table() in HS_FPN_README.read_text()


def test_rows_are_the_models_of_table_1(table5):
    """Each row's overrides stand in a training command of the README's Table 1."""
    text = HS_FPN_README.read_text()
    lines = text[text.index("## Table 1") : text.index("## Table 2")].splitlines()
    rows = [line.rstrip("` |") for line in lines if "train_net.py" in line]
    assert len(rows) == len(table5.PAPER)
    for row, command in zip(table5.PAPER.values(), rows, strict=True):
        assert f"configs/hs_fpn/{row.config} " in command
        overrides = command.split("MODEL.WEIGHTS $R50")[1].split()
        assert overrides[2:] == row.overrides.split()  # behind OUTPUT_DIR and its value
