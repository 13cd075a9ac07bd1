"""DINO by name in a YAML config: backbone, transformer, losses and detections.

Shapes: N images, C channels, Q queries, K classes.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.modeling.backbone import Backbone
from detectron2.structures import ImageList
from torch import Tensor, nn

from d2freq.modeling.detectors.dino.arguments import (
    check_costs_and_weights,
    check_numbers,
    dino_arguments,
    most_detections,
)
from d2freq.modeling.detectors.dino.denoising import Denoising, check_noise, make_denoising
from d2freq.modeling.detectors.dino.ground_truth import ground_truth_of
from d2freq.modeling.detectors.dino.inference import detections, in_pixels_of_records
from d2freq.modeling.detectors.dino.layouts import resolve_layout
from d2freq.modeling.detectors.dino.levels import channels_of
from d2freq.modeling.detectors.dino.losses import Weights, dino_losses
from d2freq.modeling.detectors.dino.matching import Costs
from d2freq.modeling.detectors.dino.outputs import Outputs, Predictions
from d2freq.modeling.detectors.dino.tokens import tokens_of
from d2freq.modeling.detectors.dino.transformer import Transformer
from d2freq.modeling.ground_truth import check_classes_of_records
from d2freq.modeling.registration import register

__all__ = ["DINO"]

NOISE_STRIDE = 1_000_003  # between the seeds of two steps, so that ranks seeded in a row differ


@register(META_ARCH_REGISTRY)
class DINO(nn.Module):
    """DETR with improved denoising anchor boxes (Zhang et al., ICLR 2023), in pure torch.

    The backbone's levels become tokens of an encoder of deformable attention; its best tokens say
    where queries begin; a decoder makes objects of them, one query each, so nothing is suppressed.
    With a :class:`ChannelMapper` as backbone it is the published model; any backbone does whose
    levels have the same channels, such as an FPN or HS-FPN.

    The noise of denoising comes from a generator of its own, seeded by torch's seed and the number
    of the step: a step is repeated with the same noise, as SET's second pass is.

    Args:
        backbone: makes ``in_features``.
        num_classes: K, without the background.
        pixel_mean, pixel_std: one number for each channel of the images.
        in_features: up to five levels, finest first; None for all.
        layout, shared_heads, label_rows, pe_temperature, pe_offset: see :class:`Layout`; None is
            the layout's.
        num_queries: Q, at most so many objects are found on an image.
        hidden_dim: C, a multiple of 4; None for what the levels have, which it has to be.
        ffn_dim, num_heads, num_points, enc_layers, dec_layers, dropout: of the transformer.
        dn_number, label_noise, box_noise, dn_max_gt: of :func:`make_denoising`.
        costs, weights: of :func:`dino_losses`; None for the published ones.
        num_select: detections of an image, at most Q x K; None or below 0 for all of these.
        score_thresh: detections score higher; 0 keeps all.
        use_act_checkpoint: in training, layers keep their inputs alone and are computed again.
        query_chunk: queries whose samples are held at once, 0 for all.
        input_format: meaning of the channels ("BGR", "RGB"); only kept, as by other detectors.

    Raises:
        UserError: an option that does not fit the others, such as a level that the backbone lacks.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.backbones import MobileNetV2
        >>> from d2freq.modeling.detectors.dino import DINO, ChannelMapper
        >>> backbone = ChannelMapper(MobileNetV2(), ["res3", "res4", "res5"], out_channels=64)
        >>> model = DINO(
        ...     backbone,
        ...     num_classes=3,
        ...     pixel_mean=[128.0] * 3,
        ...     pixel_std=[64.0] * 3,
        ...     ffn_dim=64,
        ...     num_queries=20,
        ...     enc_layers=1,
        ...     dec_layers=1,
        ...     num_select=10,
        ... ).eval()
        >>> with torch.no_grad():
        ...     found = model([{"image": torch.zeros(3, 65, 90)}])[0]["instances"]
        >>> len(found), found.image_size, sorted(found.get_fields())
        (10, (65, 90), ['pred_boxes', 'pred_classes', 'scores'])
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    @configurable
    def __init__(
        self,
        backbone: Backbone,
        *,
        num_classes: int,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        in_features: Sequence[str] | None = None,
        layout: str = "mmdet",
        shared_heads: bool | None = None,
        label_rows: int | None = None,
        pe_temperature: float | None = None,
        pe_offset: float | None = None,
        num_queries: int = 900,
        hidden_dim: int | None = None,
        ffn_dim: int = 2048,
        num_heads: int = 8,
        num_points: int = 4,
        enc_layers: int = 6,
        dec_layers: int = 6,
        dropout: float = 0.0,
        dn_number: int = 100,
        label_noise: float = 0.5,
        box_noise: float = 1.0,
        dn_max_gt: int = 300,
        costs: Costs | None = None,
        weights: Weights | None = None,
        num_select: int | None = 300,
        score_thresh: float = 0.0,
        use_act_checkpoint: bool = False,
        query_chunk: int = 0,
        input_format: str = "BGR",
    ) -> None:
        super().__init__()
        shapes = backbone.output_shape()
        levels = list(shapes if in_features is None else in_features)
        channels = channels_of(levels, shapes, hidden_dim)
        numbers = {
            "NUM_CLASSES": num_classes,
            "NUM_QUERIES": num_queries,
            "FFN_DIM": ffn_dim,
            "NUM_HEADS": num_heads,
            "NUM_POINTS": num_points,
            "ENC_LAYERS": enc_layers,
            "DEC_LAYERS": dec_layers,
            "QUERY_CHUNK": query_chunk,
        }
        check_numbers(numbers, dropout=dropout, label_rows=label_rows, score_thresh=score_thresh)
        self.costs, self.weights = costs or Costs(), weights or Weights()
        check_costs_and_weights(self.costs, self.weights)
        check_noise(dn_number, label_noise, box_noise, dn_max_gt)
        self.backbone = backbone
        # attributes of modules that SET and others look for: which levels the heads read
        self.head_in_features = levels
        self.strides = [int(shapes[level].stride) for level in levels]
        self.num_classes, self.num_queries, self.layout = num_classes, num_queries, layout
        self.denoising_options: dict[str, Any] = {
            "num_classes": num_classes,
            "num_queries": num_queries,
            "number": dn_number,
            "label_noise": label_noise,
            "box_noise": box_noise,
            "max_gt": dn_max_gt,
        }
        self.num_select = most_detections(num_select, num_queries * num_classes)
        self.score_thresh = score_thresh
        self.input_format = input_format
        self.noise_steps = 0  # a plain number: SET's second pass and resuming put it back
        self.transformer = Transformer(
            channels,
            classes=num_classes,
            queries=num_queries,
            levels=len(levels),
            layout=resolve_layout(
                layout,
                shared_heads=shared_heads,
                label_rows=label_rows,
                pe_temperature=pe_temperature,
                pe_offset=pe_offset,
            ),
            enc_layers=enc_layers,
            dec_layers=dec_layers,
            heads=num_heads,
            points=num_points,
            ffn=ffn_dim,
            dropout=dropout,
            query_chunk=query_chunk,
            use_act_checkpoint=use_act_checkpoint,
        )
        for name, values in (("pixel_mean", pixel_mean), ("pixel_std", pixel_std)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """See :func:`dino_arguments`."""
        return dino_arguments(cfg)

    @property
    def device(self) -> torch.device:
        """Of the model, where images are brought to."""
        return self.pixel_mean.device

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """Losses in training mode, detections otherwise.

        Args:
            batched_inputs: N records with "image" (3, H, W), and in training "instances".

        Returns:
            In training, the scalars of :func:`dino_losses`. Else N dicts with "instances", in
            pixels of each record's "height" and "width", or of its image's.

        Raises:
            UserError: a training record without "instances".
            DatasetError: an object is of a class that the model does not know.
        """
        if self.training:
            check_classes_of_records(batched_inputs, self.num_classes, key="MODEL.DINO.NUM_CLASSES")
        images = self.preprocess_image(batched_inputs)
        features = self.backbone(images.tensor)
        sizes = self._sizes(images)
        full = self._fills_batch(images)
        if self.training:
            classes, boxes = ground_truth_of(
                batched_inputs, queries=self.num_queries, device=self.device
            )
            noised = self._denoising(classes, boxes)
            outputs = self.predict(features, sizes, full=full, denoising=noised)
            return dino_losses(
                outputs,
                noised,
                classes,
                boxes,
                weights=self.weights,
                costs=self.costs,
                sizes=sizes,
                with_denoising=bool(self.denoising_options["number"]),
            )
        found = detections(
            self.predict(features, sizes, full=full).layers[-1],
            sizes,
            images.image_sizes,
            count=self.num_select,
            threshold=self.score_thresh,
        )
        return in_pixels_of_records(found, batched_inputs, images.image_sizes)

    def predict(
        self,
        features: dict[str, Tensor],
        sizes: Tensor,
        *,
        full: bool,
        denoising: Denoising | None = None,
    ) -> Outputs:
        """What the transformer says of the backbone's maps.

        Args:
            features: the backbone's, (N, C, H / stride, W / stride) each.
            sizes: (N, 2) float, width and height of each image in pixels, without padding.
            full: all images are as large as the batch.
            denoising: in training, noised objects.
        """
        maps = [features[level] for level in self.head_in_features]
        tokens = tokens_of(maps, self.strides, sizes, full=full)
        outputs = self.transformer(tokens, denoising)
        return Outputs(
            layers=[Predictions(*layer) for layer in outputs.layers], encoder=outputs.encoder
        )

    def preprocess_image(self, batched_inputs: list[dict[str, Any]]) -> ImageList:
        """Images on the model's device, normalised and padded to one size."""
        images = [record["image"].to(self.device) for record in batched_inputs]
        return ImageList.from_tensors(
            [(image - self.pixel_mean) / self.pixel_std for image in images],
            self.backbone.size_divisibility,
            padding_constraints=self.backbone.padding_constraints,
        )

    def _sizes(self, images: ImageList) -> Tensor:
        """(N, 2) float, width and height; tensors where a trace makes sizes of them."""
        rows = [
            torch.stack([torch.as_tensor(side, device=self.device) for side in (width, height)])
            for height, width in images.image_sizes
        ]
        kind = images.tensor.dtype if images.tensor.dtype == torch.float64 else torch.float32
        return torch.stack(rows).to(kind)

    def _fills_batch(self, images: ImageList) -> bool:
        if torch.jit.is_tracing():  # by what the backbone asks for: no number of the example's
            constraints = self.backbone.padding_constraints
            alone = len(images.image_sizes) == 1 and self.backbone.size_divisibility <= 1
            return alone and not constraints
        padded = tuple(images.tensor.shape[-2:])
        return all(tuple(size) == padded for size in images.image_sizes)

    def _denoising(self, classes: list[Tensor], boxes: list[Tensor]) -> Denoising | None:
        generator = torch.Generator(device=self.device)
        generator.manual_seed((torch.initial_seed() + self.noise_steps * NOISE_STRIDE) % 2**63)
        if torch.is_grad_enabled():  # a validation loss leaves training as it is
            self.noise_steps += 1
        return make_denoising(classes, boxes, generator=generator, **self.denoising_options)
