"""Configuration keys of HS-FPN."""

from detectron2.config import CfgNode as CN

from d2freq.modeling.hs_fpn.switches import Switches

__all__ = ["hsfpn_keys"]


def hsfpn_keys() -> CN:
    """MODEL.HSFPN: the neck HS-FPN. MODEL.FPN.{IN_FEATURES,OUT_CHANNELS,NORM,FUSE_TYPE} hold too.

    PRESET, "paper", "released" or "d2freq", sets every switch of :class:`Switches`; a switch that
    is not None overrides it. A switch "per level" is one value or a list with one value for each of
    MODEL.FPN.IN_FEATURES, from high to low resolution.
    """
    node = Switches.keys()
    # True | False. True: in training HFP and SDP keep their inputs alone and are computed again
    # in backward. Less memory, more time, the same gradients. Not with BN or SyncBN in them, which
    # would count each batch twice.
    node.USE_ACT_CHECKPOINT = False
    return node
