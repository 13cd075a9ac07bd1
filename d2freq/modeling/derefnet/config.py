"""Configuration keys of DeRefNet."""

from detectron2.config import CfgNode as CN

__all__ = ["derefnet_keys"]


def derefnet_keys() -> CN:
    """MODEL.DEREFNET, for MODEL.META_ARCHITECTURE DeRefNet; MODEL.UNMIXING holds too.

    A preset sets every switch; a switch that is not None overrides it.
    """
    node = CN()
    # "released": the published code, whose loss weights are the tuned ones: its alignment loss is a
    # plain sum, some 44,000 times as heavy beside the regression as in the paper.
    # "paper": the equations as they are printed.
    node.PRESET = "released"
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

    # --- structure -----------------------------------------------------------------------------
    # Unfolded iterations, K. Both presets: 9. The paper gives no number; 8 is what the counts of
    # its Table 3 come from, and the 6 of its supplement belongs to another network.
    node.STAGES = None
    # "linear": one layer of 1089 x 1089 weights, as published. "affine": the same functions of the
    # frame's number by 2,178 parameters. "none": no time encoding (Table 3). Both: "linear".
    node.TIME_ENCODING = None
    # What the offsets are read from. "attention": selective attention. "concat": a convolution of
    # both frames' features, Table 3's alignment without selection. Both presets: "attention".
    node.GUIDE = None
    # 1 | 2 deformable convolutions one after the other. "released": 2, "paper": 1.
    node.ALIGNMENTS = None
    # The centre frame's map that joins its aligned neighbours in the tail. "encoded": H'_t, after
    # the time encoding ("released"). "features": H_t^(k), before it ("paper").
    node.CENTRE = None

    # --- losses --------------------------------------------------------------------------------
    # What each stage's inverse has to give back. "estimate": R_k, the stage's own estimate
    # ("released"). "truth": the ground truth ("paper", Eq. 22).
    node.CONSTRAINT_ON = None
    # What aligned neighbours are compared with. "features": H_t^(k) ("released"). "encoded": H'_t
    # ("paper", Eq. 23).
    node.ALIGN_REFERENCE = None
    # "windows": sum over the windows of the mean over the cells ("released"). "cells": mean over
    # the windows of the sum over the cells ("paper", Eq. 24). With 16 windows of 1,089 cells the
    # second is 68 times the first.
    node.REGRESSION_REDUCTION = None
    # "sum" over windows, neighbours and cells ("released"). "mean" over windows and neighbours of
    # the sum over the cells ("paper", Eq. 23). With 16 windows of 4 neighbours the first is 64
    # times the second.
    node.ALIGN_REDUCTION = None
    # Factors of the three losses, at least 0. Both presets: regression 1. "released": 0.1 and 0.1.
    # "paper": 0.01 and 0.01, group A of its Table 1.
    node.REGRESSION_WEIGHT = None
    node.CONSTRAINT_WEIGHT = None
    node.ALIGN_WEIGHT = None
    return node
