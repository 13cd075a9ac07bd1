"""Configuration keys of Cascade RPN."""

from detectron2.config import CfgNode as CN

__all__ = ["cascade_rpn_keys"]


def cascade_rpn_keys() -> CN:
    """MODEL.CASCADE_RPN: MODEL.PROPOSAL_GENERATOR.NAME CascadeRPN.

    Sampling, top-k and suppression are MODEL.RPN's; its IOU_*, BBOX_REG_*, LOSS_WEIGHT, HEAD_NAME
    and CONV_DIMS are without effect. MODEL.ANCHOR_GENERATOR has one size a level, in proportion to
    the stride, one aspect ratio, and OFFSET 0. Every default is a published value.
    """
    node = CN()

    # --- the first stage: where objects are, on one anchor a cell -------------------------------
    # Distance of the taps of its 3x3 convolution in cells. 3 as published, for anchors of 8
    # strides; anchors of 2 strides, as of the HS-FPN paper, are as large as a plain convolution, 1.
    node.DILATION = 3
    # Share of an object's sides, about its centre, within which the cells of its level are
    # positive.
    node.CENTER_RATIO = 0.2
    # Share within which the others are ignored, on that level and a level above and below.
    node.IGNORE_RATIO = 0.5
    # The box loss's sum is divided by the number of all anchors of the batch over this.
    node.STAGE1_DIVISOR = 200.0

    # --- the second stage: what the boxes of the first one hold ---------------------------------
    # "max_iou" | "nwd" | "rfla": how the boxes of the first stage get their objects. "max_iou" is
    # the published one, by the next two keys; the others read MODEL.NWD and MODEL.RFLA, whose
    # receptive fields are not used: the boxes stand in their place.
    node.ASSIGNER = "max_iou"
    # Overlap (IoU) from which on a box is positive; below it is negative.
    node.IOU = 0.7
    # Overlap that an object's best boxes must have to be positive all the same.
    node.MIN_IOU = 0.3

    # --- both -----------------------------------------------------------------------------------
    # Factors on the deltas (dx, dy, dw, dh) of each stage.
    node.BBOX_REG_WEIGHTS = [[10.0, 10.0, 2.0, 2.0], [20.0, 20.0, 10.0, 10.0]]
    # Factor of the box losses, 1 - IoU, of both stages: 10, times 0.7 in front of RoI heads.
    node.LOC_WEIGHT = 7.0
    # Factor of the second stage's classification: 1, times 0.7.
    node.CLS_WEIGHT = 0.7
    return node
