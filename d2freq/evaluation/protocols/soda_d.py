"""SODA-D; [U] marks what its sources leave open."""

from d2freq.evaluation.protocols.protocol import AreaRange, Protocol
from d2freq.evaluation.protocols.registry import register

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
