"""TinyPerson; [U] marks what its sources leave open."""

from d2freq.evaluation.protocols.protocol import AreaRange, Protocol
from d2freq.evaluation.protocols.registry import register

# Its ignore regions are boxes with a flag. What is ignored in a size class, whatever for, excuses
# detections by IoD that reaches the threshold of IoU. The data set's README counts logos among what
# is ignored, and so do the converter and this; the published evaluator looks at `ignore` and
# `uncertain` alone, so that a box with `logo` and neither of them counts there. 200 detections are
# of the first benchmark; TOV_mmdetection looks at 1000 [U].
register(
    Protocol(
        name="tinyperson",
        source="TinyPerson (Yu et al., WACV 2020): IoU 0.25, 0.5, 0.75, maxDets 200",
        areas=(
            AreaRange("tiny", 1.0, 20.0**2),
            AreaRange("tiny1", 1.0, 8.0**2),
            AreaRange("tiny2", 8.0**2, 12.0**2),
            AreaRange("tiny3", 12.0**2, 20.0**2),
            AreaRange("small", 20.0**2, 32.0**2),
            AreaRange("reasonable", 32.0**2, 1e10),
        ),
        max_dets=(200,),
        iou_thresholds=(0.25, 0.5, 0.75),
        whole=AreaRange("all", 1.0, 1e10),
        ignore_keys=("ignore", "uncertain", "logo"),
        excuse="ignored",
    )
)
