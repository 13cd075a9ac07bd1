"""Faults that ended deep inside, each as one line that says what to write."""

from pathlib import Path

import pytest

from d2freq.engine import check, load_config, load_yaml
from d2freq.engine.checks import check_group_norms
from d2freq.errors import UserError

DEMO = str(Path(__file__).parents[3] / "configs/demo/faster_rcnn_R18_HSFPN_scenes")


def test_a_whole_number_is_a_fraction_where_one_is_wanted():
    cfg = load_yaml(DEMO + ".yaml", ["SOLVER.BASE_LR", "50", "SOLVER.MAX_ITER", "7"])
    assert cfg.SOLVER.BASE_LR == 50.0 and type(cfg.SOLVER.BASE_LR) is float
    assert type(cfg.SOLVER.MAX_ITER) is int


def test_in_a_file_the_message_says_what_to_write(tmp_path):
    file = tmp_path / "rate.yaml"
    file.write_text("SOLVER: {BASE_LR: 50}\n")
    with pytest.raises(UserError, match="rate.yaml.*SOLVER.BASE_LR; write 50.0"):
        load_yaml(str(file))


@pytest.mark.parametrize(
    ("suffix", "words"),
    [
        (".yaml", ["MODEL.FPN.IN_FEATURES", "['res2','res3']"]),
        (".py", ["model.backbone.in_features=[res2,res3]"]),
    ],
)
def test_levels_that_no_backbone_gives_are_found_before_training(suffix, words):
    config = load_config(DEMO + suffix, words)
    with pytest.raises(UserError, match="feature map p[45] is asked for.*IN_FEATURES"):
        check(config)


@pytest.mark.parametrize(("channels", "warned"), [("32", True), ("64", False)])
def test_a_group_norm_that_takes_no_single_pixel_is_said(channels, warned, caplog):
    words = ["MODEL.FPN.NORM", "GN", "MODEL.FPN.OUT_CHANNELS", channels]
    check_group_norms(load_config(DEMO + ".yaml", words).model("meta"))
    assert ("a feature map has one pixel" in caplog.text) is warned


@pytest.mark.parametrize(
    ("suffix", "word"), [(".yaml", "DATALOADER.BAD_IMAGES=skp"), (".py", "+train.bad_images=skp")]
)
def test_another_policy_for_bad_pictures_is_refused_before_training(suffix, word):
    config = load_config(DEMO + suffix, [word])
    with pytest.raises(UserError, match="BAD_IMAGES.*'skp'.*raise, skip, warn"):
        check(config)
