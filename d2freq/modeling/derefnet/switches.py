"""The switches of DeRefNet, and what each of the two presets takes."""

from dataclasses import dataclass

from d2freq.modeling.derefnet.alignment import GUIDES
from d2freq.modeling.derefnet.losses import ALIGN_REDUCTIONS, REGRESSION_REDUCTIONS
from d2freq.modeling.derefnet.time_encoding import TIME_ENCODINGS
from d2freq.modeling.switches import SwitchSet, switch

__all__ = ["PRESETS", "Switches"]

FEATURES = ("unfolding", "residual")


@dataclass(frozen=True)
class Switches(SwitchSet):
    """Every choice within DeRefNet.

    Preset `released` is the published code, whose loss weights are the tuned ones: its alignment
    loss is a plain sum, some 44,000 times as heavy beside the regression as in the paper. `paper`
    is the equations as they are printed.
    """

    system, section = "DeRefNet", "MODEL.DEREFNET"

    # --- structure -----------------------------------------------------------------------------
    stages: int = switch(
        "Unfolded iterations, K. The paper gives no number; 8 is what the counts of its Table 3 "
        "come from, and the 6 of its supplement belongs to another network.",
        at_least=1,
        default=9,
    )
    features: str = switch(
        "What a frame's grid goes through first. `unfolding`: K stages of ISTA-Net. `residual`: K "
        "residual blocks, without optics and constraint loss (Table 2's baseline).",
        choices=FEATURES,
        default="unfolding",
    )
    time_encoding: str = switch(
        "`linear`: one layer of 1089 x 1089 weights, as published. `affine`: the same functions of "
        "the frame's number by 2,178 parameters. `none`: no time encoding (Table 3).",
        choices=(*TIME_ENCODINGS, "none"),
        default="linear",
    )
    alignment: str = switch(
        "How neighbours come to the centre frame. `deformable`: by learned offsets. `translation`: "
        "by one shift each, which is measured on the frames (for Table 3's optical flow).",
        choices=("deformable", "translation"),
        default="deformable",
    )
    guide: str = switch(
        "What the offsets are read from. `attention`: selective attention. `concat`: a convolution "
        "of both frames' features, Table 3's alignment without selection.",
        choices=tuple(GUIDES),
        default="attention",
    )
    alignments: int = switch(
        "Deformable convolutions one after the other; one in Eqs. 19 to 21.",
        choices=(1, 2),
        released=2,
        paper=1,
    )
    centre: str = switch(
        "The centre frame's map that joins its aligned neighbours in the tail. `encoded`: H'_t, "
        "after the time encoding. `features`: H_t^(k), before it (section 4.4).",
        choices=("encoded", "features"),
        released="encoded",
        paper="features",
    )

    # --- losses --------------------------------------------------------------------------------
    constraint_on: str = switch(
        "What each stage's inverse has to give back. `estimate`: R_k, the stage's own estimate. "
        "`truth`: the ground truth (Eq. 22).",
        choices=("estimate", "truth"),
        released="estimate",
        paper="truth",
    )
    align_reference: str = switch(
        "What aligned neighbours are compared with. `features`: H_t^(k), before the time encoding. "
        "`encoded`: H'_t (Eq. 23).",
        choices=("features", "encoded"),
        released="features",
        paper="encoded",
    )
    regression_reduction: str = switch(
        "`windows`: sum over the windows of the mean over the cells. `cells`: mean over the "
        "windows of the sum over the cells (Eq. 24). With 16 windows of 1,089 cells the second is "
        "68 times the first.",
        choices=REGRESSION_REDUCTIONS,
        released="windows",
        paper="cells",
    )
    align_reduction: str = switch(
        "`sum`: over windows, neighbours and cells. `mean`: over windows and neighbours, of the "
        "sum over the cells (Eq. 23). With 16 windows of 4 neighbours the first is 64 times the "
        "second.",
        choices=ALIGN_REDUCTIONS,
        released="sum",
        paper="mean",
    )
    regression_weight: float = switch("Factor of the regression loss (Eq. 25).", default=1.0)
    constraint_weight: float = switch(
        "Factor of the constraint loss (Eq. 25; Table 1, group A).", released=0.1, paper=0.01
    )
    align_weight: float = switch(
        "Factor of the alignment loss (Eq. 25; Table 1, group A).", released=0.1, paper=0.01
    )


PRESETS = Switches.presets()
