"""Configuration keys of DeRefNet."""

from detectron2.config import CfgNode as CN

from d2freq.modeling.derefnet.switches import Switches

__all__ = ["derefnet_keys"]


def derefnet_keys() -> CN:
    """MODEL.DEREFNET, for MODEL.META_ARCHITECTURE DeRefNet; MODEL.UNMIXING holds too.

    PRESET, "released" or "paper", sets every switch of :class:`Switches`; a switch that is not
    None overrides it.
    """
    node = Switches.keys()
    # Channels of all convolutions. 32 in the paper (section 5.1). Even.
    node.CHANNELS = 32
    # Residual blocks of the tail. 5 in the paper (section 5.1).
    node.BLOCKS = 5
    # Weights to begin with. "random", as published. "ista": each stage is an iteration of ISTA and
    # the tail hands the centre frame on, so that short trainings get further; not in the paper.
    node.INIT = "random"
    # Windows of each trajectory in a step of training, in a row that begins anywhere. 0: all 16, as
    # published. A few of more trajectories are less alike, and cost less.
    node.TRAIN_WINDOWS = 0
    return node
