"""The pictures of a report: which are shown, what is drawn on them, and their pixels."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from d2freq.errors import UserError
from d2freq.evaluation.coco.guard import GroundTruth
from d2freq.evaluation.coco.judge import EXCUSED, MISS, Judgement
from d2freq.inference.detections import Picture, PictureResult
from d2freq.inference.outputs.run_info import ReadWindow, Window
from d2freq.inference.report.pixels import Shown, show
from d2freq.inference.report.sizes import score_marks

__all__ = ["Card", "cards_of", "choose_cards", "with_pixels"]

logger = logging.getLogger(__name__)

BOXES = 10_000  # of a picture at most, the best scores of them
MOST_BOXES = 300_000  # of all pictures
BYTES = 1.0  # that a pixel takes as JPEG in base64, roughly


@dataclass(frozen=True, eq=False)
class Card:
    """One picture, N detections and G objects of which are drawn.

    Attributes:
        boxes: (N, 4) corners, by falling score; ``classes``, ``score`` and ``state`` (N,).
        objects: (G, 4) corners; ``object_classes``, ``counted`` and ``found_at`` (G,).
        judged: whether there is ground truth of this picture.
        left_out: detections that are too many to be drawn.
    """

    picture: Picture
    boxes: np.ndarray
    classes: np.ndarray
    score: np.ndarray
    state: np.ndarray
    objects: np.ndarray
    object_classes: np.ndarray
    counted: np.ndarray
    found_at: np.ndarray
    judged: bool = False
    left_out: int = 0

    def trouble(self, score: float) -> tuple[int, int]:
        """(misses and false alarms, detections) at a threshold, by which pictures are chosen."""
        kept = self.score >= score
        alarms = int((kept & (self.state == MISS)).sum())
        missed = int((self.counted & (self.found_at < score)).sum())
        return alarms + missed, int(kept.sum())

    def worth_seeing(self) -> np.ndarray:
        """Corners (M, 4) of what a person looks for first: misses, false alarms, then the rest."""
        missed = self.counted & np.isinf(self.found_at)
        alarms = self.state == MISS
        return np.concatenate([self.objects[missed], self.boxes[alarms], self.boxes[~alarms]])

    def as_json(self) -> dict[str, Any]:
        """What the page draws: boxes as flat lists of six numbers, objects likewise.

        [x0, y0, x1, y1, class, mark of the score or of the score that finds it], and for each one
        its state: of detections 0 a false alarm, 1 a hit, 2 neither; of objects 1 where it counts.
        """
        about = self.picture
        return {
            "name": about.name,
            "width": about.width,
            "height": about.height,
            "judged": self.judged,
            "left_out": self.left_out,
            "boxes": _flat(self.boxes, self.classes, self.score),
            "state": "".join(map(str, self.state.tolist())),
            "objects": _flat(self.objects, self.object_classes, self.found_at),
            "counted": "".join(str(int(flag)) for flag in self.counted.tolist()),
        }


def _flat(corners: np.ndarray, classes: np.ndarray, score: np.ndarray) -> list[float]:
    rows = np.column_stack([corners.round(1), classes, score_marks(score)])
    return [int(value) if value == int(value) else value for value in rows.ravel().tolist()]


def cards_of(
    results: Sequence[PictureResult],
    classes: np.ndarray,
    truth: GroundTruth | None,
    judgement: Judgement | None,
) -> Iterator[Card]:
    """A card for each picture that was searched.

    Args:
        classes: (N,) int64, of all detections in their order, as the page numbers them.
        truth, judgement: of these detections; None where nobody knows.
    """
    start, none = 0, np.zeros(0)
    empty = (np.zeros((0, 4)), none.astype(np.int64), none.astype(bool), none)
    order = np.argsort(truth.image_id, kind="stable") if truth is not None else empty[1]
    for result in results:
        own = slice(start, start + len(result.detections))
        start = own.stop
        if result.failure:
            continue
        boxes, number = result.detections, result.picture.image_id
        state = np.full(len(boxes), EXCUSED, np.int8)
        objects, judged = empty, False
        if truth is not None and judgement is not None and number in truth.image_ids:
            judged, state = True, judgement.state[own]
            first = np.searchsorted(truth.image_id, number, "left", sorter=order)
            last = np.searchsorted(truth.image_id, number, "right", sorter=order)
            objects = _objects(truth, judgement, order[first:last])
        best = np.argsort(-boxes.scores, kind="stable")[:BOXES]
        yield Card(
            result.picture,
            boxes.boxes[best],
            classes[own][best],
            boxes.scores[best],
            state[best],
            *objects,
            judged=judged,
            left_out=len(boxes) - len(best),
        )


def _objects(truth: GroundTruth, judgement: Judgement, rows: np.ndarray) -> tuple:
    corners = truth.xywh[rows].copy()
    corners[:, 2:] += corners[:, :2]
    kinds = np.searchsorted(np.array(list(truth.categories)), truth.category_id[rows])
    return corners, kinds, judgement.counted[rows], judgement.found_at[rows]


def choose_cards(cards: Sequence[Card], number: int, score: float) -> list[Card]:
    """The ``number`` cards with most trouble, then most detections, in their order."""
    ranks = sorted(range(len(cards)), key=lambda n: cards[n].trouble(score), reverse=True)
    chosen: list[int] = []
    boxes = 0
    for place in ranks[:number]:
        boxes += len(cards[place].boxes) + len(cards[place].objects)
        if boxes > MOST_BOXES and chosen:
            break
        chosen.append(place)
    return [cards[place] for place in sorted(chosen)]


def with_pixels(
    cards: Sequence[Card], read: ReadWindow | None, size: int
) -> Iterator[tuple[Card, Shown | None]]:
    """Each card with its pixels, of together about ``size`` bytes, one after another.

    A picture that cannot be read any more is shown without; a line says how many these are.
    """
    faults: list[str] = []
    wanted = [BYTES * card.picture.width * card.picture.height for card in cards]
    left, need = float(size), sum(wanted)
    for card, own in zip(cards, wanted, strict=True):
        picture, shown = card.picture, None
        # what a picture leaves goes to those that come after it
        budget = left * own / need if need else 0.0
        need -= own

        def read_own(window: Window, wanted: tuple[int, int], picture=picture) -> np.ndarray:
            assert read is not None
            return read(picture, window, wanted)

        if read is not None:
            try:
                boxes = card.worth_seeing()
                shown = show(read_own, picture.width, picture.height, boxes, int(budget))
                left -= shown.size
            except (UserError, OSError) as error:
                faults.append(str(error))
        yield card, shown
    if faults:
        logger.warning(
            "%d of %d pictures are shown without their pixels: %s",
            *(len(faults), len(cards), faults[0]),
        )
