"""The last lines of a training have the loss of the lines before, and say where AP50 is nothing."""

import logging
from types import SimpleNamespace

import pytest
from detectron2.utils.events import EventStorage

from d2freq.engine.hooks.summary import Summary


def end(caplog, *, ap50, planned=30):
    """What is logged at the end of 30 steps whose losses are 30, 29, ... 1."""
    hook = Summary("output/x")
    with EventStorage() as storage, caplog.at_level(logging.INFO):
        hook.trainer = SimpleNamespace(storage=storage, start_iter=0, max_iter=planned, iter=0)
        hook.before_train()
        for step in range(30):
            storage.iter = hook.trainer.iter = step
            storage.put_scalar("total_loss", 30.0 - step)
            hook.after_step()
        storage.put_scalar("bbox/AP50", ap50, smoothing_hint=False)
        hook.after_train()
    return caplog.text


def test_the_loss_is_the_median_of_the_last_steps_as_in_the_lines_before(caplog):
    assert "last: total_loss 10.5, bbox/AP50 40" in end(caplog, ap50=40.0)
    assert "next to nothing" not in caplog.text


@pytest.mark.parametrize("ap50", [0.0, 0.99])
def test_a_detector_that_finds_nothing_is_told_with_what_to_check(caplog, ap50):
    said = end(caplog, ap50=ap50)
    assert f"AP50 is {ap50:.2g} %: this detector finds next to nothing" in said
    assert "d2freq validate" in said and "SOLVER.MAX_ITER" in said


@pytest.mark.parametrize("ap50", [1.0, float("nan")])
def test_what_finds_something_or_was_not_measured_is_not(caplog, ap50):
    assert "next to nothing" not in end(caplog, ap50=ap50)


def test_a_training_that_was_broken_off_is_not(caplog):
    assert "next to nothing" not in end(caplog, ap50=0.0, planned=100)
