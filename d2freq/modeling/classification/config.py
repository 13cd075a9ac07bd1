"""Configuration keys of image classification."""

from detectron2.config import CfgNode as CN

__all__ = ["classification_input_keys", "classifier_keys"]


def classifier_keys() -> CN:
    """MODEL.CLASSIFIER: MODEL.META_ARCHITECTURE ImageClassifier, on any MODEL.BACKBONE.NAME.

    MODEL.PIXEL_MEAN, MODEL.PIXEL_STD and INPUT.FORMAT hold too. From scratch a backbone needs
    MODEL.RESNETS.NORM (MODEL.MOBILENETV2.NORM) "BN" and MODEL.BACKBONE.FREEZE_AT 0.
    """
    node = CN()
    # Classes, which have to be as many as the data set has folders. 1000: ImageNet's.
    node.NUM_CLASSES = 1000
    # The backbone's feature that is pooled, such as "res5". "": that of the largest stride.
    node.IN_FEATURE = ""
    # Probability in [0, 1) that an element of the pooled feature is zeroed in training. 0, as in
    # ResNet; MobileNetV2 has 0.2.
    node.DROPOUT = 0.0
    # In [0, 1): so much of each target is spread over all classes. 0 is plain cross entropy.
    node.LABEL_SMOOTHING = 0.0
    return node


def classification_input_keys() -> CN:
    """INPUT.CLASSIFICATION: from an image file to the square that a classifier sees.

    INPUT.MIN_SIZE_*, MAX_SIZE_*, CROP and RANDOM_FLIP are a detector's and not read here.
    """
    node = CN()
    # Pixels a side of the square, in training and in evaluation. 224 for RGB input; the paper's DCT
    # input has 448 before a ResNet and 896 before a MobileNetV2.
    node.CROP = 224
    # Evaluation: the shorter side gets so many pixels, then the square in the middle is cut out.
    # 256, 512 and 1024 go with the above.
    node.RESIZE_TEST = 256
    # Training: the square is cut anywhere, of an area between these shares of the image, and of a
    # ratio of width to height between these, and resized to CROP.
    node.AREA = [0.08, 1.0]
    node.ASPECT = [3 / 4, 4 / 3]
    # Probability of a horizontal flip in training.
    node.FLIP = 0.5
    # Images of a batch in evaluation, of each process. It changes no result.
    node.TEST_BATCH = 32
    return node
