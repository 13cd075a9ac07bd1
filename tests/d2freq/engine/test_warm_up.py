"""A warm-up that its training does not outlast is told once, with the cure."""

import pytest

from d2freq.engine.config import load_config
from d2freq.engine.warm_up import tell_long_warm_up
from d2freq.utils import notices

NAME = "demo/faster_rcnn_R18_HSFPN_scenes"


@pytest.fixture
def told(monkeypatch, caplog):
    """What is told of a config with overrides."""

    def tell(name, *overrides):
        monkeypatch.setattr(notices, "_noted", [])
        caplog.clear()
        config = load_config(name, overrides)
        assert not caplog.records  # what is to be said of the device waits
        for _ in range(2):
            tell_long_warm_up(config)
        return [record.getMessage() for record in caplog.records]

    return tell


@pytest.mark.parametrize("length", [50, 60])
def test_a_warm_up_as_long_as_the_training_is_told_once(told, length):
    said = told(NAME, "SOLVER.MAX_ITER", str(length))
    assert len(said) == 1 and "warm-up of 60 iterations (SOLVER.WARMUP_ITERS)" in said[0]
    assert f"training of {length} (SOLVER.MAX_ITER)" in said[0]
    assert f"Add SOLVER.WARMUP_ITERS {length // 10} to the command" in said[0]


def test_a_lazy_config_is_told_its_own_keys(told):
    said = told(f"{NAME}.py", "lr_multiplier.warmup_length=1.0", "train.max_iter=40")
    assert len(said) == 1 and "(lr_multiplier.warmup_length)" in said[0]
    assert "train.max_iter" in said[0] and "Add lr_multiplier.warmup_length=0.1 to" in said[0]


def test_a_shorter_one_none_and_a_dry_run_are_not(told):
    assert told(NAME, "SOLVER.MAX_ITER", "61") == []
    assert told(NAME, "SOLVER.MAX_ITER", "3", "SOLVER.WARMUP_ITERS", "0") == []
    assert told(NAME, "D2FREQ.FAST_DEV_RUN.ENABLED", "True") == []
    assert told(f"{NAME}.py") == []
