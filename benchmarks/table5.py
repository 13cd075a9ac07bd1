"""HS-FPN's Table 5, as ``d2freq cost --rule paper`` counts it: Cascade R-CNN R50 on AI-TOD, 800 px.

Prints the parameters and FLOPs of the baseline and of each component beside the paper's. The
counting runs on torch's device "meta": sizes alone, no arithmetic, seconds for all rows.
"""

from dataclasses import dataclass
from functools import cache

from common import ROOT
from tabulate import tabulate

from d2freq.analysis.cost.count import measure_cost
from d2freq.engine.build import config_model

FPN = "cascade_rcnn_R50_FPN_aitod.yaml"
HSFPN = "cascade_rcnn_R50_HSFPN_aitod.yaml"


@dataclass(frozen=True)
class Row:
    """A row of the paper: its config and overrides, parameters in M and FLOPs in G."""

    config: str
    overrides: str
    parameters: float
    flops: float


# HS-FPN, Table 5
PAPER = {
    "FPN": Row(FPN, "", 68.95, 162.34),
    "only CP": Row(
        HSFPN,
        "MODEL.HSFPN.SPATIAL_PATH False MODEL.HSFPN.SPATIAL_DEPENDENCY False",
        71.34,
        193.67,
    ),
    "only SP": Row(
        HSFPN,
        "MODEL.HSFPN.CHANNEL_PATH False MODEL.HSFPN.SPATIAL_DEPENDENCY False",
        71.31,
        193.69,
    ),
    "only HFP": Row(HSFPN, "MODEL.HSFPN.SPATIAL_DEPENDENCY False", 71.34, 193.69),
    "only SDP": Row(
        HSFPN, "MODEL.HSFPN.CHANNEL_PATH False MODEL.HSFPN.SPATIAL_PATH False", 69.35, 169.32
    ),
    "HS-FPN": Row(HSFPN, "", 71.73, 200.65),
}


@cache
def count(row: Row) -> tuple[float, float]:
    """Parameters in M and FLOPs in G of a row's model, by the paper's rule."""
    model = config_model(str(ROOT / "configs" / "hs_fpn" / row.config), row.overrides.split())
    parameters, macs = measure_cost(model.to("meta"), rule="paper").total
    return parameters / 1e6, macs / 1e9


def table() -> str:
    """The table as markdown; differences are ours less the paper's."""
    body = []
    for name, row in PAPER.items():
        parameters, flops = count(row)
        body.append(
            (name, row.parameters, parameters, parameters - row.parameters)
            + (row.flops, flops, flops - row.flops)
        )
    headers = ("neck", "parameters, M: paper", "ours", "difference")
    headers += ("FLOPs, G: paper", "ours", "difference")
    formats = ("", ".2f", ".3f", "+.3f", ".2f", ".3f", "+.3f")
    return tabulate(body, headers, tablefmt="pipe", floatfmt=formats)


if __name__ == "__main__":
    print(table())
