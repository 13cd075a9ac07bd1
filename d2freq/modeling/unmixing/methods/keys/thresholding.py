"""Configuration keys of LIHT, LAMP and TiLISTA, which learn the matrices of a thresholding."""

from detectron2.config import CfgNode as CN

__all__ = ["lamp_keys", "liht_keys", "tilista_keys"]


def liht_keys() -> CN:
    """MODEL.LIHT: LIHT, a learned hard thresholding."""
    node = CN()
    # 16 layers: the paper's Table 7.
    node.LAYERS = 16
    # True | False. False, the default: W and B of each layer are learned, 1.3 M numbers a layer, as
    # in Table 7. True: W = 1 - B Phi, so that B alone is learned, 0.13 M a layer.
    node.TIED = False
    # What the thresholds start as, in intensities of a target. 0.2; the published 0.632 grey levels
    # are 0.0027 and prune nothing.
    node.THRESHOLD = 0.2
    # Share of the threshold in which a value grows from 0 to its own size, above 0 and at most 1.
    # There alone a threshold has a gradient. 0.5.
    node.RAMP = 0.5
    return node


def lamp_keys() -> CN:
    """MODEL.LAMP: LAMP, approximate message passing with learned matrices."""
    node = CN()
    # 16 layers: the paper's Table 7.
    node.LAYERS = 16
    # What the thresholds start as, in standard deviations of the residual. 0.4, as published.
    node.THRESHOLD = 0.4
    # Largest factor of the last residual in the next (Onsager's correction), at least 0. The
    # formula's own is up to 9 while the estimate is dense, and grows without bound on these optics,
    # whose columns are nearly alike. 0.5; 0 is ISTA with learned matrices.
    node.ONSAGER = 0.5
    return node


def tilista_keys() -> CN:
    """MODEL.TILISTA: TiLISTA, steps along a learned matrix that spare the largest cells."""
    node = CN()
    # 16 layers: the paper's Table 7.
    node.LAYERS = 16
    # "layers" | "tied" | "fixed". "layers", the default: a matrix and 1,089 thresholds for each
    # layer, 2,125,744 numbers, as in Table 7. "tied": one matrix for all, with a step and a
    # threshold a layer, 131,801 numbers. "fixed": Q_init for a matrix, as in ALISTA, 32 numbers.
    node.MATRIX = "layers"
    # What the thresholds start as, in intensities of a target. 0.02; the published 0.0465 grey
    # levels are 0.0002.
    node.THRESHOLD = 0.02
    # Percent of the cells, the largest, that the first layer spares from its threshold; layer k
    # spares k times as many. 0.1, that is one of 1,089 cells; published is 1.2.
    node.SPARED = 0.1
    # Percent of the cells that a layer spares at most. 1, that is 11 cells; published is 13, 142
    # cells for 2 to 4 targets.
    node.SPARED_MOST = 1.0
    return node
