"""SET: a detector trained with a second pass over enhanced features, and used without.

Shapes: B images, C channels, H x W of a level.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY, GeneralizedRCNN
from detectron2.structures import ImageList, Instances
from torch import Tensor, nn
from torch._functorch import config as functorch_config

from d2freq.errors import UserError
from d2freq.modeling.ground_truth import check_classes_of_records
from d2freq.modeling.registration import register, short_name
from d2freq.modeling.set.branches import branch_losses, branch_table
from d2freq.modeling.set.branches import branch_weights as checked_weights
from d2freq.modeling.set.checkpoint_names import keep_detector_names
from d2freq.modeling.set.config import set_keys
from d2freq.modeling.set.levels import chosen_levels
from d2freq.modeling.set.perturbation import check_options, perturbation
from d2freq.modeling.set.second_pass import SecondPass
from d2freq.modeling.set.smoothing import BackgroundSmoothing
from d2freq.modeling.set.tap import recorded, replayed
from d2freq.utils.own_keys import own_keys

__all__ = ["SET"]


@register(META_ARCH_REGISTRY)
class SET(nn.Module):
    """Spectral Enhancement for Tiny object detection, around any detector with a `backbone`.

    A training step runs the detector as ever; smooths the background of the features (HBS, Eq. 2 to
    4); adds what raises each branch's loss at the features most (API, Eq. 5 to 8), as a constant;
    and runs the detector's heads again on the result (Eq. 9). Evaluation is the detector alone.

    Targets of the second pass are made again from the same boxes: RPN and RoI heads draw new
    samples. With neither smoothing nor perturbation it is a control: the heads trained twice on
    the same features. Under `torch.no_grad()`, as for a validation loss, the detector's own losses
    are all there is.

    A branch whose gradient at a level is absent, zero or not finite perturbs nothing there. Losses
    that are not finite come back as they are, and a trainer stops at them as it does without SET.

    Attributes that SET lacks are the detector's: `backbone`, `device`, `inference` and so on. Its
    state_dict has the detector's tensors under the plain detector's names, and SET's own beside
    them, so that checkpoints cross both ways; see d2freq.modeling.set.checkpoint_names.

    Examples:
        >>> import torch
        >>> import d2freq
        >>> from detectron2.config import get_cfg
        >>> from detectron2.modeling import build_model
        >>> from detectron2.structures import Boxes, Instances
        >>> from detectron2.utils.events import EventStorage
        >>> cfg = get_cfg()
        >>> d2freq.add_d2freq_config(cfg)
        >>> cfg.MODEL.DEVICE, cfg.MODEL.META_ARCHITECTURE = "cpu", "SET"
        >>> cfg.MODEL.BACKBONE.NAME = "build_mobilenetv2_fpn_backbone"
        >>> cfg.MODEL.FPN.IN_FEATURES, cfg.MODEL.FPN.OUT_CHANNELS = ["res3", "res4", "res5"], 32
        >>> cfg.MODEL.FCOS.IN_FEATURES = ["p3", "p4", "p5"]
        >>> model = build_model(cfg)  # SET around MODEL.SET.DETECTOR, which is FCOS
        >>> target = Instances((64, 64), gt_boxes=Boxes(torch.tensor([[8.0, 8, 20, 20]])))
        >>> target.gt_classes = torch.tensor([3])
        >>> image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
        >>> with EventStorage():
        ...     losses = model([{"image": image, "instances": target}])
        >>> sorted(losses)  # doctest: +NORMALIZE_WHITESPACE
        ['loss_fcos_cls', 'loss_fcos_ctr', 'loss_fcos_loc',
         'loss_set_fcos_cls', 'loss_set_fcos_ctr', 'loss_set_fcos_loc']
    """

    @configurable
    def __init__(
        self,
        detector: Any,
        *,
        smoothing: bool = True,
        perturbation: bool = True,
        reduction: int = 4,
        kernel: str | int | Sequence[int] | None = "stride",
        mask: str = "nearest",
        output_relu: bool = False,
        remask: bool = True,
        region: str = "background",
        rho: float = 1.0,
        branches: Mapping[str, str] | Sequence[Sequence[str]] | None = None,
        branch_weights: Mapping[str, float] | Sequence[Sequence[Any]] | None = None,
        norm: str = "batch",
        loss_weight: float = 1.0,
        in_features: Sequence[str] | None = None,
    ) -> None:
        """
        Args:
            detector: a module that takes a list of records; calls ``self.backbone(images)`` once a
                forward pass and returns a dict of losses in training mode.
            smoothing: HBS on or off; reduction, kernel, mask, output_relu, remask and region are
                those of :class:`BackgroundSmoothing`.
            perturbation: API on or off; rho and norm are those of :func:`perturbation`.
            branches: loss name -> branch, a mapping or pairs, on top of those known: see
                :func:`branch_losses`.
            branch_weights: lambda of each branch (Eq. 8), a mapping or pairs; None for 1 / M each.
            loss_weight: lambda of the second pass's losses (Eq. 9), 0 or more.
            in_features: levels to enhance; None for all that the detector's heads read.

        Raises:
            UserError: the detector has no backbone, is a SET itself, or lacks one of in_features;
                or an option has a value that does not exist.
        """
        super().__init__()
        _check_detector(detector)
        if not isinstance(loss_weight, int | float) or not 0 <= loss_weight < math.inf:
            raise UserError(f"MODEL.SET.LOSS_WEIGHT is {loss_weight!r}: a number from 0 on")
        check_options(rho, norm)
        self.detector = detector
        self.perturbation = perturbation
        self.rho = rho
        self.norm = norm
        self.branches = branch_table(branches)
        self.branch_weights = checked_weights(branch_weights, self.branches)
        self.loss_weight = loss_weight
        shapes = detector.backbone.output_shape()
        levels = chosen_levels(detector, in_features)
        self.in_features = levels
        self.smoothing = None
        if smoothing:
            self.smoothing = BackgroundSmoothing(
                channels={level: shapes[level].channels for level in levels},
                strides={level: shapes[level].stride for level in levels},
                reduction=reduction,
                kernel=kernel,
                mask=mask,
                output_relu=output_relu,
                remask=remask,
                region=region,
            )
        keep_detector_names(self)
        if type(self) is SET and isinstance(detector, GeneralizedRCNN):
            self.__class__ = TwoStageSET

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """The detector that MODEL.SET.DETECTOR names, and the other keys of MODEL.SET."""
        keys = own_keys(cfg, "MODEL.SET", set_keys())
        if short_name(META_ARCH_REGISTRY, keys.DETECTOR) == "SET":
            raise UserError("MODEL.SET.DETECTOR: SET inside SET; name the detector to train")
        return {
            "detector": META_ARCH_REGISTRY.get(keys.DETECTOR)(cfg),
            "smoothing": keys.SMOOTHING,
            "perturbation": keys.PERTURBATION,
            "reduction": keys.REDUCTION,
            "kernel": keys.KERNEL,
            "mask": keys.MASK,
            "output_relu": keys.OUTPUT_RELU,
            "remask": keys.REMASK,
            "region": keys.REGION,
            "rho": keys.RHO,
            "branches": keys.BRANCHES,
            "branch_weights": keys.BRANCH_WEIGHTS,
            "norm": keys.NORM,
            "loss_weight": keys.LOSS_WEIGHT,
            "in_features": keys.IN_FEATURES,
        }

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_") or name == "detector":  # while copied there is none yet
                raise
            return getattr(self.detector, name)

    def __prepare_scriptable__(self) -> nn.Module:
        """What torch.jit.script compiles: the detector, which is what is evaluated."""
        return self.detector

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """The detector's detections; in training mode its losses, and those of the second pass.

        Args:
            batched_inputs: B records as the detector takes them; in training with "instances".

        Returns:
            In training a dict of scalars: the detector's, and for each "loss_x" a "loss_set_x"
            times `loss_weight`.

        Raises:
            UserError: training records without "instances", or with a class that the detector
                does not know, losses of no known branch, or a
                detector that does not call its backbone just once.
        """
        if not self.training or not torch.is_grad_enabled():
            return self.detector(batched_inputs)
        _check_ground_truth(batched_inputs)
        self._check_classes(batched_inputs)
        # A compiled head may not give away what its backward needs: gradients are taken twice.
        with functorch_config.patch(donated_buffer=False):
            return self._two_passes(batched_inputs)

    def _check_classes(self, records: list[dict[str, Any]]) -> None:
        """For the host's detectors, which do not look; those of d2freq know more."""
        heads = getattr(self.detector, "roi_heads", None)
        known = getattr(heads or self.detector, "num_classes", None)
        if isinstance(known, int):
            node = "ROI_HEADS" if heads else type(self.detector).__name__.upper()
            key = f"MODEL.{node}.NUM_CLASSES"
            check_classes_of_records(records, known, key=key, ignores=True)

    # Compiled itself, it would be one graph, in which losses have no gradient at the features.
    @torch.compiler.disable(recursive=False)
    def _two_passes(self, batched_inputs: list[dict[str, Any]]) -> dict[str, Tensor]:
        second_pass = SecondPass(self.detector)
        with recorded(self.detector, self.in_features) as seen:
            losses = self.detector(batched_inputs)
        raw = {level: seen.features[level] for level in self.in_features}
        enhanced = self._smoothed(raw, batched_inputs, seen.padded)
        for level, noise in self._noise(losses, raw).items():
            enhanced[level] = enhanced[level] + noise
        with replayed(self.detector, {**seen.features, **enhanced}), second_pass.apart():
            auxiliary = self.detector(batched_inputs)
        weighted = {
            f"loss_set_{name.removeprefix('loss_')}": value * self.loss_weight
            for name, value in auxiliary.items()
        }
        return {**losses, **weighted}

    def _smoothed(
        self, raw: dict[str, Tensor], records: list[dict[str, Any]], padded: tuple[int, int]
    ) -> dict[str, Tensor]:
        """P^E of each level."""
        if self.smoothing is None:
            return dict(raw)
        device = next(iter(raw.values())).device
        boxes = [record["instances"].gt_boxes.tensor.to(device) for record in records]
        return self.smoothing(raw, boxes, padded)

    def _noise(self, losses: dict[str, Tensor], raw: dict[str, Tensor]) -> dict[str, Tensor]:
        """eps^adv of each level, detached; nothing where it is switched off."""
        if not self.perturbation:
            return {}
        by_branch = branch_losses(losses, self.branches)
        return perturbation(
            by_branch, raw, rho=self.rho, weights=self.branch_weights, norm=self.norm
        )


