"""RFP, the recursive feature pyramid (DetectoRS, Fig. 3): the pyramid goes back to the ResNet.

Shape shorthand: B images, C channels of every level, P2 to P6 the levels, H x W the images.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from detectron2.modeling.backbone import ResNet
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.backbones.extents import extents_of, is_batch_norm_training
from d2freq.modeling.backbones.fpn import FPN
from d2freq.modeling.backbones.scripting import TracedBackbone
from d2freq.modeling.detectors.rfp.aspp import ASPP
from d2freq.modeling.detectors.rfp.feedback import AnotherResNet, run_with_feedback, stages_of
from d2freq.utils.choices import choice

__all__ = ["RFP"]

INITS = ("zero", "default")
AGAIN = "rfp_bottom_up"


class RFP(FPN):
    """FPN on a ResNet that sees each image again, with the pyramid of the time before.

    In the second pass the levels of res3 and above, through an ASPP and a 1 x 1 convolution, are
    added in the first block of their stage. What the same FPN makes of it is mixed with the pyramid
    of the first pass, level by level, by a weight for each cell.

    A checkpoint of an FPN, or of a ResNet alone, loads; where it has no second ResNet, that gets
    the weights of the first, whatever reads the file. With ``init`` "zero" the pyramid is then the
    FPN's to the last bit.

    Args:
        bottom_up: the ResNet of the first pass.
        in_features, out_channels, norm, top_block, fuse_type, square_pad, lateral_init: as FPN's.
        again: the ResNets of the passes behind it, ``steps - 1``; none, the first one each time.
        steps: passes over an image, 2 or more.
        aspp_channels, aspp_dilations: see :class:`ASPP`.
        init: "zero", the feedback starts without an effect; "default", with torch's random weights.

    Raises:
        UserError: another number of ResNets, networks of other kinds or unequal shapes, a single
            step, or an unknown ``init``.
    """

    def __init__(
        self,
        bottom_up: ResNet,
        in_features: Sequence[str],
        out_channels: int,
        norm: str = "",
        top_block: nn.Module | None = None,
        fuse_type: str = "sum",
        square_pad: int = 0,
        *,
        lateral_init: str = "c2",
        again: Sequence[ResNet] = (),
        steps: int = 2,
        aspp_channels: int = 64,
        aspp_dilations: Sequence[int] = (1, 3, 6, 1),
        init: str = "zero",
    ) -> None:
        _check_networks([bottom_up, *again], in_features)
        super().__init__(
            bottom_up=bottom_up,
            in_features=in_features,
            out_channels=out_channels,
            norm=norm,
            top_block=top_block,
            fuse_type=fuse_type,
            square_pad=square_pad,
            lateral_init=lateral_init,
        )
        choice(init, INITS, key="init (MODEL.DETECTORS.RFP_INIT)")
        if steps < 2 or len(again) not in (0, steps - 1):
            raise UserError(
                f"RFP of {steps} steps (MODEL.DETECTORS.RFP_STEPS) with {len(again)} more ResNets: "
                "it has 2 steps or more, and a ResNet for each behind the first, or none to share"
            )
        self.average = fuse_type == "avg"
        self.steps = steps
        self.rfp_bottom_up = nn.ModuleList(map(AnotherResNet, again))
        self.rfp_aspp = ASPP(out_channels, aspp_channels, aspp_dilations)
        shapes = bottom_up.output_shape()
        # P2 goes nowhere: the paper's ResNet has no feedback in res2
        self.fed = {
            name: level
            for name, level in zip(in_features, self.output_shape(), strict=False)
            if name in stages_of(bottom_up) and name != "res2"
        }
        self.rfp_feedback = nn.ModuleList(
            nn.ModuleDict(
                {
                    name: nn.Conv2d(self.rfp_aspp.out_channels, shapes[name].channels, 1)
                    for name in self.fed
                }
            )
            for _ in range(len(again) or 1)
        )
        self.rfp_weight = nn.Conv2d(out_channels, 1, 1)
        self._start(init)

    def _start(self, init: str) -> None:
        zero: list[nn.Module] = [self.rfp_weight]  # old and new weigh the same
        if init == "zero":
            zero += [layer for step in self.rfp_feedback for layer in step.children()]
            branch: Any  # a convolution
            for branch in self.rfp_aspp.branches:
                nn.init.kaiming_normal_(branch.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(branch.bias)
        for layer in zero:
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The pyramid of an image batch.

        Args:
            x: (B, 3, H, W), H and W multiples of ``size_divisibility``.

        Returns:
            "p2" to "p5" (B, C, H / stride, W / stride) and the levels of ``top_block``. Images of
            several sizes in a padded batch give what each gives alone, and zeros beyond it, unless
            a batch norm trains, which sees the whole batch anyway.
        """
        extents = extents_of(x)
        if extents is None or is_batch_norm_training(self):
            return self._recur(x)
        return extents.apply(self._recur, x)

    def __prepare_scriptable__(self) -> nn.Module:
        return TracedBackbone(self, strides=4)  # see SACResNet

    def _recur(self, x: Tensor) -> dict[str, Tensor]:
        pyramid = self._pyramid(self.bottom_up(x))
        for step in range(self.steps - 1):
            shared = not len(self.rfp_bottom_up)
            network = self.bottom_up if shared else self.rfp_bottom_up[step]
            layers: Any = self.rfp_feedback[0 if shared else step]
            feedback = {
                name: layers[name](self.rfp_aspp(pyramid[level]))
                for name, level in self.fed.items()
            }
            seen = self._pyramid(run_with_feedback(network, x, feedback))
            pyramid = {name: self._mix(seen[name], level) for name, level in pyramid.items()}
        return pyramid

    def _pyramid(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the FPN makes of feature maps."""
        outputs: list[Tensor] = []  # finest first
        merged = None
        names = reversed(self.in_features)
        for name, lateral, output in zip(names, self.lateral_convs, self.output_convs, strict=True):
            level = lateral(features[name])
            if merged is not None:
                level = level + F.interpolate(merged, scale_factor=2.0, mode="nearest")
                level = level / 2 if self.average else level
            merged = level
            outputs.insert(0, output(merged))
        levels = dict(zip(self.output_shape(), outputs, strict=False))
        if self.top_block is not None:
            above = self.top_block({**features, **levels}[self.top_block.in_feature])
            levels.update(zip(list(self.output_shape())[len(levels) :], above, strict=True))
        return levels

    def _mix(self, new: Tensor, old: Tensor) -> Tensor:
        weight = self.rfp_weight(new).sigmoid()
        return weight * new + (1 - weight) * old

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # torch hands in a copy of the mapping; see AnotherResNet for why it is done here
        if not any(name.startswith(f"{prefix}{AGAIN}.") for name in state_dict):
            for place, network in enumerate(self.rfp_bottom_up):
                for theirs, ours in network.names():  # type: ignore[operator]  # an AnotherResNet
                    source = f"{prefix}bottom_up.{theirs}"
                    if source in state_dict:
                        state_dict[f"{prefix}{AGAIN}.{place}.{ours}"] = state_dict[source]
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _check_networks(networks: Sequence[Any], in_features: Sequence[str]) -> None:
    """Raise UserError for a network that RFP cannot run stage by stage, or beside the first."""
    kinds = [type(each).__name__ for each in networks if not isinstance(each, ResNet)]
    if kinds:
        raise UserError(
            f"RFP feeds its pyramid into the stages of a ResNet, and not of a {kinds[0]}: take a "
            "ResNet, such as SACResNet"
        )
    shapes = [
        {name: shape for name, shape in each.output_shape().items() if name in in_features}
        for each in networks
    ]
    for other in shapes[1:]:
        if other != shapes[0]:
            raise UserError(
                f"RFP's ResNets give maps of unequal shapes, {shapes[0]} and {other}: build all of "
                "them alike"
            )
