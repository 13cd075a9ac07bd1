"""Parameters and multiply-adds (MACs) of a detector, module by module, by one of two rules.

``all`` counts every parameter and every product: convolutions, linear layers and matrix products,
so the DCT projections and the attention of HS-FPN too. torch's own counter does the counting.

``paper`` counts as the tables of HS-FPN do (facts worked out from Table 5): trainable parameters,
and of the work only what a layer object does, by mmcv's formulas, with keys of SDP at full size.

Either way an image runs through the backbone and the heads once, the RoI heads on a fixed number
of proposals, whatever the weights are.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from d2freq.analysis.cost_paper import paper_macs, paper_parameters
from d2freq.errors import UserError

__all__ = ["RULES", "Cost", "measure_cost"]

Rule = Literal["paper", "all"]
RULES = ("all", "paper")


@dataclass(frozen=True)
class Cost:
    """What a detector costs: module name -> parameters, module name -> MACs, leaves only."""

    rule: str
    parameters: dict[str, int]
    macs: dict[str, int]

    @property
    def total(self) -> tuple[int, int]:
        """Parameters and MACs of the whole detector."""
        return sum(self.parameters.values()), sum(self.macs.values())

    def rows(self, depth: int = 2) -> dict[str, tuple[int, int]]:
        """Parameters and MACs of the modules whose names have ``depth`` parts at most."""
        rows: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for column, counts in enumerate((self.parameters, self.macs)):
            for name, count in counts.items():
                rows[".".join(name.split(".")[:depth])][column] += count
        return {name: (row[0], row[1]) for name, row in rows.items() if any(row)}


def measure_cost(
    model: nn.Module,
    *,
    rule: Rule = "all",
    size: tuple[int, int] = (800, 800),
    proposals: int = 1000,
) -> Cost:
    """Count a detector's parameters and MACs for one image.

    Args:
        model: a GeneralizedRCNN with RPN and box heads, or a dense detector such as RetinaNet.
        rule: "all" or "paper", see above.
        size: height and width of the image; padded to what the backbone asks for.
        proposals: how many the RoI heads get.

    Raises:
        UserError: an unknown rule, or a model of another build.
    """
    if rule not in RULES:
        raise UserError(f"--rule {rule!r} is unknown; choose one of {', '.join(RULES)}")
    parts = _Parts(model, size, proposals)
    model.eval()
    if rule == "paper":
        macs = paper_macs(model, parts)
        return Cost(rule, paper_parameters(model), macs)
    counter = FlopCounterMode(display=False)
    # torch does not count the fused attention of the CPU; its plain form is two products
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        parts()
    parameters = {name: value.numel() for name, value in model.named_parameters()}
    return Cost(rule, parameters, dict(_own_macs(counter)))


def _own_macs(counter: FlopCounterMode) -> Iterator[tuple[str, int]]:
    """What each module does itself, without its children: torch's counts include those."""
    counts = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    root = f"{_Parts.__name__}.model."
    inside = {name[len(root) :]: count for name, count in counts.items() if name.startswith(root)}
    for name, count in inside.items():
        children = (n for n in inside if n.startswith(name + ".") and "." not in n[len(name) + 1 :])
        own = count - sum(inside[child] for child in children)
        if own:
            yield name, own // 2  # a multiply-add is two operations to torch


class _Parts(nn.Module):
    """The parts of a detector called one after another, without the boxes between them."""

    model: Any  # the parts of a detector are found by their names in Detectron2

    def __init__(self, model: nn.Module, size: tuple[int, int], proposals: int) -> None:
        super().__init__()
        self.model = model
        self.size = size
        self.proposals = proposals
        self.run_heads = self._heads()

    def forward(self) -> None:
        backbone = self.model.backbone
        step = max(1, backbone.size_divisibility)
        height, width = (-(-side // step) * step for side in self.size)
        parameter = next(self.model.parameters())
        self.run_heads(backbone(parameter.new_zeros(1, 3, height, width)))

    def _heads(self) -> Callable[[dict[str, Tensor]], None]:
        model = self.model
        if hasattr(model, "roi_heads") and hasattr(model.proposal_generator, "rpn_head"):
            return self._two_stage
        if hasattr(model, "head") and hasattr(model, "head_in_features"):
            return lambda features: model.head([features[f] for f in model.head_in_features])
        raise UserError(
            f"the cost of {type(model).__name__} is not known: it has neither RPN and RoI heads "
            "nor a dense head"
        )

    def _two_stage(self, features: dict[str, Tensor]) -> None:
        rpn, heads = self.model.proposal_generator, self.model.roi_heads
        rpn.rpn_head([features[name] for name in rpn.in_features])
        boxes = heads.box_head, heads.box_predictor
        stages = zip(*boxes, strict=True) if isinstance(heads.box_head, nn.ModuleList) else [boxes]
        side = heads.box_pooler.output_size
        channels = features[heads.box_in_features[0]].shape[1]
        pooled = features[heads.box_in_features[0]].new_zeros(self.proposals, channels, *side)
        for box_head, predictor in stages:
            predictor(box_head(pooled))
