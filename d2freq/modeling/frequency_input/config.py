"""Configuration keys of the frequency input."""

from detectron2.config import CfgNode as CN

__all__ = ["freq_input_keys"]


def freq_input_keys() -> CN:
    """MODEL.FREQ_INPUT: the stem of the backbones ``build_*_dct_*_backbone``.

    MODEL.RESNETS or MODEL.MOBILENETV2, and MODEL.BACKBONE.FREEZE_AT, hold too. What has no weights
    in an RGB network is never frozen. MODEL.PIXEL_MEAN of 128 makes padding mid-grey, whose DCT is
    zero; MODEL.PIXEL_STD is taken out again.
    """
    node = CN()
    # "dct": the paper's. Its controls: "unshuffle", the pixels of 4 x 4 cells as channels, with no
    # transform; "random", a random orthonormal basis in the DCT's place; "learned", a convolution
    # of the same kernel size and stride that is trained.
    node.STEM = "dct"
    # Blocks. "x2": of 8 x 8 in the twice enlarged image, stride 4, the paper's for ResNet, without
    # an enlarged image in memory. "8x8": of the image itself, as in a JPEG file, stride 8. "4x4":
    # of 4 x 4 pixels, stride 4, as many numbers as pixels. "x4": of 8 x 8 in the image enlarged
    # four times, stride 2, the paper's for MobileNetV2. "8x8-420": "8x8" with chroma blurred as the
    # published classifiers have it, whose Cb and Cr come from a JPEG file of the twice enlarged
    # image with 4:2:0. STEM "unshuffle" has 4 x 4 and no other.
    node.MODE = "x2"
    # Which channels. A published set of 8 x 8 coefficients: "6", "24", "24-learned", "32", "48",
    # "64", "192"; "all"; "square:Y,CbCr", the lowest Y x Y and CbCr x CbCr; "triangle:Y,Cb,Cr", so
    # many of the lowest in zigzag order; or a list of numbers in raster order, Y first. STEM
    # "unshuffle": "all" (48) or "420" (24, chroma halved); "learned": how many there are.
    # None: "24", half of the numbers that RGB input has, where the published sets hold; else "all".
    node.CHANNELS = None
    # Mean and deviation of every channel, in their order, over all blocks of a data set, as
    # `d2freq dct-statistics` measures and writes them. []: 0 and 1, with a warning, as the
    # deviations differ by a factor of a hundred. The stem keeps them with the weights.
    node.MEAN = []
    node.STD = []
    # What MEAN and STD are of, as the same command writes it; "" is not checked. Another STEM,
    # MODE or set of CHANNELS is refused; those of all channels ("dct x2 all") fit every set.
    node.MEASURED_FOR = ""
    # Seed of the basis of STEM "random".
    node.SEED = 0
    # How the channels enter the network. "direct", the paper's: the first layers of its first block
    # take that many channels; RGB weights of these layers are cut to the channels there are.
    # "conv": through a trained 1x1 convolution with norm and ReLU to the channels that the block
    # has behind an RGB stem (64 of a ResNet), so that RGB weights stay whole. "shuffle": the same
    # by a 3x3 convolution and pixel shuffle, back to the stride of an RGB stem (8 to 4).
    node.ENTRY = "direct"
    # The stage of a ResNet that they enter. None: by their stride, res2 at 4, and at 8 res3, which
    # leaves res2 and features of stride 4 out. "res2" whatever the stride, as in the paper's
    # classifiers with 8x8, whose images are twice as large as RGB's: all strides are doubled.
    node.FIRST_STAGE = None
    # 2 | 1: stride of res3. 1 is that of the published ResNet-50 classifiers, which costs 3.3 times
    # the multiply-adds of an RGB ResNet-50.
    node.RES3_STRIDE = 2

    # --- the gate -------------------------------------------------------------------------------
    node.GATE = CN()
    # True | False. A trained choice of channels for every image.
    node.GATE.ENABLED = False
    # The meta-architecture that MODEL.META_ARCHITECTURE "Gated" trains with the gate's loss among
    # its losses: "GeneralizedRCNN", "RetinaNet", "FCOS", "SET" or any other.
    node.GATE.DETECTOR = "GeneralizedRCNN"
    # Above 0, of the Gumbel softmax that draws the choice in training. 1 as published.
    node.GATE.TEMPERATURE = 1.0
    # "energy": the mean of a channel's squares, log(1 + x). "mean": the paper's, of which a
    # frequency's signs leave little.
    node.GATE.POOLING = "energy"
    # "mean": the share of channels that are on, the paper's. "count": squared distance of their
    # number to TARGET, which the former's weight does not set.
    node.GATE.PENALTY = "mean"
    # Channels to be on, for PENALTY "count", such as 24; 0 for "mean".
    node.GATE.TARGET = 0
    # lambda of the paper, which does not say its value; the published code has 1. 0: no penalty.
    node.GATE.WEIGHT = 1.0
    # "LN" over an image's channels. "BN", the paper's, sees few images in a detector's batch.
    node.GATE.NORM = "LN"
    return node
