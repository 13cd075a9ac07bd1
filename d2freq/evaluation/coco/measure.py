"""From guarded detections to the numbers, tables and record that are published.

The evaluator in training and ``d2freq evaluate`` both end here, so they give the same.
"""

import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from d2freq.data.coco.read import read_coco
from d2freq.evaluation.coco.counting import count
from d2freq.evaluation.coco.cuts_report import cuts_of
from d2freq.evaluation.coco.guard import Detections, GroundTruth, guard_ground_truth
from d2freq.evaluation.coco.hints import hints
from d2freq.evaluation.coco.report import brief_table, category_rows, summary, tables
from d2freq.evaluation.infrared.counting import results_of, total
from d2freq.evaluation.infrared.maps import count_targets
from d2freq.evaluation.protocols import Protocol
from d2freq.utils.files import without_nan, write_json

logger = logging.getLogger(__name__)

RULES = (
    *("limit_per", "recall_points", "recall_of", "mean_over", "ignore", "ignore_keys", "excuse"),
    *("region_share", "region_keys", "region_rule"),
)
RESULTS_FILES = {"bbox": "tiny_results.json", "segm": "tiny_results_segm.json"}


@dataclass(frozen=True)
class Measurement:
    """What was measured, of boxes ("bbox") or of masks ("segm").

    ``results`` is the flat dictionary of report.summary; ``text`` has a title and the tables, and
    ``brief`` one table of them with a line that explains it; ``record`` adds the protocol, what was
    counted, and what was dropped or repaired.
    """

    results: dict[str, float]
    text: str
    record: dict[str, object]
    task: str = "bbox"
    brief: str = ""

    def save(self, folder: str | os.PathLike) -> Path:
        """Write ``record`` to the file of RESULTS_FILES in ``folder``, null for NaN."""
        path = Path(folder) / RESULTS_FILES[self.task]
        return write_json(path, without_nan(self.record), indent=1)


def read_truth(path: str | os.PathLike, protocol: Protocol) -> GroundTruth:
    """Checked ground truth of a COCO file; a warning says what was repaired.

    Raises:
        DatasetError: the file is missing or faulty; the message names the record and the cure.
    """
    return check_truth(read_coco(path), protocol, os.fspath(path))


def check_truth(data: Any, protocol: Protocol, name: str, *, masks: bool = False) -> GroundTruth:
    """As read_truth, of a COCO file that is loaded already; ``name`` is for messages.

    With ``masks`` these are what is measured.
    """
    truth = guard_ground_truth(data, protocol, name, masks=masks)
    if truth.report.repairs:
        logger.warning(truth.report.warning())
    return truth


def measure(
    truth: GroundTruth,
    detections: Detections,
    protocol: Protocol,
    *,
    name: str,
    merged: dict[str, object] | None = None,
    score: float | None = None,
) -> Measurement:
    """Count by a protocol; a warning says what was dropped, or that AP is NaN.

    Args:
        truth, detections: as the guard gives them; masks are measured where they have some.
        name: what is measured on, a data set or a file.
        merged: how detections on tiles became ``detections``, for the record.
        score: a threshold at which precision, recall and F1 are told, beside the best one; not of
            maps of targets.
    """
    for kind, number in detections.dropped.items():
        logger.warning("%d detections dropped: %s", number, kind)
    nothing = not len(truth.crowd) or (truth.crowd.all() and protocol.recall_of == "counted")
    if nothing:
        figure = "AP" if protocol.targets is None else "Pd"
        logger.warning("%s has no annotation that counts: %s is NaN", name, figure)
    task = "bbox" if truth.masks is None else "segm"
    if protocol.targets is not None:
        results, notes, body, rules, counted = _of_targets(truth, detections, protocol)
        table = body
    else:
        results, notes, body, table, rules, counted = _of_boxes(truth, detections, protocol, score)
        if nothing:
            body = table = "no annotation counts, so there is no AP"
        if truth.masks is None and (said := hints(truth, detections)):
            notes = [*notes, *said]
            counted = {**counted, "hints": said}
    title = f"{name}, protocol {protocol.name}: {protocol.source}"
    about = notes if protocol.targets is not None or nothing else [_explained(protocol, task)]
    about = [*about, *(hint for hint in counted.get("hints", ()) if hint not in about)]
    if task == "segm":
        notes = ["overlaps are those of masks", *notes]
    record = {
        "dataset": name,
        "protocol": protocol.name,
        "source": protocol.source,
        **rules,
        "images": len(truth.image_ids),
        "ground_truth": int((~truth.crowd).sum()),
        "ignored_ground_truth": int(truth.crowd.sum()),
        "detections": len(detections),
        "dropped_detections": detections.dropped,
        "repaired_ground_truth": {f.kind: f.count for f in truth.report.repairs},
        "merged_tiles": merged,
        task: results,
        **counted,
    }
    text = "\n".join([title, *notes, body])
    brief = "\n".join([f"{name}, protocol {protocol.name}", *about, table])
    return Measurement(results, text, record, task, brief)


def _explained(protocol: Protocol, task: str) -> str:
    """What the columns of the short table are, in a line."""
    sizes = "/".join(f"AP{area.label}" for area in protocol.areas)
    return (
        f"in percent, higher is better, '-' has no ground truth; {sizes}: by size of the object; "
        f"recall by size, errors and best scores: log.txt, {RESULTS_FILES[task]}"
    )


def _of_boxes(
    truth: GroundTruth, detections: Detections, protocol: Protocol, score: float | None
) -> tuple:
    """Results, lines for the title, tables, a short one, and the record's keys around results."""
    counts = count(truth, detections, protocol)
    results = summary(counts)
    notes = []
    if counts.olrp is not None:
        notes.append("in percent; oLRP and its parts are errors: lower is better")
    if any(counts.excused):
        found, boxes = counts.excused
        notes.append(f"{found} detections and {boxes} boxes in ignore regions are left out")
    rules = {
        "areas": {area.label: [area.low, area.high] for area in protocol.areas},
        "max_dets": list(protocol.max_dets),
        "precision_at": protocol.max_dets[protocol.ap_index],
        "iou_thresholds": list(protocol.iou_thresholds),
        **{rule: getattr(protocol, rule) for rule in RULES},
    }
    cut_table, cuts = cuts_of(counts, score)
    counted = {
        "in_ignore_regions": dict(zip(("detections", "ground_truth"), counts.excused, strict=True)),
        "per_category": category_rows(counts),
        "score_cuts": cuts,
    }
    text, short = f"{tables(counts, results)}\n{cut_table}", brief_table(counts, results)
    return results, notes, text, short, rules, counted


def _of_targets(truth: GroundTruth, detections: Detections, protocol: Protocol) -> tuple:
    """The same, of maps of pixels."""
    counts = list(count_targets(truth, detections, protocol))
    results = results_of(counts)
    rule = protocol.targets
    assert rule is not None
    notes = [
        f"maps of what scores above {rule.score:g}; a target is found within {rule.distance:g} "
        "pixels; in percent, Fa in 1e-6 of the pixels"
    ]
    body = tabulate([results.values()], list(results), "pipe", floatfmt=".2f")
    rules = {
        "targets": asdict(rule),
        "max_dets": list(protocol.max_dets),
        "ignore": protocol.ignore,
    }
    return results, notes, body, rules, {"counted": total(counts)._asdict()}
