"""From counts to the numbers that are reported: the flat dictionary and the printed tables.

Percent throughout, but for score thresholds. oLRP and its parts are errors: lower is better.
"""

import itertools
import math
import re
from collections.abc import Iterable

import numpy as np
from tabulate import tabulate

from d2freq.evaluation.coco.counting import Counts

IOUS = (0.25, 0.5, 0.75)  # reported by themselves where a protocol counts at them
SHOWN = 30  # categories that have a row of their own on the terminal
WIDTH = 110  # characters of a printed table; what is more goes into the next one
KIND = re.compile(r"^(?:AP\d+(?=\D)|AP|AR|oLRP)")  # keys of one kind share a table
THRESHOLD = "oLRP_threshold"


def summary(counts: Counts) -> dict[str, float]:
    """The row of a results table, over all categories, and ``AP-<category>``.

    ``AP``, ``AP50``, ``AP75``, AP of each size (``APvt``), ``AR@<limit>``, AR of each size. A
    protocol of few overlaps, such as TinyPerson's three, adds AP of each size at each of them
    (``AP50tiny``). One with oLRP adds ``oLRP``, ``oLRP_Loc``, ``oLRP_FP`` and ``oLRP_FN``, means
    over the categories that have a value.
    """
    names = enumerate(counts.categories)
    return _row(counts) | {f"AP-{name}": counts.ap(category=index) for index, name in names}


def category_rows(counts: Counts) -> dict[str, dict[str, float]]:
    """The same numbers for each category.

    With oLRP also ``oLRP_threshold``: the score in [0, 1] from which on detections give that oLRP.
    """
    rows = {name: _row(counts, index) for index, name in enumerate(counts.categories)}
    if counts.olrp is not None:
        for row, threshold in zip(rows.values(), counts.olrp.threshold[:, 0], strict=True):
            row[THRESHOLD] = float(threshold)
    return rows


def _row(counts: Counts, category: int | None = None) -> dict[str, float]:
    labels = [area.label for area in counts.protocol.areas]
    ious = {f"AP{round(100 * iou)}": iou for iou in IOUS if counts.has_iou(iou)}
    row = {"AP": counts.ap(category=category)}
    row |= {key: counts.ap(iou=iou, category=category) for key, iou in ious.items()}
    row |= {f"AP{label}": counts.ap(label, category=category) for label in labels}
    if len(ious) == len(counts.protocol.iou_thresholds) > 1:
        for (key, iou), label in itertools.product(ious.items(), labels):
            row[f"{key}{label}"] = counts.ap(label, iou=iou, category=category)
    limits = enumerate(counts.protocol.max_dets)
    row |= {f"AR@{limit}": counts.ar(limit=place, category=category) for place, limit in limits}
    row |= {f"AR{label}": counts.ar(label, category=category) for label in labels}
    if counts.olrp is not None:
        parts = (counts.olrp.olrp, counts.olrp.loc, counts.olrp.fp, counts.olrp.fn)
        for key, part in zip(("oLRP", "oLRP_Loc", "oLRP_FP", "oLRP_FN"), parts, strict=True):
            row[key] = _percent(part[:, 0] if category is None else part[category, 0])
    return row


def _percent(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) * 100 if known.size else math.nan


def tables(counts: Counts, results: dict[str, float]) -> str:
    """Precision, recall and oLRP, overall and of each category, a table each.

    NaN: no ground truth of that kind.
    """
    overall = {key: value for key, value in results.items() if not key.startswith("AP-")}
    parts = []
    for head, rows in (("", {"all": overall}), ("category", category_rows(counts))):
        keys = next(iter(rows.values()), {})
        width = WIDTH - max(map(len, [head, *rows])) - 6
        for _, kind in itertools.groupby(keys, KIND.findall):
            parts += [_table(head, rows, part) for part in _wrapped(kind, width)]
    return "\n".join(parts)


def brief_table(counts: Counts, results: dict[str, float]) -> str:
    """One table for the terminal, all categories and each: AP, and AR at the protocol's last limit.

    Columns without any ground truth are left out, a single value without one is "-". Of many
    categories only their mean is shown.
    """
    overall = {key: value for key, value in results.items() if not key.startswith("AP-")}
    last = f"AR@{counts.protocol.max_dets[-1]}"
    rows = {"all": overall}
    if 1 < len(counts.categories) <= SHOWN:
        rows |= category_rows(counts)
    kept = [key for key in overall if key.startswith("AP") or key == last]
    kept = [key for key in kept if any(not math.isnan(row[key]) for row in rows.values())]
    width = WIDTH - max(map(len, rows)) - 6
    return "\n".join(_table("", rows, keys) for keys in _wrapped(kept, width)[:1])


def _wrapped(keys: Iterable[str], width: int) -> list[list[str]]:
    """Keys in lines of columns that fit, a column at least."""
    lines: list[list[str]] = []
    left = 0
    for key in keys:
        column = max(len(key) + 2, len("100.00")) + 3  # as tabulate pads them
        if column > left or not lines:
            lines.append([])
            left = width
        lines[-1].append(key)
        left -= column
    return lines


def _table(head: str, rows: dict[str, dict[str, float]], keys: list[str]) -> str:
    body = [
        [name, *(None if math.isnan(row[key]) else row[key] for key in keys)]
        for name, row in rows.items()
    ]
    return tabulate(
        body, [head, *keys], tablefmt="pipe", floatfmt=".2f", numalign="right", missingval="-"
    )
