"""The default config; :func:`minid2.config.get_cfg` hands out copies.

Keys of parts that minid2 does not have (keypoints, panoptic heads, rotated anchors) stand
here as well, so that every config file of Detectron2 can be read; asking for such a part fails
where it would be built.
"""

from .config import VERSION, CfgNode
from .defaults_heads import ROI_KEYS
from .defaults_model import MODEL_KEYS
from .defaults_training import DATALOADER, DATASETS, INPUT, SOLVER, TEST

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
