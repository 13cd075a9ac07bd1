"""DeRefNet that begins as ISTA, and steps of some windows of a trajectory."""

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.derefnet import DeRefNet
from d2freq.ops.psf import sampling_matrix
from d2freq.ops.shrinkage import soft_threshold

from .derefnet_cases import LENGTH, SIZE, batch

PHI = sampling_matrix(SIZE, 3, 0.5)


def derefnet(**options):
    torch.manual_seed(0)
    q_init = torch.linalg.pinv(PHI)
    return DeRefNet(q_init=q_init, size=SIZE, stages=4, channels=8, blocks=2, **options)


def test_untrained_it_is_ista():
    model = derefnet(init="ista", time_encoding="none")
    frames = torch.stack([record["frames"] for record in batch()])
    phi = PHI.double()
    step = 1 / torch.linalg.eigvalsh(phi.T @ phi)[-1]
    flat = frames.flatten(0, 1).flatten(1).double()
    x = flat @ torch.linalg.pinv(PHI).double().T
    for _ in range(4):
        x = soft_threshold(x - step * (x @ phi.T - flat) @ phi, torch.tensor(1.0))
    found = model.unfolding.estimate(*model._start(frames)).flatten(1)
    torch.testing.assert_close(found.double(), x, rtol=0, atol=1e-3 * float(x.abs().max()))


@pytest.mark.parametrize("encoding", ["none", "linear", "affine"])
def test_its_output_is_near_the_positive_part_of_that(encoding):
    """Residual blocks and time encoding begin small, not at nothing."""
    model = derefnet(init="ista", time_encoding=encoding)
    frames = torch.stack([record["frames"] for record in batch()])
    maps = model.unfolding.estimate(*model._start(frames)).unflatten(0, frames.shape[:2])
    wanted = maps[:, 2:-2, 0].relu()
    wrong = (model.reconstruct(frames) - wanted).norm() / wanted.norm()
    assert wrong < 0.2
    assert (derefnet().reconstruct(frames) - wanted).norm() / wanted.norm() > 0.5


def test_all_its_weights_learn():
    model = derefnet(init="ista")
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
    for _ in range(3):  # behind a zero a gradient takes a step to arrive
        optimizer.zero_grad()
        sum(model(batch()).values()).backward()
        optimizer.step()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_some_windows_are_the_losses_of_a_cut_trajectory_at_its_time():
    records = batch()
    whole, few = derefnet(), derefnet(train_windows=1)
    firsts = set()
    for seed in range(12):
        torch.manual_seed(seed)
        losses = few(records)
        torch.manual_seed(seed)
        first = int(torch.randint(LENGTH - 4, ()))
        firsts.add(first)
        frames = torch.stack([r["frames"] for r in records])
        targets = torch.stack([r["target"] for r in records])
        found = whole.reconstruct(frames)[:, first]
        wanted = (found - targets[:, first + 2, 0]).square().mean((-2, -1)).mean()
        torch.testing.assert_close(losses["loss_regression"], wanted)
    assert firsts == {0, 1, 2}


def test_as_many_windows_as_there_are_is_all_of_them():
    records = batch()
    for count in (LENGTH - 4, 50):
        few = derefnet(train_windows=count)(records)
        torch.testing.assert_close(few, derefnet()(records))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"init": "fista"}, "INIT: 'fista' is unknown; choose"), ({"train_windows": -1}, "0 for all")],
)
def test_wrong_values_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        derefnet(**options)
