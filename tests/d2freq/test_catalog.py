"""The registered names: where they lie, how they load, and what is said where they are missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from d2freq.data import DatasetError, check_dataset
from d2freq.data.catalog import SOURCES, register_all
from d2freq.data.scenes_dataset import generate_scenes
from d2freq.data.scenes_objects import KINDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def names_under(monkeypatch):
    """Registers all names anew under another root, and as they were afterwards."""

    def register(root: Path) -> None:
        monkeypatch.setenv("DETECTRON2_DATASETS", str(root))
        _forget()
        register_all()

    yield register
    monkeypatch.undo()
    _forget()
    register_all()


def _forget() -> None:
    for name in SOURCES:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def test_importing_d2freq_registers_all_names_without_any_file(tmp_path):
    code = (
        "import d2freq; from detectron2.data import DatasetCatalog, MetadataCatalog\n"
        f"assert set({list(SOURCES)}) <= set(DatasetCatalog.list())\n"
        "print(MetadataCatalog.get('tiny_scenes_val').json_file)"
    )
    environment = {**os.environ, "DETECTRON2_DATASETS": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()) == tmp_path / "tiny_scenes/annotations/val.json"


@pytest.mark.parametrize(
    ("name", "cure"),
    [("tiny_scenes_train", "d2freq generate scenes"), ("kit_ais_half_val", "CC BY")],
)
def test_missing_data_set_names_file_cure_and_variable(names_under, tmp_path, name, cure):
    names_under(tmp_path)
    for call in (DatasetCatalog.get, check_dataset):
        with pytest.raises(DatasetError) as error:
            call(name)
        text = str(error.value)
        assert SOURCES[name].json_file in text and cure in text
        assert "$DETECTRON2_DATASETS" in text and str(tmp_path) in text


def test_scenes_load_by_name(names_under, tmp_path):
    names_under(tmp_path)
    generate_scenes(tmp_path / "tiny_scenes", train=2, val=1, size=96, workers=1, progress=False)
    assert check_dataset("tiny_scenes_train").ok
    records = DatasetCatalog.get("tiny_scenes_train")
    assert len(records) == 2 and all(os.path.isfile(record["file_name"]) for record in records)
    assert MetadataCatalog.get("tiny_scenes_train").thing_classes == list(KINDS)
