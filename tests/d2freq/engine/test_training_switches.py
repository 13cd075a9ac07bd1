"""Freezing, groups, clipping and accumulation as a config asks for them, YAML and lazy."""

import pytest
import torch

from d2freq.engine.step import Step
from d2freq.errors import UserError


def weights_of(folder):
    return torch.load(folder / "model_final.pth", weights_only=False)["model"]


def difference(first, second):
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@pytest.fixture
def optimizers(monkeypatch):
    """The optimizers of the trainings, and the norm of all gradients at each of their steps."""
    seen = []
    whole = Step.__init__

    def norm_at_step(this, *_):
        gradients = [p.grad.flatten() for g in this.param_groups for p in g["params"]]
        this.norms.append(float(torch.cat(gradients).norm()))

    def init(self, model, loader, optimizer, **kwargs):
        optimizer.norms = []
        optimizer.register_step_pre_hook(norm_at_step)  # behind any clipping
        seen.append(optimizer)
        whole(self, model, loader, optimizer, **kwargs)

    monkeypatch.setattr(Step, "__init__", init)
    return seen


def test_frozen_parameters_stay(training, tmp_path, optimizers):
    frozen = '["unfolding.stages.0.inverse","re:transform.*weight$"]'
    training.run(tmp_path / "one", max_iter=1, FREEZE=frozen)
    training.run(tmp_path / "three", max_iter=3, FREEZE=frozen)
    first, last = weights_of(tmp_path / "one"), weights_of(tmp_path / "three")
    stays = {name for name in first if torch.equal(first[name], last[name])}
    named = {n for n in first if ".inverse." in n or (".transform." in n and "weight" in n)}
    assert named and named <= stays
    assert any(name.endswith(".threshold") for name in first.keys() - stays)


def test_groups_by_pattern(training, tmp_path, optimizers):
    training.run(tmp_path, max_iter=1, PARAM_GROUPS='[["unfolding",0.1],["*.bias",1.0,0.5]]')
    groups = {(g["lr"], g["weight_decay"]) for g in optimizers[-1].param_groups}
    rates, decays = {round(lr, 6) for lr, _ in groups}, {decay for _, decay in groups}
    assert rates == {0.01, 0.001} and 0.5 in decays


def test_a_pattern_that_matches_nothing_ends_before_training(training, tmp_path):
    for name in ("FREEZE", "PARAM_GROUPS"):
        where = f"D2FREQ.{name}" if training.kind == "yaml" else f"train.{name.lower()}"
        value = '["unfoldin"]' if name == "FREEZE" else '[["unfoldin",0.1]]'
        with pytest.raises(UserError, match=f"{where}: 'unfoldin'.*did you mean unfolding"):
            training.run(tmp_path, **{name: value})
    assert not (tmp_path / "model_final.pth").exists()


def test_the_norm_of_all_gradients_is_clipped(training, tmp_path, optimizers):
    training.run(tmp_path / "as_they_are")
    assert min(optimizers[-1].norms) > 1
    words = {
        "yaml": [
            *("SOLVER.CLIP_GRADIENTS.ENABLED=True", "SOLVER.CLIP_GRADIENTS.CLIP_VALUE=0.25"),
            "SOLVER.CLIP_GRADIENTS.CLIP_TYPE=full_model",
        ],
        "lazy": ["+train.clip_gradients={enabled:true,clip_type:full_model,clip_value:0.25}"],
    }
    training.run(tmp_path / "clipped", words=words[training.kind])
    assert optimizers[-1].norms == pytest.approx([0.25] * 3, rel=1e-4)


def test_accumulated_batches_are_the_large_batch(training, tmp_path):
    """The same trajectories in the same order, with SGD: Adam's first steps take signs alone."""
    words = {"yaml": ["D2FREQ.OPTIMIZER=sgd"], "lazy": ["optimizer._target_=torch.optim.SGD"]}
    runs = {"large": {"batch": 4}, "two": {"batch": 2, "ACCUMULATE": 2}, "small": {"batch": 2}}
    for name, settings in runs.items():
        training.run(tmp_path / name, words=words[training.kind], lr=1e-9, **settings)
    large, two, small = (weights_of(tmp_path / name) for name in runs)
    assert difference(large, two) < 1e-6
    assert difference(large, small) > 1e-5
