"""A NaN in a gradient, a loss or a picture: no weight ever holds it, and the message names it."""

import math
from types import SimpleNamespace

import pytest
import torch
from detectron2.engine import HookBase
from detectron2.structures import Boxes, Instances
from torch import nn

from d2freq.engine.hooks import finite_steps
from d2freq.engine.hooks.finite_steps import HALVINGS, FiniteSteps
from d2freq.engine.step import make_step, step_of
from d2freq.engine.weights.finite import NonFiniteError, check_finite, faults_of
from d2freq.engine.weights.strict import StrictCheckpointer, load_weights
from d2freq.errors import UserError


class Inject(HookBase):
    """Puts a value into one number of a gradient, or of a loss, in one iteration.

    Args:
        at: the iteration.
        gradient: a parameter's name, or
        loss: the name of one of the model's losses.
        value: such as NaN.
    """

    def __init__(self, *, at: int, value: float, gradient: str = "", loss: str = "") -> None:
        self.at, self.value, self.gradient, self.loss = at, value, gradient, loss

    def before_train(self) -> None:
        """Stand in front of the model's losses."""
        self.step = step_of(self.trainer)
        if self.loss:
            usual = self.step.losses

            def losses(batch):
                found = dict(usual(batch))
                if self.trainer.iter == self.at:
                    found[self.loss] = found[self.loss] * self.value
                return found

            self.step.losses = losses

    def after_backward(self) -> None:
        if self.gradient and self.trainer.iter == self.at:
            parameter = dict(self.step.model.named_parameters())[self.gradient]
            parameter.grad.view(-1)[0] = self.value


