"""Classes that no box has: each costs an output of the detector, and some are no classes at all."""

from d2freq.data.coco.report import Report

__all__ = ["ROOT", "TWIN", "UNUSED", "find_unused"]

UNUSED = "class without a box"
TWIN = "class without a box, of another's name"
ROOT = "class without a box, the group of others"
_NO_GROUP = ("none", "", None)  # what Roboflow writes as the supercategory of its root


def find_unused(report: Report, annotations: list, categories: list) -> None:
    """Note the categories that no annotation has; nothing where there are no annotations.

    Args:
        annotations, categories: records, faulty ones among them.
    """
    used = {a["category_id"] for a in annotations if _has_id(a, "category_id")}
    sound = {n: c for n, c in enumerate(categories) if _has_id(c, "id")}
    unused = {n: c for n, c in sound.items() if c["id"] not in used}
    if not unused or not used & {c["id"] for c in sound.values()}:
        return
    taken = {_name(c) for n, c in sound.items() if n not in unused}
    groups = {c["supercategory"] for c in sound.values() if _is_text(c.get("supercategory"))}
    kinds: dict[str, list[int]] = {TWIN: [], ROOT: [], UNUSED: []}
    for position, category in unused.items():
        name = _name(category)
        is_root = name in groups and category.get("supercategory") in _NO_GROUP
        kinds[TWIN if name in taken else ROOT if is_root else UNUSED].append(position)
    cures = {
        TWIN: "It stands beside the class that the boxes have: --fix drops it.",
        ROOT: "Exports write the group of the classes as one more of them: --fix drops it.",
        UNUSED: (
            "It costs an output of the detector: leave it out of all splits, unless another one "
            "has boxes of it."
        ),
    }
    for kind, hits in kinds.items():
        report.records(
            report.notes, kind, cures[kind], "categories", hits, lambda n: _say(sound[n])
        )


def _has_id(record: object, key: str) -> bool:
    return isinstance(record, dict) and type(record.get(key)) is int


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _name(category: dict) -> str:
    return str(category.get("name"))


def _say(category: dict) -> str:
    group = category.get("supercategory")
    return f"{category['id']} {_name(category)}" + (f" (supercategory {group})" if group else "")
