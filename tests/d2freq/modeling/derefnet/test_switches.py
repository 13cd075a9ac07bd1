"""Presets and switches of DeRefNet: each set alone, from Python and from a config's keys."""

import re
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
import torch
from detectron2.modeling import build_model

from d2freq.errors import UserError
from d2freq.modeling.derefnet import PRESETS, DeRefNet, Switches, resolve_switches

from ..unmixing.methods_cases import config

OTHER = {
    "stages": 2,
    "time_encoding": "affine",
    "guide": "concat",
    "alignments": 1,
    "centre": "features",
    "constraint_on": "truth",
    "align_reference": "encoded",
    "regression_reduction": "cells",
    "align_reduction": "mean",
    "regression_weight": 2.0,
    "constraint_weight": 0.5,
    "align_weight": 0.25,
}


@pytest.mark.parametrize("name", OTHER)
def test_each_switch_can_be_set_alone(name):
    assert set(OTHER) == {field.name for field in fields(Switches)}
    changed = resolve_switches("released", **{name: OTHER[name]})
    assert changed == replace(PRESETS["released"], **{name: OTHER[name]})


def test_presets_differ_where_paper_and_published_code_do():
    released, paper = (asdict(PRESETS[name]) for name in ("released", "paper"))
    assert {name for name in released if released[name] != paper[name]} == {
        "alignments",
        "centre",
        "constraint_on",
        "align_reference",
        "regression_reduction",
        "align_reduction",
        "constraint_weight",
        "align_weight",
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preset": "papper"}, "MODEL.DEREFNET.PRESET.*released, paper"),
        ({"stages": 0}, "MODEL.DEREFNET.STAGES.*whole number"),
        ({"alignments": 3}, "1, 2"),
        ({"time_encoding": "mlp"}, "linear, affine, none"),
        ({"align_weight": -1}, "at least 0"),
        ({"stages": True}, "whole number"),
        ({"channels": 31}, "MODEL.DEREFNET.CHANNELS"),
    ],
)
def test_a_wrong_value_is_refused_with_the_choices(options, words):
    with pytest.raises(UserError, match=f"(?s){words}"):
        DeRefNet(q_init=torch.zeros(1089, 121), **options)


def test_an_unknown_switch_is_refused():
    with pytest.raises(UserError, match="no switch 'stage'; there are stages"):
        resolve_switches("released", stage=3)


def test_keys_are_the_switches_and_reach_the_model(monkeypatch):
    file = Path(__file__).resolve().parents[4] / "d2freq/modeling/derefnet/config.py"
    keys = set(re.findall(r"node\.([A-Z_]+) =", file.read_text()))
    more = {"channels": 4, "blocks": 1, "init": "ista", "train_windows": 2, "preset": "paper"}
    assert keys == {name.upper() for name in OTHER | more}
    monkeypatch.setattr(
        "d2freq.modeling.unmixing.config.q_init_of", lambda source, **_: torch.zeros(1089, 121)
    )
    words = [
        word
        for name, value in (OTHER | more).items()
        for word in (f"MODEL.DEREFNET.{name.upper()}", value)
    ]
    model = build_model(config(DeRefNet, *words))
    assert asdict(model.switches) == OTHER
    assert len(model.tail.blocks) == 1 and model.tail.stem.out_channels == 4
    assert model.train_windows == 2 and model.unfolding.stages[0].threshold.item() == 1
