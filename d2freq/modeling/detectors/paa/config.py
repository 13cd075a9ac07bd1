"""Configuration keys of PAA."""

from detectron2.config import CfgNode as CN

from d2freq.modeling.detectors.atss.config import anchor_keys

__all__ = ["paa_keys"]


def paa_keys() -> CN:
    """MODEL.PAA: MODEL.META_ARCHITECTURE PAA, with the anchors and the head of ATSS.

    SCORE "root", of probability and predicted IoU, is published. SCORE_THRESH_TEST and
    TOPK_CANDIDATES_TEST go by that score, as in Detectron2.
    """
    node = anchor_keys(score="root")
    # Overlap (IoU) from which on an anchor may become positive; an object's best anchor may anyway,
    # unless none overlaps it.
    node.IOU_THRESHOLD = 0.1
    # Of these, the ones of lowest loss on each level are candidates.
    node.TOPK = 9
    # Factor of the boxes' loss (GIoU), in the candidates' order as well.
    node.LOC_WEIGHT = 1.3
    # Factor of the predicted IoU's loss.
    node.IOU_WEIGHT = 0.5
    # True | False. A detection's box becomes the mean of all candidates of its class that overlap
    # it, by their scores and overlaps.
    node.SCORE_VOTING = True
    return node
