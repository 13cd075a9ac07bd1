"""Small DeRefNets, trajectories for them, and DeRefNet written down again, window by window."""

import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from d2freq.modeling.derefnet import DeRefNet
from d2freq.ops.psf import sampling_matrix

from ..unmixing.methods_cases import records, stir

SIZE, LENGTH = 5, 7  # pixels a side; frames, of which three have all their neighbours


def small_derefnet(seed=0, **more):
    """Two stages, four channels, one block, every parameter moved off its start."""
    torch.manual_seed(seed)
    options = {"stages": 2, "channels": 4, "blocks": 1, **more}
    q_init = torch.linalg.pinv(sampling_matrix(SIZE, 3, 0.5))
    return stir(DeRefNet(q_init=q_init, size=SIZE, **options))


def batch(count=2, length=LENGTH):
    """Trajectories of noise, targets of noise too."""
    return records(count, length, SIZE)


def conv(layer, x):
    """A 3 x 3 or 1 x 1 convolution of the model."""
    return F.conv2d(x, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)


def naive_frame(model, frame):
    """H^(K) (1, 1, g, g) of one frame, with R_k and the inverse's error of every stage."""
    g, phi = model.grid, model.phi
    y = frame.reshape(1, -1)
    x = y @ model.q_init.T
    found = []
    for stage in model.unfolding.stages:
        r = (x - stage.step * (x @ phi.T @ phi) + stage.step * (y @ phi)).view(1, 1, g, g)
        features = conv(stage.transform[2], F.relu(conv(stage.transform[0], r)))
        soft = features.sign() * F.relu(features.abs() - stage.threshold)
        x = conv(stage.inverse[2], F.relu(conv(stage.inverse[0], soft))).view(1, -1)
        back = conv(stage.inverse[2], F.relu(conv(stage.inverse[0], features)))
        found.append((r, back - r))
    return x.view(1, 1, g, g), found


def naive_guide(guide, centre, other):
    """Selective attention of one pair (1, C, g, g)."""
    one, two = conv(guide.reduce_centre, centre), conv(guide.reduce_neighbour, other)
    both = torch.cat([one, two], 1)
    pooled = torch.cat([both.mean(1, keepdim=True), both.max(1, keepdim=True).values], 1)
    weight = torch.sigmoid(conv(guide.score, pooled))
    return torch.cat([one * weight[:, :1], two * weight[:, 1:]], 1)


def naive_window(model, maps, middle):
    """One window: its grid (g, g), the aligned maps (4, g, g), H and H' of its centre."""
    g = model.grid
    encoded = {}
    for t in range(middle - 2, middle + 3):
        time = torch.full((1, g * g), t / 20)
        linear = model.time_encoding.linear
        encoded[t] = maps[t] * torch.sigmoid(F.linear(time, linear.weight, linear.bias)).view(g, g)
    features = {t: F.relu(conv(model.alignment.features, x)) for t, x in encoded.items()}
    aligned = []
    for t in (middle - 2, middle - 1, middle + 1, middle + 2):
        x = features[t]
        guide = naive_guide(model.alignment.guide, features[middle], x)
        for layer in model.alignment.alignments:
            x = deform_conv2d(x, conv(layer.offset, guide), layer.weight, padding=1)
            guide = x
        aligned.append(conv(model.alignment.project, x))
    own = encoded[middle] if model.switches.centre == "encoded" else maps[middle]
    x = torch.cat([*aligned[:2], own, *aligned[2:]], 1)
    x = F.relu(conv(model.tail.stem, x))
    for block in model.tail.blocks:
        x = x + conv(block.conv2, F.relu(conv(block.conv1, x)))
    grid = conv(model.tail.head, x)[0, 0]
    return grid, torch.cat(aligned)[:, 0], maps[middle][0, 0], encoded[middle][0, 0]
