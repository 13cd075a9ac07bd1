"""Whether the levels of a backbone make tokens of one size that DINO can take."""

from collections.abc import Mapping, Sequence

from detectron2.layers import ShapeSpec

from d2freq.errors import UserError

__all__ = ["channels_of"]

MOST_LEVELS = 5  # a proposal of the sixth, twice as large each level, would exceed the image


def channels_of(
    levels: Sequence[str], shapes: Mapping[str, ShapeSpec], hidden_dim: int | None
) -> int:
    """The channels of the transformer and of all levels, which have to fit.

    Args:
        levels: names, finest first.
        shapes: of all levels that the backbone makes.
        hidden_dim: of the transformer; None for what the levels have.

    Raises:
        UserError: no level, one that the backbone lacks or that has other channels, too many of
            them or another order, or channels that the sine encodings cannot share.
    """
    if not levels:
        raise UserError(f"MODEL.DINO.IN_FEATURES is empty; name some of {', '.join(shapes)}")
    missing = [level for level in levels if level not in shapes]
    if missing:
        raise UserError(
            f"MODEL.DINO.IN_FEATURES asks for {', '.join(missing)}; the backbone gives "
            f"{', '.join(shapes)}"
        )
    channels = int(shapes[levels[0]].channels or 0) if hidden_dim is None else hidden_dim
    if len(levels) > MOST_LEVELS:
        raise UserError(
            f"MODEL.DINO.IN_FEATURES has {len(levels)} levels: DINO takes {MOST_LEVELS} at most, "
            "as its proposals double with each and would be larger than the image"
        )
    strides = [int(shapes[level].stride or 0) for level in levels]
    if any(coarse <= fine for fine, coarse in zip(strides[:-1], strides[1:], strict=True)):
        raise UserError(
            f"MODEL.DINO.IN_FEATURES is {', '.join(levels)}: name each level once, finest "
            "first, as what a level proposes is twice as large as on the one before it"
        )
    if channels % 4:
        raise UserError(f"MODEL.DINO.HIDDEN_DIM is {channels}: its encodings need a multiple of 4")
    for level in levels:
        if shapes[level].channels != channels:
            raise UserError(
                f"MODEL.DINO.HIDDEN_DIM is {channels}, and {level} of the backbone has "
                f"{shapes[level].channels} channels (MODEL.FPN.OUT_CHANNELS): make them equal"
            )
    return channels
