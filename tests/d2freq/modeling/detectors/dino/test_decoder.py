import pytest
import torch

from d2freq.modeling.detectors.dino.decoder import Decoder
from d2freq.modeling.detectors.dino.encodings import encode_boxes
from d2freq.modeling.detectors.dino.heads import Heads
from d2freq.modeling.detectors.dino.tokens import tokens_of

STRIDES = [4, 8]


@pytest.fixture
def parts():
    torch.manual_seed(4)
    options = {"heads": 2, "levels": 2, "points": 2, "ffn": 16}
    decoder = Decoder(8, layers=3, prediction_eps=1e-5, **options).double()
    heads = Heads(8, classes=3, layers=3, shared=False).double()
    for parameter in heads.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    maps = [torch.randn(1, 8, 24 // s, 32 // s).double() for s in STRIDES]
    tokens = tokens_of(maps, STRIDES, torch.tensor([[32.0, 24.0]]).double(), full=True)
    content, boxes = torch.randn(1, 5, 8).double(), torch.rand(1, 5, 4).double()
    return decoder, heads, tokens, content, boxes


def logit(share, eps):
    share = share.clamp(eps, 1 - eps)
    return (share / (1 - share)).log()


def test_layers_refine_and_predict_as_the_figure_says(parts):
    decoder, heads, tokens, content, boxes = parts
    found = decoder(content, boxes, tokens.memory, tokens, heads)
    x, reference, before = content, boxes, boxes
    for number, layer in enumerate(decoder.layers):
        positions = decoder.position(encode_boxes(reference, 4))
        attended = layer.self_attention(x, positions)
        x = layer.norm1(x + attended)
        looked = layer.attention(
            x + positions, reference[:, :, None].expand(-1, -1, 2, -1), tokens.memory, tokens.shapes
        )
        x = layer.norm2(x + looked)
        x = layer.norm3(x + layer.feed_forward(x))
        normed = decoder.norm(x)
        torch.testing.assert_close(found[number].logits, heads.classes[number](normed))
        predicted = (heads.boxes[number](normed) + logit(before, 1e-5)).sigmoid()
        torch.testing.assert_close(found[number].boxes, predicted)
        before = (heads.boxes[number](x) + logit(reference, 1e-3)).sigmoid()
        reference = before.detach()


def test_a_layers_loss_teaches_the_layer_before_it_and_no_other(parts):
    decoder, heads, tokens, content, boxes = parts
    # attention hands gradients to earlier layers, too: what counts is the way by the boxes
    for layer in decoder.layers:
        layer.register_forward_hook(lambda _module, _inputs, output: output.detach())
    found = decoder(content, boxes, tokens.memory, tokens, heads)
    gradients = torch.autograd.grad(
        found[2].boxes.sum(), [mlp.layers[0].weight for mlp in heads.boxes], allow_unused=True
    )
    touched = [gradient is not None and bool(gradient.any()) for gradient in gradients]
    assert touched == [False, True, True, False]  # the last pair is the encoder's


def test_hidden_queries_are_not_seen(parts):
    decoder, heads, tokens, content, boxes = parts
    hidden = torch.zeros(5, 5, dtype=torch.bool)
    hidden[2:, :2] = True  # two denoising queries, as they are hidden from the three others
    alone = decoder(content[:, 2:], boxes[:, 2:], tokens.memory, tokens, heads)
    found = decoder(content, boxes, tokens.memory, tokens, heads, hidden)
    for own, both in zip(alone, found, strict=True):
        torch.testing.assert_close(both.boxes[:, 2:], own.boxes)
        torch.testing.assert_close(both.logits[:, 2:], own.logits)


def test_self_attention_is_torchs(parts):
    attention = parts[0].layers[0].self_attention
    torch_own = torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    with torch.no_grad():
        weights = [attention.query_key.weight, attention.value.weight]
        biases = [attention.query_key.bias, attention.value.bias]
        torch_own.in_proj_weight.copy_(torch.cat(weights))
        torch_own.in_proj_bias.copy_(torch.cat(biases))
        torch_own.out_proj.load_state_dict(attention.output.state_dict())
    x, positions = torch.randn(2, 6, 8).double(), torch.randn(2, 6, 8).double()
    hidden = torch.rand(6, 6) < 0.4
    hidden.fill_diagonal_(False)
    expected, _ = torch_own(x + positions, x + positions, x, attn_mask=hidden)
    torch.testing.assert_close(attention(x, positions, hidden), expected)
