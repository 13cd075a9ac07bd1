"""Precision, recall and F1 as a table and as a record: at a given score, and at the best one."""

from dataclasses import asdict
from typing import Any

from tabulate import tabulate

from d2freq.evaluation.coco.counting import Counts
from d2freq.evaluation.coco.score_cuts import Curve, Cut, pooled, usual_overlap

__all__ = ["ALL", "cuts_of"]

ALL = "all"  # the row of all categories together


def cuts_of(counts: Counts, score: float | None = None) -> tuple[str, dict[str, Any]]:
    """The table and the record, of all categories together and of each.

    Args:
        score: the threshold of the first columns; None leaves them out.

    Returns:
        a title and a table in percent but for scores, and what the record says in shares of 1.
    """
    iou = usual_overlap(counts.protocol)
    found = [(ALL, pooled(counts.curves)), *zip(counts.categories, counts.curves, strict=True)]
    at = [] if score is None else [[curve.at(score) for _, curve in found]]
    columns = [*at, [curve.best() for _, curve in found]]
    heads = ["score", "P", "R", "F1"] * len(at) + ["best score", "P", "R", "F1"]
    body = [
        [name, *(value for cut in row for value in _percent(cut))]
        for (name, _), *row in zip(found, *columns, strict=True)
    ]
    table = tabulate(body, ["category", *heads], "pipe", floatfmt=_formats(len(columns)))
    first, *rest = (_record(curve, score) for _, curve in found)
    names = [name for name, _ in found[1:]]
    record = {
        "iou": iou,
        "score": score,
        "all": first,
        "per_category": dict(zip(names, rest, strict=True)),
    }
    title = f"precision, recall and F1 at IoU {iou:g}, where lower scores are cut off"
    return f"{title}\n{table}", record


def _percent(cut: Cut) -> tuple[float, ...]:
    return cut.score, 100 * cut.precision, 100 * cut.recall, 100 * cut.f1


def _formats(groups: int) -> tuple[str, ...]:
    return ("", *(".3f", ".2f", ".2f", ".2f") * groups)


def _record(curve: Curve, score: float | None) -> dict[str, Any]:
    best = {"best": asdict(curve.best())}
    return best if score is None else {"at_score": asdict(curve.at(score)), **best}
