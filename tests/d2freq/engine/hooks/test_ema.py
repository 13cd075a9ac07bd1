"""The average with SET around a detector: what is averaged, put in place, saved and loaded."""

from types import SimpleNamespace

import pytest
import torch

from d2freq.engine.hooks.best import save_weights
from d2freq.engine.hooks.ema import ModelEMA
from d2freq.errors import UserError

from ..test_untouched import model_of


def stepped(ema, model, *, skipped=False):
    with torch.no_grad():
        for value in [*model.parameters(), *model.buffers()]:
            if value.is_floating_point():
                value.add_(torch.randn_like(value) * 0.1)
            else:
                value.add_(1)
    ema.trainer = SimpleNamespace(skipped=skipped)
    ema.after_step()


def begun(model, **options):
    ema = ModelEMA(model, **options)
    ema.trainer = SimpleNamespace(start_iter=0)
    ema.before_train()
    return ema


def test_set_and_its_detector_are_averaged(tmp_path):
    model = model_of("set")
    ema = begun(model, decay=0.75, warmup=0)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    stepped(ema, model)
    once = {name: value.clone() for name, value in model.state_dict().items()}
    with ema.in_place() as averaged:
        assert averaged is model
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                assert torch.allclose(value, 0.75 * start[name] + 0.25 * once[name], atol=1e-6)
            else:
                assert torch.equal(value, once[name])
        save_weights(model, tmp_path / "ema.pth", iteration=0)
    assert all(torch.equal(value, once[name]) for name, value in model.state_dict().items())
    saved = torch.load(tmp_path / "ema.pth", weights_only=True)["model"]
    assert saved.keys() == once.keys()

    other = begun(model_of("set"), decay=0.75, warmup=0)
    other.load_state_dict(ema.state_dict())
    assert other.updates == 1
    assert all(torch.equal(other.average[name], ema.average[name]) for name in ema.average)
    with pytest.raises(UserError, match="another model"):
        begun(model_of("retinanet")).load_state_dict(ema.state_dict())


def test_a_refused_update_is_not_averaged():
    model = torch.nn.Linear(2, 2)
    ema = begun(model, decay=0.5)
    before = ema.average["weight"].clone()
    stepped(ema, model, skipped=True)
    assert ema.updates == 0 and torch.equal(ema.average["weight"], before)


def test_what_does_not_change_stays_to_the_bit():
    model = torch.nn.Linear(50, 50)
    ema = begun(model)
    ema.trainer = SimpleNamespace(skipped=False)
    for _ in range(20):
        ema.after_step()
    assert torch.equal(ema.average["weight"], model.weight)


@pytest.mark.parametrize("options", [{"decay": 1.0}, {"decay": -0.1}, {"warmup": -1}])
def test_bad_values_are_refused(options):
    with pytest.raises(UserError, match="EMA"):
        ModelEMA(torch.nn.Linear(2, 2), **options)
