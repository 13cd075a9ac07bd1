"""Numbers of MODEL.UNMIXING and INPUT.UNMIXING that cannot be: key, value and range are named."""

import pytest
from detectron2.config import get_cfg

from d2freq import add_d2freq_config
from d2freq.data.seqcsist.mapper import SequenceMapper
from d2freq.engine.tasks.unmixing import Unmixing
from d2freq.errors import UserError
from d2freq.modeling.unmixing.methods.richardson_lucy import RichardsonLucy

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("SIZE", 0, "0: pixels a side of a frame, 3 to 256"),
        ("SIZE", 10**9, "1000000000: pixels"),
        ("SIZE", 256, "256 make a sampling matrix of .* MODEL.UNMIXING.SIZE is 128 at most"),
        ("FACTOR", 0, "0: grid cells"),
        ("FACTOR", 10**9, "1000000000: grid cells per pixel and axis, 1 to 64"),
        ("SIGMA", NAN, "nan: pixels.* 0.1 to 10"),
        ("SIGMA", INF, "inf"),
        ("SIGMA", 0.0, "0: pixels"),
        ("WINDOW", 0, "0: an odd number of frames, 1 to 9999"),
        ("WINDOW", 4, "is 4: "),
        ("THRESHOLD", NAN, "nan: grey levels"),
        ("THRESHOLD", -1.0, "-1: grey levels"),
        ("BRIGHTNESS", (220.0, INF), "220 inf: grey levels"),
        ("BRIGHTNESS", (NAN, 250.0), "nan 250"),
        ("BRIGHTNESS", (250.0, 220.0), "250 220"),
        ("BRIGHTNESS", ("a", "b"), "'a' 'b'"),
        ("DECODE_FRAMES", 4, "is 4: "),
        ("DECODE_FRAMES", NAN, "is nan: "),
        ("DECODE_FRAMES", True, "is True: "),
        ("DECODE_FRAMES", 10**9 + 1, "is 1000000001: .*up to 9999"),
        ("Q_INIT_RIDGE", NAN, "nan: share"),
        ("Q_INIT_RIDGE", -1.0, "-1: share.* 0 to 1e\\+06"),
    ],
)
def test_a_model_refuses_them(key, value, said):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.MODEL.UNMIXING[key] = value
    with pytest.raises(UserError, match=f"MODEL.UNMIXING.*{said}"):
        RichardsonLucy(cfg)


@pytest.mark.parametrize("threshold", [NAN, -1.0, INF])
def test_a_threshold_that_no_cell_reaches_is_not_measured_by(threshold):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.MODEL.UNMIXING.THRESHOLD = threshold
    with pytest.raises(UserError, match="MODEL.UNMIXING.THRESHOLD .*, 0 to 1e"):
        Unmixing().evaluator(cfg, "never_read", "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"noise": NAN}, "NOISE is nan"),
        ({"noise": INF}, "NOISE is inf: standard deviation in grey levels, 0 to 1e"),
        ({"noise": -1.0}, "NOISE is -1"),
        ({"noise_range": (0.0, INF)}, "NOISE_RANGE is 0 inf"),
        ({"noise_range": (NAN, 5.0)}, "NOISE_RANGE is nan 5"),
        ({"noise_range": (5.0,)}, "NOISE_RANGE is 5: .*two numbers"),
    ],
)
def test_noise_that_cannot_be(given, said):
    with pytest.raises(UserError, match=f"INPUT.UNMIXING.{said}"):
        SequenceMapper(True, **given)
