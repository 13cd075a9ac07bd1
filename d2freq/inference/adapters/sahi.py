"""A detector of d2freq as a model of SAHI; importing this module registers it.

    import d2freq.inference.adapters.sahi
    from sahi import AutoDetectionModel
    from sahi.predict import get_sliced_prediction

    model = AutoDetectionModel.from_pretrained(
        model_type="d2freq", model_path="output/demo", confidence_threshold=0.3
    )
    result = get_sliced_prediction("harbour.png", model, slice_height=640, slice_width=640)

SAHI hands (H, W, 3) uint8 RGB to its models, and d2freq's engines take RGB whatever order the
network was trained on, so that nothing is turned here. `d2freq detect` cuts tiles itself.
"""

import sys
from typing import Any

import numpy as np

from d2freq.errors import UserError
from d2freq.inference.detections import Detections
from d2freq.inference.detector import Detector
from d2freq.inference.search import Choice, search_arrays
from d2freq.utils.extras import install

try:
    from sahi import auto_model
    from sahi.models.base import DetectionModel
    from sahi.prediction import ObjectPrediction
except ImportError as error:
    raise ImportError(f"the adapter needs SAHI ({error}): {install('sahi')}") from error

__all__ = ["D2FreqDetectionModel"]

MODEL_TYPE = "d2freq"


class D2FreqDetectionModel(DetectionModel):
    """What ``AutoDetectionModel.from_pretrained(model_type="d2freq", ...)`` gives.

    ``model_path`` is a training's output folder, a checkpoint, or a file that ``d2freq export``
    wrote; ``config_path`` a config, which an output folder has itself; ``model`` a
    :class:`~d2freq.inference.detector.Detector` in place of both. Slices are resized as the config
    says for testing. Boxes alone are found, no masks.
    """

    required_packages: list[str] = []

    def load_model(self) -> None:
        """Read config, class names and weights.

        Raises:
            UserError: one of them is missing or faulty, or an image_size is given, which the
                config decides on.
        """
        if self.image_size is not None:
            raise UserError(
                f"image_size={self.image_size}: the config says how slices are resized "
                "(INPUT.MIN_SIZE_TEST); leave it out"
            )
        device = str(self.device or "cpu")
        self.set_model(Detector.load(self.config_path, self.model_path, device=device))

    def set_model(self, model: Any, **kwargs: Any) -> None:
        """Take a Detector that is loaded already.

        Raises:
            TypeError: it is something else, or there are further arguments.
        """
        if kwargs or not isinstance(model, Detector):
            raise TypeError(
                f"set_model takes a d2freq.inference.Detector alone, not {type(model).__name__} "
                f"{', '.join(kwargs)}"
            )
        self.model = model
        if not self.category_mapping:
            self.category_mapping = {str(k): name for k, name in enumerate(model.names)}

    def perform_inference(self, image: np.ndarray) -> None:
        """Search a slice, (H, W, 3) uint8 RGB."""
        self.perform_batch_inference([image])

    def perform_batch_inference(self, images: list[np.ndarray]) -> None:
        """Search some slices at once."""
        choice = Choice(self.confidence_threshold)
        self._original_predictions = search_arrays(self.model.engine, images, choice=choice)

    def _create_object_prediction_list_from_original_predictions(
        self,
        shift_amount_list: list[list[int | float]] | None = None,
        full_shape_list: list[list[int | float]] | None = None,
    ) -> None:
        found: list[Detections] = self._original_predictions
        shifts = _one_each(shift_amount_list, len(found), [0, 0])
        shapes = _one_each(full_shape_list, len(found), None)
        names = {int(k): name for k, name in (self.category_mapping or {}).items()}
        self._object_prediction_list_per_image = [
            [
                ObjectPrediction(
                    bbox=box,
                    category_id=number,
                    category_name=names.get(number, str(number)),
                    score=score,
                    shift_amount=shift,
                    full_shape=shape,
                )
                for box, number, score in zip(
                    own.boxes.tolist(), own.classes.tolist(), own.scores.tolist(), strict=True
                )
            ]
            for own, shift, shape in zip(found, shifts, shapes, strict=True)
        ]


def _one_each(given: Any, count: int, otherwise: Any) -> list:
    """One pair for each picture: SAHI gives a list of pairs, one pair for all, or None."""
    if given is None:
        return [otherwise] * count
    if isinstance(given[0], int | float | np.number):
        return [given] * count
    return list(given) * count if len(given) == 1 else list(given)


# SAHI imports sahi.models.<type> and takes the class of this name out of it.
auto_model.MODEL_TYPE_TO_MODEL_CLASS_NAME[MODEL_TYPE] = D2FreqDetectionModel.__name__
sys.modules[f"sahi.models.{MODEL_TYPE}"] = sys.modules[__name__]
