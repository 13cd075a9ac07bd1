"""The default config; :func:`minid2.config.get_cfg` hands out copies.

Keys of parts that minid2 does not have (keypoints, panoptic heads, rotated anchors) stand
here as well, so that every config file of Detectron2 can be read; asking for such a part fails
where it would be built.
"""

from .config import VERSION, CfgNode

# The model up to its proposals, and the one-stage head.
MODEL_KEYS = {
    "META_ARCHITECTURE": "GeneralizedRCNN",
    "DEVICE": "cuda",
    "WEIGHTS": "",  # a path or an address; relative ones start from the working directory
    # ImageNet means in BGR order; the deviations are 1 for weights from Caffe
    "PIXEL_MEAN": [103.53, 116.28, 123.675],
    "PIXEL_STD": [1.0, 1.0, 1.0],
    "LOAD_PROPOSALS": False,
    "MASK_ON": False,
    "KEYPOINT_ON": False,
    "BACKBONE": {"NAME": "build_resnet_backbone", "FREEZE_AT": 2},
    "FPN": {
        "IN_FEATURES": [],
        "OUT_CHANNELS": 256,
        "NORM": "",  # "", GN, BN, SyncBN, FrozenBN, ...
        "FUSE_TYPE": "sum",  # sum, avg
    },
    "RESNETS": {
        "DEPTH": 50,
        "OUT_FEATURES": ["res4"],
        "NORM": "FrozenBN",
        "STEM_OUT_CHANNELS": 64,
        "RES2_OUT_CHANNELS": 256,  # 64 for depths 18 and 34
        "NUM_GROUPS": 1,
        "WIDTH_PER_GROUP": 64,
        "STRIDE_IN_1X1": True,  # MSRA's weights; torchvision's have the stride in the 3 x 3
        "RES5_DILATION": 1,
        "DEFORM_ON_PER_STAGE": [False, False, False, False],
        "DEFORM_MODULATED": False,
        "DEFORM_NUM_GROUPS": 1,
    },
    "ANCHOR_GENERATOR": {
        "NAME": "DefaultAnchorGenerator",
        # One list for all levels, or one a level
        "SIZES": [[32, 64, 128, 256, 512]],
        "ASPECT_RATIOS": [[0.5, 1.0, 2.0]],
        "ANGLES": [[-90, 0, 90]],
        "OFFSET": 0.0,  # of the first anchor's centre, in strides
    },
    "PROPOSAL_GENERATOR": {"NAME": "RPN", "MIN_SIZE": 0},
    "RPN": {
        "HEAD_NAME": "StandardRPNHead",
        "IN_FEATURES": ["res4"],
        "CONV_DIMS": [-1],  # -1: as many channels as come in
        "BOUNDARY_THRESH": -1,  # anchors reaching further out of the image are not used
        # Anchors: IoU below the first threshold is background, above the last an object
        "IOU_THRESHOLDS": [0.3, 0.7],
        "IOU_LABELS": [0, -1, 1],
        "BATCH_SIZE_PER_IMAGE": 256,
        "POSITIVE_FRACTION": 0.5,
        "BBOX_REG_WEIGHTS": (1.0, 1.0, 1.0, 1.0),
        "BBOX_REG_LOSS_TYPE": "smooth_l1",  # smooth_l1, giou, diou, ciou
        "SMOOTH_L1_BETA": 0.0,
        "BBOX_REG_LOSS_WEIGHT": 1.0,
        "LOSS_WEIGHT": 1.0,
        # Before suppression a level counts by itself; after it, the image (or batch, training)
        "PRE_NMS_TOPK_TRAIN": 12000,
        "PRE_NMS_TOPK_TEST": 6000,
        "POST_NMS_TOPK_TRAIN": 2000,
        "POST_NMS_TOPK_TEST": 1000,
        "NMS_THRESH": 0.7,
    },
    "RETINANET": {
        "NUM_CLASSES": 80,
        "IN_FEATURES": ["p3", "p4", "p5", "p6", "p7"],
        "NUM_CONVS": 4,
        "NORM": "",
        "PRIOR_PROB": 0.01,
        "IOU_THRESHOLDS": [0.4, 0.5],
        "IOU_LABELS": [0, -1, 1],
        "FOCAL_LOSS_ALPHA": 0.25,
        "FOCAL_LOSS_GAMMA": 2.0,
        "BBOX_REG_WEIGHTS": (1.0, 1.0, 1.0, 1.0),
        "BBOX_REG_LOSS_TYPE": "smooth_l1",
        "SMOOTH_L1_LOSS_BETA": 0.1,
        "SCORE_THRESH_TEST": 0.05,
        "TOPK_CANDIDATES_TEST": 1000,
        "NMS_THRESH_TEST": 0.5,
    },
}

