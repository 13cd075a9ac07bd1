"""docs/guest.md: every name of d2freq in it exists, and every node of keys has its row."""

import re
from pathlib import Path
from pydoc import locate

import pytest
from detectron2.config import get_cfg
from detectron2.engine import DefaultTrainer
from torch import nn

import d2freq.engine
from d2freq.config import own_nodes, shared_nodes
from d2freq.modeling.unmixing.methods.config import method_keys
from d2freq.trainer_config import host_node_keys

TEXT = (Path(__file__).parents[2] / "docs" / "guest.md").read_text(encoding="utf-8")
ONE_ROW = {
    f"MODEL.{name}" for name in (*method_keys(), "DEREFNET", "UNMIXING", "CLASSIFIER", "SET")
}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bd2freq(?:\.\w+)+", TEXT))))
def test_a_name_in_the_text_exists(name):
    assert locate(name) is not None


def test_every_node_has_its_row():
    """Those of meta-architectures share one."""
    keys = {f"{node}.{key}" for node, keys in host_node_keys().items() for key in keys}
    nodes = set(own_nodes()) | (set(shared_nodes()) - set(host_node_keys())) | keys
    assert {node for node in nodes - ONE_ROW if node not in TEXT} <= {"MODEL.FCOS"}


def test_one_line_gives_another_trainer_the_optimizer():
    """As the table says, in a class of DefaultTrainer's kind."""

    class Theirs(DefaultTrainer):
        build_optimizer = d2freq.engine.Trainer.build_optimizer

    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.D2FREQ.OPTIMIZER, cfg.D2FREQ.FREEZE = "adamw", ["0.*"]
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = Theirs.build_optimizer(cfg, model)
    assert type(optimizer).__name__ == "AdamW" and not model[0].weight.requires_grad
