"""Which channels a trained gate switches on over a data set (Learning in the Frequency Domain).

Shape shorthand: C channels of the gate, N x N coefficients a block.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from d2freq.analysis.frequency_input.gate_plot import plot_gate
from d2freq.analysis.frequency_input.stem_config import stem_keys, write_input_config
from d2freq.analysis.methods import GATE as METHOD
from d2freq.analysis.model_and_data import Subject, choose
from d2freq.analysis.result import About, Result
from d2freq.errors import UserError
from d2freq.modeling.frequency_input import ChannelGate, DCTStem, FrequencyStem
from d2freq.modeling.frequency_input.channels import component_names
from d2freq.modeling.frequency_input.dct_stem import get_geometry

__all__ = ["METHOD", "Gate", "best_channels", "measure_gate"]


@dataclass(frozen=True)
class Settings:
    """How large the static set is, and how many images were asked for; 0 is all."""

    top: int
    count: int


@dataclass(frozen=True)
class Channel:
    """The share of the images in which a channel is on, and its mean chance to be drawn as on."""

    number: int
    name: str
    share_on: float
    mean_chance: float


@dataclass(frozen=True)
class Gate(Result):
    """What a gate chose."""

    settings: Settings
    images: int
    channels_on: float  # mean over the images
    top: list[int]  # numbers of the channels of the static set
    channels: list[Channel]
    config: str  # the file of the static set

    def table(self) -> str:
        """How many channels are on, and which most often."""
        names = {channel.number: channel.name for channel in self.channels}
        top = " ".join(names[number] for number in self.top)
        on = f"on in the mean: {self.channels_on:.1f} of {len(self.channels)} channels"
        return f"{on}\ntop {len(self.top)}: {top}\n{self.config}"


def measure_gate(
    subject: Subject,
    output: str | os.PathLike,
    *,
    top: int = 24,
    count: int = 0,
) -> Gate:
    """Average the gate's decisions over images; write PNG, JSON and the best channels as YAML.

    Args:
        subject: a model with a gate behind a DCT stem.
        top: channels that the static set has.
        count: images at even steps; 0 is all.

    Raises:
        UserError: a model without such a gate, or more channels than the gate has.
    """
    stem, gate = _find(subject)
    channels = stem.channels
    if not 0 < top <= len(channels):
        raise UserError(f"--top {top}: the gate has {len(channels)} channels")
    records = choose(subject.records, count)
    on, chance = _decisions(subject, stem, gate, records)
    best = best_channels(on, chance, top)
    names = component_names(channels, points=get_geometry(stem.mode).points)
    plot_gate(stem, on, best, output, images=len(records))
    result = Gate(
        about=About.of("gate", METHOD, [subject]),
        settings=Settings(top, count),
        images=len(records),
        channels_on=float(on.sum()),
        top=[channels[place] for place in best],
        channels=[
            Channel(number, name, float(share), float(mean))
            for number, name, share, mean in zip(channels, names, on, chance, strict=True)
        ],
        config=str(_write(subject, stem, best, output)),
    )
    result.write(output)
    return result


def best_channels(on: Tensor, chance: Tensor, top: int) -> list[int]:
    """Places of the channels that are on most often; among equals those of the higher chance.

    Args:
        on: (C,) share of the images in which a channel is on.
        chance: (C,) mean over the images of its chance to be drawn as on.

    Returns:
        ``top`` places in ascending order.
    """
    order = sorted(range(len(on)), key=lambda c: (-float(on[c]), -float(chance[c]), c))
    return sorted(order[:top])


def _find(subject: Subject) -> tuple[DCTStem, ChannelGate]:
    """The DCT stem that has a gate behind it, and the gate."""
    source = subject.about["config"]
    for module in subject.model.modules():
        if isinstance(module, FrequencyStem) and module.gate is not None:
            transform = module.transform
            if isinstance(transform, DCTStem) and transform.rotation_seed is None:
                return transform, module.gate
            raise UserError(f"{source}: its gate is not behind a DCT, so it has no frequencies")
    raise UserError(
        f"{source}: the model has no gate; MODEL.FREQ_INPUT.GATE.ENABLED True trains one"
    )


def _decisions(
    subject: Subject, stem: DCTStem, gate: ChannelGate, records: list[dict]
) -> tuple[Tensor, Tensor]:
    """Means over the images of decision and chance, (C,) float64 each."""
    total = torch.zeros(2, gate.channels, dtype=torch.float64)
    with torch.no_grad():
        for record in tqdm(records, unit="image"):
            images = subject.detector.preprocess_image([subject.mapper(record)])
            pixels = getattr(images, "tensor", images)  # a classifier has no ImageList
            logits = gate.logits(stem(pixels))[0].double().cpu()
            more = logits[:, 1] - logits[:, 0]
            total += torch.stack([(more > 0).double(), more.sigmoid()])
    on, chance = total / len(records)
    return on, chance


def _write(subject: Subject, stem: DCTStem, best: list[int], output: str | os.PathLike) -> Path:
    """The set as YAML: on top of the gate's config where that is YAML, and without the gate."""
    static = DCTStem(mode=stem.mode, channels=[stem.channels[place] for place in best])
    keys = stem_keys(static, stem.mean[best], stem.std[best])
    keys["GATE"] = {"ENABLED": False}
    config, overrides = subject.config, subject.about["overrides"]
    notes = [
        f"The {len(best)} channels that a gate of {Path(config.source).name} had on most often"
    ]
    notes.append(f"over {subject.dataset}, and their statistics; by d2freq analyze gate.")
    base, folder = None, None
    model: dict[str, Any] = {}
    if without_gate := config.without_gate():
        base, model = without_gate
        folder = f"{config.output_dir}_top{len(best)}"  # the gate's own keeps the gate's weights
        if overrides:
            notes.append(f"These overrides of that config are not in here: {' '.join(overrides)}")
    path = Path(output).with_suffix(".yaml")
    return write_input_config(path, keys, notes=notes, base=base, model=model, output_dir=folder)
