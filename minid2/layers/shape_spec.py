"""What is known about a tensor before it exists: its channels, its size, its stride."""

from dataclasses import dataclass

__all__ = ["ShapeSpec"]


@dataclass
class ShapeSpec:
    """Static facts about one feature map; ``None`` where a fact is unknown.

    Args:
        channels: number of channels.
        height: rows.
        width: columns.
        stride: input pixels per feature pixel.
    """

    channels: int | None = None
    height: int | None = None
    width: int | None = None
    stride: int | None = None
