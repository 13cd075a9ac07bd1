"""Lazy twin of dct.yaml, its controls and the gate: other stems for the ResNet of a detector."""

from pathlib import Path

import yaml
from detectron2.config import LazyCall as L

from d2freq.modeling.frequency_input import (
    ChannelGate,
    DCTStem,
    FrequencyResNet,
    FrequencyStem,
    LearnedStem,
    UnshuffleStem,
    add_gate_loss,
    make_stages,
    select_channels,
)

STATISTICS = Path(__file__).with_name("statistics")


def with_dct(model, statistics, *, channels="24", seed=None):
    """The detector on DCT channels; with a ``seed`` those of a random basis.

    ``statistics`` names a file of configs/_base_/statistics without its ending.
    """
    numbers = select_channels(channels)
    stem = L(DCTStem)(mode="x2", channels=channels, rotation_seed=seed)
    stem.update(input_format=model.input_format, **measured(statistics, numbers))
    return _with_stem(model, stem, len(numbers))


def with_unshuffle(model, statistics):
    """The detector on the pixels of 4 x 4 cells."""
    stem = L(UnshuffleStem)(channels="all")
    stem.update(input_format=model.input_format, **measured(statistics, range(48)))
    return _with_stem(model, stem, 48)


def with_learned(model, channels=24):
    """The detector behind a trained convolution of the DCT's kernel and stride."""
    return _with_stem(model, L(LearnedStem)(mode="x2", out_channels=channels), channels)


def with_gate(model, statistics):
    """The detector on all 192 channels behind a trained gate that is to leave 24 on."""
    bottom_up = with_dct(model, statistics, channels="all").backbone.bottom_up
    gate = L(ChannelGate)(channels=192, penalty="count", target=24)
    bottom_up.stem = L(FrequencyStem)(transform=bottom_up.stem, gate=gate)
    return L(add_gate_loss)(detector=model)


def measured(name, numbers):
    """Mean and deviation of the channels ``numbers``, of a file that has all of them.

    ``name`` is that of a file of configs/_base_/statistics without its ending.
    """
    keys = yaml.safe_load((STATISTICS / f"{name}.yaml").read_text())["MODEL"]["FREQ_INPUT"]
    return {key.lower(): [keys[key][n] for n in numbers] for key in ("MEAN", "STD")}


def _with_stem(model, stem, channels):
    bottom_up = model.backbone.bottom_up
    bottom_up._target_ = FrequencyResNet
    bottom_up.stem = stem
    bottom_up.stages._target_ = make_stages
    bottom_up.stages.in_channels = channels
    bottom_up.freeze_at = 0
    model.pixel_mean = [128.0, 128.0, 128.0]
    model.pixel_std = [1.0, 1.0, 1.0]
    return model
