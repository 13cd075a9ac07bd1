"""A whole run of ``d2freq detect``: sources, detector, tiles, search, files."""

import dataclasses
import importlib.util
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from d2freq.errors import UserError
from d2freq.inference.detector import Detector
from d2freq.inference.outputs import WRITERS, RunInfo, write_outputs
from d2freq.inference.outputs.pixels import PictureReader
from d2freq.inference.parts import Parts
from d2freq.inference.run import (
    FULL,
    disk_full,
    prepare_folder,
    search,
    write_run,
)
from d2freq.inference.search import Choice
from d2freq.inference.searcher import Found, Settings
from d2freq.inference.sources import find_sources
from d2freq.inference.sources.raster import RASTERS
from d2freq.inference.tiling import Merging
from d2freq.inference.truth import category_ids, coco_of, ground_truth, object_sizes
from d2freq.utils.choices import choice
from d2freq.utils.extras import install
from d2freq.utils.lock import locked
from d2freq.utils.output import refuse_other_run

__all__ = ["DetectOptions", "Outcome", "detect"]

ALL = "all"
USUAL = ["coco", "csv", "report"]  # what costs little, whatever the pictures
NEEDS = {"geojson": ["pyproj"], "geopackage": ["pyproj", "geopandas"]}
FEW = 200  # pictures, up to which drawings of all cost little, too


