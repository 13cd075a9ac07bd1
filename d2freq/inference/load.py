"""Where a trained detector's parts lie: config, weights, and what training saved of its data."""

import os
from dataclasses import dataclass
from pathlib import Path

from d2freq.engine.training_data import TrainingData, read_training_data
from d2freq.errors import UserError
from d2freq.utils.present import present_weights

__all__ = ["Parts", "find_parts"]

CONFIG = "config.yaml"
BEST, LAST, FINAL = "model_best.pth", "last_checkpoint", "model_final.pth"


@dataclass(frozen=True)
class Parts:
    """What a detector is put together from.

    Attributes:
        config_file: YAML or lazy.
        weights: a checkpoint, a file or an address.
        data: what it was trained on; None where training saved nothing.
    """

    config_file: str
    weights: str
    data: TrainingData | None


def find_parts(
    place: str | os.PathLike | None = None, weights: str | os.PathLike | None = None
) -> Parts:
    """The parts of a detector.

    Args:
        place: a config, or a training's output folder; None goes by ``weights``.
        weights: a checkpoint, or a training's output folder: its model_best.pth, else what its
            last_checkpoint names, else model_final.pth. None takes those of the folder ``place``,
            or those that the config itself names.

    Raises:
        UserError: there is no config or there are no weights, with what was looked for.
    """
    if place is not None and os.path.isdir(place):
        config, folder = _config_in(Path(place)), Path(place)
        found = str(weights) if weights is not None else _weights_in(folder)
    elif place is not None:
        config, found = str(place), str(weights or "")
        folder = Path(found).parent if found and "://" not in found else Path()
    elif weights is not None:
        present_weights(weights)
        folder = Path(weights) if os.path.isdir(weights) else Path(weights).parent
        config, found = _config_in(folder), str(weights)
    else:
        raise UserError("no detector: name a training's output folder, or a config and weights")
    if found and "://" not in found and os.path.isdir(found):
        folder = Path(found)
        found = _weights_in(folder)
    return Parts(config, found, read_training_data(folder))


def _config_in(folder: Path) -> str:
    path = folder / CONFIG
    if not path.is_file():
        raise UserError(
            f"{folder}: has no {CONFIG}, which a training writes; name the config: --config-file"
        )
    return str(path)


def _weights_in(folder: Path) -> str:
    if (folder / BEST).is_file():
        return str(folder / BEST)
    marker = folder / LAST
    named = marker.read_text(encoding="utf-8").strip() if marker.is_file() else ""
    for path in ((folder / os.path.basename(named)) if named else None, folder / FINAL):
        if path is not None and path.is_file():
            return str(path)
    raise UserError(f"{folder}: has no {BEST}, {LAST} or {FINAL}; name the weights: --weights FILE")
