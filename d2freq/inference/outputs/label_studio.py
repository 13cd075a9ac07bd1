"""Label Studio: detections as predictions that a person corrects, and the labels to do it with."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from d2freq.inference.detections import Detections, Picture, PictureResult
from d2freq.inference.outputs.run_info import RunInfo
from d2freq.utils.files import write_json, write_text

__all__ = ["write_label_studio"]

TASKS_FILE = "label_studio.json"
CONFIG_FILE = "label_studio.xml"
LOCAL = "/data/local-files/?d="  # how Label Studio serves files below its document root


def write_label_studio(results: Sequence[PictureResult], folder: Path, run: RunInfo) -> list[Path]:
    """Label Studio's tasks with predictions, label_studio.json, and its labelling interface.

    The tasks name a picture by its ``name`` below the folder that Label Studio serves
    (LOCAL_FILES_DOCUMENT_ROOT); label_studio.xml goes into the project's settings. Frames of videos
    are left out, as no file holds them.
    """
    tasks = [
        _task(result, run)
        for result in results
        if not result.failure and result.picture.frame is None
    ]
    write_json(folder / TASKS_FILE, tasks)
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in run.names)
    config = (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <RectangleLabels name="label" toName="image">\n{labels}  </RectangleLabels>\n</View>\n'
    )
    write_text(folder / CONFIG_FILE, config)
    return [folder / TASKS_FILE, folder / CONFIG_FILE]


def _task(result: PictureResult, run: RunInfo) -> dict:
    picture, found = result.picture, result.detections
    prediction = {
        "model_version": run.title,
        # of the whole task, by which Label Studio sorts what a person is to look at
        "score": float(found.scores.mean()) if len(found) else 0.0,
        "result": _regions(picture, found, run),
    }
    return {"data": {"image": LOCAL + quote(picture.name)}, "predictions": [prediction]}


def _regions(picture: Picture, found: Detections, run: RunInfo) -> list[dict]:
    """The boxes in percent of the picture's sides, as Label Studio has them."""
    across, down = 100 / picture.width, 100 / picture.height
    columns = (found.boxes.tolist(), found.scores.tolist(), found.classes.tolist())
    return [
        {
            "id": f"{picture.image_id}-{number}",
            "type": "rectanglelabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": picture.width,
            "original_height": picture.height,
            "image_rotation": 0,
            "score": score,
            "value": {
                "x": x0 * across,
                "y": y0 * down,
                "width": (x1 - x0) * across,
                "height": (y1 - y0) * down,
                "rotation": 0,
                "rectanglelabels": [run.names[kind]],
            },
        }
        for number, ((x0, y0, x1, y1), score, kind) in enumerate(zip(*columns, strict=True))
    ]
