"""The protocol of AI-TOD and AI-TOD-v2, whose size classes others take, too."""

from d2freq.evaluation.protocols.protocol import AreaRange, Protocol
from d2freq.evaluation.protocols.registry import register

AITOD_AREAS = (
    AreaRange("vt", 0.0, 8.0**2),
    AreaRange("t", 8.0**2, 16.0**2),
    AreaRange("s", 16.0**2, 32.0**2),
    AreaRange("m", 32.0**2, 1e10),
)

# cocoapi-aitod itself gives recall at 1, 100 and 1500; the tables of papers at these three. As
# pycocotools it writes each annotation's `ignore` anew from its `iscrowd`, so that a flag `ignore`
# in a file changes nothing: the box counts.
register(
    Protocol(
        name="aitod",
        source="AI-TOD (ICPR 2020, AI-TOD-v2 2022): cocoapi-aitod with maxDets 100, 300, 1500",
        areas=AITOD_AREAS,
        max_dets=(100, 300, 1500),
        ignore="iscrowd",
        olrp=True,
    )
)
