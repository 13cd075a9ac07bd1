"""A Step is SimpleTrainer, bit for bit, with a hold for guards and for accumulation."""

import pytest
import torch
from detectron2.engine import AMPTrainer, HookBase, SimpleTrainer
from torch import nn

from d2freq.engine.step import MixedStep, Step, make_step, step_of, take_over


class TwoLosses(nn.Module):
    """Two losses of a linear layer, as a detector gives them."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, batch):
        found = self.layer(batch)
        return {"loss_a": found.square().mean(), "loss_b": found.abs().sum() / 7}


class OneLoss(TwoLosses):
    def forward(self, batch):
        return sum(super().forward(batch).values())


class Bfloat16(TwoLosses):
    """What MixedStep does, in a model, for a host whose AMPTrainer needs a GPU."""

    def forward(self, batch):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(batch)


def trained(make, model=TwoLosses, *, steps=5, batches=None, hooks=()):
    """The trainer after some steps, and the losses that it stored."""
    torch.manual_seed(0)
    network = model()
    data = batches or [torch.randn(8, 4) for _ in range(steps)]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    trainer = make(network, data, optimizer)
    losses = []

    class Record(HookBase):
        def after_step(self):
            losses.append(self.trainer.storage.latest()["total_loss"][0])

    trainer.register_hooks([Record(), *hooks])
    trainer.train(0, steps)
    return trainer, losses


def assert_equal(first, second):
    ours, theirs = first.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("model", [TwoLosses, OneLoss])
def test_a_step_is_simple_trainers(model):
    host, theirs = trained(SimpleTrainer, model)
    own, ours = trained(Step, model)
    assert ours == theirs
    assert_equal(own, host)


def test_a_mixed_step_is_autocast():
    host, theirs = trained(SimpleTrainer, Bfloat16)
    own, ours = trained(MixedStep)
    assert ours == theirs
    assert_equal(own, host)
    assert isinstance(own, AMPTrainer) and own.precision == torch.bfloat16
    assert own.state_dict()["grad_scaler"] == {}


def test_accumulated_batches_are_one_large_batch():
    batches = [torch.randn(4, 4) for _ in range(6)]
    pairs = [torch.cat(batches[n : n + 2]) for n in (0, 2, 4)]

    class MeanLoss(TwoLosses):
        def forward(self, batch):
            return {"loss": self.layer(batch).square().mean()}

    def two_at_a_time(*arguments):
        step = Step(*arguments)
        step.accumulate = 2
        return step

    whole, theirs = trained(Step, MeanLoss, steps=3, batches=pairs)
    parts, ours = trained(two_at_a_time, MeanLoss, steps=3, batches=batches)
    assert ours == pytest.approx(theirs, rel=1e-6)
    for name, value in parts.model.state_dict().items():
        torch.testing.assert_close(value, whole.model.state_dict()[name])


@pytest.mark.parametrize("kind", [Step, MixedStep])
def test_a_guard_sees_gradients_and_refuses_an_update(kind):
    seen = []

    def guard(step, batches, losses):
        step.unscale()
        seen.append((len(batches), sorted(losses), step.model.layer.weight.grad.norm() > 0))
        return step.iter != 1

    weights = []

    class Watch(HookBase):
        def before_train(self):
            step_of(self.trainer).guards.append(guard)

        def after_step(self):
            weights.append(self.trainer.model.layer.weight.detach().clone())

    trained(kind, steps=3, hooks=[Watch()])
    assert seen == [(1, ["loss_a", "loss_b"], True)] * 3
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[1], weights[2])


def test_the_outer_trainers_hooks_hear_of_the_backward_pass():
    class Outer:
        heard = 0

        def after_backward(self):
            self.heard += 1

    outer, model = Outer(), TwoLosses()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inner = SimpleTrainer(model, [torch.randn(2, 4)] * 2, optimizer)
    step = take_over(inner, outer)
    assert type(step) is Step and step.model is model and step.optimizer is optimizer
    assert take_over(step, outer) is step
    step.train(0, 2)
    assert outer.heard == 2


def test_precision_follows_the_device():
    model = TwoLosses()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert type(make_step(model, [], optimizer, amp=False)) is Step
    assert type(make_step(model, [], optimizer, amp=True)) is MixedStep