class TwoStageSET(SET, GeneralizedRCNN):
    """What SET around a GeneralizedRCNN is: a GeneralizedRCNN itself, to those who ask.

    Detectron2's test time augmentation takes no other class, and its TracingAdapter treats that one
    on its own. Their methods are the detector's.
    """

    @property
    def device(self) -> torch.device:
        return self.detector.device

    def inference(
        self,
        batched_inputs: list[dict[str, Any]],
        detected_instances: list[Instances] | None = None,
        do_postprocess: bool = True,
    ) -> Any:
        return self.detector.inference(batched_inputs, detected_instances, do_postprocess)

    def preprocess_image(self, batched_inputs: list[dict[str, Any]]) -> ImageList:
        return self.detector.preprocess_image(batched_inputs)

    def visualize_training(
        self, batched_inputs: list[dict[str, Any]], proposals: list[Instances]
    ) -> None:
        self.detector.visualize_training(batched_inputs, proposals)


def _check_detector(detector: Any) -> None:
    if isinstance(detector, SET):
        raise UserError("SET inside SET: give it the detector itself")
    if not isinstance(getattr(detector, "backbone", None), nn.Module):
        raise UserError(
            f"SET: {type(detector).__name__} has no module `backbone`, whose features are to be "
            "enhanced; give it a detector that has one, such as GeneralizedRCNN, RetinaNet or FCOS"
        )


def _check_ground_truth(records: list[dict[str, Any]]) -> None:
    for number, record in enumerate(records):
        if "instances" not in record:
            raise UserError(
                f"SET: record {number} of the batch ({record.get('file_name', 'no file_name')}) "
                "has no 'instances', which training needs, empty for an image without objects"
            )
