"""Configuration keys that the detectors with one prior a cell have in common."""

from detectron2.config import CfgNode as CN

__all__ = ["cell_keys"]


def cell_keys(*, score: str, prior_prob: float = 0.01) -> CN:
    """Keys of the head, of what is detected, and of the classes; each detector adds its own."""
    node = CN()
    # Classes without the background.
    node.NUM_CLASSES = 80
    # Maps of the backbone, finest first.
    node.IN_FEATURES = ["p3", "p4", "p5", "p6", "p7"]
    # 3x3 convolutions in each of the two towers.
    node.NUM_CONVS = 4
    # "" | "GN" | "BN" | "SyncBN": their norm.
    node.NORM = "GN"
    # Probability of every class at every cell at the start.
    node.PRIOR_PROB = prior_prob
    # "root" | "product": of the class's probability and the quality of the box. The order is the
    # same, and a detection's score is not; see the detector for what the publications have.
    node.SCORE = score
    # Candidates have a probability (PAA's a score) above this.
    node.SCORE_THRESH_TEST = 0.05
    # Candidates of a level before suppression; the published configs on AI-TOD have 3000.
    node.TOPK_CANDIDATES_TEST = 1000
    # Overlap (IoU) from which on the better one of two detections of a class suppresses the other.
    node.NMS_THRESH_TEST = 0.6
    return node
