"""The protocols of the benchmarks, each with its source, and how to add one.

One of your own is a call, ``register(Protocol(name="mine", source="our paper",
areas=(AreaRange("t", 0, 256),), max_dets=(100, 1000)))``, or a YAML file of the same keys, whose
path then stands for the name (see from_yaml.load_protocol).
"""

import os

from d2freq.errors import UserError
from d2freq.evaluation.protocols.from_yaml import load_protocol
from d2freq.evaluation.protocols.protocol import AreaRange, Protocol, TargetRule
from d2freq.utils.choices import did_you_mean

__all__ = ["PROTOCOLS", "get_protocol", "register"]

PROTOCOLS: dict[str, Protocol] = {}


def register(protocol: Protocol) -> Protocol:
    """Make a protocol known by its name.

    Raises:
        UserError: the name is taken.

    Examples:
        >>> from d2freq.evaluation import AreaRange, Protocol, get_protocol, register
        >>> seagulls = register(
        ...     Protocol("seagulls", "our paper", areas=(AreaRange("t", 0, 256),), max_dets=(100,))
        ... )
        >>> get_protocol("seagulls") is seagulls
        True
    """
    if protocol.name in PROTOCOLS:
        raise UserError(f"protocol {protocol.name!r} is registered already; choose another name")
    PROTOCOLS[protocol.name] = protocol
    return protocol


def get_protocol(name: str | os.PathLike | Protocol) -> Protocol:
    """The protocol of that name, or in that YAML file.

    Args:
        name: a registered name, or a path that ends in .yaml or .yml.

    Raises:
        UserError: there is none; the message lists those that there are. Or the file is faulty.

    Examples:
        >>> from d2freq.evaluation import get_protocol
        >>> [(area.label, area.high) for area in get_protocol("aitod").areas]
        [('vt', 64.0), ('t', 256.0), ('s', 1024.0), ('m', 10000000000.0)]
    """
    if isinstance(name, Protocol):
        return name
    if str(name).endswith((".yaml", ".yml")):
        return load_protocol(name)
    if name not in PROTOCOLS:
        hint = did_you_mean(str(name), PROTOCOLS) or f"; known: {', '.join(sorted(PROTOCOLS))}"
        raise UserError(
            f"TEST.TINY.PROTOCOL, --protocol: no evaluation protocol {name!r}{hint}; or give a "
            ".yaml file"
        )
    return PROTOCOLS[str(name)]


# Every protocol says how far it follows its benchmark; [U] marks what its sources leave open.

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

# Its ignore regions are boxes with a flag. What is ignored in a size class, whatever for, excuses
# detections by IoD; that IoD is to reach the threshold of IoU is read so [U]. Logos are taken with
# uncertain persons, as the converter takes them [U]. 200 detections are of the first benchmark;
# TOV_mmdetection looks at 1000 [U].
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

# Objects over 2000 square pixels are annotated as ignored there. The evaluation is on the original
# images "without ignore boxes"; read as: these boxes excuse nothing [U].
register(
    Protocol(
        name="soda-d",
        source="SODA-D (Cheng et al., TPAMI 2023): AP at 100 of maxDets 100, 300, 1000",
        areas=(
            AreaRange("S", 0.0, 32.0**2),
            AreaRange("eS", 0.0, 12.0**2),
            AreaRange("rS", 12.0**2, 20.0**2),
            AreaRange("gS", 20.0**2, 32.0**2),
            AreaRange("N", 32.0**2, 2000.0),
        ),
        max_dets=(100, 300, 1000),
        ap_limit=100,
        ignore="left out",
    )
)

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
