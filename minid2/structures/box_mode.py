"""The ways to write a box as numbers, and the conversions between them."""

from enum import IntEnum
from typing import TypeVar

import numpy as np
import torch

Box = TypeVar("Box", list, tuple, np.ndarray, torch.Tensor)


class BoxMode(IntEnum):
    """How the numbers of a box are to be read; data sets store the integer."""

    XYXY_ABS = 0  # x1, y1, x2, y2 in pixels
    XYWH_ABS = 1  # x1, y1, width, height in pixels
    XYXY_REL = 2  # as XYXY_ABS, over the image's width and height
    XYWH_REL = 3  # as XYWH_ABS, over the image's width and height
    XYWHA_ABS = 4  # centre, width, height, angle in degrees: the real Detectron2 only

    @staticmethod
    def convert(box: Box, from_mode: "BoxMode", to_mode: "BoxMode") -> Box:
        """Rewrite boxes from one mode in the other.

        Args:
            box: 4 numbers as a list or tuple, or a (..., 4) array or tensor.
            from_mode: the mode the numbers are in.
            to_mode: the mode that is wanted.

        Returns:
            A value of the type that came in; the input itself where nothing is to be done.

        Raises:
            NotImplementedError: a relative mode (the image's size is unknown) or a rotated one.
        """
        if from_mode == to_mode:
            return box
        if max(from_mode, to_mode) > BoxMode.XYWH_ABS:
            raise NotImplementedError(
                f"BoxMode.convert from {BoxMode(from_mode).name} to {BoxMode(to_mode).name}: "
                "minid2 converts between XYXY_ABS and XYWH_ABS. Multiply relative boxes by the "
                "image's size first; rotated boxes need the real Detectron2"
            )
        rows = torch.as_tensor(box)  # single precision for a list of floats, as Detectron2
        corner, extent = rows[..., :2], rows[..., 2:]
        second = extent + corner if to_mode == BoxMode.XYXY_ABS else extent - corner
        result = torch.cat([corner, second], dim=-1)
        if isinstance(box, torch.Tensor):
            return result
        return result.numpy() if isinstance(box, np.ndarray) else type(box)(result.tolist())
