"""Configuration keys that all unmixing models share, and how a model reads them."""

from typing import Any

import torch
from detectron2.config import CfgNode as CN
from torch import Tensor

from d2freq.modeling.unmixing.checks import check_optics
from d2freq.utils.own_keys import own_keys

__all__ = ["q_init_of", "unmixing_arguments", "unmixing_input_keys", "unmixing_keys"]


def unmixing_keys() -> CN:
    """MODEL.UNMIXING: optics, window and decoding of DeRefNet and the methods beside it."""
    node = CN()
    # Pixels a side of a frame. 11 in SeqCSIST; has to be the data's.
    node.SIZE = 11
    # Grid cells per pixel and axis. 3, the paper's c; has to be the data's.
    node.FACTOR = 3
    # Standard deviation of a target's spot in pixels. 0.5, SeqCSIST's, which the paper calls a
    # variance.
    node.SIGMA = 0.5
    # Frames around and including the one that is unmixed; odd. 5 in the paper. Methods that look at
    # single frames keep it too: it says which frames are measured (2 to 17 of 20).
    node.WINDOW = 5
    # Where Q_init comes from: the name of a data set of the catalog, or a file. "": the first of
    # DATASETS.TRAIN, or without one the first of DATASETS.TEST. A checkpoint's Q_init replaces it.
    node.Q_INIT = ""
    # At least 0: ridge of Q_init's fit, in shares of the mean eigenvalue of its normal matrix; a
    # matrix from a file stays as it is. 0, the default, is the published formula. 0.0001 is for
    # noise: pixels near the border are hardly ever lit in training, and Q_init without a ridge
    # makes noise there large. On seqcsist it moves a clean grid by 0.08 grey levels in the mean, a
    # cell by 40 at most; with noise of 3 grey levels the squared error falls to a third.
    node.Q_INIT_RIDGE = 0.0
    # True | False. True: targets between the grid cells are found too, and measured as
    # "cso_subpixel" beside the paper's metric. False, the default: the grid alone, as in the paper.
    # Compare methods by it with INPUT.UNMIXING.NOISE: clean frames give 100 from any grid.
    node.DECODE = False
    # None (as 1) | 3, 5, ... | "all": frames that the decoder explains together, by targets that
    # keep their shape on a smooth path. None, the default: each frame by itself. An odd number is a
    # window about the frame, which waits for half of its neighbours; "all" is the whole trajectory,
    # offline, and no fair row beside networks that see WINDOW frames. With noise of 3 grey levels
    # SeqCSIST has CSO-mAP 50 from frames by themselves, 70 from 5, 87 from all.
    node.DECODE_FRAMES = None
    # True | False: with DECODE_FRAMES, whether a target has another intensity in each frame. False,
    # the default, as in SeqCSIST: it keeps the one that it has.
    node.FLICKER = False
    # Least and largest intensity of a target in grey levels, taken as evenly spread: what the
    # decoder knows before it looks. SeqCSIST's. (): unknown; in noise targets within a pixel can
    # then hardly be told apart. With a wrong range even their number comes out wrong in noise.
    node.BRIGHTNESS = (220.0, 250.0)
    # Grey levels from which on a cell is a target, for metric and decoder. 70 is the published
    # code's for SeqCSIST; targets have 220 to 250.
    node.THRESHOLD = 70.0
    # confidence | intensity: by which the metric orders decoded targets. "confidence", the default:
    # minus the standard deviation of the position that the decoder states. "intensity": grey
    # levels, as of the grid's cells; in noise some 7 points of CSO-mAP less.
    node.SCORE = "confidence"
    return node


def unmixing_input_keys() -> CN:
    """INPUT.UNMIXING: what happens to the frames between the data set and the model."""
    node = CN()
    # Standard deviation of the noise that is added to the frames in training and in evaluation, in
    # grey levels. 0, the default, or 2 to 5 as in the paper's Table 5. With --eval-only it measures
    # a model that was trained without.
    node.NOISE = 0.0
    # Least and largest noise in training, such as [0.0, 5.0], of which each trajectory draws its
    # own; NOISE is then that of evaluation alone. [], the default: NOISE in training too.
    node.NOISE_RANGE = []
    return node


def unmixing_arguments(cfg: Any, *, needs_q_init: bool) -> dict[str, Any]:
    """Arguments of UnmixingModel from a config.

    Raises:
        UserError: optics out of their range.
        DatasetError: Q_init's data set is unknown or not there.
    """
    keys = own_keys(cfg, "MODEL.UNMIXING", unmixing_keys())
    check_optics(keys.SIZE, keys.FACTOR, keys.SIGMA, keys.Q_INIT_RIDGE)
    names = [*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST]
    source = keys.Q_INIT or (names[0] if names else "")
    q_init = None
    if needs_q_init:
        optics = {"size": keys.SIZE, "factor": keys.FACTOR}
        q_init = q_init_of(source, ridge=keys.Q_INIT_RIDGE, **optics)
    return {
        "q_init": q_init,
        "size": keys.SIZE,
        "factor": keys.FACTOR,
        "sigma": keys.SIGMA,
        "window": keys.WINDOW,
        "decode": keys.DECODE,
        "brightness": tuple(keys.BRIGHTNESS),
        "threshold": keys.THRESHOLD,
        "score": keys.SCORE,
        "decode_frames": 1 if keys.DECODE_FRAMES is None else keys.DECODE_FRAMES,
        "flicker": keys.FLICKER,
    }


def q_init_of(source: str, *, size: int = 11, factor: int = 3, ridge: float = 0.0) -> Tensor | None:
    """Q_init of a data set or file, on the CPU also where a model is built on "meta" to be checked.

    Args:
        source: name of a data set of the catalog, or a file; "" gives None.
        size: pixels a side of a frame, m.
        factor: grid cells per pixel and axis, c.
        ridge: of the fit to a data set, see MODEL.UNMIXING.Q_INIT_RIDGE.

    Returns:
        ((c*m)**2, m*m) float64.

    Raises:
        UserError: a ridge below 0.
        DatasetError: the data set or file is not there, or does not fit.
    """
    # only where it is used: models of images need none of this
    from d2freq.data.seqcsist import load_q_init

    with torch.device("cpu"):
        return load_q_init(source, size=size, factor=factor, ridge=ridge) if source else None
