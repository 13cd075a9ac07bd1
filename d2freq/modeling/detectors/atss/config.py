"""Configuration keys of ATSS."""

from detectron2.config import CfgNode as CN

from d2freq.modeling.detectors.dense.config import cell_keys

__all__ = ["anchor_keys", "atss_keys"]


def atss_keys() -> CN:
    """MODEL.ATSS: MODEL.META_ARCHITECTURE ATSS.

    SCORE "product" as in mmdet, with which the tables on AI-TOD were made; the authors' own code
    has "root". SCORE_THRESH_TEST goes by the probability alone.
    """
    node = anchor_keys(score="product")
    # Candidates of an object on each level: the anchors nearest to its centre.
    node.TOPK = 9
    # "giou" | "diou" | "iou" | "nwd": loss of the boxes. "nwd" is what NWD's ATSS has in its place
    # (configs/nwd of its authors), with LOC_WEIGHT 2 as well.
    node.BOX_LOSS = "giou"
    # Factor of the boxes' loss.
    node.LOC_WEIGHT = 2.0
    return node


def anchor_keys(*, score: str) -> CN:
    """Keys of ATSS that PAA, which has its anchors and its head, has too."""
    node = cell_keys(score=score)
    # Side of the one anchor of a cell, in strides. 8 in the published detectors.
    node.ANCHOR_SCALE = 8.0
    # What the box numbers are divided by: centre, then size.
    node.BBOX_REG_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
    # Of the focal loss: the weight of objects; the background has 1 - alpha.
    node.FOCAL_LOSS_ALPHA = 0.25
    # The power of what is still wrong, by which well-known cells count less.
    node.FOCAL_LOSS_GAMMA = 2.0
    return node
