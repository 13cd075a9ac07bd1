"""Leaks: images or crops of one split that lie in another.

``find_leaks`` looks for content that two COCO files share: copies, crops and tiles that overlap,
also compressed anew, brighter or darker, or at half size; neighbouring frames of a film; and copies
of whole images at any size. It does not find what was turned, mirrored, or scaled by another factor
and cropped, nor what two images share in a strip of less than some 100 pixels, nor always what was
compressed anew and has little texture, such as open sea: the fewer distinct places an overlap has,
the more of them have to survive. A logo on an empty background can be a false pair.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tqdm import tqdm

from d2freq.data.coco.near_names import near_hint
from d2freq.data.coco.read import read_coco
from d2freq.data.leaks.align import Alignment, align
from d2freq.data.leaks.anchors import Fingerprint, fingerprint
from d2freq.data.leaks.guess import guess_pairs
from d2freq.data.leaks.report import Leak, Leaks, Picture
from d2freq.errors import DatasetError, UserError
from d2freq.utils.jobs import cores

__all__ = ["Leak", "Leaks", "find_leaks"]

# Of detail. The same pixels, compressed anew: above 0.9; two frames of a film of one street: 0.5 to
# 0.95; unrelated pictures do not get so far as to be compared.
CORRELATION = 0.5


def find_leaks(
    json_file: str | os.PathLike,
    image_root: str | os.PathLike,
    other_file: str | os.PathLike,
    other_root: str | os.PathLike,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> Leaks:
    """Find what the images of one COCO file share with those of another.

    Args:
        json_file: the split that is checked, such as the test set.
        image_root: the folder of its images.
        other_file: the split that it must not share anything with.
        other_root: the folder of its images.
        workers: threads, by default one a core; the result does not depend on it.
        progress: show bars.

    Raises:
        DatasetError: a file cannot be read or has no images.
        UserError: ``workers`` is below one.
    """
    workers = cores() if workers is None else workers
    if workers < 1:
        raise UserError(f"workers={workers}: at least one thread is needed")
    sides = [_pictures(json_file, image_root), _pictures(other_file, other_root)]
    paths = list(dict.fromkeys(picture.path for side in sides for picture in side))
    found = _run(fingerprint, [(path,) for path in paths], workers, "hashes", "img", progress)
    prints = {path: known for path, known in zip(paths, found, strict=True) if known is not None}
    ours, theirs = ([p for p in side if p.path in prints] for side in sides)
    guesses, crowded = guess_pairs(
        [prints[picture.path] for picture in ours], [prints[picture.path] for picture in theirs]
    )
    pairs = sorted(guesses)
    jobs = [(ours[i].path, theirs[j].path, guesses[i, j], CORRELATION) for i, j in pairs]
    results = _run(align, jobs, workers, "compares", "pair", progress)
    leaks = [
        _leak(ours[i], theirs[j], alignment, prints)
        for (i, j), alignment in zip(pairs, results, strict=True)
        if alignment is not None
    ]
    return Leaks(
        file=os.fspath(json_file),
        other_file=os.fspath(other_file),
        images=len(sides[0]),
        other_images=len(sides[1]),
        leaks=sorted(leaks, key=lambda leak: -leak.share),
        flat=[path for path, known in prints.items() if known.flat],
        unreadable=[path for path in paths if path not in prints],
        crowded=crowded,
    )


def _pictures(json_file: str | os.PathLike, root: str | os.PathLike) -> list[Picture]:
    data = read_coco(json_file)
    records = data.get("images")
    if not isinstance(records, list) or not records:
        raise DatasetError(f"{json_file}: no images; a COCO file has a list of them")
    try:
        names = [(record["id"], str(record["file_name"])) for record in records]
    except (KeyError, TypeError) as error:
        raise DatasetError(
            f"{json_file}: an image lacks an id or a file_name; 'd2freq validate' names it"
        ) from error
    if hint := near_hint([name for _, name in names], root, json_file):
        raise DatasetError(hint)
    return [Picture(key, name, os.path.join(root, name)) for key, name in names]


def _leak(image: Picture, other: Picture, found: Alignment, prints: dict[str, Fingerprint]) -> Leak:
    (width, height), (other_width, other_height) = (prints[p.path].size for p in (image, other))
    box, other_box = found.overlap.box, found.overlap.other_box
    return Leak(
        image_id=image.id,
        image=image.name,
        other_id=other.id,
        other=other.name,
        box=box,
        other_box=other_box,
        share=box[2] * box[3] / (width * height),
        other_share=other_box[2] * other_box[3] / (other_width * other_height),
        difference=found.difference,
        correlation=found.correlation,
    )


def _run(
    function: Callable, jobs: list[tuple], workers: int, label: str, unit: str, progress: bool
) -> list[Any]:
    """``[function(*job) for job in jobs]`` in several threads, with a bar."""
    if not jobs:
        return []
    return list(
        tqdm(
            _results(function, jobs, workers),
            total=len(jobs),
            desc=label,
            unit=unit,
            disable=not progress,
        )
    )


def _results(function: Callable, jobs: list[tuple], workers: int) -> Iterator[Any]:
    # Threads: decoding and filtering run without Python's lock, and a process forked after OpenCV
    # or torch have started threads of their own may hang.
    pool = ThreadPoolExecutor(max(1, workers))
    try:
        yield from pool.map(function, *zip(*jobs, strict=True))
    finally:
        pool.shutdown(cancel_futures=True)
