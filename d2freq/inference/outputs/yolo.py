"""YOLO: a text file for each picture, as YOLO's own tools write what they find."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs.file_names import files_of
from d2freq.inference.outputs.run_info import RunInfo
from d2freq.utils.files import write_text

__all__ = ["write_yolo_txt"]

DIGITS = 8  # 0.01 pixel of an image of a million pixels


def write_yolo_txt(results: Sequence[PictureResult], folder: Path, run: RunInfo) -> list[Path]:
    """Text files yolo/labels/*.txt: class, centre, size, confidence; and yolo/data.yaml.

    Classes count from 0. Coordinates are shares of the picture's sides, boxes are cut at its
    border; a picture without detections has an empty file.
    """
    import yaml

    root = folder / "yolo"
    searched = [result for result in results if not result.failure]
    files = files_of([result.picture for result in searched], ".txt")
    for result, file in zip(searched, files, strict=True):
        picture, found = result.picture, result.detections
        sides = np.array([picture.width, picture.height] * 2, float)
        shares = np.clip(found.boxes / sides, 0, 1)
        centre, size = (shares[:, :2] + shares[:, 2:]) / 2, shares[:, 2:] - shares[:, :2]
        columns = (
            found.classes.tolist(),
            np.hstack([centre, size]).tolist(),
            found.scores.tolist(),
        )
        lines = [
            " ".join([str(kind), *(f"{value:.{DIGITS}f}" for value in (*box, score))])
            for kind, box, score in zip(*columns, strict=True)
        ]
        text = "".join(f"{line}\n" for line in lines)
        write_text(root / "labels" / file, text, sync=False)
    names = {"names": dict(enumerate(run.names))}
    text = yaml.safe_dump(names, sort_keys=False, allow_unicode=True)
    write_text(root / "data.yaml", text)
    return [root]