class Small(nn.Module):
    """A layer and a batch norm on the mean colours of pictures."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.layer = nn.Linear(3, 2)

    def forward(self, batch):
        pixels = torch.stack([each["image"].mean(dim=(1, 2)) for each in batch])
        found = self.layer(self.norm(pixels))
        return {"loss_cls": found.square().mean(), "loss_box": found.abs().mean()}


def pictures(count, broken=()):
    """Batches of two pictures each; those of ``broken`` hold a NaN."""
    batches = []
    for number in range(count):
        batch = []
        for place in range(2):
            image = torch.rand(3, 4, 5)
            if number in broken and place:
                image[1, 2, 3] = math.nan
            instances = Instances((4, 5))
            instances.gt_boxes = Boxes(torch.tensor([[0.0, 0, 2, 2]]))
            name = f"{number}{'ab'[place]}.png"
            batch.append(
                dict(image=image, file_name=name, image_id=2 * number + place, instances=instances)
            )
        batches.append(batch)
    return batches


def train(*faults, most=0, steps=6, broken=(), amp=False, clip=False):
    model = Small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    trainer = make_step(model, pictures(steps, broken), optimizer, amp=amp)
    weights = []

    class Watch(HookBase):
        def after_step(self):
            weights.append({k: v.clone() for k, v in model.state_dict().items()})

    trainer.register_hooks([*faults, FiniteSteps(most=most), Watch()])
    trainer.seen = weights
    trainer.train(0, steps)
    return trainer


def all_finite(model):
    return all(bool(v.isfinite().all()) for v in model.state_dict().values())


@pytest.mark.parametrize("amp", [False, True])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_one_nan_gradient_with_a_finite_loss_ends_the_training_before_the_update(value, amp):
    with pytest.raises(NonFiniteError) as caught:
        train(Inject(at=3, gradient="layer.bias", value=value), amp=amp)
    said = str(caught.value)
    assert "\n" not in said and isinstance(caught.value, UserError)
    assert "iteration 3" in said and "gradient of layer.bias is not" in said
    assert "3a.png image_id 6, 3b.png image_id 7" in said
    assert "learning rate" in said and "NONFINITE_STEPS" in said


def test_a_loss_that_is_not_finite_is_named():
    with pytest.raises(NonFiniteError, match=r"iteration 2.*loss_box is nan"):
        train(Inject(at=2, loss="loss_box", value=math.nan))


def test_a_nan_pixel_is_named_and_the_learning_rate_is_not_blamed():
    with pytest.raises(NonFiniteError) as caught:
        train(broken=(1,))
    assert "1b.png image_id 3: image (1 of 60 values are NaN)" in str(caught.value)
    assert "learning rate" not in str(caught.value) and "Mend the picture" in str(caught.value)


def test_single_updates_are_left_out_and_counted():
    trainer = train(Inject(at=2, gradient="layer.weight", value=math.nan), most=1)
    before, after, later = trainer.seen[1:4]
    for name in ("layer.weight", "norm.weight", "norm.running_mean"):
        assert torch.equal(before[name], after[name]) and not torch.equal(after[name], later[name])
    assert trainer.storage.latest()["skipped_steps"][0] == 1
    assert all_finite(trainer.model)


def test_a_broken_picture_leaves_no_nan_in_the_batch_norm():
    trainer = train(broken=(1, 4), most=1)
    assert all_finite(trainer.model)
    assert trainer.storage.latest()["skipped_steps"][0] == 2


def test_more_in_a_row_than_allowed_end_the_training():
    with pytest.raises(NonFiniteError, match="iteration 4.*after 2 in a row were left out"):
        train(broken=(2, 3, 4), most=2)
    assert all_finite(train(broken=(1, 2, 4, 5), most=2).model)


def test_large_but_finite_gradients_pass():
    """The norm of a gradient of 1e30 overflows."""
    trainer = train(Inject(at=5, gradient="layer.weight", value=1e30))
    assert trainer.seen[-1]["layer.weight"].abs().max() > 1e28


def test_descriptions_of_tensors():
    state = {
        "fc": {"weight": torch.tensor([1.0, math.inf]), "bias": torch.tensor([math.nan, 0.0])},
        "mask": torch.tensor([-math.inf]),
        "steps": torch.tensor([3]),
        "all": [torch.ones(2), (torch.full((3,), math.nan),)],
    }
    assert list(faults_of(state)) == [
        "fc.weight (1 of 2 values are infinite)",
        "fc.bias (1 of 2 values are NaN)",
        "all.1.0 (3 of 3 values are NaN)",
    ]
    with pytest.raises(NonFiniteError, match=r"^x: fc.weight .*, fc.bias .*, and 1 more.*\. y$"):
        check_finite(state, what="x", cure="y")


def test_no_checkpoint_with_nan_is_written_or_read(tmp_path):
    model = Small()
    checkpointer = StrictCheckpointer(model, str(tmp_path))
    checkpointer.save("model_0000001")
    model.layer.bias.data[0] = math.nan
    with pytest.raises(NonFiniteError, match="model_0000002 is not saved.*layer.bias"):
        checkpointer.save("model_0000002")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last_checkpoint", "model_0000001.pth"]

    path = tmp_path / "old.pth"
    torch.save({"model": model.state_dict()}, path)
    for strict in (True, False):
        with pytest.raises(NonFiniteError, match=r"old.pth.*layer.bias \(1 of 2 values are NaN\)"):
            load_weights(Small(), str(path), "", resume=False, strict=strict)


def test_an_average_of_weights_that_is_nan_is_not_written(tmp_path):
    class Average(nn.Module):
        def state_dict(self):
            return {"hooks": {"EMA": {"layer.weight": torch.tensor([math.nan])}}}

    checkpointer = StrictCheckpointer(Small(), str(tmp_path), trainer=Average())
    with pytest.raises(NonFiniteError, match=r"trainer.hooks.EMA.layer.weight"):
        checkpointer.save("model_0000001")
    assert not list(tmp_path.iterdir())


def test_overflows_of_a_scaler_pass_but_not_without_end():
    """float16 runs on GPUs alone, and a scaler on the CPU as well."""
    model = nn.Linear(2, 1)
    step = SimpleNamespace(model=model, iter=3, grad_scaler=torch.amp.GradScaler("cpu"))
    losses = {"loss": torch.tensor(1.0)}
    hook = FiniteSteps(most=0)

    def ask(value):
        model.weight.grad = torch.full_like(model.weight, value)
        return hook._allow(step, [pictures(1)], losses)

    for _ in range(2):  # as a scaler finds its factor, again and again in a long training
        assert all(ask(math.inf) for _ in range(HALVINGS)) and ask(1.0)
    assert hook.state_dict() == {}
    with pytest.raises(NonFiniteError, match=r"iteration 3.*gradient of weight.*20 in a row"):
        for _ in range(HALVINGS + 1):
            ask(math.nan)


@pytest.mark.parametrize(("here", "there"), [(True, True), (True, False), (False, True)])
def test_all_processes_leave_an_update_out_or_none(here, there, monkeypatch):
    def reduce(flag, op):
        assert op == finite_steps.dist.ReduceOp.MIN
        flag.clamp_(max=int(there))

    losses = {"loss": torch.tensor(1.0)}
    assert finite_steps._in_all_processes(here, losses) == here  # alone
    monkeypatch.setattr(finite_steps.comm, "get_world_size", lambda: 2)
    monkeypatch.setattr(finite_steps.dist, "all_reduce", reduce)
    assert finite_steps._in_all_processes(here, losses) == (here and there)
