"""Saying no to what only the real Detectron2 has."""

from typing import Any


def refuse(key: str, wanted: Any) -> None:
    """Raise NotImplementedError with the config key, where ``wanted`` is true."""
    if wanted:
        raise NotImplementedError(
            f"{key}: minid2 does not have it; switch it off, or install the real Detectron2"
        )


def refuse_pictures(vis_period: int) -> None:
    """Refuse a `vis_period` above 0: minid2 draws no pictures of the training."""
    refuse("VIS_PERIOD", vis_period > 0)
