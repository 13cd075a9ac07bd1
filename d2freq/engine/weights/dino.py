"""Weights of the three published codes of DINO, read under their own names.

A checkpoint of a COCO training starts one on other data; its layout is MODEL.DINO.LAYOUT's. Names
are those that the codes' own messages about checkpoints show.
"""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from d2freq.modeling.detectors.dino import DINO

logger = logging.getLogger(__name__)

__all__ = ["dino_layout", "fit_dino"]

# a name that a code's DINO alone has
MARKS = {
    "detrex": "transformer.encoder.layers.0.attentions.0.sampling_offsets.weight",
    "original": "transformer.encoder.layers.0.self_attn.sampling_offsets.weight",
    "mmdet": "encoder.layers.0.self_attn.sampling_offsets.weight",
}
SAME_EVERYWHERE = [
    (r"\.sampling_offsets\.", ".offsets."),
    (r"\.attention_weights\.", ".weights."),
    (r"\.value_proj\.", ".values."),
    (r"\.output_proj\.", ".output."),
    (r"^(?:transformer\.)?level_embeds?$", "transformer.encoder.level_embedding"),
    (r"\.ref_point_head\.", ".position."),
    (r"^(label_enc|dn_query_generator\.label_embedding)\.", "transformer.labels."),
]
OF_THE_AUTHORS = [  # detrex is by the original's authors, too
    (r"^transformer\.tgt_embed\.", "transformer.queries."),
    (r"^transformer\.enc_output_norm\.", "transformer.selection.norm."),
    (r"^transformer\.enc_output\.", "transformer.selection.transform."),
    (r"^(?:transformer\.decoder\.)?class_embed\.", "transformer.heads.classes."),
    (r"^(?:transformer\.decoder\.)?bbox_embed\.", "transformer.heads.boxes."),
]
ORIGINAL = [
    *OF_THE_AUTHORS,
    (r"(encoder\.layers\.\d+)\.self_attn\.", r"\1.attention."),
    (r"(decoder\.layers\.\d+)\.cross_attn\.", r"\1.attention."),
    (r"(decoder\.layers\.\d+)\.self_attn\.", r"\1.self_attention."),
    # its decoder counts norms in the order of its lines, and self-attention comes second there
    (r"(decoder\.layers\.\d+)\.norm1\.", r"\1.norm<2>."),
    (r"(decoder\.layers\.\d+)\.norm2\.", r"\1.norm<1>."),
    (r"norm<(\d)>", r"norm\1"),
    (r"\.linear1\.", ".feed_forward.inner."),
    (r"\.linear2\.", ".feed_forward.outer."),
    (r"^transformer\.enc_out_class_embed\.", "transformer.heads.classes.encoder."),
    (r"^transformer\.enc_out_bbox_embed\.", "transformer.heads.boxes.encoder."),
]
DETREX = [
    *OF_THE_AUTHORS,
    (r"(encoder\.layers\.\d+)\.attentions\.0\.", r"\1.attention."),
    (r"(decoder\.layers\.\d+)\.attentions\.0\.attn\.", r"\1.self_attention."),
    (r"(decoder\.layers\.\d+)\.attentions\.1\.", r"\1.attention."),
    (r"\.ffns\.0\.layers\.0\.0\.", ".feed_forward.inner."),
    (r"\.ffns\.0\.layers\.1\.", ".feed_forward.outer."),
    (r"\.norms\.(\d)\.", lambda found: f".norm{int(found[1]) + 1}."),
]
MMDET = [
    (r"^(encoder|decoder)\.", r"transformer.\1."),
    (r"^query_embedding\.", "transformer.queries."),
    (r"^memory_trans_norm\.", "transformer.selection.norm."),
    (r"^memory_trans_fc\.", "transformer.selection.transform."),
    (r"(encoder\.layers\.\d+)\.self_attn\.", r"\1.attention."),
    (r"(decoder\.layers\.\d+)\.self_attn\.attn\.", r"\1.self_attention."),
    (r"(decoder\.layers\.\d+)\.cross_attn\.", r"\1.attention."),
    (r"\.ffn\.layers\.0\.0\.", ".feed_forward.inner."),
    (r"\.ffn\.layers\.1\.", ".feed_forward.outer."),
    (r"\.norms\.(\d)\.", lambda found: f".norm{int(found[1]) + 1}."),
    (r"^bbox_head\.cls_branches\.", "transformer.heads.classes."),
    (
        r"^bbox_head\.reg_branches\.(\d+)\.(\d)\.",
        lambda found: f"transformer.heads.boxes.{found[1]}.layers.{int(found[2]) // 2}.",
    ),
]
Rules = list[tuple[str, Any]]  # pattern, and what re.sub puts in its place
RULES: dict[str, Rules] = {"detrex": DETREX, "original": ORIGINAL, "mmdet": MMDET}


