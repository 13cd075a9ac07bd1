"""Lazy twin of detr.yaml: what it makes of the loaders, optimizer and training of a data set."""

import detectron2.data.transforms as T
from detectron2.config import LazyCall as L
from detectron2.solver.build import get_default_optimizer_params
from torch.optim import AdamW

from d2freq.data.augmentation import AugmentingDatasetMapper, ResizeThenRandomCrop

optimizer = L(AdamW)(
    # train_net.py sets params.model
    params=L(get_default_optimizer_params)(),
    lr=0.0001,
    weight_decay=0.0001,
)


def with_detr_training(dataloader, train):
    """The two policies of resizing, the groups and the clipping; changes both in place.

    The schedule is the config's own, without warm-up.
    """
    train.param_groups = [["*backbone.bottom_up", 0.1]]
    train.clip_gradients = dict(enabled=True, clip_type="full_model", clip_value=0.1)
    dataloader.train.mapper = L(AugmentingDatasetMapper)(
        is_train=True,
        augmentations=[
            L(ResizeThenRandomCrop)(short_sides=[400, 500, 600], crop_range=[384, 600], prob=0.5),
            L(T.ResizeShortestEdge)(
                short_edge_length=[480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800],
                max_size=1333,
                sample_style="choice",
            ),
            L(T.RandomFlip)(horizontal=True),
        ],
        image_format="RGB",
        use_instance_mask=False,
    )
    dataloader.test.mapper.augmentations = [
        L(T.ResizeShortestEdge)(short_edge_length=[800], max_size=1333, sample_style="choice")
    ]
    return dataloader, train
