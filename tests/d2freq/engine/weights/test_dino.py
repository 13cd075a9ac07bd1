"""Tensors by the names of three codes, made up from the network's description, fill a DINO."""

import logging

import pytest
import torch
from detectron2.modeling import build_model

from d2freq.engine.weights.dino import dino_layout
from d2freq.engine.weights.strict import StrictCheckpointer
from tests.d2freq.modeling.detectors.dino.dino_cases import small_config

C, FFN, HEADS, LEVELS, POINTS, CLASSES, QUERIES = 64, 32, 4, 4, 2, 4, 20
SOURCES = {"0": 128, "1": 256, "2": 512}  # channels of res3 to res5 of a ResNet-18


def linear(name, outer, inner, weights):
    weights[f"{name}.weight"] = torch.randn(outer, inner)
    weights[f"{name}.bias"] = torch.randn(outer)


def norm(name, weights, channels=C):
    weights[f"{name}.weight"], weights[f"{name}.bias"] = torch.randn(2, channels)


def deformable(name, weights):
    linear(f"{name}.sampling_offsets", HEADS * LEVELS * POINTS * 2, C, weights)
    linear(f"{name}.attention_weights", HEADS * LEVELS * POINTS, C, weights)
    linear(f"{name}.value_proj", C, C, weights)
    linear(f"{name}.output_proj", C, C, weights)


def self_attention(name, weights):
    weights[f"{name}.in_proj_weight"] = torch.randn(3 * C, C)
    weights[f"{name}.in_proj_bias"] = torch.randn(3 * C)
    linear(f"{name}.out_proj", C, C, weights)


def heads(classes, boxes, weights, layers=("layers.0", "layers.1", "layers.2")):
    linear(classes, CLASSES, C, weights)
    for layer, outer in zip(layers, (C, C, 4), strict=True):
        linear(f"{boxes}.{layer}", outer, C, weights)


def resnet(prefix, model, rename, weights):
    """The backbone's, from the model's own names by ``rename``."""
    for name, value in model.backbone.bottom_up.state_dict().items():
        weights[prefix + rename(name)] = torch.randn_like(value).abs() + 0.5


def torchvision_name(name):
    stage, _, rest = name.partition(".")
    if stage == "stem":
        return rest.replace("conv1.norm", "bn1")
    rest = rest.replace("shortcut.norm", "downsample.1").replace("shortcut", "downsample.0")
    rest = rest.replace("conv1.norm", "bn1").replace("conv2.norm", "bn2")
    return f"layer{int(stage[3:]) - 1}.{rest}"


def of_detrex(model):
    w = {}
    resnet("backbone.", model, str, w)
    for place, channels in SOURCES.items():
        linear(f"neck.convs.{place}.conv", C, channels, w)
        w[f"neck.convs.{place}.conv.weight"] = torch.randn(C, channels, 1, 1)
        norm(f"neck.convs.{place}.norm", w)
    w["neck.extra_convs.0.conv.weight"] = torch.randn(C, SOURCES["2"], 3, 3)
    w["neck.extra_convs.0.conv.bias"] = torch.randn(C)
    norm("neck.extra_convs.0.norm", w)
    w["transformer.level_embeds"] = torch.randn(LEVELS, C)
    w["transformer.tgt_embed.weight"] = torch.randn(QUERIES, C)
    w["label_enc.weight"] = torch.randn(CLASSES, C)
    linear("transformer.enc_output", C, C, w)
    norm("transformer.enc_output_norm", w)
    for part, layers in (("encoder", 1), ("decoder", 2)):
        for layer in range(layers):
            root = f"transformer.{part}.layers.{layer}"
            cross = 0 if part == "encoder" else 1
            if cross:
                self_attention(f"{root}.attentions.0.attn", w)
            deformable(f"{root}.attentions.{cross}", w)
            linear(f"{root}.ffns.0.layers.0.0", FFN, C, w)
            linear(f"{root}.ffns.0.layers.1", C, FFN, w)
            for number in range(2 + cross):
                norm(f"{root}.norms.{number}", w)
    linear("transformer.decoder.ref_point_head.layers.0", C, 2 * C, w)
    linear("transformer.decoder.ref_point_head.layers.1", C, C, w)
    norm("transformer.decoder.norm", w)
    for layer in range(3):
        heads(f"class_embed.{layer}", f"bbox_embed.{layer}", w)
    copies = {n: v for n, v in w.items() if n.startswith(("class_embed", "bbox_embed"))}
    return w | {f"transformer.decoder.{name}": value for name, value in copies.items()}


