"""Adaptive pools from arithmetic on the size, against torch's."""

import pytest
import torch
import torch.nn.functional as F

from d2freq.ops.pooling import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    cell_averages,
    cell_maxima,
)


@pytest.mark.parametrize("cells", [1, 2, 3, 8, 16])
def test_cells_are_those_of_torch_at_every_size(cells):
    generator = torch.Generator().manual_seed(cells)
    for size in range(1, 40):
        x = torch.randn(2, 3, size, 40 - size, dtype=torch.double, generator=generator)
        torch.testing.assert_close(cell_averages(x, cells), F.adaptive_avg_pool2d(x, cells))
        assert torch.equal(cell_maxima(x, cells), F.adaptive_max_pool2d(x, cells))


def test_outside_of_an_export_torch_pools():
    x = torch.randn(2, 3, 20, 13, generator=torch.Generator().manual_seed(0))
    assert torch.equal(adaptive_avg_pool2d(x, 8), F.adaptive_avg_pool2d(x, 8))
    assert torch.equal(adaptive_max_pool2d(x, 8), F.adaptive_max_pool2d(x, 8))
