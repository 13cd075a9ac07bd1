"""SRGAN, ESRGAN, BSRGAN: pixel loss alone, and who learns what with a discriminator."""

import pytest
import torch

from d2freq.errors import UserError
from d2freq.modeling.unmixing import BSRGAN, ESRGAN, SRGAN
from d2freq.modeling.unmixing.methods.adversarial.discriminators import (
    CellDiscriminator,
    GridDiscriminator,
)

from ..methods_cases import SMALL, records

KINDS = (SRGAN, ESRGAN, BSRGAN)
every = pytest.mark.parametrize("kind", KINDS)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def adversarial(kind, **more):
    """A small model of 11 x 11 pixels with a discriminator."""
    torch.manual_seed(0)
    more = {"adversarial_weight": 2.0, "discriminator_channels": 2, "window": 3, **more}
    return kind(**SMALL[kind], **more).train()


def test_discriminators_have_the_parameters_of_the_facts():
    with torch.device("meta"):
        assert count(GridDiscriminator(64, 33)) == 13_730_249
        assert count(CellDiscriminator(64)) == 4_375_745
        # 35.31 M of Table 7, without VGG19
        assert count(SRGAN(adversarial_weight=1.0)) == 35_306_826 - 20_024_384


@every
def test_without_a_weight_there_is_no_discriminator(kind):
    model = adversarial(kind, adversarial_weight=0.0)
    assert model.discriminator is None
    assert set(model(records(1, 4, 11))) == {"loss_reg"}


@every
def test_each_side_learns_from_its_own_loss_alone(kind):
    model = adversarial(kind)
    losses = model(records(1, 5, 11))
    assert set(losses) == {"loss_reg", "loss_discriminator", "loss_adversarial"}
    sides = {"loss_discriminator": model.discriminator, "loss_adversarial": model.generator}
    for name, side in sides.items():
        model.zero_grad()
        losses[name].backward(retain_graph=True)
        for key, parameter in model.named_parameters():
            own = any(parameter is each for each in side.parameters())
            moved = parameter.grad is not None and bool(parameter.grad.any())
            assert not moved or own, (name, key)
        assert any(p.grad is not None and p.grad.any() for p in side.parameters())


@every
def test_the_weight_scales_the_generators_part_alone(kind):
    found = [adversarial(kind, adversarial_weight=w)(records(1, 4, 11)) for w in (1.0, 3.0)]
    one, three = ({k: v.item() for k, v in losses.items()} for losses in found)
    assert three["loss_adversarial"] == pytest.approx(3 * one["loss_adversarial"], rel=1e-5)
    assert three["loss_discriminator"] == pytest.approx(one["loss_discriminator"], rel=1e-5)
    assert three["loss_reg"] == pytest.approx(one["loss_reg"], rel=1e-5)


def test_a_discriminator_learns_to_tell():
    model = adversarial(SRGAN, adversarial_weight=1e-6)
    optimizer = torch.optim.Adam(model.discriminator.parameters(), 1e-2)
    seen = []
    for _ in range(12):
        loss = model(records(1, 5, 11))["loss_discriminator"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    assert seen[-1] < 0.8 * seen[0]


def test_a_single_frame_is_no_batch_for_its_batch_norm():
    with pytest.raises(UserError, match="one frame.*IMS_PER_BATCH"):
        adversarial(SRGAN)(records(1, 3, 11))


def test_bad_values_are_named():
    with pytest.raises(UserError, match="MODEL.ESRGAN.ADVERSARIAL_WEIGHT is -1"):
        ESRGAN(adversarial_weight=-1)
    with pytest.raises(UserError, match="15 x 15 cells is too small.*ADVERSARIAL_WEIGHT 0"):
        SRGAN(adversarial_weight=1.0, size=5)
