"""The Haar transform: perfect reconstruction, energy, and a naive loop."""

import pytest
import torch

from d2freq.ops.haar import haar_join, haar_split

SIZES = [(6, 4), (5, 8), (8, 5), (7, 7), (1, 1), (1, 6), (2, 2)]


@pytest.mark.parametrize("size", SIZES)
def test_split_and_join_are_the_identity(size):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    low, details = haar_split(x)
    half = tuple(-(-side // 2) for side in size)
    assert low.shape == (2, 3, *half) and details.shape == (2, 3, 3, *half)
    torch.testing.assert_close(haar_join(low, details, size), x, atol=1e-12, rtol=0)


def test_bands_of_a_cell_by_hand():
    x = torch.randn(4, 6, dtype=torch.float64)
    low, details = haar_split(x)
    for row in range(2):
        for column in range(3):
            (a, b), (c, d) = x[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].tolist()
            expected = [(a + b + c + d) / 2, (b + d - a - c) / 2, (c + d - a - b) / 2]
            expected.append((a + d - b - c) / 2)
            found = [low[row, column].item(), *details[:, row, column].tolist()]
            assert found == pytest.approx(expected)


def test_energy_stays_where_sides_are_even():
    x = torch.randn(2, 8, 6, dtype=torch.float64)
    low, details = haar_split(x)
    assert (low.square().sum() + details.square().sum()).item() == pytest.approx(
        x.square().sum().item()
    )


def test_an_odd_side_ends_without_details():
    _, details = haar_split(torch.randn(1, 5, 7))
    assert details[:, 1:, -1].abs().sum() == 0  # below the last row there is nothing
    assert details[:, [0, 2], :, -1].abs().sum() == 0
    assert details[:, 1, :2].abs().sum() > 0


def test_gradient_by_finite_differences():
    x = torch.randn(1, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(haar_split, (x,))
    low, details = (band.detach().requires_grad_() for band in haar_split(x))
    assert torch.autograd.gradcheck(lambda a, b: haar_join(a, b, (3, 5)), (low, details))
