"""Lazy twin of mask_rcnn_R50_FPN.yaml: a mask head on the ground of faster_rcnn_R50_FPN.py.

Loaders have to bring masks: ``dataloader = with_masks(dataloader)``, of coco_data.py.
"""

from detectron2.config import LazyCall as L
from detectron2.layers import ShapeSpec
from detectron2.modeling.poolers import ROIPooler
from detectron2.modeling.roi_heads import MaskRCNNConvUpsampleHead

from .faster_rcnn_R50_FPN import model
from .scale_8 import with_scale_8


def with_mask_head(model, conv_dims):
    """The detector with a mask head of these convolutions, the last of which upsamples."""
    model.roi_heads.update(
        mask_in_features=["p2", "p3", "p4", "p5"],
        mask_pooler=L(ROIPooler)(
            output_size=14,
            scales=(1.0 / 4, 1.0 / 8, 1.0 / 16, 1.0 / 32),
            sampling_ratio=0,
            pooler_type="ROIAlignV2",
        ),
        mask_head=L(MaskRCNNConvUpsampleHead)(
            input_shape=L(ShapeSpec)(channels="${....backbone.out_channels}", width=14, height=14),
            num_classes="${..num_classes}",
            conv_dims=conv_dims,
        ),
    )
    return model


model = with_mask_head(with_scale_8(model), conv_dims=[256] * 5)
proposals = model.proposal_generator
proposals.pre_nms_topk = (2000, 1000)  # a level, in training and in inference
proposals.post_nms_topk = (1000, 1000)
model.roi_heads.box_predictor.test_topk_per_image = 100  # what COCO counts
del proposals
