"""report.html: one file that shows a run to a person, without a network.

The page is page/report.html with its style, its script and the data written in. The data are JSON
in a script element that no browser runs; names of files and classes reach the page as text alone.
A content policy names the one script by its hash and allows no connection, so that whatever a name
says, nothing else runs or loads.
"""

import base64
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from d2freq.errors import UserError
from d2freq.evaluation.coco.guard import Detections, GroundTruth
from d2freq.evaluation.coco.judge import EXCUSED, Judgement
from d2freq.evaluation.protocols import Protocol, get_protocol
from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs.coco import join_detections
from d2freq.inference.outputs.run_info import RunInfo
from d2freq.inference.report.figures import count_detections, measure_for_report
from d2freq.inference.report.gallery import cards_of, choose_cards, with_pixels
from d2freq.inference.report.limits import PICTURES, PIXEL_BYTES
from d2freq.inference.report.pixels import Shown
from d2freq.inference.report.sizes import SIZES
from d2freq.utils.files import replacing

__all__ = ["write_report"]

logger = logging.getLogger(__name__)

# page/script, in the order in which they stand on each other; the page has them as one script
SCRIPTS = ("data", "items", "drawing", "gallery", "charts", "measured", "viewer", "tools")


def write_report(
    results: Sequence[PictureResult],
    path: Path,
    run: RunInfo,
    *,
    pictures: int = PICTURES,
    pixel_bytes: int = PIXEL_BYTES,
) -> Path:
    """Write the page of a run; returns ``path``.

    Counts, curves and tables are of all pictures. Where there are more than ``pictures``, those
    with most misses and false alarms are shown, or without ground truth those with most detections;
    the page says how many are left out.

    Args:
        pixel_bytes: of all pixels in the page together; more pictures get fewer each.

    Raises:
        UserError: results that no file can hold, or an unknown protocol.
    """
    run.check(results)
    found = join_detections(results, run)
    # the page numbers classes in the order of their ids, as the evaluation does
    order = np.argsort(run.ids)
    classes = np.searchsorted(np.array(run.ids)[order], found.category_id)
    names = [run.names[place] for place in order.tolist()]
    data: dict[str, Any] = {"title": run.title, "names": names, "sizes": list(SIZES)}
    truth, judgement, score = _truth_of(results, run), None, run.score
    if truth is not None:
        protocol = get_protocol(run.protocol)
        measured, judgement = _measure(truth, found, protocol)
        best = measured["curves"][0]["best"][0]
        score = score if best is None else best
        data |= {"truth": measured, "protocol": protocol.name, "source": protocol.source}
    state = np.full(len(found), EXCUSED, np.int8) if judgement is None else judgement.state
    cards = list(cards_of(results, classes, truth, judgement))
    chosen = choose_cards(cards, pictures, score)
    data |= {
        "score": score,
        "least": run.least,
        "counts": count_detections(found, classes, state),
        "searched": len(cards),
        "failures": [[r.picture.name, r.failure] for r in results if r.failure],
    }
    with replacing(path) as draft, open(draft, "w", encoding="utf-8", newline="\n") as file:
        for part in _page(data, with_pixels(chosen, run.read, pixel_bytes)):
            file.write(part)
    return path


def _truth_of(results: Sequence[PictureResult], run: RunInfo) -> GroundTruth | None:
    """The ground truth of the pictures that were searched: on others nothing is missed."""
    truth = run.truth
    if truth is None:
        return None
    if set(run.ids) != set(truth.categories):
        raise UserError(
            f"the ground truth {truth.report.file} has the categories {truth.categories}, the "
            f"detections {dict(zip(run.ids, run.names, strict=True))}; name the ground truth that "
            "the classes are those of"
        )
    searched = [r.picture for r in results if not r.failure]
    strangers = [p.name for p in searched if p.image_id not in truth.image_ids]
    if strangers:
        logger.warning(
            "%d of %d pictures have no ground truth, as %s: nothing on them is right or wrong",
            *(len(strangers), len(searched), strangers[0]),
        )
    return truth.select([picture.image_id for picture in searched])


def _measure(
    truth: GroundTruth, found: Detections, protocol: Protocol
) -> tuple[dict[str, Any], Judgement]:
    """The figures, and the judgement of all detections; those without ground truth are excused."""
    known = np.flatnonzero(np.isin(found.image_id, truth.image_ids))
    figures, part = measure_for_report(truth, found.select(known), protocol)
    state = np.full(len(found), EXCUSED, np.int8)
    box = np.full(len(found), -1, np.int64)
    state[known], box[known] = part.state, part.box
    return figures, replace(part, state=state, box=box)


def _page(data: dict[str, Any], cards: Iterator) -> Iterator[str]:
    """The file in parts, so that the pixels of all pictures are never in memory together."""
    page = files("d2freq.inference.report") / "page"
    frame, style = ((page / name).read_text("utf-8") for name in ("report.html", "report.css"))
    parts = [(page / "script" / f"{name}.js").read_text("utf-8") for name in SCRIPTS]
    script = "\n".join(['"use strict";', "(() => {", *parts, "})();"])
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"script-src 'sha256-{_digest(script)}'",
            f"style-src 'sha256-{_digest(style)}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    head, rest = frame.split("<!-- DATA -->")
    yield head.replace("{{policy}}", policy).replace("{{style}}", style)
    shown = []
    for number, (card, pixels) in enumerate(cards):
        record = card.as_json()
        if pixels is not None:
            yield _data(f"pixels-{number}", _pixels(pixels))
            record |= {"shown_width": pixels.width, "windows": pixels.windows}
        shown.append(record)
    yield _data("data", {**data, "pictures": shown})
    yield rest.replace("{{script}}", script)


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _pixels(shown: Shown) -> list[str]:
    return [shown.whole, *shown.sharp]


def _data(name: str, content: object) -> str:
    """A script element that holds JSON; without < nothing in it can end the element."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>\n'
