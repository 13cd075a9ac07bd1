"""Configuration keys of the label assignments."""

from detectron2.config import CfgNode as CN

__all__ = ["dotd_keys", "max_iou_rpn_keys", "nwd_keys", "rfla_keys"]


def max_iou_rpn_keys() -> CN:
    """MODEL.MAX_IOU_RPN: MODEL.PROPOSAL_GENERATOR.NAME MaxIoURPN, the rule of published baselines.

    Its other overlaps are MODEL.RPN.IOU_THRESHOLDS: negative, positive.
    """
    node = CN()
    # Overlap (IoU) that an object's best anchors must have to become positive; an object without
    # such an anchor has none. 0.3 in the HS-FPN and SET papers' RPN. Detectron2's RPN has no
    # minimum: every object has an anchor. 0 is refused: an object that no anchor overlaps would
    # take them all.
    node.MIN_POS_IOU = 0.3
    return node


def dotd_keys() -> CN:
    """MODEL.DOTD: MODEL.PROPOSAL_GENERATOR.NAME DotDRPN, anchors by the distance of centres.

    MODEL.RPN.IOU_THRESHOLDS are similarities: negative, positive.
    """
    node = CN()
    # S of exp(-D / S), in pixels: the root of the mean area of the data set's objects, here
    # AI-TOD's.
    node.CONSTANT = 12.7
    # Similarity that an object's nearest anchors must have to become positive.
    node.MIN_POS = 0.3
    return node


def nwd_keys() -> CN:
    """MODEL.NWD: MODEL.PROPOSAL_GENERATOR.NAME NWDRPN, the ranking assignment NWD-RKA."""
    node = CN()
    # Positive anchors an object. 3 in the HS-FPN paper's runs and in NWD-RKA's Cascade R-CNN; its
    # Faster R-CNN takes 2.
    node.TOPK = 3
    # C of exp(-W2 / C), in pixels: the mean absolute size of the data set's objects, so this one
    # is AI-TOD's.
    node.CONSTANT = 12.7
    # An anchor whose NWD to every object is below this is negative.
    node.NEGATIVE_THRESHOLD = 0.3
    return node


def rfla_keys() -> CN:
    """MODEL.RFLA: MODEL.PROPOSAL_GENERATOR.NAME RFLARPN and its anchors.

    To be set together with MODEL.ANCHOR_GENERATOR.NAME RFLAAnchorGenerator, which takes
    MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS and OFFSET, but not its SIZES.
    """
    node = CN()
    # "kl" | "wd": Kullback-Leibler divergence, RFLA's default, or squared Wasserstein distance.
    # The score is 1 / (1 + distance).
    node.METRIC = "kl"
    # Positive anchors an object, of each stage.
    node.TOPK = [3, 1]
    # Sides of a stage's receptive fields over those of the stage before, in (0, 1].
    node.SHRINK_RATIO = 0.9
    # An anchor whose score to every object is below this is negative.
    node.NEGATIVE_THRESHOLD = 0.8
    # Sides of the theoretical receptive fields in pixels, one for each of MODEL.RPN.IN_FEATURES.
    # []: by arithmetic from MODEL.RESNETS.DEPTH; other backbones have to set them.
    node.RECEPTIVE_FIELDS = []
    # Effective over theoretical receptive field; RFLA takes half.
    node.FRACTION = 0.5
    return node
