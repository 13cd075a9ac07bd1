"""What a config's detector wants and gives, from the config, the model and what training saved."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from d2freq.engine.config import Config
from d2freq.errors import UserError
from d2freq.inference.engines.engine import ModelAbout

__all__ = ["about_model"]

ORDERS = ("RGB", "BGR", "L")


def about_model(config: Config, model: nn.Module, names: Sequence[str] = ()) -> ModelAbout:
    """The card of a detector.

    Args:
        model: of that config.
        names: its classes; none where nobody knows them.

    Raises:
        UserError: it takes neither grey nor three colours, or another order of channels.
    """
    mean = getattr(model, "pixel_mean", None)
    channels = 3 if mean is None else int(mean.numel())
    order = config.channel_order
    if channels not in (1, 3) or order not in ORDERS or (channels == 1) != (order == "L"):
        raise UserError(
            f"{config.source}: the model takes {channels} channels in order {order}; pictures are "
            f"searched by models of {', '.join(ORDERS)}"
        )
    sizes = config.image_sizes
    thresholds = [
        float(vars(module)["test_score_thresh"])
        for module in model.modules()
        if "test_score_thresh" in vars(module)
    ]
    backbone = getattr(model, "backbone", None)
    return ModelAbout(
        names=tuple(names),
        channel_order=order,
        channels=channels,
        short_side=sizes.test[0],
        longest_side=sizes.test[1],
        train_size=sizes.train,
        crop=sizes.crop,
        score=max(thresholds, default=0.0),
        divisibility=int(getattr(backbone, "size_divisibility", 0) or 1),
        stride=_stride(backbone),
    )


def _stride(backbone: Any) -> int:
    """Of the finest features, 1 where the backbone does not say."""
    if backbone is None or not hasattr(backbone, "output_shape"):
        return 1
    strides = [shape.stride for shape in backbone.output_shape().values()]
    return int(min((stride for stride in strides if stride), default=1))
