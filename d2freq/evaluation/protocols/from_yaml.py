"""A protocol from a YAML file, for those who would rather not write Python.

The keys are the fields of Protocol; sizes are written as ``label: [low, high]`` in square pixels::

    name: seagulls
    source: our paper, Section 4
    areas: {tiny: [0, 256], small: [256, 1024]}
    max_dets: [100, 500]
    iou_thresholds: [0.25, 0.5, 0.75]  # this and what follows may be left out
    whole: [0, 1e10]
    ap_limit: 500
    limit_per: category
    recall_points: 101
    recall_of: counted
    mean_over: categories
    ignore: iscrowd or ignore
    ignore_keys: [ignore, uncertain]
    excuse: flagged
    region_share: 0.5
    region_keys: [ignore_regions]
    region_rule: area
    olrp: true
    targets: {score: 0.5, distance: 3}  # measures maps of pixels in place of AP
"""

import os
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from d2freq.errors import UserError
from d2freq.evaluation.protocols.protocol import AreaRange, Protocol, TargetRule


def load_protocol(path: str | os.PathLike) -> Protocol:
    """The protocol that a YAML file holds; it need not be registered.

    Raises:
        UserError: no such file, no YAML, an unknown, repeated or missing key, or a value of the
            wrong kind; the message names file, key and cure.
    """
    path = os.fspath(path)
    try:
        content: Any = OmegaConf.to_container(OmegaConf.load(path))
    except OSError as error:
        raise UserError(f"{path}: the protocol cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise UserError(f"{path}: no valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: a protocol is a mapping of keys to values")
    known = {field.name: field for field in fields(Protocol)}
    needed = {name for name, field in known.items() if field.default is MISSING}
    for what, keys in (("unknown", content.keys() - known), ("missing", needed - content.keys())):
        if keys:
            listed = ", ".join(sorted(map(str, keys)))
            raise UserError(f"{path}: {what} key {listed}; known keys: {', '.join(known)}")
    values = {key: _read(path, key, value) for key, value in content.items()}
    try:
        return Protocol(**values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _read(path: str, key: str, value: Any) -> Any:
    read, wanted = _READERS[key]
    try:
        return read(value)
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: {key} must be {wanted}, but is {value!r}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(_text, value))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _whole_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _range(label: str, value: Any) -> AreaRange:
    low, high = value
    return AreaRange(label, _number(low), _number(high))


def _target_rule(value: Any) -> TargetRule:
    return TargetRule(**{key: _number(number) for key, number in value.items()})


def _optional(read: Callable) -> Callable:
    return lambda value: None if value is None else read(value)


_READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "name": (_text, "a name"),
    "source": (_text, "a line that says where the definition is from"),
    "areas": (
        lambda value: tuple(_range(_text(label), pair) for label, pair in value.items()),
        "a mapping such as {tiny: [0, 256], small: [256, 1024]}",
    ),
    "max_dets": (lambda value: tuple(map(_whole_number, value)), "a list such as [100, 500]"),
    "iou_thresholds": (lambda value: tuple(map(_number, value)), "a list such as [0.5, 0.75]"),
    "ap_limit": (_optional(_whole_number), "one of max_dets"),
    "whole": (lambda value: _range("all", value), "a pair such as [0, 1e10]"),
    "limit_per": (_text, "a rule such as category"),
    "recall_points": (_optional(_whole_number), "a whole number such as 101, or null"),
    "recall_of": (_text, "a rule such as counted"),
    "mean_over": (_text, "a rule such as categories"),
    "ignore": (_text, "a rule such as 'iscrowd or ignore'"),
    "ignore_keys": (_texts, "a list such as [ignore]"),
    "excuse": (_text, "a rule such as flagged"),
    "region_share": (_optional(_number), "a share such as 0.5"),
    "region_keys": (_texts, "a list such as [ignore_regions]"),
    "region_rule": (_text, "a rule such as area"),
    "olrp": (_flag, "true or false"),
    "targets": (_optional(_target_rule), "a mapping such as {score: 0.5, distance: 3}"),
}
