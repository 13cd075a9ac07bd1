"""Configuration keys of SET."""

from detectron2.config import CfgNode as CN

__all__ = ["set_keys"]


def set_keys() -> CN:
    """MODEL.SET: MODEL.META_ARCHITECTURE SET, which trains the detector named here with SET."""
    node = CN()
    # Name of the meta-architecture that is trained: "FCOS", "RetinaNet", "GeneralizedRCNN", or any
    # other in the registry that calls its `backbone`. Its own keys hold as they do without SET.
    node.DETECTOR = "FCOS"

    # --- which parts there are -----------------------------------------------------------------
    # True | False. HBS, the smoothing of the background. False: the second pass sees the plain
    # features, plus the perturbation (the paper's "+ API").
    node.SMOOTHING = True
    # True | False. API, the adversarial perturbation. False: the paper's "+ HBS".
    node.PERTURBATION = True
    # Levels of the backbone that SET works on, from high to low resolution, as ["p3", "p4"].
    # []: all that the detector's heads read.
    node.IN_FEATURES = []

    # --- HBS ------------------------------------------------------------------------------------
    # Channels of a feature over those inside a block; has to divide them. 4 is the best of the
    # paper's Fig. 6; it tries 2, 4, 8 and 16.
    node.REDUCTION = 4
    # Side of a block's kernels. None: from the level's stride by Eq. 4, which gives 3, 3, 5, 5, 7,
    # 7 for strides 4 to 128 and is the best of the paper's Table 5. An odd number: that at every
    # level. A list of them: one a level of IN_FEATURES.
    node.KERNEL = None
    # "nearest" | "any": when a cell of a level is foreground. "nearest", as published: when the
    # pixel at its top left is inside a box, so that an object smaller than a cell often vanishes.
    # "any": when a box overlaps it.
    node.MASK = "nearest"
    # True | False. A ReLU after a block's second convolution. Eq. 3 has it, the published code
    # has not; the default follows the code, whose results the paper reports.
    node.OUTPUT_RELU = False
    # True | False. A block writes into the background alone, so that objects stay as they are.
    # True as in the published code; Eq. 2 has False, where blocks also write into objects.
    node.REMASK = True
    # "background" | "all": what is smoothed. "all" is the control of Table 5, which the paper
    # finds worse.
    node.REGION = "background"

    # --- API ------------------------------------------------------------------------------------
    # Size of the perturbation, the L2 norm of a branch's share at a level. 1 is the best of the
    # paper's Fig. 6, which goes from 0 to 5.
    node.RHO = 1.0
    # "batch" | "image": what that norm spans. "batch", as published: a level of the whole batch,
    # so an image gets less the more there are. "image": a level of one image.
    node.NORM = "batch"
    # Branch of a loss, as [["loss_mask", "mask"]]; losses of one branch are averaged, and "" takes
    # a loss out. On top of those known, which cover FCOS, RetinaNet, and GeneralizedRCNN with
    # Cascade heads or without. Pairs, since a map could not be set on the command line.
    node.BRANCHES = []
    # lambda_m of Eq. 8 of every branch, as [["cls", 0.5], ["reg", 0.5]]. []: 1 / M for each of M,
    # as published.
    node.BRANCH_WEIGHTS = []

    # --- the second pass ------------------------------------------------------------------------
    # lambda of Eq. 9, on every loss of the second pass. 1 is the best of the paper's Fig. 6.
    node.LOSS_WEIGHT = 1.0
    return node
