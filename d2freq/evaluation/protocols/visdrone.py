"""VisDrone2019-DET: by its toolkit, and counted as COCO."""

from d2freq.evaluation.protocols.aitod import AITOD_AREAS
from d2freq.evaluation.protocols.protocol import Protocol
from d2freq.evaluation.protocols.registry import register

# The toolkit (VisDrone2018-DET-toolkit, MATLAB) takes the first rows of an image as its file has
# them, so a file of one's own is to be sorted by score. It has no size classes: those of SET
# (CVPR 2025), which evaluates VisDrone with AI-TOD's.
register(
    Protocol(
        name="visdrone",
        source=(
            "VisDrone2019-DET, the rules of its toolkit: maxDets 1, 10, 100, 500 of an image, area "
            "under all points, classes weighed by images, ignored regions; size classes of AI-TOD"
        ),
        areas=AITOD_AREAS,
        max_dets=(1, 10, 100, 500),
        limit_per="image",
        recall_points=None,
        recall_of="counted and flagged",
        mean_over="images",
        region_share=0.5,
        region_rule="pixels",
    )
)

# What most who report COCO's metrics on VisDrone count. Objects of no class ("others") excuse, too.
register(
    Protocol(
        name="visdrone-coco",
        source=(
            "VisDrone2019-DET, counted as COCO: maxDets 1, 10, 100, 500 of an image and class, "
            "ignored regions and others; size classes of AI-TOD"
        ),
        areas=AITOD_AREAS,
        max_dets=(1, 10, 100, 500),
        region_share=0.5,
        region_keys=("ignore_regions", "other_objects"),
    )
)
