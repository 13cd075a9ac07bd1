"""Presets and switches of DeRefNet: each set alone, from Python and from a config's keys."""

from dataclasses import asdict, fields

import pytest
import torch
from detectron2.modeling import build_model

from d2freq.errors import UserError
from d2freq.modeling.derefnet import (
    PRESETS,
    DeRefNet,
    ResidualFeatures,
    Switches,
    TranslationAlignment,
)
from d2freq.modeling.derefnet.config import derefnet_keys

from ..unmixing.methods_cases import config


def other(field):
    """A legal value beside the default."""
    choices = [value for value in field.metadata["choices"] if value != field.default]
    return choices[0] if choices else field.default + 1


OTHER = {field.name: other(field) for field in fields(Switches)}


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
        ({"features": "resnet"}, "MODEL.DEREFNET.FEATURES.*unfolding, residual"),
        ({"features": "residual", "init": "ista"}, "INIT is ista.*FEATURES residual.*random"),
        ({"alignment": "flow"}, "deformable, translation"),
    ],
)
def test_a_wrong_value_is_refused_with_the_choices(options, words):
    with pytest.raises(UserError, match=f"(?s){words}"):
        DeRefNet(q_init=torch.zeros(1089, 121), **options)


def test_keys_are_the_switches_and_reach_the_model(monkeypatch):
    more = {"channels": 4, "blocks": 1, "train_windows": 2, "preset": "paper"}
    assert set(derefnet_keys()) == {name.upper() for name in OTHER | more | {"init": ""}}
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
    assert model.train_windows == 2 and isinstance(model.unfolding, ResidualFeatures)
    assert isinstance(model.alignment, TranslationAlignment)
    words = [
        "MODEL.DEREFNET.INIT",
        "ista",
        "MODEL.DEREFNET.STAGES",
        1,
        "MODEL.DEREFNET.CHANNELS",
        4,
    ]
    assert build_model(config(DeRefNet, *words)).unfolding.stages[0].threshold.item() == 1
