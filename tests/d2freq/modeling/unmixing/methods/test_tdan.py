"""TDAN in one pass against a loop over windows and neighbours, with torchvision's operator."""

import pytest
import torch
from torchvision.ops import deform_conv2d

from d2freq.modeling.unmixing import TDAN

from ..methods_cases import records, small_model, stir


def align(model, centre, other):
    """One pair, (1, 1, 5, 5) frames, as TDAN's figure tells it."""

    def deform(module, x, guide):
        return deform_conv2d(x, module.offset(guide), module.weight, padding=1)

    middle, neighbour = model.features(centre), model.features(other)
    guide = model.pair(torch.cat([middle, neighbour], dim=1))
    for module in model.pair_deforms:
        guide = deform(module, guide, guide)
    aligned = deform(model.align1, neighbour, guide)
    return model.to_frame(deform(model.align2, aligned, aligned))


def test_one_pass_equals_the_loop_and_so_do_the_losses():
    model, batch = stir(small_model(TDAN, align_weight=0.3)), records()
    grids, square, alignment = [], [], []
    for record in batch:
        for time in (1, 2, 3):
            centre = record["frames"][time][None]
            maps = [align(model, centre, record["frames"][n][None]) for n in (time - 1, time + 1)]
            window = torch.cat([maps[0], centre, maps[1]], dim=1)
            grid = model.last(model.enlarge(model.fuse(window)))
            grids.append(grid[0, 0])
            square.append(((grid - record["target"][time]) ** 2).mean())
            alignment += [((each - centre) ** 2).mean() for each in maps]
    found = torch.cat([output["grid"] for output in model.eval()(batch)])
    assert torch.allclose(found, torch.stack(grids), rtol=1e-4, atol=1e-3)
    losses = model.train()(batch)
    assert losses["loss_reg"].item() == pytest.approx(sum(square).item() / 6, rel=1e-4)
    want = 0.3 * sum(alignment).item() / 12
    assert losses["loss_align"].item() == pytest.approx(want, rel=1e-4)


def test_the_alignment_weighs_what_it_does_as_published():
    """There 0.01 times a mean over all five frames of a window, the centre itself among them."""
    model, batch = stir(small_model(TDAN, window=5)).train(), records(length=6)
    rows = []
    for record in batch:
        frames = record["frames"]
        for time in (2, 3):
            for other in range(time - 2, time + 3):
                centre = frames[time][None]
                same = other == time
                row = centre if same else align(model, centre, frames[other][None])
                rows.append(((row - centre) ** 2).mean())
    assert len(rows) == 20
    want = 0.01 * torch.stack(rows).mean().item()
    assert model(batch)["loss_align"].item() == pytest.approx(want, rel=1e-4)
