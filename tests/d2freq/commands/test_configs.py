"""``d2freq configs``: names to take, and a copy to build on."""

from d2freq.cli import main
from d2freq.engine.config import load_config
from d2freq.utils.config_names import config_names


def test_names_with_every_word(capsys):
    assert main(["configs", "rfla", "_set", "VISDRONE"]) == 0
    assert capsys.readouterr().out == "set/cascade_rcnn_R50_FPN_RFLA_SET_visdrone\n"
    assert main(["configs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == config_names()
    assert "demo/faster_rcnn_R18_FPN_scenes  (also .py)" in lines
    assert main(["configs", "yolo"]) == 2
    assert "no config has yolo in its name" in capsys.readouterr().err


def test_a_copy_is_whole_and_replaces_nothing(tmp_path, capsys):
    folder = tmp_path / "mine"
    assert main(["configs", "--copy", str(folder)]) == 0
    own = folder / "own.yaml"
    own.write_text("_BASE_: [_base_/faster_rcnn_R50_FPN.yaml, _base_/hs_fpn.yaml]\n")
    assert load_config(str(own)).cfg.MODEL.BACKBONE.NAME == "build_resnet_hsfpn_backbone"
    assert load_config(f"{folder}/demo/faster_rcnn_R18_FPN_scenes.py").train_sets()
    assert main(["configs", "--copy", str(folder)]) == 2
    assert "is there already" in capsys.readouterr().err
