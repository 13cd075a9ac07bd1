"""What a config's detector wants and gives, from the config, the model and what training saved."""

import logging
from collections.abc import Sequence
from typing import Any

from torch import nn

from d2freq.engine.config import Config
from d2freq.errors import UserError
from d2freq.inference.engines.engine import ModelAbout

__all__ = ["about_model", "check_pictures_fit", "fitting_names"]

logger = logging.getLogger(__name__)

ORDERS = ("RGB", "BGR", "L")


def about_model(
    config: Config,
    model: nn.Module,
    names: Sequence[str] = (),
    *,
    picture: tuple[int, int] = (0, 0),
) -> ModelAbout:
    """The card of a detector.

    Args:
        model: of that config.
        names: its classes; none where nobody knows them.
        picture: (width, height) of the training's pictures, (0, 0) where nobody knows them: what
            a crop of a share of the picture is in pixels.
    """
    mean = getattr(model, "pixel_mean", None)
    sizes, reader = config.image_sizes, config.pixels
    thresholds = [
        float(vars(module)["test_score_thresh"])
        for module in model.modules()
        if "test_score_thresh" in vars(module)
    ]
    backbone = getattr(model, "backbone", None)
    return ModelAbout(
        names=tuple(names),
        channel_order=config.channel_order,
        channels=3 if mean is None else int(mean.numel()),
        pixels=None if reader is None else reader.as_dict(),
        short_side=sizes.test[0],
        longest_side=sizes.test[1],
        train_size=sizes.train,
        crop=sizes.crop_of(picture),
        crop_first=sizes.crop_first,
        score=max(thresholds, default=0.0),
        divisibility=int(getattr(backbone, "size_divisibility", 0) or 1),
        stride=_stride(backbone),
    )


def check_pictures_fit(about: ModelAbout, source: str) -> None:
    """Raise UserError for a model that takes neither grey nor three colours, nor has a reader.

    Args:
        source: of the model, for the message.
    """
    channels, order = about.channels, about.channel_order
    if about.pixels is not None:  # which channels a picture gives, its file says
        bands = about.pixels["bands"]
        if bands and len(bands) != channels:
            raise UserError(
                f"{source}: INPUT.PIXELS.BANDS has {len(bands)} bands, the model takes {channels} "
                "channels"
            )
        return
    if channels not in (1, 3) or order not in ORDERS or (channels == 1) != (order == "L"):
        raise UserError(
            f"{source}: the model takes {channels} channels in order {order}; pictures are "
            f"searched by models of {', '.join(ORDERS)}, or of INPUT.PIXELS"
        )


def fitting_names(names: tuple[str, ...], count: int | None, source: str) -> tuple[str, ...]:
    """The names where there is one for each class, else numbers, and a line that says so."""
    if names and (count is None or len(names) == count):
        return names
    known = f"{len(names)} names are known of {count} classes" if names else "no names are known"
    logger.warning(
        "%s: %s of the classes; they are called by their numbers. Training writes names into "
        "classes.json beside the weights",
        source,
        known,
    )
    return tuple(map(str, range(count or 0)))


def _stride(backbone: Any) -> int:
    """Of the finest features, 1 where the backbone does not say."""
    if backbone is None or not hasattr(backbone, "output_shape"):
        return 1
    strides = [shape.stride for shape in backbone.output_shape().values()]
    return int(min((stride for stride in strides if stride), default=1))