@dataclass(frozen=True)
class DetectOptions:
    """What a run is asked to do; the names are those of the command's options.

    Attributes:
        sources: see find_sources; ``images`` too.
        weights, config_file, engine, device, half, overrides: see Detector.load; no device is
            "cuda" where there is one, else "cpu".
        tile, overlap: see choose_tiles.
        merge, merge_iou: see Merging.
        batch: tiles that run at once.
        score, classes: which detections are wanted, None for all classes.
        limit: of pictures; 0 takes all.
        output: the folder.
        format: names of formats, or "all"; None takes those that cost little.
        resume, overwrite: what to do where the folder holds a run.
    """

    sources: Sequence[str]
    weights: str | None = None
    config_file: str | None = None
    engine: str = ""
    device: str | None = None
    half: bool = False
    overrides: Sequence[str] = ()
    tile: str | tuple[int, int] = "auto"
    overlap: float | None = None
    merge: str = "nms"
    merge_iou: float = 0.5
    batch: int = 4
    score: float = 0.3
    classes: Sequence[str] | None = None
    limit: int = 0
    images: str | None = None
    output: str = "detections"
    format: Sequence[str] | None = None
    resume: bool = False
    overwrite: bool = False

    def key(self) -> dict[str, Any]:
        """What detections and files depend on, beside the pictures' own files."""
        own = dataclasses.asdict(self)
        for name in ("resume", "overwrite", "output", "device"):
            own.pop(name)
        return own


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        found: on each picture.
        lines: what is worth telling the user at the end.
    """

    found: Found = field(default_factory=Found)
    lines: list[str] = field(default_factory=list)


def detect(options: DetectOptions, *, progress: bool = True) -> Outcome:
    """Search the sources and write the formats into the output folder.

    Raises:
        UserError: bad input: no such source, no picture among them, parts of the detector that are
            missing or do not fit, an unknown word, a folder that holds another run or that another
            process works in, a full disk.
    """
    merging = Merging(options.merge, options.merge_iou)
    _check_formats(options.format)
    if not 0 <= options.score <= 1:
        raise UserError(f"--score {options.score:g}: a score is from 0 to 1")
    if options.limit < 0:
        raise UserError(f"--limit {options.limit}: a number of pictures, or 0 for all")
    if not options.sources:
        raise UserError("no source: name pictures, a folder, a list, a COCO file or a video")
    folder = Path(options.output)
    refuse_other_run(folder, resume=options.resume, overwrite=options.overwrite)
    # before the detector is loaded: a folder that is taken or cannot be written to is said at once
    with locked(folder, "detecting"):
        return _detect(options, folder, merging, progress=progress)


def _detect(options: DetectOptions, folder: Path, merging: Merging, *, progress: bool) -> Outcome:
    sources = find_sources(options.sources, images=options.images, leave_out=folder)
    detector = Detector.load(
        options.config_file,
        options.weights,
        engine=options.engine,
        device=options.device or ("cuda" if torch.cuda.is_available() else "cpu"),
        half=options.half,
        overrides=options.overrides,
    )
    coco = coco_of(options.sources)
    plan = detector.tiles(options.tile, options.overlap, objects=object_sizes(coco))
    wanted = detector.class_numbers(options.classes)
    settings = Settings(plan, merging, Choice(options.score, wanted), options.batch)
    parts = Parts(
        folder, options.key() | {"weights_file": detector.source_stamps()}, detector.names
    )
    run = RunInfo(
        names=detector.names,
        category_ids=category_ids(detector.names, coco),
        title=str(options.weights or options.config_file),
        # before the search, as a faulty file ends the run
        truth=ground_truth(coco, options.sources[0], detector.names, wanted),
        score=options.score,
        least=max(options.score, detector.about.score),
    )
    print(_say(detector, plan.reason, options.score))
    if not prepare_folder(folder, parts, resume=options.resume, overwrite=options.overwrite):
        return Outcome(lines=[f"{folder}: the run there is whole; nothing is left to do"])
    found = search(
        detector.engine, sources, settings, parts, limit=options.limit, progress=progress
    )
    files = _write(found, folder, options.format, run)
    write_run(folder, parts, found, files)
    return Outcome(found, [*_notes(found), *_summary(found, files)])


def _write(found: Found, folder: Path, formats: Sequence[str] | None, run: RunInfo) -> list[Path]:
    if formats is None:
        formats = _usual_formats(found)
    elif ALL in formats:
        formats = list(WRITERS)
    reader = PictureReader()
    run = dataclasses.replace(run, read=reader)
    try:
        return write_outputs(found.results, folder, run, formats)
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(folder, error) from error
        raise
    finally:
        reader.close()


def _usual_formats(found: Found) -> list[str]:
    formats = list(USUAL)
    if len(found.results) <= FEW:
        formats.append("pictures")
    on_earth = any(result.picture.geo for result in found.results)
    if on_earth and importlib.util.find_spec("pyproj") is not None:
        formats.append("geojson")
    return formats


def _check_formats(names: Sequence[str] | None) -> None:
    if names is not None and not names:
        raise UserError("--format names no format; leave it out to take those that cost little")
    for name in names or ():
        choice(name, (*WRITERS, ALL), key="--format")
        for package in NEEDS.get(name, ()):  # before the search, which may take hours
            if importlib.util.find_spec(package) is None:
                raise UserError(f"--format {name} needs {package}: {install('geo')}")


def _say(detector: Detector, reason: str, score: float) -> str:
    about = detector.about
    count = "1 class" if len(detector.names) == 1 else f"{len(detector.names)} classes"
    lines = [f"{count}: {', '.join(detector.names[:8])}", reason]
    if len(detector.names) > 8:
        lines[0] += ", ..."
    if score < about.score:
        lines.append(
            f"the model itself drops scores below {about.score:g}, so --score {score:g} finds no "
            "more; lower its own threshold to see them (--opts MODEL.ROI_HEADS.SCORE_THRESH_TEST)"
        )
    return "\n".join(lines)


def _notes(found: Found) -> list[str]:
    """What is said once of many pictures."""
    return [*_notes_of_pages(found), *_notes_of_places(found)]


def _notes_of_pages(found: Found) -> list[str]:
    several = [result.picture for result in found.results if result.picture.unread]
    if not several:
        return []
    first, others = several[0], len(several) - 1
    more = f", and {_counted(others, 'other file')} like it" if others else ""
    return [
        f"{first.name} holds {first.unread + 1} pictures{more}: the first alone is searched. Write "
        "each into a file of its own to search all"
    ]


def _notes_of_places(found: Found) -> list[str]:
    nowhere = [
        result.picture.path
        for result in found.results
        if not result.failure
        and result.picture.geo is None
        and result.picture.path.lower().endswith(RASTERS)
    ]
    if not nowhere:
        return []
    count = f"{len(nowhere)} pictures do" if len(nowhere) > 1 else "it does"
    return [f"{nowhere[0]}: {count} not say where on the earth (no CRS): boxes are in pixels"]


def _summary(found: Found, files: Sequence[Path]) -> list[str]:
    done = [result for result in found.results if not result.failure]
    labels = Counter(label for result in done for label in result.detections.labels)
    of_classes = ", ".join(f"{count} {name}" for name, count in labels.most_common(8))
    skipped = f", {_counted(found.empty, 'empty one')} skipped" if found.empty else ""
    failed = f"; {_counted(len(found.failures), 'picture')} failed" if found.failures else ""
    return [
        f"{_counted(len(done), 'picture')}, {_counted(found.searched, 'tile')}{skipped}: "
        + _counted(sum(labels.values()), "object")
        + (f" ({of_classes})" if labels else "")
        + failed,
        *map(str, files),
    ]


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
