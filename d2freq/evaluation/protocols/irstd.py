"""Infrared small targets."""

from d2freq.evaluation.protocols.aitod import AITOD_AREAS
from d2freq.evaluation.protocols.protocol import Protocol, TargetRule
from d2freq.evaluation.protocols.registry import register

# The papers of single-frame infrared small targets: networks whose maps are cut at 0.5. They count
# on images resized to one size, which this does not. Their sets have nothing to ignore.
register(
    Protocol(
        name="irstd",
        source=(
            "infrared small targets: IoU, Pd and Fa of DNANet (Li et al., TIP 2023), nIoU of ACM "
            "(Dai et al., WACV 2021)"
        ),
        areas=AITOD_AREAS,
        max_dets=(1000,),
        ignore="left out",
        targets=TargetRule(score=0.5, distance=3.0),
    )
)
