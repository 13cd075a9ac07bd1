"""DBPN, GMFN and RDN: projections, feedback, dense blocks."""

import pytest
import torch
import torch.nn.functional as F

from d2freq.errors import UserError
from d2freq.modeling.unmixing import DBPN, GMFN, RDN
from d2freq.modeling.unmixing.blocks import ResidualDenseBlock, enlarging, reducing
from d2freq.modeling.unmixing.units import INTENSITY

from ..methods_cases import records, small_model, stir

FRAMES = torch.cat([record["frames"][1:4] for record in records()]) / INTENSITY


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_features_go_to_the_grid_and_back(factor):
    up, down = enlarging(3, factor), reducing(3, factor)
    x = torch.randn(2, 3, 11, 11)
    assert up(x).shape == (2, 3, 11 * factor, 11 * factor)
    assert down(up(x)).shape == x.shape


def test_a_pixel_stays_in_the_middle_of_its_cells():
    up = enlarging(1, 3)
    torch.nn.init.ones_(up[0].weight)
    torch.nn.init.zeros_(up[0].bias)
    x = torch.zeros(1, 1, 11, 11)
    x[0, 0, 5, 5] = 1
    lit = up(x)[0, 0].nonzero()
    assert lit.min() == 16 - 3 and lit.max() == 16 + 3  # cell 16 is the middle of pixel 5


def test_dbpns_projections():
    model = stir(small_model(DBPN))
    up, down, last = model.projections
    assert count(DBPN(pairs=0).projections[0]) == 150_627
    x = model.first(FRAMES)
    for unit in (up, down, last):
        h = unit.there(x)
        x = h + unit.correct(unit.back(h) - x)
    assert torch.allclose(model.unmix(FRAMES), model.last(x), atol=1e-5)


def test_gmfn_feeds_back_what_all_blocks_gave():
    model = stir(small_model(GMFN, steps=3))
    first, kept, grids = model.first(FRAMES), None, []
    for _ in range(3):
        x, outputs = first, []
        for block in model.blocks:
            if kept is not None:
                x = model.join(torch.cat([x, model.gather(torch.cat(kept, 1))], 1))
            x = block(x)
            outputs.append(x)
        kept = outputs
        skip = F.interpolate(FRAMES, size=(15, 15), mode="bilinear")
        grids.append(model.last(model.enlarge(x)) + skip)
    assert torch.allclose(model.unmix(FRAMES), grids[-1], atol=1e-5)
    truth = torch.cat([record["target"][1:4] for record in records()])
    errors = [((grid * INTENSITY - truth) ** 2).mean() for grid in grids]
    loss = model.train()(records())["loss_reg"]
    assert loss.item() == pytest.approx((sum(errors) / 3).item(), rel=1e-4)
    with pytest.raises(UserError, match="MODEL.GMFN.STEPS is 0"):
        GMFN(steps=0)


@pytest.mark.parametrize("leaky", [False, True])
def test_a_dense_block(leaky):
    block = ResidualDenseBlock(4, 3, scale=0.2, leaky=leaky)
    x = torch.randn(2, 4, 5, 5)
    maps = [x]
    for conv, _ in block.layers:
        hidden = conv(torch.cat(maps, 1))
        maps.append(torch.where(hidden > 0, hidden, (0.2 if leaky else 0.0) * hidden))
    assert torch.allclose(block(x), x + 0.2 * block.fuse(torch.cat(maps, 1)), atol=1e-5)
    with torch.device("meta"):
        assert count(ResidualDenseBlock(32, 8, leaky=True)) == 341_288
        assert count(ResidualDenseBlock(64, 8)) == 1_364_544


def test_rdn_fuses_all_blocks():
    model = stir(small_model(RDN))
    first = model.first(FRAMES)
    one = model.blocks[0](model.second(first))
    two = model.blocks[1](one)
    fused = model.fuse[1](model.fuse[0](torch.cat([one, two], 1)))
    want = model.last(model.enlarge(first + fused))
    assert torch.allclose(model.unmix(FRAMES), want, atol=1e-5)
