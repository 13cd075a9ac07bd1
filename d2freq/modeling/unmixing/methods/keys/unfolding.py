"""Configuration keys of Richardson-Lucy and of the networks that unfold iterations."""

from detectron2.config import CfgNode as CN

__all__ = [
    "dista_net_keys",
    "ista_net_plus_plus_keys",
    "richardson_lucy_keys",
    "rpcanet_keys",
    "usrnet_keys",
]


def richardson_lucy_keys() -> CN:
    """MODEL.RICHARDSONLUCY: RichardsonLucy, training-free, in the place of BID."""
    node = CN()
    # Iterations. 1000; on clean frames more are better, under noise fewer: it begins to explain the
    # noise by targets.
    node.ITERATIONS = 1000
    # Grey levels added to the frame and to what the grid shows, at least 0: for noise that does not
    # come with light. 0, the default: all noise is that of counted light.
    node.OFFSET = 0.0
    # Standard deviations of the spot to choose from, in pixels, such as [0.4, 0.5, 0.6]: each frame
    # takes the widest that explains it. [], the default: MODEL.UNMIXING.SIGMA is known.
    node.SIGMAS = []
    return node


def ista_net_plus_plus_keys() -> CN:
    """MODEL.ISTANETPLUSPLUS: ISTANetPlusPlus, whose steps follow from the frame's noise."""
    node = CN()
    # Iterations, each with its own weights. 20, as in Table 7.
    node.STAGES = 20
    # Channels of the learned step. 32, as in Table 7.
    node.CHANNELS = 32
    # "noise" | "free". "noise", the default: a small network gives each stage its step and its
    # noise level from the noise of the frame, which is estimated; 2,440 weights, as in Table 7.
    # "free": two free numbers a stage.
    node.CONDITION = "noise"
    return node


def usrnet_keys() -> CN:
    """MODEL.USRNET: USRNet, exact data steps and one shared denoiser in turn."""
    node = CN()
    # Pairs of a data step and the denoiser. 8, as in Table 7.
    node.ITERATIONS = 8
    # Channels of the denoiser's levels, each half as wide as the one before. 16, 32, 64, 128, as in
    # Table 7.
    node.CHANNELS = [16, 32, 64, 128]
    # Residual blocks a level, going down and coming up. 2, as in Table 7.
    node.BLOCKS = 2
    # Channels of the network that gives each iteration its two weights. 64, as in Table 7.
    node.HYPER_CHANNELS = 64
    return node


def rpcanet_keys() -> CN:
    """MODEL.RPCANET: RPCANet, background and targets apart, for frames with a background."""
    node = CN()
    # Stages, each with its own weights. 6, as in Table 7.
    node.STAGES = 6
    # Channels of all networks in a stage. 32, as in Table 7.
    node.CHANNELS = 32
    # Convolutions between the first and the last of the background's and the merging network. 3, as
    # in Table 7.
    node.LAYERS = 3
    # The same of the targets' network. 6, as in Table 7.
    node.TARGET_LAYERS = 6
    # Weight of the squared error of the merged frame; that of the grid has 1. 0.1, as in RPCANet's
    # paper. The published code minimises 0.99 of it beside 1.8 of the grid.
    node.MERGE_WEIGHT = 0.1
    return node


def dista_net_keys() -> CN:
    """MODEL.DISTANET: DISTANet, ISTA-Net with a transform and thresholds that follow the frame."""
    node = CN()
    # Iterations, each with its own weights. 6, as published for three cells a pixel.
    node.STAGES = 6
    # Channels of the transform. 64, as published. Even.
    node.CHANNELS = 64
    # True | False. True, the default: a kernel made from each frame takes part in the transform,
    # 2,179,104 parameters. False: the thresholds alone follow the frame, 490,986 parameters.
    node.DYNAMIC = True
    # Width of the gradient steps before training. 0.1165 is 1 / |Phi|^2; the published 0.5 lies
    # above the 0.233 from which on plain gradient steps diverge.
    node.STEP = 0.1165
    # Weight of the constraint loss; the squared error has 1. 0.01, as published.
    node.CONSTRAINT_WEIGHT = 0.01
    return node
