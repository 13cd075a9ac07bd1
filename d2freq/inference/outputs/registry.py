"""The outputs of a run by name, and the call that writes several of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs.coco import write_coco_files
from d2freq.inference.outputs.csv_file import write_csv
from d2freq.inference.outputs.fiftyone import write_fiftyone
from d2freq.inference.outputs.geojson import write_geojson
from d2freq.inference.outputs.geopackage import write_geopackage
from d2freq.inference.outputs.label_studio import write_label_studio
from d2freq.inference.outputs.map_features import tell_of_unplaced
from d2freq.inference.outputs.pictures import write_pictures
from d2freq.inference.outputs.report_page import write_report_page
from d2freq.inference.outputs.run_info import RunInfo
from d2freq.inference.outputs.visdrone import write_visdrone_txt
from d2freq.inference.outputs.yolo import write_yolo_txt
from d2freq.utils.choices import choice

__all__ = ["WRITERS", "Writer", "summary_of", "write_outputs"]

# (results, folder, run) -> the files or folders written; a list without any where the format has
# nothing to say of these pictures
Writer = Callable[[Sequence[PictureResult], Path, RunInfo], list[Path]]

WRITERS: dict[str, Writer] = {
    "coco": write_coco_files,
    "csv": write_csv,
    "yolo": write_yolo_txt,
    "visdrone": write_visdrone_txt,
    "fiftyone": write_fiftyone,
    "geojson": write_geojson,
    "geopackage": write_geopackage,
    "label-studio": write_label_studio,
    "pictures": write_pictures,
    "report": write_report_page,
}
MAPS = {"geojson", "geopackage"}  # on which pictures are that know their place


def summary_of(name: str) -> str:
    """What a format is, in one line, for ``--help``."""
    return (WRITERS[name].__doc__ or "").partition("\n")[0].rstrip(".")


def write_outputs(
    results: Sequence[PictureResult], folder: Path, run: RunInfo, formats: Sequence[str]
) -> list[Path]:
    """Write a run in each of ``formats``; every file is written whole or not at all.

    Returns:
        the files or folders written, in that order.

    Raises:
        UserError: an unknown format, results that no file can hold, or a missing library; the
            message says what to install.
    """
    writers = [WRITERS[choice(name, WRITERS, key="--format")] for name in formats]
    run.check(results)
    if MAPS & set(formats):
        tell_of_unplaced(results)
    return [path for write in writers for path in write(results, Path(folder), run)]
