"""A meta-architecture that tells the class of a whole image.

Shape shorthand: B images of H x W pixels, C channels of the pooled feature, K classes.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY, build_backbone
from detectron2.modeling.backbone import Backbone
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.classification.config import classifier_keys
from d2freq.modeling.registration import register
from d2freq.utils.own_keys import own_keys

__all__ = ["ImageClassifier"]


@register(META_ARCH_REGISTRY)
class ImageClassifier(nn.Module):
    """Backbone, mean over all positions of its last feature, one linear layer, cross entropy.

    With a ResNet, or a MobileNetV2 and dropout 0.2, it is torchvision's classifier: their
    parameters, and the backbone's under the backbone's names.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.backbones import MobileNetV2
        >>> from d2freq.modeling.classification import ImageClassifier
        >>> model = ImageClassifier(backbone=MobileNetV2(out_features=["res5"]), num_classes=10)
        >>> record = {"image": torch.zeros(3, 64, 64), "label": 7}
        >>> tuple(model([record])["loss_cls"].shape)
        ()
        >>> tuple(model.eval()([record])[0]["logits"].shape)
        (10,)
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        num_classes: int = 1000,
        in_feature: str = "",
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        pixel_mean: Sequence[float] = (123.675, 116.28, 103.53),
        pixel_std: Sequence[float] = (58.395, 57.12, 57.375),
        input_format: str = "RGB",
    ) -> None:
        """Set up the head.

        Args:
            backbone: images (B, 3, H, W) to a dict of features.
            num_classes: K, at least 1.
            in_feature: the feature that is pooled; "" is that of the largest stride.
            dropout: probability in [0, 1) that an element of the pooled feature is zeroed.
            label_smoothing: in [0, 1); a target is 1 - that, and that / K for every class.
            pixel_mean: subtracted from the pixels, a number a plane; ImageNet's in RGB by default.
            pixel_std: what they are then divided by.
            input_format: the order of the planes, for whoever prepares the images.

        Raises:
            UserError: a number out of range, or a feature that the backbone has not.
        """
        super().__init__()
        if num_classes < 1:
            raise UserError(f"MODEL.CLASSIFIER.NUM_CLASSES is {num_classes}: at least one")
        for key, value in (("DROPOUT", dropout), ("LABEL_SMOOTHING", label_smoothing)):
            if not 0 <= value < 1:
                raise UserError(f"MODEL.CLASSIFIER.{key} is {value}: take one in [0, 1)")
        shapes = backbone.output_shape()
        if not in_feature:
            in_feature = max(shapes, key=lambda name: shapes[name].stride)
        if in_feature not in shapes:
            raise UserError(
                f"MODEL.CLASSIFIER.IN_FEATURE: the backbone gives {', '.join(shapes)}, not "
                f"{in_feature!r}; ask it for that one (OUT_FEATURES), or pool another"
            )
        self.backbone = backbone
        self.num_classes = num_classes
        self.in_feature = in_feature
        self.label_smoothing = label_smoothing
        self.input_format = input_format
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(shapes[in_feature].channels, num_classes)
        nn.init.normal_(self.linear.weight, std=0.01)  # all classes about equally likely at first
        nn.init.zeros_(self.linear.bias)
        for name, values in (("pixel_mean", pixel_mean), ("pixel_std", pixel_std)):
            planes = torch.tensor([float(number) for number in values]).view(-1, 1, 1)
            self.register_buffer(name, planes, persistent=False)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Arguments from MODEL.CLASSIFIER, the backbone's keys, MODEL.PIXEL_* and INPUT.FORMAT."""
        keys = own_keys(cfg, "MODEL.CLASSIFIER", classifier_keys())
        return {
            "backbone": build_backbone(cfg),
            "num_classes": keys.NUM_CLASSES,
            "in_feature": keys.IN_FEATURE,
            "dropout": keys.DROPOUT,
            "label_smoothing": keys.LABEL_SMOOTHING,
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
            "input_format": cfg.INPUT.FORMAT,
        }

    @property
    def device(self) -> torch.device:
        """Where the model is, and images are taken to."""
        return self.pixel_mean.device

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """Losses of a batch, or its predictions.

        Args:
            batched_inputs: of each image ``image`` (3, H, W) in [0, 255], planes in the order of
                ``input_format``, and in training ``label``, a class number in [0, K).

        Returns:
            In training ``{"loss_cls": ()}``, the mean over the batch. In evaluation a dict an
            image: ``logits`` (K,) float32, whose softmax is the probability of each class. Not
            that itself, which rounds unlikely classes to equal zeros.

        Raises:
            UserError: images of different sizes, which have no common mean, or a label that is
                missing or no class.
        """
        scores = self.classify(self.preprocess_image(batched_inputs))
        if not self.training:
            return [{"logits": row} for row in scores.float()]
        labels = self._labels(batched_inputs).to(scores.device)
        loss = F.cross_entropy(scores.float(), labels, label_smoothing=self.label_smoothing)
        return {"loss_cls": loss}

    def classify(self, images: Tensor) -> Tensor:
        """Logits (B, K) of normalised images (B, 3, H, W)."""
        return self.head(self.backbone(images))

    def head(self, features: dict[str, Tensor]) -> Tensor:
        """Logits (B, K) of the backbone's features, of which one (B, C, h, w) is pooled."""
        return self.linear(self.dropout(features[self.in_feature].mean(dim=(2, 3))))

    def preprocess_image(self, batched_inputs: list[dict[str, Any]]) -> Tensor:
        """Normalised images (B, 3, H, W) on the model's device; raises as :meth:`forward` does."""
        images = [record["image"] for record in batched_inputs]
        sizes = sorted({tuple(image.shape) for image in images})
        if len(sizes) > 1:
            raise UserError(
                f"a batch has images of the shapes {', '.join(map(str, sizes))}; a classifier "
                "takes squares of one size, as INPUT.CLASSIFICATION.CROP cuts them"
            )
        pixels = torch.stack([image.to(self.device) for image in images])
        return (pixels - self.pixel_mean) / self.pixel_std

    def _labels(self, batched_inputs: list[dict[str, Any]]) -> Tensor:
        """(B,) int64."""
        labels = []
        for record in batched_inputs:
            where = record.get("file_name", "an image")
            if "label" not in record:
                raise UserError(f"{where} has no 'label'; training needs its class number")
            if not 0 <= record["label"] < self.num_classes:
                raise UserError(
                    f"{where}: label {record['label']}, but the model tells {self.num_classes} "
                    "classes apart (MODEL.CLASSIFIER.NUM_CLASSES), counted from 0"
                )
            labels.append(int(record["label"]))
        return torch.tensor(labels)
