"""Who gives one kind of config a key of the other is told what it is called here."""

from pathlib import Path

import pytest

from d2freq.engine import load_lazy, load_yaml
from d2freq.engine.config.other_kind import NAMES
from d2freq.errors import UserError

DEMO = Path(__file__).resolve().parents[4] / "configs" / "demo"
FILE = str(DEMO / "faster_rcnn_R18_HSFPN_scenes")


@pytest.mark.parametrize("key", ["OUTPUT_DIR", "SOLVER.MAX_ITER"])
def test_each_kind_names_the_other(key):
    with pytest.raises(UserError, match=f"{key} is a key of YAML configs.*{NAMES[key]}=") as error:
        load_lazy(FILE + ".py", [f"{key}=x"])
    assert "adds a new key" not in str(error.value)
    with pytest.raises(UserError, match=f"{NAMES[key]} does not exist.*YAML.*{key}"):
        load_yaml(FILE + ".yaml", [NAMES[key], "x"])


def test_every_name_is_a_key_of_its_kind():
    lazy, cfg = load_lazy(FILE + ".py", []), load_yaml(FILE + ".yaml", [])
    for theirs, ours in NAMES.items():
        for config, key in ((cfg, theirs), (lazy, ours)):
            for part in key.split("."):
                assert part in config, key
                config = config[part]
