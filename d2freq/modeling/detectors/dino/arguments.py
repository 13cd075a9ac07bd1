"""DINO's arguments: from the keys of a YAML config, and whether they can be."""

from collections.abc import Mapping
from typing import Any

from detectron2.config import CfgNode
from detectron2.modeling import build_backbone

from d2freq.errors import UserError
from d2freq.modeling.detectors.dino.config import dino_keys
from d2freq.modeling.detectors.dino.losses import Weights
from d2freq.modeling.detectors.dino.matching import Costs
from d2freq.utils.own_keys import own_keys
from d2freq.utils.ranges import COUNT, POSITIVE, SHARE, WEIGHT, Range, check_ranges

__all__ = ["check_costs_and_weights", "check_numbers", "dino_arguments", "most_detections"]

LEAST = {"ENC_LAYERS": 0, "QUERY_CHUNK": 0}  # of all others 1
COSTS = {
    "COST_CLASS": WEIGHT,
    "COST_BOX": WEIGHT,
    "COST_GIOU": WEIGHT,
    "COST_NWD": WEIGHT,
    "NWD_CONSTANT": POSITIVE,
}
LOSSES = {"CLASS_WEIGHT": WEIGHT, "BOX_WEIGHT": WEIGHT, "GIOU_WEIGHT": WEIGHT}
FOCAL = {"FOCAL_ALPHA": SHARE, "FOCAL_GAMMA": WEIGHT}


def check_numbers(
    numbers: Mapping[str, int], *, dropout: float, label_rows: int | None, score_thresh: float
) -> None:
    """Refuse what makes no network, or one that finds nothing.

    Args:
        numbers: by the names of their keys, NUM_CLASSES among them.
        dropout: a share.
        label_rows: None for the layout's.
        score_thresh: of a detection.

    Raises:
        UserError: a number below what there has to be of it.
    """
    for key, number in numbers.items():
        least = LEAST.get(key, 1)
        if number not in Range(low=least, whole=True):
            raise UserError(f"MODEL.DINO.{key} is {number!r}: give a whole number from {least} on")
    if not 0 <= dropout < 1:
        raise UserError(f"MODEL.DINO.DROPOUT is {dropout}: a share from 0 to below 1")
    if score_thresh not in SHARE:
        raise UserError(f"MODEL.DINO.SCORE_THRESH_TEST is {score_thresh!r}: give {SHARE}")
    classes = numbers["NUM_CLASSES"]
    if label_rows is not None and label_rows < classes:
        raise UserError(
            f"MODEL.DINO.LABEL_ROWS is {label_rows}: each of {classes} classes needs a row"
        )


def most_detections(num_select: int | None, most: int) -> int:
    """How many of ``most`` pairs of query and class are detections; None or below 0: all of them.

    Raises:
        UserError: no whole number, or 0.
    """
    if num_select is None or (num_select in Range(whole=True) and num_select < 0):
        return most
    if num_select not in COUNT:
        raise UserError(
            f"MODEL.DINO.NUM_SELECT (TEST.DETECTIONS_PER_IMAGE) is {num_select!r}: give {COUNT}, "
            "or -1 for all"
        )
    return min(num_select, most)


def check_costs_and_weights(costs: Costs, weights: Weights) -> None:
    """Refuse costs by which worse pairs cost less, and losses that fall as boxes get worse.

    Raises:
        UserError: a number out of its range, or costs that are all 0, by which any pairing is best.
    """
    terms = (costs.cls, costs.box, costs.giou, costs.nwd)
    values = dict(zip(COSTS, (*terms, costs.nwd_constant), strict=True))
    check_ranges(values, COSTS, section="MODEL.DINO")
    if not any(terms):
        raise UserError(
            "MODEL.DINO.COST_CLASS, COST_BOX, COST_GIOU and COST_NWD are all 0: no query would be "
            "nearer to an object than any other; give one of them a number above 0"
        )
    values = dict(zip(LOSSES, (weights.cls, weights.box, weights.giou), strict=True))
    check_ranges(values, LOSSES, section="MODEL.DINO")
    for each in (costs, weights):
        values = dict(zip(FOCAL, (each.alpha, each.gamma), strict=True))
        check_ranges(values, FOCAL, section="MODEL.DINO")


def dino_arguments(cfg: CfgNode) -> dict[str, Any]:
    """From MODEL.DINO, with the backbone of MODEL.BACKBONE.NAME, built."""
    keys = own_keys(cfg, "MODEL.DINO", dino_keys())
    select = cfg.TEST.DETECTIONS_PER_IMAGE if keys.NUM_SELECT is None else keys.NUM_SELECT
    focal = {"alpha": keys.FOCAL_ALPHA, "gamma": keys.FOCAL_GAMMA}
    return {
        "backbone": build_backbone(cfg),
        "num_classes": keys.NUM_CLASSES,
        "pixel_mean": cfg.MODEL.PIXEL_MEAN,
        "pixel_std": cfg.MODEL.PIXEL_STD,
        "in_features": keys.IN_FEATURES,
        "layout": keys.LAYOUT,
        "shared_heads": keys.SHARED_HEADS,
        "label_rows": keys.LABEL_ROWS,
        "pe_temperature": keys.PE_TEMPERATURE,
        "pe_offset": keys.PE_OFFSET,
        "num_queries": keys.NUM_QUERIES,
        "hidden_dim": keys.HIDDEN_DIM,
        "ffn_dim": keys.FFN_DIM,
        "num_heads": keys.NUM_HEADS,
        "num_points": keys.NUM_POINTS,
        "enc_layers": keys.ENC_LAYERS,
        "dec_layers": keys.DEC_LAYERS,
        "dropout": keys.DROPOUT,
        "dn_number": keys.DN_NUMBER,
        "label_noise": keys.LABEL_NOISE,
        "box_noise": keys.BOX_NOISE,
        "dn_max_gt": keys.DN_MAX_GT,
        "costs": Costs(
            cls=keys.COST_CLASS,
            box=keys.COST_BOX,
            giou=keys.COST_GIOU,
            nwd=keys.COST_NWD,
            nwd_constant=keys.NWD_CONSTANT,
            **focal,
        ),
        "weights": Weights(
            cls=keys.CLASS_WEIGHT, box=keys.BOX_WEIGHT, giou=keys.GIOU_WEIGHT, **focal
        ),
        "num_select": select,
        "score_thresh": keys.SCORE_THRESH_TEST,
        "use_act_checkpoint": keys.USE_ACT_CHECKPOINT,
        "query_chunk": keys.QUERY_CHUNK,
        "input_format": cfg.INPUT.FORMAT,
    }