def dino_layout(names: Mapping[str, Any]) -> str | None:
    """Whose DINO has tensors of these names: "detrex", "original" or "mmdet"; None, nobody's."""
    return next((layout for layout, mark in MARKS.items() if mark in names), None)


def fit_dino(
    checkpoint: dict[str, Any], model: nn.Module, *, resnet_name: Callable[[str], str]
) -> dict[str, Any]:
    """A published DINO's tensors under d2freq's names, for a model that is or holds a DINO.

    Args:
        checkpoint: "model" has arrays or tensors by name, or mmdet's "state_dict" in it.
        model: any.
        resnet_name: from torchvision's name of a ResNet's tensor to Detectron2's.

    Returns:
        The checkpoint with other names, or as it is.
    """
    dino = next((each for each in model.modules() if isinstance(each, DINO)), None)
    weights = checkpoint["model"]
    weights = weights["state_dict"] if isinstance(weights.get("state_dict"), Mapping) else weights
    layout = dino_layout(weights)
    if dino is None or layout is None:
        return checkpoint
    if layout != dino.layout:
        logger.warning(
            "the checkpoint is of a DINO of layout %s, and MODEL.DINO.LAYOUT is %s: set it, or "
            "its encodings and heads differ from what the weights have learned",
            *(layout, dino.layout),
        )
    logger.info("weights of DINO by %s's names", layout)
    ours = _necks(dino)
    found: dict[str, Any] = {}
    for name, value in weights.items():
        if renamed := _place_head(_rename(name, layout, ours, resnet_name), layout, dino):
            found.update(_split_projection(renamed, value))
    return {**checkpoint, "model": found}


def _necks(dino: DINO) -> list[str]:
    """The channel mapper's convolutions from fine to coarse, by our names."""
    return [f"backbone.project{level[1:]}" for level in dino.backbone.output_shape()]


def _rename(name: str, layout: str, necks: list[str], resnet_name: Callable[[str], str]) -> str:
    neck = re.match(
        r"neck\.(?P<kind>convs|extra_convs)\.(?P<place>\d+)\.(?P<part>conv|norm|gn)\."
        r"|input_proj\.(?P<level>\d+)\.(?P<layer>[01])\.",
        name,
    )
    if neck:
        if neck["level"] is not None:
            place, is_norm = int(neck["level"]), neck["layer"] == "1"
        else:
            first = len(necks) - 1 if neck["kind"] == "extra_convs" else 0
            place, is_norm = first + int(neck["place"]), neck["part"] != "conv"
        if place < len(necks):
            rest = name[neck.end() :]
            return f"{necks[place]}.norm.{rest}" if is_norm else f"{necks[place]}.{rest}"
        return name
    if layout == "detrex" and name.startswith("backbone."):
        return "backbone.bottom_up." + name.removeprefix("backbone.")
    body = re.match(r"backbone\.(?:0\.body\.)?(?=conv1|bn1|layer\d)", name)
    if body:
        return "backbone.bottom_up." + resnet_name(name[body.end() :])
    for pattern, ours in [*RULES[layout], *SAME_EVERYWHERE]:
        name = re.sub(pattern, ours, name)
    return name


def _place_head(name: str, layout: str, dino: DINO) -> str:
    """The original's heads: the encoder's are the last; "" for further names of the shared pair."""
    head = re.match(r"transformer\.heads\.(classes|boxes)\.(\w+)\.", name)
    if layout != "original" or not head:
        return name
    kind, layer = head.groups()
    heads = dino.transformer.heads
    if heads.shared and layer not in ("0", "encoder"):
        return ""
    place = len(heads.classes) - 1 if layer == "encoder" else layer
    return f"transformer.heads.{kind}.{place}.{name[head.end() :]}"


def _split_projection(name: str, value: Any) -> dict[str, Any]:
    """One matrix for queries, keys and values as our two; any other tensor as it is."""
    kind = re.fullmatch(r"(.*\.self_attention)\.in_proj_(weight|bias)", name)
    if not kind:
        return {name.replace(".self_attention.out_proj.", ".self_attention.output."): value}
    whole = value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
    channels = whole.shape[0] // 3
    return {
        f"{kind[1]}.query_key.{kind[2]}": whole[: 2 * channels].clone(),
        f"{kind[1]}.value.{kind[2]}": whole[2 * channels :].clone(),
    }
