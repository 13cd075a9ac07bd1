"""From counts to the numbers that are reported: the flat dictionary and the printed tables."""

import itertools

from tabulate import tabulate

from d2freq.evaluation.counting import Counts


def summary(counts: Counts) -> dict[str, float]:
    """The row of a results table, in percent: AP, AP50, AP75, AP and AR per size, AP-category."""
    labels = [area.label for area in counts.protocol.areas]
    result = {"AP": counts.ap()}
    for iou in (0.5, 0.75):
        if counts.has_iou(iou):
            result[f"AP{round(100 * iou)}"] = counts.ap(iou=iou)
    result |= {f"AP{label}": counts.ap(label) for label in labels}
    limits = enumerate(counts.protocol.max_dets)
    result |= {f"AR@{limit}": counts.ar(limit=index) for index, limit in limits}
    result |= {f"AR{label}": counts.ar(label) for label in labels}
    names = enumerate(counts.categories)
    return result | {f"AP-{name}": counts.ap(category=index) for index, name in names}


def category_rows(counts: Counts) -> dict[str, dict[str, float]]:
    """For each category: AP, AP50, AP75, AR at each limit, AP and AR of each size, in percent."""
    labels = [area.label for area in counts.protocol.areas]
    limits = list(enumerate(counts.protocol.max_dets))
    rows = {}
    for index, name in enumerate(counts.categories):
        row = {"AP": counts.ap(category=index)}
        for iou in (0.5, 0.75):
            if counts.has_iou(iou):
                row[f"AP{round(100 * iou)}"] = counts.ap(iou=iou, category=index)
        row |= {f"AP{label}": counts.ap(label, category=index) for label in labels}
        row |= {f"AR@{limit}": counts.ar(limit=place, category=index) for place, limit in limits}
        row |= {f"AR{label}": counts.ar(label, category=index) for label in labels}
        rows[name] = row
    return rows


def tables(counts: Counts, results: dict[str, float]) -> str:
    """Precision and recall, overall and of each category, a table each.

    NaN: no ground truth of that kind.
    """
    overall = {key: value for key, value in results.items() if not key.startswith("AP-")}
    parts = []
    for head, rows in (("", {"all": overall}), ("category", category_rows(counts))):
        for kind in ("AP", "AR") if rows else ():
            parts.append(_table([{head: name, **_only(kind, row)} for name, row in rows.items()]))
    return "\n".join(parts)


def _only(kind: str, row: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in row.items() if key.startswith(kind)}


def _table(rows: list[dict]) -> str:
    headers = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
    body = [[row[key] for key in headers] for row in rows]
    return tabulate(body, headers, tablefmt="pipe", floatfmt=".2f", numalign="right")
