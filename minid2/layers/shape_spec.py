"""What is known of a feature map before it exists.

A module of its own because saved lazy configs name the class by its place.
"""

from dataclasses import dataclass


@dataclass
class ShapeSpec:
    """Static facts about one feature map, stride in input pixels; ``None`` where unknown."""

    channels: int | None = None
    height: int | None = None
    width: int | None = None
    stride: int | None = None
