"""Parameters and multiply-adds (MACs) of a model, module by module, by one of two rules.

``all`` counts every parameter and every product: convolutions (of deformable ones the kernel, not
the sampling, of deformable attention neither), linear layers and matrix products, so the DCT
projections and the attention of HS-FPN too. torch's own counter does the counting.

``paper`` counts as the tables of HS-FPN do (facts worked out from Table 5): trainable parameters,
and of the work only what a layer object does, by mmcv's formulas, with keys of SDP at full size. A
block DCT is no such layer: classifiers and backbones on DCT channels come within 0.3 % of what was
counted of Learning in the Frequency Domain.

Either way an image runs through the backbone and the heads once, the RoI heads on as many proposals
and masks as the model keeps at most, whatever the weights are: with rule ``all`` by its config
(MODEL.RPN.POST_NMS_TOPK_TEST, TEST.DETECTIONS_PER_IMAGE), with rule ``paper`` 1,000 and 100. An
unmixing model (rule ``all`` alone) unmixes a trajectory, see d2freq.analysis.cost.unmixing.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from d2freq.analysis.cost.own_counts import OwnCounts
from d2freq.analysis.cost.paper_rule import paper_macs, paper_parameters
from d2freq.analysis.cost.unmixing import EXTRA_COUNTS, UnmixingRun
from d2freq.errors import UserError
from d2freq.modeling.classification import ImageClassifier
from d2freq.modeling.detectors.dino import DINO
from d2freq.modeling.unmixing import UnmixingModel
from d2freq.utils.choices import choice

__all__ = ["RULES", "Cost", "measure_cost"]

Rule = Literal["paper", "all"]
RULES = ("all", "paper")
# of HS-FPN's tables, whatever the config keeps: mmdet's counting tool has no others
PAPER_PROPOSALS, PAPER_MASKS = 1000, 100


@dataclass(frozen=True)
class Cost:
    """What a model costs: module name -> parameters, module name -> MACs, leaves only.

    What a module computes beside its children stands under its own name; the model's own is "".
    """

    rule: str
    subject: str  # what went through the model, in words
    parameters: dict[str, int]
    macs: dict[str, int]

    @property
    def total(self) -> tuple[int, int]:
        """Parameters and MACs of the whole model."""
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
    proposals: int | None = None,
    frames: int = 20,
) -> Cost:
    """Count a model's parameters and MACs for one image, or one trajectory.

    Args:
        model: a GeneralizedRCNN with RPN, box and perhaps mask heads, a dense detector such as
            RetinaNet, a DINO, an ImageClassifier, or an unmixing model.
        rule: "all" or "paper", see above.
        size: height and width of the image; padded to what the backbone asks for.
        proposals: how many the box heads get; None: see above. A mask head gets as many of them
            as the model gives detections, at most.
        frames: that an unmixing model is given.

    Raises:
        UserError: an unknown rule, rule "paper" for an unmixing model, a trajectory shorter than
            its window, or a model of another build.
    """
    choice(rule, RULES, key="--rule")
    run: _Parts | UnmixingRun
    if isinstance(model, UnmixingModel):
        if rule == "paper":
            raise UserError("--rule paper is that of HS-FPN's tables; unmixing models take all")
        run = UnmixingRun(model, frames)
    else:
        run = _Parts(model, size, proposals, by_paper=rule == "paper")
    model.eval()
    if rule == "paper":
        macs = paper_macs(model, run)
        return Cost(rule, run.subject, _by_module(paper_parameters(model)), macs)
    counter = FlopCounterMode(display=False, custom_mapping=EXTRA_COUNTS)
    # torch does not count the fused attention of the CPU; its plain form is two products
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter, OwnCounts(counter, model) as own:
        run()
    parameters = _by_module({name: value.numel() for name, value in model.named_parameters()})
    # a multiply-add is two operations to torch
    macs = {name: count // 2 for name, count in own.found.items() if count}
    return Cost(rule, run.subject, parameters, macs)


def _by_module(counts: dict[str, int]) -> dict[str, int]:
    """Sums over the parameters of each module, from counts by parameter name."""
    sums: dict[str, int] = defaultdict(int)
    for name, count in counts.items():
        sums[name.rpartition(".")[0]] += count
    return dict(sums)


class _Parts(nn.Module):
    """The parts of a model called one after another, without the boxes between them."""

    model: Any  # the parts of a detector are found by their names in Detectron2
    proposals: int  # and masks, of a two-stage detector
    masks: int
    grids: int

    def __init__(
        self, model: nn.Module, size: tuple[int, int], proposals: int | None, *, by_paper: bool
    ) -> None:
        super().__init__()
        self.model = model
        self.size = size
        self.asked_for = proposals
        self.by_paper = by_paper
        self.subject = f"{size[0]} x {size[1]} pixels"
        self.run_heads = self._heads()

    def forward(self) -> None:
        backbone = self.model.backbone
        step = max(1, backbone.size_divisibility)
        height, width = (-(-side // step) * step for side in self.size)
        parameter = next(self.model.parameters())
        self.run_heads(backbone(parameter.new_zeros(1, 3, height, width)))

    def _heads(self) -> Callable[[dict[str, Tensor]], Any]:
        model = self.model
        if isinstance(model, ImageClassifier):
            return model.head
        if hasattr(model, "roi_heads") and hasattr(model.proposal_generator, "rpn_head"):
            kept, given = (PAPER_PROPOSALS, PAPER_MASKS) if self.by_paper else _limits(model)
            self.proposals = kept if self.asked_for is None else self.asked_for
            self.subject += f", {self.proposals} proposals"
            masked = getattr(model.roi_heads, "mask_on", False)
            self.masks = min(given, self.proposals) if masked else 0
            self.subject += f", {self.masks} masks" if self.masks else ""
            by_grid = hasattr(model.roi_heads, "grid_head")
            self.grids = min(given, self.proposals) if by_grid else 0
            self.subject += f", {self.grids} grids" if self.grids else ""
            return self._two_stage
        if isinstance(model, DINO):
            height, width = self.size
            sizes = next(model.parameters()).new_tensor([[width, height]])
            return lambda features: model.predict(features, sizes, full=False)
        if hasattr(model, "head") and hasattr(model, "head_in_features"):
            return lambda features: model.head([features[f] for f in model.head_in_features])
        raise UserError(
            f"the cost of {type(model).__name__} is not known: it has neither RPN and RoI heads "
            "nor a dense head, and is neither a DINO nor an ImageClassifier"
        )

    def _two_stage(self, features: dict[str, Tensor]) -> None:
        rpn, heads = self.model.proposal_generator, self.model.roi_heads
        rpn.rpn_head([features[name] for name in rpn.in_features])
        boxes = heads.box_head, heads.box_predictor
        stages = zip(*boxes, strict=True) if isinstance(heads.box_head, nn.ModuleList) else [boxes]
        pooled = _pooled(features[heads.box_in_features[0]], heads.box_pooler, self.proposals)
        for box_head, predictor in stages:
            predictor(box_head(pooled))
        if self.masks:
            level = features[heads.mask_in_features[0]]
            heads.mask_head.layers(_pooled(level, heads.mask_pooler, self.masks))
        if self.grids:  # Grid R-CNN: what is detected is moved
            level = features[heads.box_in_features[0]]
            heads.grid_head(_pooled(level, heads.grid_pooler, self.grids))


def _limits(model: Any) -> tuple[int, int]:
    """The most proposals, and detections, that a GeneralizedRCNN keeps of an image in testing."""
    predictor = model.roi_heads.box_predictor  # of a cascade, a list of them
    last: Any = predictor[-1] if isinstance(predictor, nn.ModuleList) else predictor
    return model.proposal_generator.post_nms_topk[False], last.test_topk_per_image


def _pooled(level: Tensor, pooler: Any, count: int) -> Tensor:
    """Zeros of the shape that a pooler makes of ``count`` boxes."""
    return level.new_zeros(count, level.shape[1], *pooler.output_size)
