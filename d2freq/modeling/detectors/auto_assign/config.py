"""Configuration keys of AutoAssign."""

from detectron2.config import CfgNode as CN

from d2freq.modeling.detectors.dense.config import cell_keys

__all__ = ["auto_assign_keys"]


def auto_assign_keys() -> CN:
    """MODEL.AUTOASSIGN: MODEL.META_ARCHITECTURE AutoAssign.

    SCORE "product", of probability and objectness, is published; SCORE_THRESH_TEST goes by the
    probability alone.
    """
    node = cell_keys(score="product", prior_prob=0.02)
    # True | False. A box that holds no point of any level takes those of highest prior. False, as
    # published: it has no points, and adds 100 x POS to the loss without a gradient, as most boxes
    # below 8 pixels do on P3 to P7.
    node.FORCE_TOPK = False
    # How many these are.
    node.TOPK = 9
    # Factor of the objects' loss.
    node.POS = 0.25
    # Factor of the background's loss.
    node.NEG = 0.75
    # Factor of the centre prior's loss.
    node.CENTER = 0.75
    # A point's confidence in its box is exp(-LOC_WEIGHT x GIoU loss).
    node.LOC_WEIGHT = 5.0
    return node