def of_original(model):
    w = {}
    resnet("backbone.0.body.", model, torchvision_name, w)
    for place, (channels, kernel) in enumerate([(128, 1), (256, 1), (512, 1), (512, 3)]):
        w[f"input_proj.{place}.0.weight"] = torch.randn(C, channels, kernel, kernel)
        w[f"input_proj.{place}.0.bias"] = torch.randn(C)
        norm(f"input_proj.{place}.1", w)
    w["transformer.level_embed"] = torch.randn(LEVELS, C)
    w["transformer.tgt_embed.weight"] = torch.randn(QUERIES, C)
    w["label_enc.weight"] = torch.randn(92, C)
    linear("transformer.enc_output", C, C, w)
    norm("transformer.enc_output_norm", w)
    for part, layers in (("encoder", 1), ("decoder", 2)):
        for layer in range(layers):
            root = f"transformer.{part}.layers.{layer}"
            if part == "decoder":
                self_attention(f"{root}.self_attn", w)
                norm(f"{root}.norm3", w)
            deformable(f"{root}.{'self' if part == 'encoder' else 'cross'}_attn", w)
            linear(f"{root}.linear1", FFN, C, w)
            linear(f"{root}.linear2", C, FFN, w)
            norm(f"{root}.norm1", w)
            norm(f"{root}.norm2", w)
    linear("transformer.decoder.ref_point_head.layers.0", C, 2 * C, w)
    linear("transformer.decoder.ref_point_head.layers.1", C, C, w)
    norm("transformer.decoder.norm", w)
    heads("transformer.enc_out_class_embed", "transformer.enc_out_bbox_embed", w)
    shared = {}
    heads("class_embed.0", "bbox_embed.0", shared)
    for prefix in ("", "transformer.decoder."):
        for layer in "01":
            w |= {f"{prefix}{n.replace('0', layer, 1)}": v for n, v in shared.items()}
    return w


def of_mmdet(model):
    w = {}
    resnet("backbone.", model, torchvision_name, w)
    for place, channels in SOURCES.items():
        w[f"neck.convs.{place}.conv.weight"] = torch.randn(C, channels, 1, 1)
        norm(f"neck.convs.{place}.gn", w)
    w["neck.extra_convs.0.conv.weight"] = torch.randn(C, SOURCES["2"], 3, 3)
    norm("neck.extra_convs.0.gn", w)
    w["level_embed"] = torch.randn(LEVELS, C)
    w["query_embedding.weight"] = torch.randn(QUERIES, C)
    w["dn_query_generator.label_embedding.weight"] = torch.randn(CLASSES, C)
    linear("memory_trans_fc", C, C, w)
    norm("memory_trans_norm", w)
    for part, layers in (("encoder", 1), ("decoder", 2)):
        for layer in range(layers):
            root = f"{part}.layers.{layer}"
            if part == "decoder":
                self_attention(f"{root}.self_attn.attn", w)
                norm(f"{root}.norms.2", w)
            deformable(f"{root}.{'self' if part == 'encoder' else 'cross'}_attn", w)
            linear(f"{root}.ffn.layers.0.0", FFN, C, w)
            linear(f"{root}.ffn.layers.1", C, FFN, w)
            norm(f"{root}.norms.0", w)
            norm(f"{root}.norms.1", w)
    linear("decoder.ref_point_head.layers.0", C, 2 * C, w)
    linear("decoder.ref_point_head.layers.1", C, C, w)
    norm("decoder.norm", w)
    for layer in range(3):
        classes, boxes = f"bbox_head.cls_branches.{layer}", f"bbox_head.reg_branches.{layer}"
        heads(classes, boxes, w, layers=("0", "2", "4"))
    return w


