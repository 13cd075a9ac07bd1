"""Images, data sets and their loaders, the schedule of the training, and the tests."""

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

SOLVER = {
    "IMS_PER_BATCH": 16,  # over all processes
    "MAX_ITER": 40000,
    "BASE_LR": 0.001,
    "BASE_LR_END": 0.0,  # where WarmupCosineLR ends
    # WarmupMultiStepLR or WarmupCosineLR
    "LR_SCHEDULER_NAME": "WarmupMultiStepLR",
    "STEPS": (30000,),
    "GAMMA": 0.1,
    "NUM_DECAYS": 3,  # of WarmupStepWithFixedGammaLR, in the real Detectron2 alone
    "RESCALE_INTERVAL": False,
    "WARMUP_METHOD": "linear",  # linear, constant
    "WARMUP_ITERS": 1000,
    "WARMUP_FACTOR": 1.0 / 1000,
    "MOMENTUM": 0.9,
    "NESTEROV": False,
    "WEIGHT_DECAY": 0.0001,
    "WEIGHT_DECAY_NORM": 0.0,
    "WEIGHT_DECAY_BIAS": None,  # None: as WEIGHT_DECAY
    "BIAS_LR_FACTOR": 1.0,
    # Above 0: batch, rate and schedule are for so many processes, and are rescaled to the actual
    "REFERENCE_WORLD_SIZE": 0,
    "CHECKPOINT_PERIOD": 5000,
    "AMP": {"ENABLED": False},
    # CLIP_TYPE: value (every gradient), norm (of each parameter), full_model (all together)
    "CLIP_GRADIENTS": {
        "ENABLED": False,
        "CLIP_TYPE": "value",
        "CLIP_VALUE": 1.0,
        "NORM_TYPE": 2.0,
    },
}

TEST = {
    "EVAL_PERIOD": 0,  # iterations, 0 for only at the end
    "EXPECTED_RESULTS": [],  # [[task, metric, value, tolerance], ...], checked at the end
    "DETECTIONS_PER_IMAGE": 100,
    "KEYPOINT_OKS_SIGMAS": [],
    "AUG": {
        "ENABLED": False,
        "MIN_SIZES": tuple(range(400, 1300, 100)),
        "MAX_SIZE": 4000,
        "FLIP": True,
    },
    "PRECISE_BN": {"ENABLED": False, "NUM_ITER": 200},
}
