"""Evaluation protocols as data: what a benchmark counts as tiny, and how many detections it takes.

A new protocol is one ``register`` call; ``get_protocol(name)`` finds it.
"""

import difflib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from d2freq.errors import UserError


@dataclass(frozen=True)
class AreaRange:
    """Boxes of ``low`` to ``high`` square pixels, both ends included."""

    label: str
    low: float
    high: float


@dataclass(frozen=True)
class Protocol:
    """How detections are counted.

    Attributes:
        source: where the definition is from.
        areas: the size classes; "all" comes on top. A box on a shared end is in both.
        max_dets: detections a picture and category; recall is given at each, precision at the
            last.
        iou_thresholds: overlaps that make a hit; AP and AR are means over them.
        ignore: what excuses a ground truth box from counting, so that detections on it are neither
            right nor wrong: its ``iscrowd`` flag alone, or its ``ignore`` flag as well.
    """

    name: str
    source: str
    areas: tuple[AreaRange, ...]
    max_dets: tuple[int, ...]
    iou_thresholds: tuple[float, ...]
    ignore: Literal["iscrowd", "iscrowd or ignore"] = "iscrowd or ignore"

    def __post_init__(self) -> None:
        if list(self.max_dets) != sorted(set(self.max_dets)):
            raise ValueError(f"protocol {self.name}: max_dets {self.max_dets} must increase")
        labels = [area.label for area in self.areas]
        if len(set(labels)) < len(labels) or "all" in labels:
            raise ValueError(f"protocol {self.name}: area labels {labels} repeat or hold 'all'")

    @property
    def all_areas(self) -> tuple[AreaRange, ...]:
        """The size classes with "all" in front."""
        return (AreaRange("all", 0.0, 1e10), *self.areas)


# np.linspace as in the COCO API: the same float64 values, which decide ties at the threshold
COCO_THRESHOLDS = tuple(float(value) for value in np.linspace(0.5, 0.95, 10))

PROTOCOLS: dict[str, Protocol] = {}


def register(protocol: Protocol) -> Protocol:
    """Make a protocol known by its name."""
    if protocol.name in PROTOCOLS:
        raise ValueError(f"protocol {protocol.name!r} is registered already")
    PROTOCOLS[protocol.name] = protocol
    return protocol


def get_protocol(name: str | Protocol) -> Protocol:
    """The protocol of that name.

    Raises:
        UserError: there is none; the message lists those that there are.
    """
    if isinstance(name, Protocol):
        return name
    if name not in PROTOCOLS:
        near = difflib.get_close_matches(str(name), PROTOCOLS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(PROTOCOLS))}"
        raise UserError(f"TEST.TINY.PROTOCOL: no evaluation protocol {name!r}; {hint}")
    return PROTOCOLS[name]


AITOD = register(
    Protocol(
        name="aitod",
        source="AI-TOD (ICPR 2020, AI-TOD-v2 2022): cocoapi-aitod with maxDets 100, 300, 1500",
        areas=(
            AreaRange("vt", 0.0, 8.0**2),
            AreaRange("t", 8.0**2, 16.0**2),
            AreaRange("s", 16.0**2, 32.0**2),
            AreaRange("m", 32.0**2, 1e10),
        ),
        max_dets=(100, 300, 1500),
        iou_thresholds=COCO_THRESHOLDS,
    )
)
