"""COCO itself."""

from d2freq.evaluation.protocols.protocol import AreaRange, Protocol
from d2freq.evaluation.protocols.registry import register

register(
    Protocol(
        name="coco",
        source="COCO (Lin et al., ECCV 2014): pycocotools' defaults",
        areas=(
            AreaRange("s", 0.0, 32.0**2),
            AreaRange("m", 32.0**2, 96.0**2),
            AreaRange("l", 96.0**2, 1e10),
        ),
        max_dets=(1, 10, 100),
        ignore="iscrowd",
    )
)
