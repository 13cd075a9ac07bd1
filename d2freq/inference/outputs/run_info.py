"""What the writers of outputs need to know beside the detections themselves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from d2freq.errors import UserError
from d2freq.evaluation.coco.guard import GroundTruth
from d2freq.inference.detections import Picture, PictureResult

__all__ = ["ReadWindow", "RunInfo", "Window"]

Window = tuple[int, int, int, int]  # x0, y0, x1, y1 in whole pixels of the picture
# (picture, window, (width, height) to give it in) -> (height, width, 3) uint8 RGB. What lies in the
# window is scaled to that size. Raises UserError where the picture cannot be read.
ReadWindow = Callable[[Picture, Window, tuple[int, int]], np.ndarray]


@dataclass(frozen=True, eq=False)
class RunInfo:
    """Of one run.

    Attributes:
        names: the classes, in the order of their numbers.
        category_ids: their ids in COCO's files; () numbers them from 1.
        title: what the report calls the run, such as the model's name.
        read: gives pixels to what draws them; None where there are none.
        truth: ground truth of the same pictures, by ``image_id`` and ``category_ids``.
        protocol: by which ``truth`` is judged: a name, or the path of a YAML file.
        score: detections below it are hidden at first where a person can choose.
        least: below it the run has kept none, so that there is nothing to choose.
    """

    names: tuple[str, ...]
    category_ids: tuple[int, ...] = ()
    title: str = "Detections"
    read: ReadWindow | None = None
    truth: GroundTruth | None = None
    protocol: str = "aitod"
    score: float = 0.3
    least: float = 0.0

    @property
    def ids(self) -> tuple[int, ...]:
        """The COCO id of each class."""
        return self.category_ids or tuple(range(1, len(self.names) + 1))

    def check(self, results: Sequence[PictureResult]) -> None:
        """Refuse what no file can hold.

        Raises:
            UserError: ids that do not fit the names, two pictures of one id or name, a class
                without a name, or a number that is NaN or infinite.
        """
        if len(self.ids) != len(self.names) or len(set(self.ids)) != len(self.ids):
            raise UserError(
                f"category ids {list(self.ids)} do not fit the {len(self.names)} class names "
                f"{list(self.names)}; give one id of its own to each"
            )
        for what in ("image_id", "name"):
            seen: dict[object, str] = {}
            for picture in (result.picture for result in results):
                key = getattr(picture, what)
                if key in seen:
                    raise UserError(
                        f"{picture.path} and {seen[key]} both have the {what} {key!r}; every "
                        "picture of a run needs its own"
                    )
                seen[key] = picture.path
        for result in results:
            self._check_numbers(result)

    def _check_numbers(self, result: PictureResult) -> None:
        found, name = result.detections, result.picture.name
        strange = found.classes[(found.classes < 0) | (found.classes >= len(self.names))]
        if len(strange):
            raise UserError(
                f"{name}: a detection has class {strange[0]}, but the model has "
                f"{len(self.names)} classes (0 to {len(self.names) - 1}); give all their names"
            )
        broken = ~(np.isfinite(found.boxes).all(1) & np.isfinite(found.scores))
        if broken.any():
            place = int(np.flatnonzero(broken)[0])
            raise UserError(
                f"{name}: detection {place} has the box {found.boxes[place].tolist()}, score "
                f"{found.scores[place]}; no file holds that; look for a model that diverged"
            )
