"""The table of docs/training.md: its keys, lazy names, classes and tests are there."""

import re
from pathlib import Path

import pytest
from detectron2.config import get_cfg

import d2freq
from d2freq.data import augmentation
from d2freq.engine.config.read_lazy import TRAIN_KEYS
from d2freq.trainer_config import lazy_names, trainer_keys

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/training.md").read_text()
ROWS = [line.split("|")[1:-1] for line in TEXT.splitlines() if line.startswith("| `")]


def keys_of(cell: str) -> list[str]:
    """The keys of a cell; those after the first, without a dot, stand beside it."""
    keys: list[str] = []
    for word in re.findall(r"`([A-Z][A-Z0-9_.]+)`", cell):
        keys.append(word if "." in word else f"{keys[0].rpartition('.')[0]}.{word}")
    return keys


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].split("`")[1])
def test_a_row_says_what_there_is(row):
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    keys = keys_of(row[0])
    assert keys
    for key in keys:
        node = cfg
        for part in key.split("."):
            assert part in node, key
            node = node[part]
    for name in re.findall(r"`train\.([\w.]+)`", row[1]):
        assert name in lazy_names() or name in TRAIN_KEYS, name
    for name in re.findall(r"`([A-Z]\w+)`", row[1]):
        assert hasattr(augmentation, name) or name == "WeightedOutputLayers", name
    for name in re.findall(r"`([\w/]+\.py)`", row[3]):
        assert (ROOT / "tests/d2freq" / name).is_file(), name


def test_every_switch_of_training_has_its_row():
    """Those of others' pages apart."""
    said = {key.removeprefix("D2FREQ.").split(".")[0] for row in ROWS for key in keys_of(row[0])}
    own = {"BEST", "EARLY_STOPPING", "VALIDATION_LOSS", "EMA", "ACCUMULATE", "FREEZE", "OPTIMIZER"}
    own |= {"PARAM_GROUPS", "WRITERS", "WANDB", "MLFLOW", "FAST_DEV_RUN"}
    assert own <= said & set(trainer_keys())
