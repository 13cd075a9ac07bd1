"""The notebooks run: their cells in this process, and one of them through a kernel of its own."""

import json
from pathlib import Path

import matplotlib
import pytest

from d2freq import HOST

from .pages import ROOT

NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


def cells(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text("utf-8"))["cells"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_cells_run_in_order(notebook, page_folder):
    matplotlib.use("Agg")
    names: dict = {"__name__": "__main__"}
    code = [cell for cell in cells(notebook) if cell["cell_type"] == "code"]
    assert len(code) >= 5
    for number, cell in enumerate(code, start=1):
        exec(compile("".join(cell["source"]), f"{notebook.name}, cell {number}", "exec"), names)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_kept(notebook):
    for cell in cells(notebook):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


@pytest.mark.slow  # a kernel is a process of its own, which imports torch anew
def test_a_notebook_runs_in_a_kernel(tmp_path):
    if HOST != "minid2":
        pytest.skip(f"the kernel is started once, on minid2, not on {HOST}")
    nbclient = pytest.importorskip(
        "nbclient", reason="runs a notebook: pip install nbclient ipykernel (the extra docs)"
    )
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(ROOT / "docs/notebooks/frequencies.ipynb", as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources=resources
    )
    done = client.execute()
    printed = "".join(
        output.get("text", "") for cell in done.cells for output in cell.get("outputs", [])
    )
    assert "times the energy of the background" in printed