# What every head takes from its regions: output size, samples a bin (0: adaptive), method.
_POOLER = {"POOLER_RESOLUTION": 14, "POOLER_SAMPLING_RATIO": 0, "POOLER_TYPE": "ROIAlignV2"}

ROI_KEYS = {
    "ROI_HEADS": {
        "NAME": "Res5ROIHeads",
        "NUM_CLASSES": 80,  # without the background
        "IN_FEATURES": ["res4"],
        "IOU_THRESHOLDS": [0.5],
        "IOU_LABELS": [0, 1],
        "BATCH_SIZE_PER_IMAGE": 512,
        "POSITIVE_FRACTION": 0.25,
        "PROPOSAL_APPEND_GT": True,
        "SCORE_THRESH_TEST": 0.05,
        "NMS_THRESH_TEST": 0.5,
    },
    "ROI_BOX_HEAD": {
        "NAME": "",
        **_POOLER,
        "NUM_CONV": 0,
        "CONV_DIM": 256,
        "NUM_FC": 0,
        "FC_DIM": 1024,
        "NORM": "",  # of the convolutions
        "BBOX_REG_WEIGHTS": (10.0, 10.0, 5.0, 5.0),
        "BBOX_REG_LOSS_TYPE": "smooth_l1",  # smooth_l1, giou, diou, ciou
        "SMOOTH_L1_BETA": 0.0,
        "BBOX_REG_LOSS_WEIGHT": 1.0,
        "CLS_AGNOSTIC_BBOX_REG": False,
        "TRAIN_ON_PRED_BOXES": False,
        "USE_SIGMOID_CE": False,
        "USE_FED_LOSS": False,
        "FED_LOSS_NUM_CLASSES": 50,
        "FED_LOSS_FREQ_WEIGHT_POWER": 0.5,
    },
    "ROI_BOX_CASCADE_HEAD": {
        "IOUS": (0.5, 0.6, 0.7),
        "BBOX_REG_WEIGHTS": tuple(
            (10.0 * stage, 10.0 * stage, 5.0 * stage, 5.0 * stage) for stage in (1, 2, 3)
        ),
    },
    "ROI_MASK_HEAD": {
        "NAME": "MaskRCNNConvUpsampleHead",
        **_POOLER,
        "NUM_CONV": 0,
        "CONV_DIM": 256,
        "NORM": "",
        "CLS_AGNOSTIC_MASK": False,
    },
    "ROI_KEYPOINT_HEAD": {
        "NAME": "KRCNNConvDeconvUpsampleHead",
        **_POOLER,
        "CONV_DIMS": (512,) * 8,
        "NUM_KEYPOINTS": 17,
        "MIN_KEYPOINTS_PER_IMAGE": 1,
        "NORMALIZE_LOSS_BY_VISIBLE_KEYPOINTS": True,
        "LOSS_WEIGHT": 1.0,
    },
    "SEM_SEG_HEAD": {
        "NAME": "SemSegFPNHead",
        "IN_FEATURES": ["p2", "p3", "p4", "p5"],
        "NUM_CLASSES": 54,
        "IGNORE_VALUE": 255,
        "CONVS_DIM": 128,
        "COMMON_STRIDE": 4,
        "NORM": "GN",
        "LOSS_WEIGHT": 1.0,
    },
    "PANOPTIC_FPN": {
        "INSTANCE_LOSS_WEIGHT": 1.0,
        "COMBINE": {
            "ENABLED": True,
            "OVERLAP_THRESH": 0.5,
            "STUFF_AREA_LIMIT": 4096,
            "INSTANCES_CONFIDENCE_THRESH": 0.5,
        },
    },
}

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
    "CLIP_GRADIENTS": {"ENABLED": False, "CLIP_TYPE": "value", "CLIP_VALUE": 1.0, "NORM_TYPE": 2.0},
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

_C = CfgNode(
    {
        "VERSION": VERSION,
        "MODEL": {**MODEL_KEYS, **ROI_KEYS},
        "INPUT": INPUT,
        "DATASETS": DATASETS,
        "DATALOADER": DATALOADER,
        "SOLVER": SOLVER,
        "TEST": TEST,
        "OUTPUT_DIR": "./output",
        "SEED": -1,  # negative: a new seed every run
        "CUDNN_BENCHMARK": False,  # True is faster where all inputs have one size
        "FLOAT32_PRECISION": "",  # "", highest, high, medium: torch.set_float32_matmul_precision
        "VIS_PERIOD": 0,  # iterations between pictures of the training, 0 for none
        "GLOBAL": {"HACK": 1.0},
    }
)
