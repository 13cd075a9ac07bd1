"""Block DCT against scipy, the enlargement, and a real JPEG file's conventions."""

import pytest
import scipy.fft
import torch
import torch.nn.functional as F

from d2freq.ops.block_dct import GEOMETRIES, axis_basis, zigzag


def block_dct(planes, mode="8x8"):
    """(B, P, H, W) -> (B, P, N N, H / S, W / S) in raster order, from the basis of an axis."""
    geometry = GEOMETRIES[mode]
    basis = axis_basis(mode, dtype=planes.dtype)
    kernels = torch.einsum("vy,ux->vuyx", basis, basis).flatten(0, 1)[:, None]
    flat = F.pad(planes.flatten(0, 1)[:, None], [geometry.padding] * 4, mode="replicate")
    return F.conv2d(flat, kernels, stride=geometry.stride).unflatten(0, planes.shape[:2])


def blocks_of_scipy(planes, points):
    """(B, P, N N, H / N, W / N) by scipy, block by block."""
    batch, count, height, width = planes.shape
    parts = planes.numpy().reshape(batch, count, height // points, points, width // points, points)
    found = torch.from_numpy(scipy.fft.dctn(parts, axes=(3, 5), norm="ortho"))
    return found.permute(0, 1, 3, 5, 2, 4).flatten(2, 3)


@pytest.mark.parametrize(("mode", "points"), [("8x8", 8), ("4x4", 4)])
def test_blocks_are_those_of_scipy(mode, points):
    planes = 255 * torch.rand(2, 3, 32, 48, dtype=torch.float64) - 128
    torch.testing.assert_close(
        block_dct(planes, mode), blocks_of_scipy(planes, points), rtol=0, atol=1e-12 * 255
    )


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-3)])
def test_x2_and_x4_are_the_transform_of_the_enlarged_image(factor, dtype, tolerance):
    planes = 255 * torch.rand(2, 3, 36, 52, dtype=dtype)
    enlarged = F.interpolate(planes, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(
        block_dct(planes, f"x{factor}"), block_dct(enlarged, "8x8"), rtol=0, atol=tolerance
    )


def test_chroma_of_8x8_420_is_of_the_image_enlarged_twice_and_halved():
    planes = 255 * torch.rand(1, 1, 8, 10, dtype=torch.float64)  # a block's row and its neighbours
    large = F.interpolate(planes, scale_factor=(1, 2), mode="bilinear", align_corners=False)
    halved = F.avg_pool2d(large, (1, 2))[0, 0, :, 1:9]
    wave = axis_basis("8x8")
    expected = halved @ wave.T
    assert torch.allclose(planes[0, 0] @ axis_basis("8x8-420", chroma=True).T, expected, atol=1e-10)
    assert torch.equal(axis_basis("8x8-420"), F.pad(wave, (1, 1)))


def test_coefficients_stand_in_raster_order():
    along_x = torch.arange(8.0).repeat(8, 1)[None, None]
    energy = block_dct(along_x)[0, 0, :, 0, 0].abs() > 1e-4
    assert set(energy.nonzero().flatten().tolist()) <= set(range(8))  # v = 0
    energy = block_dct(along_x.transpose(2, 3))[0, 0, :, 0, 0].abs() > 1e-4
    assert set(energy.nonzero().flatten().tolist()) <= set(range(0, 64, 8))  # u = 0


def test_a_black_block_has_dc_minus_1024_and_nothing_else():
    coefficients = block_dct(torch.full((1, 1, 8, 8), -128.0, dtype=torch.float64))[0, 0, :, 0, 0]
    assert coefficients[0].item() == pytest.approx(-1024, abs=1e-10)
    assert coefficients[1:].abs().max() < 1e-10


@pytest.mark.parametrize("mode", GEOMETRIES)
def test_a_mirrored_image_mirrors_the_grid_and_turns_the_sign_of_odd_columns(mode):
    planes = torch.rand(1, 2, 16, 24, dtype=torch.float64)
    points = GEOMETRIES[mode].points
    sign = (-1.0) ** torch.arange(points).repeat(points)
    expected = block_dct(planes, mode).flip(-1) * sign[:, None, None]
    torch.testing.assert_close(block_dct(planes.flip(-1), mode), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", ["8x8", "4x4"])
def test_a_basis_is_orthonormal(mode):
    basis = axis_basis(mode)
    identity = torch.eye(len(basis), dtype=torch.float64)
    torch.testing.assert_close(basis @ basis.T, identity, rtol=0, atol=1e-14)


def test_zigzag_ranks_those_of_jpeg():
    ranks = zigzag()
    assert ranks[:10] == [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]  # JPEG, Annex A, Figure A.6
    assert ranks[-6:] == [61, 54, 47, 55, 62, 63]
    assert sorted(ranks) == list(range(64))
    # a neighbour in zigzag order is a neighbour, also across a corner, in the block
    steps = [
        (abs(a // 8 - b // 8), abs(a % 8 - b % 8))
        for a, b in zip(ranks[:-1], ranks[1:], strict=True)
    ]
    assert set(steps) <= {(0, 1), (1, 0), (1, 1)}
