"""FiftyOne: detections as its own JSON of image detections, which it loads beside a folder."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from d2freq.errors import UserError
from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs.run_info import RunInfo
from d2freq.utils.files import write_json

__all__ = ["LABELS_FILE", "write_fiftyone"]

LABELS_FILE = "fiftyone_labels.json"


def write_fiftyone(results: Sequence[PictureResult], folder: Path, run: RunInfo) -> list[Path]:
    """FiftyOne's labels of its FiftyOneImageDetectionDataset, fiftyone_labels.json.

    Boxes are shares of the picture: left, top, width, height. Pictures go by their path without its
    ending, as FiftyOne finds them below its ``data_path``; a picture without detections has an
    empty list. Frames of videos are left out, as no file holds them.

    Raises:
        UserError: two pictures differ in their endings alone.
    """
    labels: dict[str, list[dict]] = {}
    taken: dict[str, str] = {}
    for result in results:
        picture, found = result.picture, result.detections
        if result.failure or picture.frame is not None:
            continue
        name = str(PurePosixPath(picture.name).with_suffix(""))
        if name in labels:
            raise UserError(
                f"{picture.name} and {taken[name]} differ in their endings alone, by which "
                "FiftyOne does not tell pictures apart; rename one, or leave out the format"
            )
        taken[name] = picture.name
        columns = (found.boxes.tolist(), found.scores.tolist(), found.classes.tolist())
        labels[name] = [
            {
                "label": run.names[kind],
                "bounding_box": [
                    x0 / picture.width,
                    y0 / picture.height,
                    (x1 - x0) / picture.width,
                    (y1 - y0) / picture.height,
                ],
                "confidence": score,
            }
            for (x0, y0, x1, y1), score, kind in zip(*columns, strict=True)
        ]
    write_json(folder / LABELS_FILE, {"labels": labels})
    return [folder / LABELS_FILE]
