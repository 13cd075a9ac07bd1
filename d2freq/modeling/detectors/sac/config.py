"""Keys of DetectoRS: switchable convolutions (SAC) and the recursive pyramid (RFP)."""

from detectron2.config import CfgNode as CN

__all__ = ["detectors_keys"]


def detectors_keys() -> CN:
    """MODEL.DETECTORS, for the backbones build_resnet_sac..._backbone and build_detectors_backbone.

    The keys of MODEL.RESNETS and MODEL.FPN hold too.
    """
    node = CN()
    # For res2 to res5, whether conv2 of each block is a switchable convolution. The paper has all
    # but res2; four times False and WEIGHT_STANDARDIZATION False make a plain ResNet.
    node.SAC_ON_PER_STAGE = [False, True, True, True]
    # Whether switchable convolutions are deformable. False: less work, and no offsets to learn.
    node.DEFORM = True
    # Whether all convolutions of the ResNet standardise their weights.
    node.WEIGHT_STANDARDIZATION = True
    # RFP: how often the ResNet sees the image. 2 is one feedback, the paper's.
    node.RFP_STEPS = 2
    # RFP: True, the same ResNet each time; False, the paper's, one of its own for each step.
    node.RFP_SHARING = False
    # RFP: channels of each branch of the ASPP between pyramid and ResNet.
    node.ASPP_CHANNELS = 64
    # RFP: dilation of each branch; 1 is a 1 x 1 convolution. The last one sees the map's mean.
    node.ASPP_DILATIONS = [1, 3, 6, 1]
    # "zero" | "default": how the convolutions of the feedback start. "zero", of the method's own
    # code: without an effect, so that RFP starts as an FPN. "default": torch's random weights, with
    # which the published figures on AI-TOD were made (mmdet skips its own zeros there).
    node.RFP_INIT = "zero"
    return node
