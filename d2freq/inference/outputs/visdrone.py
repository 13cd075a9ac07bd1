"""VisDrone2019-DET: a text file for each picture, as its toolkit reads results."""

from collections.abc import Sequence
from pathlib import Path

from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs.file_names import files_of
from d2freq.inference.outputs.run_info import RunInfo
from d2freq.utils.files import write_text

__all__ = ["write_visdrone_txt"]

UNKNOWN = "-1,-1"  # truncation and occlusion, which results do not tell


def write_visdrone_txt(results: Sequence[PictureResult], folder: Path, run: RunInfo) -> list[Path]:
    """Text files visdrone/*.txt: left, top, width, height, score, category, -1, -1.

    Pixels with three decimals, the best score first, of which the toolkit takes the first 500.
    Categories are COCO's ids of the classes, which count from 1 as VisDrone's do.
    """
    root = folder / "visdrone"
    searched = [result for result in results if not result.failure]
    files = files_of([result.picture for result in searched], ".txt")
    for result, file in zip(searched, files, strict=True):
        found = result.detections
        columns = (found.boxes.tolist(), found.scores.tolist(), found.classes.tolist())
        lines = [
            f"{x0:.3f},{y0:.3f},{x1 - x0:.3f},{y1 - y0:.3f},{score:.6f},{run.ids[kind]},{UNKNOWN}\n"
            for (x0, y0, x1, y1), score, kind in zip(*columns, strict=True)
        ]
        write_text(root / file, "".join(lines), sync=False)
    root.mkdir(parents=True, exist_ok=True)
    return [root]
