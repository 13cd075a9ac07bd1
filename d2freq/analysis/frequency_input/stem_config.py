"""The fixed stem of a config, and a stem with its statistics as keys of a config."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor

from d2freq.engine.config import Config
from d2freq.errors import UserError
from d2freq.modeling.frequency_input import (
    DCTStem,
    FixedStem,
    UnshuffleStem,
    describe_stem,
    select_channels,
)
from d2freq.modeling.frequency_input.channels import PUBLISHED
from d2freq.modeling.frequency_input.dct_stem import get_geometry
from d2freq.utils.files import write_text

__all__ = ["load_stem", "stem_keys", "write_input_config"]


def load_stem(config: Config) -> FixedStem:
    """The stem of a config for pixels less 128, without statistics: mean 0, deviation 1.

    Raises:
        UserError: the config has no stem with fixed channels.
    """
    stem = config.frequency_stem()
    if not isinstance(stem, FixedStem):
        raise UserError(
            f"{config.source}: no DCT stem, random basis or pixel unshuffle in its backbone, whose "
            "channels could be measured; a learned stem takes no statistics"
        )
    return stem.eval()


def stem_keys(stem: FixedStem, mean: Tensor, std: Tensor) -> dict[str, Any]:
    """MODEL.FREQ_INPUT of a stem and the statistics (C,) of its channels, to six digits.

    CHANNELS is not among them where those are all of a DCT, whose statistics fit every choice.
    """
    keys: dict[str, Any]
    if isinstance(stem, DCTStem):
        keys = {"STEM": "dct", "MODE": stem.mode, "CHANNELS": _short(stem)}
        if keys["CHANNELS"] == "all":  # their statistics fit every choice
            del keys["CHANNELS"]
        if stem.rotation_seed is not None:
            keys |= {"STEM": "random", "SEED": stem.rotation_seed}
    else:
        assert isinstance(stem, UnshuffleStem)
        keys = {"STEM": "unshuffle", "MODE": "4x4", "CHANNELS": stem.channels}
    return keys | {
        "MEASURED_FOR": describe_stem(stem),
        "MEAN": [float(f"{value:.6g}") for value in mean.tolist()],
        "STD": [float(f"{value:.6g}") for value in std.tolist()],
    }


def write_input_config(
    output: str | os.PathLike,
    freq_input: dict[str, Any],
    *,
    notes: Sequence[str],
    base: str | None = None,
    model: dict[str, Any] | None = None,
    output_dir: str | None = None,
) -> Path:
    """Write keys as YAML that a config takes as a base.

    Args:
        output: the file.
        freq_input: MODEL.FREQ_INPUT.
        notes: lines of a comment on top.
        base: a YAML config that this one builds on.
        model: other keys of MODEL.
        output_dir: OUTPUT_DIR, where that of the base is not to be written to again.
    """
    path = Path(output)
    content: dict[str, Any] = {}
    if base:
        content["_BASE_"] = os.path.relpath(base, path.parent)
    content["MODEL"] = {**(model or {}), "FREQ_INPUT": freq_input}
    if output_dir:
        content["OUTPUT_DIR"] = output_dir
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=99)
    return write_text(path, "".join(f"# {note}\n" for note in notes) + text)


def _short(stem: DCTStem) -> str | list[int]:
    """A name of the channels, where they have one."""
    points = get_geometry(stem.mode).points
    for name in ("all", *(PUBLISHED if points == 8 else ())):
        if select_channels(name, points=points) == stem.channels:
            return name
    return list(stem.channels)
