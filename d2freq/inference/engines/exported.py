"""What the engines of exported files share: metadata, batches of one size, results by picture.

Shape legend: B pictures of H x W, C channels, N detections on all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from d2freq.engine.export.metadata import parse
from d2freq.engine.training_data import as_training_data
from d2freq.inference.about import check_pictures_fit
from d2freq.inference.detections import Detections
from d2freq.inference.engines.engine import ModelAbout
from d2freq.inference.engines.pixels import places_by_size, planes

__all__ = ["ExportedEngine"]

# (B, C, H, W) float32, 0 to 255 -> boxes (N, 4), scores (N,), classes (N,), images (N,)
Run = Callable[[np.ndarray], Sequence[np.ndarray]]


class ExportedEngine:
    """A file of ``d2freq export`` behind :class:`~d2freq.inference.engines.engine.Engine`.

    Args:
        path: the file.
        text: what it says of itself, "" where it says nothing.
        run: the function in it.

    Attributes:
        trained_on: what the detector was trained on, None where the file does not say it.

    Raises:
        UserError: the file says nothing of itself, or pictures do not have its channels.
    """

    def __init__(self, path: str, text: str, run: Run) -> None:
        found = parse(text, path)
        known = {field.name for field in fields(ModelAbout)}
        about: dict[str, Any] = {
            key: _tuples(value) for key, value in found.items() if key in known
        }
        self.about = ModelAbout(**about)
        self.trained_on = as_training_data(found.get("trained_on") or {})
        check_pictures_fit(self.about, path)
        self._takes_batches = found["batch"] == "any"
        self._run = run

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        """See Engine. Pictures of one size run together, others apart: a file pads none to others,
        so none is seen otherwise than alone.
        """
        groups = places_by_size(pictures)
        if not self._takes_batches:
            groups = [[place] for group in groups for place in group]
        found: dict[int, Detections] = {}
        for group in groups:
            own = [planes(pictures[place], self.about.channel_order) for place in group]
            batch = np.stack(own).astype(np.float32)
            found.update(zip(group, self._split(self._run(batch), len(group)), strict=True))
        return [found[place] for place in range(len(pictures))]

    def _split(self, results: Sequence[np.ndarray], count: int) -> list[Detections]:
        """Detections of each of ``count`` pictures, which come one after the other."""
        boxes, scores, classes, images = results
        borders = np.searchsorted(images, np.arange(count + 1))
        return [
            Detections(
                boxes[start:end].astype(np.float64),
                scores[start:end].astype(np.float64),
                classes[start:end].astype(np.int64),
                self.about.names,
            )
            for start, end in zip(borders[:-1], borders[1:], strict=True)
        ]


def _tuples(value: object) -> object:
    """JSON's lists as the tuples that they were."""
    return tuple(value) if isinstance(value, list) else value
