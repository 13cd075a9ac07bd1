"""USRNet, ISTA-Net++, RPCANet and DISTA-Net: data steps, conditions, what published ones lack."""

import pytest
import torch
import torch.nn.functional as F

from d2freq.errors import UserError
from d2freq.modeling.unmixing import DISTANet, ISTANetPlusPlus, RPCANet, USRNet
from d2freq.modeling.unmixing.methods.res_unet import ResUNet
from d2freq.modeling.unmixing.units import INTENSITY, noise_level
from d2freq.ops.psf import sampling_matrix

from ..methods_cases import records, small_model, stir

PHI = sampling_matrix(5, 3, 0.5, torch.float32)
FRAMES = torch.cat([record["frames"][1:4] for record in records()]) / INTENSITY


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_noise_is_estimated_beside_targets():
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(200, 1, 11, 11, generator=draw)
    noise[:, :, 4:7, 4:7] += 100
    levels = noise_level(torch.cat([3 * noise, 5 * noise])).flatten()
    assert levels[:200].mean().item() == pytest.approx(3.2, abs=0.2)
    assert levels[200:].mean().item() == pytest.approx(5.4, abs=0.3)


def test_usrnets_parts_have_the_parameters_of_the_facts():
    with torch.device("meta"):
        model = USRNet()
    assert count(model.denoiser) == 1_063_344 and count(model.hyper) == 5_392


def test_usrnet_solves_its_data_step_and_adds_the_denoiser():
    """Each step by 225 dense equations, with alpha and beta of the frame."""
    model = stir(small_model(USRNet))
    z = torch.zeros(len(FRAMES), 225)
    alphas, betas = model.weights(FRAMES).chunk(2, dim=1)
    for number in range(2):
        rows = []
        for row, y in enumerate(FRAMES.flatten(1)):
            alpha = alphas[row, number].item()
            left = PHI.T @ PHI + alpha * torch.eye(225)
            rows.append(torch.linalg.solve(left, PHI.T @ y + alpha * z[row]))
        x = torch.stack(rows).reshape(-1, 1, 15, 15)
        level = betas[:, number : number + 1].expand_as(x)
        z = (x + model.denoiser(torch.cat([x, level], dim=1))).flatten(1)
    found = model.unmix(FRAMES).flatten(1)
    assert torch.allclose(found, z, rtol=1e-3, atol=1e-3)


def test_usrnets_weights_start_alike_and_follow_the_noise():
    model = small_model(USRNet)
    assert model.weights(FRAMES).detach().flatten().tolist() == pytest.approx([0.1] * 24, rel=1e-4)
    model = stir(model)
    quiet, loud = model.weights(FRAMES), model.weights(3 * FRAMES)
    assert (quiet > 0).all() and not torch.allclose(quiet, loud)


@pytest.mark.parametrize("side", [8, 11, 15, 33])
def test_the_u_net_takes_any_side(side):
    net = ResUNet(2, 1, (2, 3, 4, 5), blocks=1)
    found = net(torch.randn(1, 2, side, side))
    assert found.shape == (1, 1, side, side)
    assert not net(torch.zeros(1, 2, side, side)).any()  # no bias


@pytest.mark.parametrize("condition", ["noise", "free"])
def test_ista_net_plus_plus(condition):
    model = stir(small_model(ISTANetPlusPlus, condition=condition))
    steps, levels = model.conditions(FRAMES)
    x = FRAMES.flatten(1) @ PHI
    for number, stage in enumerate(model.stages):
        x = x - steps[:, number].reshape(-1, 1) * (x @ PHI.T - FRAMES.flatten(1)) @ PHI
        grid = x.reshape(-1, 1, 15, 15)
        level = levels[:, number].expand_as(grid)
        features = stage.lift(torch.cat([grid, level], dim=1))
        for first, slope, second in stage.blocks:
            hidden = first(features)
            assert slope.negative_slope == 0.1
            features = features + second(torch.where(hidden > 0, hidden, 0.1 * hidden))
        x = (grid + stage.lower(features)).flatten(1)
    assert torch.allclose(model.unmix(FRAMES).flatten(1), x, rtol=1e-3, atol=1e-3)
    same = torch.allclose(steps, model.conditions(3 * FRAMES)[0])
    assert same == (condition == "free")


