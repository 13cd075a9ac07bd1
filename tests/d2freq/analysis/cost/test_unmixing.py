"""MACs of 20 frames against DeRefNet's Table 7 and against arithmetic by hand."""

import pytest
import torch

from d2freq.analysis.cost.count import measure_cost
from d2freq.errors import UserError
from d2freq.modeling.unmixing import (
    ESPCN,
    FISTA,
    ISTA,
    LISTA,
    SRCNN,
    TDAN,
    FISTANet,
    ISTANet,
    ISTANetPlus,
)

from ...modeling.unmixing.methods_cases import small_model

Q_INIT = torch.zeros(1089, 121)
GRAM = 1089 * 1089 * 121  # Phi^T Phi, which the published code multiplies anew in each forward
TABLE_7 = {
    ISTANet: (4.09e9, GRAM),
    ISTANetPlus: (7.70e9, GRAM),
    FISTANet: (6.02e9, GRAM),
    LISTA: (0.42e9, 0),
    SRCNN: (0.35e9, 0),
    ESPCN: (54.75e6, 0),
}


@pytest.mark.parametrize("kind", TABLE_7)
def test_table_7(kind):
    published, extra = TABLE_7[kind]
    tolerance = published / 50 if published < 1e9 else 5e6
    _, macs = measure_cost(kind(q_init=Q_INIT), frames=5).total  # each frame alone: a quarter
    assert 4 * macs + extra == pytest.approx(published, abs=tolerance)


def test_ista_net_by_hand():
    cost = measure_cost(ISTANet(q_init=Q_INIT), frames=5)
    assert cost.subject == "5 frames of 11 x 11 pixels"
    convolutions = 9 * 1089 * 9 * (32 + 32 * 32 + 32 * 32 + 32)
    products = 2 * 1089 * 121 + 9 * 1089 * 1089  # Q_init y, y Phi, and x Phi^T Phi of each stage
    assert cost.total == (171_090, 5 * (convolutions + products))
    assert cost.macs[""] == 5 * products
    assert cost.rows(1)["stages"] == (171_090, 5 * convolutions)


def test_deformable_kernels_count():
    cost = measure_cost(TDAN(), frames=20)
    pairs = 16 * 4
    kernel, offsets = 9 * 32 * 32, 9 * 32 * 144
    assert cost.rows(1)["align1"][1] == pairs * 121 * (kernel + offsets)


def test_training_free_methods_count_their_iterations():
    """Two products with Phi an iteration; a loose tolerance stops sooner, and FISTA before ISTA."""
    macs = {}
    for kind, tolerance in ((ISTA, 0.1), (FISTA, 0.1), (FISTA, 1.0)):
        model = small_model(kind, tolerance=tolerance, iterations=3000)
        cost = measure_cost(model, frames=3)
        start = 3 * 225 * 25
        assert (cost.total[1] - start) % (2 * 3 * 225 * 25) == 0
        macs[kind, tolerance] = cost.total[1]
    assert macs[FISTA, 1.0] < macs[FISTA, 0.1] < macs[ISTA, 0.1]


def test_what_cannot_be_counted_is_said():
    model = small_model(TDAN)
    with pytest.raises(UserError, match="rule paper"):
        measure_cost(model, rule="paper")
    with pytest.raises(UserError, match="--frames 2"):
        measure_cost(model, frames=2)


def test_own_work_of_a_module_stands_under_its_name():
    model = small_model(ISTANet)
    cost = measure_cost(model, frames=3)
    layers = [
        f"stages.{s}.{p}.{n}" for s in (0, 1) for p in ("transform", "inverse") for n in (0, 2)
    ]
    assert set(cost.macs) == {"", *layers}
