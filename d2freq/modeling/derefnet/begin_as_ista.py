"""Weights with which an untrained DeRefNet already unmixes, as ISTA does.

ISTA-Net learns the transform in which ISTA shrinks. With the identity for a transform, made of the
two halves of a ReLU, a stage is an iteration of ISTA to the last digit, and a network of K stages
begins where K iterations end instead of having to find the way there. Both the paper and the
published code begin with random weights.
"""

from typing import cast

import torch
from torch import Tensor, nn

from d2freq.modeling.derefnet.network import Tail, Unfolding

__all__ = ["INITS", "begin_as_ista"]

INITS = ("random", "ista")
REST = 0.1  # of their random size: weights of the channels that carry nothing yet


@torch.no_grad()
def begin_as_ista(
    unfolding: Unfolding, tail: Tail, gram: Tensor, *, threshold: float = 1.0, gain: float = 1.0
) -> None:
    """Every stage one iteration of ISTA, the tail the centre frame's map times ``gain``.

    Two of the channels carry positive and negative grey levels. The others begin random, but small
    and with zeros between them and the output: these learn at once, and with full-sized channels
    behind them a step of Adam would move the output by tens of grey levels.

    Args:
        unfolding: K stages.
        tail: behind them; negative grey levels end at its first ReLU. Its residual blocks stay as
            they are, small beside the map.
        gram: (g*g, g*g), Phi^T Phi; the step is one over its largest eigenvalue.
        threshold: of every stage, in grey levels.
        gain: such as 2 where a time encoding halves the map.
    """
    step = 1 / torch.linalg.matrix_norm(gram.double(), 2)
    for stage in unfolding.each():
        stage.step.copy_(step)
        stage.threshold.fill_(threshold)
        split, inner = _weights(stage.transform)
        outer, join = _weights(stage.inverse)
        split *= REST
        _put(split, {(0, 0): 1, (1, 0): -1})
        _put(inner, {(0, 0): 1, (1, 1): 1})
        _put(outer, {(0, 0): 1, (1, 1): 1})
        _put(join, {(0, 0): 1, (0, 1): -1})
    middle = tail.stem.in_channels // 2
    tail.stem.weight *= REST
    _put(tail.stem.weight, {(0, middle): gain})
    _put(tail.head.weight, {(0, 0): 1})


def _weights(pair: nn.Sequential) -> tuple[Tensor, Tensor]:
    """Of the two convolutions about a ReLU."""
    return cast(nn.Conv2d, pair[0]).weight, cast(nn.Conv2d, pair[2]).weight


def _put(weight: Tensor, entries: dict[tuple[int, int], float]) -> None:
    """Make outputs of a 3 x 3 convolution copies of inputs alone: (output, input) -> factor."""
    weight[[output for output, _ in entries]] = 0
    for (output, source), factor in entries.items():
        weight[output, source, 1, 1] = factor
