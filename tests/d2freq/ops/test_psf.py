"""The optics: against numerical integration, and the numbers known of the published matrix."""

import numpy as np
import pytest
import torch
from scipy import integrate

from d2freq.ops.psf import (
    grid_to_pixel,
    pixel_response,
    pixel_to_grid,
    render,
    sampling_factor,
    sampling_matrix,
)


def spot(row, column, at, sigma):
    """DeRefNet, Eq. 2, for an intensity of 1."""
    square = (row - at[0]) ** 2 + (column - at[1]) ** 2
    return np.exp(-square / (2 * sigma**2)) / (2 * np.pi * sigma**2)


@pytest.mark.parametrize("sigma", [0.5, 0.85])
def test_response_equals_the_integral_over_the_pixel(sigma):
    random = np.random.default_rng(0)
    for _ in range(6):
        at = random.uniform(-0.5, 4.5, 2)
        i, j = (int(np.clip(round(value) + random.integers(-1, 2), 0, 4)) for value in at)
        expected, _ = integrate.dblquad(
            lambda column, row, at=at: spot(row, column, at, sigma),
            *(i - 0.5, i + 0.5, j - 0.5, j + 0.5),
            epsabs=1e-12,
        )
        frame = render(torch.tensor(at)[None], torch.ones(1).double(), size=5, sigma=sigma)
        assert frame[i, j].item() == pytest.approx(expected, abs=1e-9)


def test_shares_of_the_pixel_itself_and_of_its_neighbour():
    assert render(torch.tensor([[5.0, 5.0]]), torch.ones(1))[5, 5] == pytest.approx(
        0.4661, abs=1e-4
    )
    assert render(torch.tensor([[5.3, 5.0]]), torch.ones(1))[5, 5] == pytest.approx(
        0.4100, abs=1e-4
    )
    assert render(torch.tensor([[5.0, 5.0]]), torch.ones(1))[4, 5] == pytest.approx(
        0.1074, abs=1e-4
    )


def test_the_first_coordinate_is_the_row_and_light_adds_up():
    at = torch.tensor([[2.0, 7.0], [9.2, 1.4]], dtype=torch.float64)
    light = torch.tensor([100.0, 50.0], dtype=torch.float64)
    both = render(at, light)
    single = [render(at[k : k + 1], light[k : k + 1]) for k in range(2)]
    assert torch.allclose(both, single[0] + single[1], atol=1e-12)
    assert divmod(int(single[0].argmax()), 11) == (2, 7)
    assert both.sum() == pytest.approx(150, abs=0.3)  # hardly any light leaves the frame


def test_batches_equal_single_frames_in_both_precisions():
    random = torch.Generator().manual_seed(0)
    at = 10 * torch.rand(2, 3, 4, 2, generator=random, dtype=torch.float64)
    light = 250 * torch.rand(2, 3, 4, generator=random, dtype=torch.float64)
    frames = render(at, light)
    assert frames.shape == (2, 3, 11, 11) and frames.dtype == torch.float64
    assert torch.allclose(frames[1, 2], render(at[1, 2], light[1, 2]), atol=1e-12)
    single = render(at.float(), light.float())
    assert single.dtype == torch.float32 and torch.allclose(single.double(), frames, atol=1e-3)


def test_sampling_matrix_has_the_published_numbers():
    phi = sampling_matrix()
    assert phi.shape == (121, 1089) and phi.dtype == torch.float64
    assert torch.linalg.matrix_norm(phi, 2).item() == pytest.approx(2.9303, abs=5e-5)
    assert phi.max().item() == pytest.approx(0.46606, abs=1e-5)
    assert phi[5 * 11 + 5, 16 * 33 + 16].item() == pytest.approx(0.466065, abs=5e-7)
    assert torch.linalg.matrix_rank(phi) == 121
    sums = phi.sum(0)
    assert sums.min().item() == pytest.approx(sums[0].item())
    assert sums[0].item() == pytest.approx(0.3976, abs=1e-4)
    assert sums.max().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("size", "factor", "sigma"), [(11, 3, 0.5), (7, 2, 0.4), (5, 5, 0.8)])
def test_a_column_is_the_frame_of_a_target_on_its_cell(size, factor, sigma):
    phi, side = sampling_matrix(size, factor, sigma), factor * size
    axis = sampling_factor(size, factor, sigma)
    assert axis.shape == (size, side)
    for cell in (0, 1, side - 1, side + 2, side * side // 2, side * side - 1):
        row, column = divmod(cell, side)
        at = grid_to_pixel(torch.tensor([[row, column]]).double(), factor)
        frame = render(at, torch.ones(1).double(), size=size, sigma=sigma)
        assert torch.allclose(phi[:, cell], frame.flatten(), atol=1e-14)
        assert torch.allclose(
            phi[:, cell].view(size, size), torch.outer(axis[:, row], axis[:, column])
        )
    assert torch.equal(sampling_matrix(size, factor, sigma, torch.float32), phi.float())


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5])
def test_cells_and_pixels_round_trip(factor):
    cells = torch.arange(11 * factor)
    assert torch.equal(pixel_to_grid(grid_to_pixel(cells, factor), factor), cells)


def test_the_middle_cell_of_a_pixel_lies_on_its_centre_and_halves_go_to_the_even_cell():
    assert grid_to_pixel(torch.tensor([0, 1, 32])).tolist() == pytest.approx([-1 / 3, 0, 31 / 3])
    at = torch.tensor([4.0, 0.5, 5 / 6 - 0.01, -0.5, 10.5], dtype=torch.float64)
    # 3 * 0.5 + 1 = 2.5 -> 2, 3 * 10.5 + 1 = 32.5 -> 32, as Python's round does
    assert pixel_to_grid(at).tolist() == [13, 2, 3, 0, 32]
    assert pixel_to_grid(at).tolist() == [round(3 * x + 1) for x in at.tolist()]


def test_optics_without_sense_are_refused():
    with pytest.raises(ValueError, match="sigma=0"):
        sampling_matrix(sigma=0)
    with pytest.raises(ValueError, match="factor=0"):
        sampling_matrix(factor=0)
    with pytest.raises(ValueError, match="size=0"):
        pixel_response(torch.zeros(1), 0)
