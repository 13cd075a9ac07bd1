"""SET in the trainers, in full and in mixed precision."""

import pytest
import torch
from detectron2.engine import AMPTrainer, SimpleTrainer

import d2freq
from d2freq.modeling.set import SET

from .set_cases import batch, build
from .toy import Toy, toy_batch


class Mixed(torch.nn.Module):
    """A model in bfloat16, for a host whose AMPTrainer needs a GPU."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, records):
        with torch.autocast("cpu", torch.bfloat16):
            return self.model(records)


def trainer_of(kind: str, model, loader, optimizer):
    if kind != "AMPTrainer":
        return SimpleTrainer(Mixed(model) if kind == "mixed" else model, loader, optimizer)
    if d2freq.HOST == "detectron2" and not torch.cuda.is_available():
        pytest.skip("Detectron2's AMPTrainer trains on a GPU alone")
    return AMPTrainer(model, loader, optimizer, precision=torch.bfloat16)


@pytest.mark.parametrize(
    ("case", "kind"), [("fcos", "SimpleTrainer"), ("fcos", "mixed"), ("cascade", "AMPTrainer")]
)
def test_ten_steps_of_a_trainer_stay_finite(case, kind):
    model = build(case)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    loader = [batch(seed=seed % 3) for seed in range(10)]
    trainer = trainer_of(kind, model, loader, optimizer)
    trainer.train(0, 10)
    for name, (value, _) in trainer.storage.latest().items():
        assert value == value and abs(value) < 1e6, name
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    names = trainer.storage.histories()
    assert {"total_loss", "loss_set_rpn_cls" if case == "cascade" else "loss_set_fcos_cls"} <= set(
        names
    )


def test_a_gradient_scaler_changes_no_gradient_and_no_perturbation():
    """Gradients of a branch are taken of the loss itself, before the trainer scales it."""
    found = []
    for scale in (1.0, 2.0**10):
        torch.manual_seed(0)
        model, records = SET(Toy()), toy_batch()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        with torch.autocast("cpu", torch.float16):
            losses = model(records)
        scaler.scale(sum(value.float() for value in losses.values())).backward()
        scaler.unscale_(optimizer)
        found.append(
            ([float(v.detach()) for v in losses.values()], [p.grad for p in model.parameters()])
        )
    assert found[0][0] == found[1][0]
    for plain, scaled in zip(found[0][1], found[1][1], strict=True):
        # float16 rounds what is small; nothing else differs
        assert plain.any() and (plain - scaled).norm() < 0.01 * plain.norm()


def test_a_trainer_stops_at_an_infinite_loss_before_the_step():
    class Infinite(Toy):
        def losses(self, features):
            found = super().losses(features)
            return {**found, "loss_cls": found["loss_cls"] * float("inf")}

    model = SET(Infinite())
    before = [p.detach().clone() for p in model.parameters()]
    trainer = SimpleTrainer(model, [toy_batch()], torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(FloatingPointError, match="infinite or NaN"):
        trainer.train(0, 1)
    assert all(map(torch.equal, before, model.parameters()))


def fed_to_the_head(precision: torch.dtype, faintness: float = 1.0) -> list[torch.Tensor]:
    """P2 of both passes, as float32; the losses are ``faintness`` times those of the toy."""

    class Faint(Toy):
        def losses(self, features):
            fed.append(features["p2"].detach().float())
            return {n: loss.float() * faintness for n, loss in super().losses(features).items()}

    fed: list[torch.Tensor] = []
    torch.manual_seed(0)
    model = SET(Faint(), smoothing=False)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        model(toy_batch())
    return fed


@pytest.mark.parametrize(
    ("precision", "faintness"), [(torch.bfloat16, 1.0), (torch.float16, 1.0), (torch.float16, 1e-5)]
)
def test_a_lower_precision_perturbs_nearly_as_float32_does(precision, faintness):
    """Also where float16 would round the gradients to zero."""
    exact, low = fed_to_the_head(torch.float32), fed_to_the_head(precision, faintness)
    cosine = torch.cosine_similarity(
        (exact[1] - exact[0]).flatten(), (low[1] - low[0]).flatten(), dim=0
    )
    assert cosine > 0.97