def test_ista_net_plus_plus_steps_start_at_the_optics_own():
    model = small_model(ISTANetPlusPlus, condition="free")
    norm = torch.linalg.matrix_norm(PHI, 2).square()
    steps = model.conditions(FRAMES)[0].detach().flatten() * norm
    assert torch.allclose(steps, torch.ones_like(steps), rtol=1e-4)
    with torch.device("meta"):
        assert count(ISTANetPlusPlus(condition="free")) == 757_820
    with pytest.raises(UserError, match="ISTANETPLUSPLUS.CONDITION: 'ratio'.*noise, free"):
        ISTANetPlusPlus(condition="ratio")


def test_rpcanets_merged_frame_goes_from_stage_to_stage():
    """Unlike in the published code every merging network but the last moves the targets."""
    model = stir(small_model(RPCANet, stages=3)).train()
    model.separate(FRAMES).targets.square().sum().backward()
    moved = [
        any(p.grad is not None and p.grad.any() for p in s.merge.parameters()) for s in model.stages
    ]
    assert moved == [True, True, False]


def test_rpcanet_written_down():
    model = stir(small_model(RPCANet)).eval()
    y = frame = FRAMES
    t = torch.zeros(len(y), 225)
    step = 1 / torch.linalg.matrix_norm(PHI, 2).square()
    for stage in model.stages:
        rest = frame - (t @ PHI.T).reshape_as(y)
        background = rest + stage.background(rest)
        r = t - step * (t @ PHI.T - (frame - background).flatten(1)) @ PHI
        grid = r.reshape(-1, 1, 15, 15)
        t = (grid - stage.share * stage.targets(grid)).flatten(1)
        whole = background + (t @ PHI.T).reshape_as(y)
        frame = whole + stage.merge(whole)
    found = model.separate(y)
    assert torch.allclose(found.targets.flatten(1), t, rtol=1e-3, atol=1e-3)
    assert torch.allclose(found.merged, frame, rtol=1e-3, atol=1e-3)
    losses = model.train()(records())
    assert set(losses) == {"loss_reg", "loss_merge"}


def test_a_frame_of_dista_net_does_not_depend_on_the_others_of_its_batch():
    model = stir(small_model(DISTANet)).eval()
    with torch.no_grad():
        before = model.unmix(FRAMES)
        changed = FRAMES.clone()
        changed[1:] += 0.5
        after = model.unmix(changed)
        single = model.unmix(FRAMES[:1])
    assert torch.allclose(before[0], after[0], atol=1e-5) and torch.allclose(
        before[0], single[0], atol=1e-5
    )
    assert not torch.allclose(before[1], after[1], atol=1e-3)


def test_dista_nets_kernel_is_the_frames_own():
    model = stir(small_model(DISTANet))
    stage, (start, before) = model.stages[0], torch.rand(2, 3, 1, 15, 15)
    plain = stage.transform(start)
    found = stage.features(start, before)
    for row in range(3):
        kernel = stage.kernel(before[row].flatten()).reshape(1, 1, 3, 3)
        own = torch.sigmoid(F.conv2d(start[row : row + 1], kernel, padding=1))
        assert torch.allclose(found[row], 0.7 * plain[row] + 0.3 * own[0], atol=1e-5)


def test_dista_net_without_kernels():
    q_init = torch.zeros(1089, 121)
    with torch.device("meta"):
        model, plain = (DISTANet(q_init=q_init, dynamic=each) for each in (True, False))
    assert count(plain) == 490_986
    assert count(model.stages[0].kernel) == 281_353 and count(model.stages[0]) == 363_184
    model = stir(small_model(DISTANet, dynamic=False)).train()
    losses = model(records())
    assert losses["loss_constraint"] > 0 and losses["loss_reg"] > 0
    with pytest.raises(UserError, match="MODEL.DISTANET.CHANNELS is 5"):
        DISTANet(channels=5)
