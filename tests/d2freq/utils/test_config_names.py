"""Configs by name: from any folder, a file in sight first, else the nearest name is told."""

from pathlib import Path

import pytest

from d2freq.engine.config import load_config
from d2freq.errors import UserError
from d2freq.utils.config_names import config_names, configs_folder, find_config

NAME = "hs_fpn/faster_rcnn_R50_HSFPN_aitod"
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        (NAME, ".yaml"),
        (NAME + ".yaml", ".yaml"),
        (NAME + ".py", ".py"),
        ("configs/" + NAME, ".yaml"),
        (f"./configs/{NAME}.py", ".py"),
        ("_base_/hs_fpn.py", ".py"),
        ("derefnet/srcnn_seqcsist", ".yaml"),
    ],
)
def test_a_name_finds_the_file_from_any_folder(name, ending):
    file = Path(find_config(name))
    assert file.is_file() and file.suffix == ending
    assert file.relative_to(ROOT / "configs").with_suffix("").as_posix() in name


def test_a_file_in_sight_comes_first(tmp_path):
    file = tmp_path / "configs" / f"{NAME}.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("OUTPUT_DIR: mine\n")
    assert load_config(f"configs/{NAME}.yaml").output_dir == "mine"
    assert load_config(NAME).output_dir != "mine"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("faster_rcnn_R50_HSFPN_aitod", f"did you mean {NAME}?"),
        ("set/faster_rcnn_R50_HSFPN_aitod.py", f"did you mean {NAME}?"),
        ("hs_fpn/faster_rcnn_R50_HSFPN_aitd", f"did you mean {NAME},"),
        ("set/fcos_R50_FPN_coco.py", "no such config file"),  # in YAML alone
        ("nothing_like_it_at_all_0123456789", "`d2freq configs` lists them"),
        ("../configs/" + NAME, "no such config file"),
        ("/" + NAME, "no such config file"),
        ("_base_", "no such config file"),
        ("gt.json", "no such config file"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(name, said):
    with pytest.raises(UserError) as error:
        find_config(name)
    assert str(error.value).startswith(f"{name}: ") and said in str(error.value)
    assert "\n" not in str(error.value)


def test_every_config_has_a_name_of_its_own():
    names = config_names()
    files = {file for e in (".yaml", ".py") for file in configs_folder().glob(f"*/*{e}")}
    assert len(names) == len(set(names)) > 90
    assert {f"{Path(find_config(name)).parent.name}/{Path(name).name}" for name in names} == {
        f"{file.parent.name}/{file.stem}" for file in files if file.parent.name != "_base_"
    }
    assert set(config_names(lazy=True)) < set(names)


def test_a_name_may_stand_for_either_kind_and_takes_overrides():
    yaml = load_config(NAME, ["SOLVER.MAX_ITER", "7"])
    lazy = load_config(NAME + ".py", ["train.max_iter=7"])
    assert yaml.cfg.SOLVER.MAX_ITER == lazy.cfg.train.max_iter == 7
    assert Path(yaml.source).is_absolute() and Path(lazy.source).suffix == ".py"
