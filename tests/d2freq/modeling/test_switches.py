"""Switches: what one field of a set gives, what is refused, and the tables in the READMEs."""

import importlib
import inspect
import re
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from detectron2.config import CfgNode

from d2freq.errors import UserError
from d2freq.modeling.derefnet import DeRefNet
from d2freq.modeling.derefnet import Switches as DeRefNetSwitches
from d2freq.modeling.hs_fpn import HSFPN
from d2freq.modeling.hs_fpn import Switches as HSFPNSwitches
from d2freq.modeling.switches import SwitchSet, switch, takes_switches

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Switches(SwitchSet):
    """A set of a field of each kind."""

    system, section = "Neck", "MODEL.NECK"

    norm: str = switch("Norm.", choices=("", "GN"), paper="", released="GN")
    bias: bool = switch("Bias.", paper=True, released=False)
    ratio: float = switch("Ratio.", at_most=1, default=0.5)
    depth: int = switch("Depth.", choices=(1, 2), default=2)
    sizes: tuple[int, ...] = switch("Sizes.", at_least=1, paper=(3, 3), released=(3, 1))


@takes_switches(Switches)
def neck(channels, *, preset="paper", **switches):
    """What a constructor does with its switches."""
    return Switches.resolve(preset, switches)


def test_a_field_is_a_key_a_keyword_and_a_row():
    keys = Switches.keys()
    assert keys == {
        "PRESET": "paper",
        "NORM": None,
        "BIAS": None,
        "RATIO": None,
        "DEPTH": None,
        "SIZES": None,
    }
    keys.merge_from_other_cfg(CfgNode({"PRESET": "released", "RATIO": 0.25}))
    assert neck(8, **Switches.read(keys)) == Switches("GN", False, 0.25, 2, (3, 1))

    parameters = inspect.signature(neck).parameters
    assert list(parameters) == ["channels", "preset", "norm", "bias", "ratio", "depth", "sizes"]
    assert str(parameters["ratio"]) == "ratio: float | None = None"
    assert str(parameters["sizes"]).startswith("sizes: int | collections.abc.Sequence[int] | None")

    assert Switches.table().splitlines() == [
        "| switch | meaning | values | paper | released |",
        "| --- | --- | --- | --- | --- |",
        "| NORM | Norm. | '', GN | '' | GN |",
        "| BIAS | Bias. | True, False | True | False |",
        "| RATIO | Ratio. | a number in [0, 1] | 0.5 | 0.5 |",
        "| DEPTH | Depth. | 1, 2 | 2 | 2 |",
        "| SIZES | Sizes. | a whole number of at least 1; per level | 3, 3 | 3, 1 |",
    ]


def test_a_preset_sets_all_and_a_switch_overrides_it():
    assert neck(8) == Switches() == Switches("", True, 0.5, 2, (3, 3))
    assert neck(8, preset="released", bias=True, norm=None) == Switches("GN", True, 0.5, 2, (3, 1))


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"preset": "papper"}, "Neck preset (MODEL.NECK.PRESET): 'papper' is unknown; choose one "),
        ({"norm": "BN"}, "Neck switch norm (MODEL.NECK.NORM): got 'BN'; choose from: '', GN"),
        ({"bias": 1}, "got 1; choose from: True, False"),
        ({"ratio": 1.5}, "got 1.5; choose from: a number in [0, 1]"),
        ({"ratio": True}, "got True; choose from: a number in [0, 1]"),
        ({"ratio": float("nan")}, "got nan; choose from: a number in [0, 1]"),
        ({"depth": 1.0}, "got 1.0; choose from: 1, 2"),
        ({"depth": True}, "got True; choose from: 1, 2"),
        ({"sizes": (3, 0)}, "sizes (MODEL.NECK.SIZES): got 0; choose from: a whole number of at "),
    ],
)
def test_a_wrong_value_is_refused_with_the_choices(switches, message):
    with pytest.raises(UserError, match=re.escape(message)):
        neck(8, **switches)


def test_a_typo_is_refused_by_name():
    with pytest.raises(TypeError, match="unexpected keyword argument 'nrom'; did you mean norm?"):
        neck(8, nrom="GN")
    with pytest.raises(TypeError, match="unexpected keyword argument 'presett'.* preset?"):
        neck(8, presett="paper")
    with pytest.raises(UserError, match="Neck has no switch 'nrom'; did you mean norm"):
        Switches.resolve("paper", {"nrom": "GN"})


def test_a_misspelt_preset_is_refused_where_it_is_written():
    @dataclass(frozen=True)
    class Wrong(Switches):
        bias: bool = switch("Bias.", paper=True, relesed=False)

    with pytest.raises(TypeError, match=r"NECK.BIAS\) names presets \['paper', 'relesed'\]"):
        Wrong.presets()


# ---------------------------------------------------------------------------- of the systems


@pytest.mark.parametrize(
    ("model", "switches"), [(HSFPN, HSFPNSwitches), (DeRefNet, DeRefNetSwitches)]
)
def test_constructor_keys_and_presets_agree(model, switches):
    parameters = inspect.signature(model).parameters
    assert set(switches.names()) < set(parameters)
    assert not any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    assert parameters["preset"].default == switches.keys().PRESET == next(iter(switches.presets()))
    for name, values in switches.presets().items():
        assert switches.resolve(name, {}) == values  # legal, all of them
    assert all(field.metadata["meaning"] for field in fields(switches))
    with pytest.raises(TypeError, match=f"{model.__name__}.*'presett'; did you mean preset?"):
        model(None, [], 32, presett="paper")


def test_readmes_show_the_tables(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script = importlib.import_module("switch_tables")
    for name, switches in script.TABLES.items():
        text = (ROOT / name).read_text()
        assert script.with_table(text, switches.table()) == text, "run benchmarks/switch_tables.py"
