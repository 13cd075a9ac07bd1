"""Images, data sets and their loaders."""

INPUT = {
    "FORMAT": "BGR",  # BGR, RGB, L, or a mode that PIL knows
    # Training: the shorter side is drawn from the sizes ("choice") or their span ("range").
    "MIN_SIZE_TRAIN": (800,),
    "MIN_SIZE_TRAIN_SAMPLING": "choice",
    "MAX_SIZE_TRAIN": 1333,
    "MIN_SIZE_TEST": 800,  # 0 leaves test images as they are
    "MAX_SIZE_TEST": 1333,
    "RANDOM_FLIP": "horizontal",  # horizontal, vertical, none
    # TYPE: relative, relative_range, absolute, absolute_range; SIZE is (height, width)
    "CROP": {"ENABLED": False, "TYPE": "relative_range", "SIZE": [0.9, 0.9]},
    "MASK_FORMAT": "polygon",
}

DATASETS = {
    "TRAIN": (),
    "TEST": (),
    "PROPOSAL_FILES_TRAIN": (),
    "PROPOSAL_FILES_TEST": (),
    "PRECOMPUTED_PROPOSAL_TOPK_TRAIN": 2000,
    "PRECOMPUTED_PROPOSAL_TOPK_TEST": 1000,
}

DATALOADER = {
    "NUM_WORKERS": 4,
    "ASPECT_RATIO_GROUPING": True,  # a batch is all upright or all lying images: less padding
    # TrainingSampler, RepeatFactorTrainingSampler, RandomSubsetTrainingSampler
    "SAMPLER_TRAIN": "TrainingSampler",
    "REPEAT_THRESHOLD": 0.0,
    "REPEAT_SQRT": True,
    "FILTER_EMPTY_ANNOTATIONS": True,
}