CODES = {"detrex": of_detrex, "original": of_original, "mmdet": of_mmdet}
# by our name after "transformer.", theirs in each code: where a mistake would leave shapes equal
SAMPLES = {
    "decoder.layers.1.norm1.weight": {  # behind self-attention
        "detrex": "transformer.decoder.layers.1.norms.0.weight",
        "original": "transformer.decoder.layers.1.norm2.weight",
        "mmdet": "decoder.layers.1.norms.0.weight",
    },
    "decoder.layers.1.norm2.weight": {  # behind deformable attention
        "detrex": "transformer.decoder.layers.1.norms.1.weight",
        "original": "transformer.decoder.layers.1.norm1.weight",
        "mmdet": "decoder.layers.1.norms.1.weight",
    },
    "encoder.layers.0.attention.values.bias": {
        "detrex": "transformer.encoder.layers.0.attentions.0.value_proj.bias",
        "original": "transformer.encoder.layers.0.self_attn.value_proj.bias",
        "mmdet": "encoder.layers.0.self_attn.value_proj.bias",
    },
    "heads.boxes.0.layers.1.weight": {
        "detrex": "bbox_embed.0.layers.1.weight",
        "original": "bbox_embed.0.layers.1.weight",
        "mmdet": "bbox_head.reg_branches.0.2.weight",
    },
    "heads.classes.-1.bias": {  # the encoder's
        "detrex": "class_embed.2.bias",
        "original": "transformer.enc_out_class_embed.bias",
        "mmdet": "bbox_head.cls_branches.2.bias",
    },
}


def model_of(layout, **keys):
    cfg = small_config(LAYOUT=layout, **keys)
    cfg.MODEL.BACKBONE.NAME = "build_resnet_channel_mapper_backbone"
    cfg.MODEL.RESNETS.DEPTH, cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 18, 64
    cfg.MODEL.RESNETS.OUT_FEATURES = ["res3", "res4", "res5"]
    return build_model(cfg)


@pytest.mark.parametrize("layout", CODES)
def test_a_published_checkpoint_fills_its_layout(layout, tmp_path, caplog):
    torch.manual_seed(0)
    model = model_of(layout)
    weights = CODES[layout](model)
    assert dino_layout(weights) == layout
    path = tmp_path / "published.pth"
    torch.save({"state_dict" if layout == "mmdet" else "model": weights}, path)
    checkpointer = StrictCheckpointer(model)
    checkpointer.complete = True  # one tensor too few or too many is an error
    with caplog.at_level(logging.WARNING):
        checkpointer.load(str(path))
    assert "MODEL.DINO.LAYOUT" not in caplog.text
    state = model.state_dict()
    last = len(model.transformer.heads.classes) - 1
    for ours, theirs in SAMPLES.items():
        found = state[f"transformer.{ours.replace('-1', str(last))}"]
        assert torch.equal(found, weights[theirs[layout]]), ours
    attention = model.transformer.decoder.layers[0].self_attention
    whole = next(v for n, v in weights.items() if n.endswith("in_proj_weight"))
    assert torch.equal(attention.query_key.weight, whole[: 2 * C])
    assert torch.equal(attention.value.weight, whole[2 * C :])
    first, extra = model.backbone.project3.weight, model.backbone.project6.weight
    assert any(torch.equal(first, value) for value in weights.values())
    assert any(torch.equal(extra, value) for value in weights.values())


def test_another_layout_is_told(tmp_path, caplog):
    torch.save({"model": of_detrex(model_of("detrex"))}, tmp_path / "detrex.pth")
    with caplog.at_level(logging.WARNING):
        checkpointer = StrictCheckpointer(model_of("mmdet", NECK_BIAS=True))
        checkpointer.load(str(tmp_path / "detrex.pth"))
    assert "of layout detrex, and MODEL.DINO.LAYOUT is mmdet" in caplog.text


def test_own_checkpoints_are_no_published_ones():
    assert dino_layout(model_of("detrex").state_dict()) is None
