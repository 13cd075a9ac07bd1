"""Configuration keys of FCOS."""

from detectron2.config import CfgNode as CN

__all__ = ["fcos_keys"]


def fcos_keys() -> CN:
    """MODEL.FCOS: MODEL.META_ARCHITECTURE FCOS. Every default is that of Detectron2's class.

    Names are those of MODEL.RETINANET where the meaning is. The keys from BOX_LOSS on are what the
    published baselines of SET do otherwise (configs/set/README.md).
    """
    node = CN()
    # Classes without the background.
    node.NUM_CLASSES = 80
    # Maps of the backbone, finest first. A level of stride S takes objects whose farthest edge is
    # 4 S to 8 S away from the point, the finest also what is smaller, the coarsest what is larger.
    node.IN_FEATURES = ["p3", "p4", "p5", "p6", "p7"]
    # 3x3 convolutions in each of the two towers, and their norm: "" | "GN" | "BN" | "SyncBN".
    node.NUM_CONVS = 4
    node.NORM = ""
    # Probability of every class at every point at the start, so that the many background points
    # do not drown the loss.
    node.PRIOR_PROB = 0.01
    # A point belongs to an object if it is nearer to its centre than so many strides.
    node.CENTER_SAMPLING_RADIUS = 1.5
    # Of the focal loss: the weight of objects (the background has 1 - alpha), and the power of
    # what is still wrong.
    node.FOCAL_LOSS_ALPHA = 0.25
    node.FOCAL_LOSS_GAMMA = 2.0
    # Detections must score higher; see SCORE and INFERENCE.
    node.SCORE_THRESH_TEST = 0.2
    # Candidates of a level before suppression; MODEL.FCOS has no limit of its own for the
    # detections of an image, which is TEST.DETECTIONS_PER_IMAGE.
    node.TOPK_CANDIDATES_TEST = 1000
    # Overlap (IoU) from which on the better one of two detections of a class suppresses the other.
    node.NMS_THRESH_TEST = 0.6

    # "giou" | "diou" | "iou" | "nwd": loss of the boxes. The released baseline of SET has "diou".
    # "iou" is 1 - IoU; "nwd" 1 - NWD, of boxes as Gaussians (Wang et al. 2021).
    node.BOX_LOSS = "giou"
    # True | False. True: a point's box loss is weighed by how central the point is, and divided by
    # the sum of these weights, as in FCOS's paper and in SET's baseline.
    node.CENTERNESS_WEIGHTED = False
    # What the sums of the losses are divided by. "average": a moving average of the number of
    # positive points, steadier in small batches. "batch": their number in this batch, at least 1,
    # the mean over all processes, as SET's baseline does.
    node.NORMALIZER = "average"
    # "root" | "product": of probability and centerness. The order is the same, the threshold is
    # not: 0.05 of the product, SET's baseline, is 0.22 of the root.
    node.SCORE = "root"
    # "detectron2" | "published". "detectron2": SCORE_THRESH_TEST and TOPK_CANDIDATES_TEST go by
    # the score, and boxes are clipped to the image behind suppression. "published", SET's
    # baseline: both go by the probability of the class alone, the centerness comes in afterwards
    # without a second threshold, and boxes are clipped before suppression.
    node.INFERENCE = "detectron2"
    return node
