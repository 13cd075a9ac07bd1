"""Bad input of a YAML or a lazy config is an error with culprit and cure before training."""

from pathlib import Path

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import build_model

from d2freq.engine import Trainer, check, load_lazy, load_yaml
from d2freq.engine.config import is_lazy
from d2freq.engine.config.read_lazy import _check_call
from d2freq.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
CONFIG = str(ROOT / "configs/hs_fpn/faster_rcnn_R18_HSFPN_kit_ais.yaml")
LAZY = CONFIG.replace(".yaml", ".py")


def small_cfg(out: Path, *options):
    return load_yaml(
        CONFIG,
        ["MODEL.DEVICE", "cpu", "OUTPUT_DIR", str(out)]
        + ["DATASETS.TRAIN", ("vehicles_test",), "DATASETS.TEST", ("vehicles_test",), *options],
    )


def small_lazy(out: Path, *options: str):
    names = [f"dataloader.{split}.dataset.names=vehicles_test" for split in ("train", "test")]
    return load_lazy(LAZY, ["train.device=cpu", f"train.output_dir={out}", *names, *options])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["MODEL.HSFPN.PRESSET", "paper"], ["MODEL.HSFPN.PRESSET", "MODEL.HSFPN.PRESET"]),
        (["SOLVER.MAXITER", 3], ["SOLVER.MAXITER", "SOLVER.MAX_ITER"]),
        (["SOLVER.MAX_ITER"], ["SOLVER.MAX_ITER", "no value"]),
        (["SOLVER.MAX_ITER", "many"], ["SOLVER.MAX_ITER"]),
    ],
)
def test_a_wrong_override_names_the_key_and_the_cure(options, words):
    with pytest.raises(UserError) as caught:
        load_yaml(CONFIG, options)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("word", ["all", "420", "[0, 1]"])
def test_a_key_that_is_none_by_default_takes_any_type_whatever_the_file_has(word, tmp_path):
    """A file may name channels by a number, the command line by a word or a list, and back."""
    for given in ("24", "all", "[64]"):
        file = tmp_path / "channels.yaml"
        file.write_text(f"MODEL:\n  FREQ_INPUT:\n    CHANNELS: {given}\nVERSION: 2\n")
        cfg = load_yaml(str(file), ["MODEL.FREQ_INPUT.CHANNELS", word])
        assert str(cfg.MODEL.FREQ_INPUT.CHANNELS) == word


def test_a_typo_in_a_yaml_file_names_the_file_and_the_key(tmp_path):
    file = tmp_path / "typo.yaml"
    file.write_text("MODEL:\n  BACKBONE:\n    NAMME: x\nVERSION: 2\n")
    with pytest.raises(
        UserError, match=r"typo\.yaml.*MODEL\.BACKBONE\.NAMME.*MODEL\.BACKBONE\.NAME"
    ):
        load_yaml(str(file))


def test_a_lazy_override_that_names_no_key_is_refused():
    with pytest.raises(UserError, match="max_itter"):
        load_lazy(LAZY, ["train.max_itter=3"])


def test_a_misspelt_switch_of_a_lazy_model_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="backbone.alfa: HSFPN takes no 'alfa'; did you mean alpha"):
        load_lazy(LAZY, ["+model.backbone.alfa=0.5"])


def test_a_missing_config_is_refused():
    with pytest.raises(UserError, match="no such config file"):
        is_lazy("configs/none.yaml")


@pytest.mark.parametrize(
    ("key", "value", "near"),
    [
        ("MODEL.BACKBONE.NAME", "build_resnet_hsfpm_backbone", "build_resnet_hsfpn_backbone"),
        ("MODEL.META_ARCHITECTURE", "GeneralisedRCNN", "GeneralizedRCNN"),
        ("MODEL.ROI_HEADS.NAME", "StandardROIHead", "StandardROIHeads"),
        ("MODEL.PROPOSAL_GENERATOR.NAME", "RPNN", "RPN"),
    ],
)
def test_an_unregistered_name_is_refused_with_the_nearest(vehicles, tmp_path, key, value, near):
    with pytest.raises(UserError, match=f"{key}.*{value}.*{near}"):
        check(small_cfg(tmp_path, key, value))


def test_a_switch_without_such_a_choice_is_refused(vehicles, tmp_path):
    with pytest.raises(UserError, match="papper.*paper, released"):
        check(small_cfg(tmp_path, "MODEL.HSFPN.PRESET", "papper"))


def test_data_sets_are_checked_before_training(vehicles, tmp_path):
    cfg = small_cfg(tmp_path)
    with pytest.raises(UserError, match="vehicles_tesst.*vehicles_test"):
        check(small_cfg(tmp_path, "DATASETS.TRAIN", ("vehicles_tesst",)))
    third = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").unlink()
    with pytest.raises(UserError, match=r"3\.png"):
        check(cfg)
    (tmp_path / "3.png").write_bytes(third)
    whole = vehicles.read_text()
    vehicles.write_text(whole[:-40])
    with pytest.raises(UserError, match=r"gt\.json"):
        check(cfg)
    vehicles.write_text(whole)
    check(cfg)
    with pytest.raises(UserError, match=r"NUM_CLASSES is 3.*1 classes \(vehicle\)"):
        check(small_cfg(tmp_path, "MODEL.ROI_HEADS.NUM_CLASSES", 3))


def test_data_sets_of_a_config_are_registered(vehicles, tmp_path):
    entry = ["of_a_config", str(vehicles), str(tmp_path)]
    options = ["D2FREQ.DATASETS", [entry], "DATASETS.TRAIN", ("of_a_config",)]
    try:
        for _ in range(2):  # train_net.py reads a config more than once
            check(small_cfg(tmp_path, *options))
        assert len(DatasetCatalog.get("of_a_config")) == 4
    finally:
        DatasetCatalog.remove("of_a_config")
        MetadataCatalog.remove("of_a_config")
    with pytest.raises(UserError, match=r"D2FREQ.DATASETS: 'name': write a list of \[name"):
        small_cfg(tmp_path, "D2FREQ.DATASETS", ["name"])


def test_several_test_sets_are_measured_into_folders_of_their_own(vehicles, tmp_path):
    cfg = small_cfg(tmp_path, "DATASETS.TEST", ("vehicles_test", "tiny_scenes_val"))
    written = Trainer.build_evaluator(cfg, "vehicles_test")._output_dir
    assert written == str(Path(cfg.OUTPUT_DIR) / "inference" / "vehicles_test")
    cfg.DATASETS.TEST = ("vehicles_test",)
    written = Trainer.build_evaluator(cfg, "vehicles_test")._output_dir
    assert written == str(Path(cfg.OUTPUT_DIR) / "inference")


@pytest.mark.parametrize(
    ("key", "value"),
    [("MODEL.RESNETS.NORM", "FrozenStatsBN"), ("MODEL.FPN.LATERAL_INIT", "xavier")],
)
def test_keys_that_detectron2s_builder_would_overlook_are_refused(key, value, vehicles, tmp_path):
    words = [key, value, "MODEL.BACKBONE.NAME"]
    with pytest.raises(UserError, match=f"{key}: .*build_d2freq_resnet_fpn_backbone"):
        check(small_cfg(tmp_path, *words, "build_resnet_fpn_backbone"))
    check(small_cfg(tmp_path, *words, "build_d2freq_resnet_fpn_backbone"))


def test_class_count_of_a_dense_detector_is_checked(vehicles):
    sets = ["DATASETS.TRAIN", ("vehicles_test",), "DATASETS.TEST", ("vehicles_test",)]
    words = [
        "MODEL.DEVICE",
        "cpu",
        "MODEL.RESNETS.DEPTH",
        18,
        "MODEL.RESNETS.RES2_OUT_CHANNELS",
        64,
    ]
    cfg = load_yaml("configs/_base_/retinanet_R50_FPN.yaml", [*sets, *words])
    with pytest.raises(UserError, match=r"MODEL.RETINANET.NUM_CLASSES is 80.*1 classes"):
        check(cfg)
    cfg.MODEL.RETINANET.NUM_CLASSES = 1
    check(cfg)


def test_weights_that_are_not_there_are_refused(vehicles, tmp_path):
    with pytest.raises(UserError, match=r"none\.pth: no such file"):
        check(small_cfg(tmp_path, "MODEL.WEIGHTS", "none.pth"))
    with pytest.raises(UserError, match="MODEL.WEIGHTS is empty"):
        check(small_cfg(tmp_path), eval_only=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["dataloader.train.dataset.names=vehicles_tesst"], "vehicles_tesst.*vehicles_test"),
        (["dataloader.test.dataset.names=[vehicles_test,other]"], "'other' is not in the catalog"),
        (["model.roi_heads.num_classes=3"], r"num_classes is 3.*1 classes \(vehicle\)"),
        (["model.backbone.preset=papper"], "papper.*paper"),
        (["train.init_checkpoint=none.pth"], r"none\.pth: no such file"),
    ],
)
def test_a_lazy_config_is_checked_before_training(vehicles, tmp_path, options, words):
    check(small_lazy(tmp_path))
    with pytest.raises(UserError, match=words):
        check(small_lazy(tmp_path, *options))


def test_a_lazy_config_names_the_missing_image(vehicles, tmp_path):
    (tmp_path / "2.png").unlink()
    with pytest.raises(UserError, match=r"2\.png"):
        check(small_lazy(tmp_path))


CHECKS = {
    "yaml": (small_cfg, "MODEL.WEIGHTS", ["DATASETS.TRAIN", ("not_needed",)]),
    "lazy": (
        small_lazy,
        "train.init_checkpoint",
        ["dataloader.train.dataset.names", "not_needed"],
    ),
}


@pytest.fixture(params=list(CHECKS))
def check_with(request, vehicles, tmp_path):
    """A function that checks a config, before training or as flags say, with some weights."""
    config, key, no_train = CHECKS[request.param]

    def check_with(weights: object = "", **flags: bool) -> None:
        options = [key, str(weights)] if weights else []
        options += no_train if flags.get("eval_only") else []
        check(config(tmp_path / "out", *options), **flags)

    return check_with


def test_evaluation_needs_weights(check_with, tmp_path):
    for flags in ({"eval_only": True}, {"eval_only": True, "resume": True}):
        with pytest.raises(UserError, match=r"(WEIGHTS|init_checkpoint) is empty"):
            check_with(**flags)
    out = tmp_path / "out"
    out.mkdir()
    (out / "last_checkpoint").write_text("model_0000009.pth")
    for flags in ({"resume": True}, {"eval_only": True, "resume": True}):
        with pytest.raises(UserError, match=r"model_0000009\.pth, which is not there"):
            check_with(**flags)
    weights = build_model(small_cfg(out)).state_dict()
    torch.save({"model": weights}, out / "model_0000009.pth")
    check_with(eval_only=True, resume=True)
    check_with(out / "model_0000009.pth", eval_only=True)


def test_weights_are_read_before_training(check_with, tmp_path):
    plain = load_yaml(CONFIG.replace("HSFPN", "FPN"), ["MODEL.DEVICE", "cpu"])
    file = tmp_path / "weights.pth"
    weights = build_model(plain).state_dict()
    torch.save({"model": weights}, file)
    check_with(file)  # a plain FPN is a start for HS-FPN
    with pytest.raises(UserError, match=r"(?s)weights\.pth.*backbone\.fpn_.*"):
        check_with(file, eval_only=True)  # but not a trained HS-FPN
    weights["roi_heads.box_predictor.cls_score.bias"] = torch.zeros(81)
    torch.save({"model": weights}, file)
    with pytest.raises(UserError, match=r"(?s)cls_score\.bias: \(81,\).*NUM_CLASSES"):
        check_with(file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"weights\.pth.*1000 bytes"):
        check_with(file)


def test_an_unknown_protocol_is_refused(vehicles, tmp_path):
    with pytest.raises(UserError, match="aitodd"):
        check(small_cfg(tmp_path, "TEST.TINY.PROTOCOL", "aitodd"))
    with pytest.raises(UserError, match="aitodd"):
        check(small_lazy(tmp_path, "dataloader.evaluator.protocol=aitodd"))


def test_measuring_on_originals_needs_tiles_with_their_file(vehicles, tmp_path):
    yaml = small_cfg(tmp_path, "TEST.TINY.ORIGINALS", True)
    lazy = small_lazy(tmp_path, "+dataloader.evaluator.originals=True")
    for cfg in (yaml, lazy):
        with pytest.raises(UserError, match="vehicles_test: its metadata has no originals_json"):
            check(cfg)
    originals = vehicles.with_name("originals.json")
    originals.write_text(vehicles.read_text())
    MetadataCatalog.get("vehicles_test").originals_json = str(originals)
    check(yaml)
    check(lazy)
    yaml.TEST.TINY.MERGE = lazy.dataloader.evaluator.merge = "mean"
    for cfg in (yaml, lazy):
        with pytest.raises(UserError, match="'mean' is unknown"):
            check(cfg)
    yaml.TEST.TINY.MERGE, lazy.dataloader.evaluator.merge = "weighted", "weighted"
    originals.write_text(vehicles.read_text()[:-30])
    for cfg in (yaml, lazy):
        with pytest.raises(UserError, match=r"originals\.json.*cut off"):
            check(cfg)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("model.backbone.pre_set = 'paper'", r"model\.backbone\.pre_set.*did you mean preset"),
        ("train.max_itter = 3", r"train\.max_itter.*did you mean max_iter"),
        ("del lr_multiplier", "needs lr_multiplier"),
        ("model.backbone.missing()", "twin.py"),
    ],
)
def test_a_fault_in_a_lazy_file_names_the_file_and_the_key(tmp_path, line, words):
    file = tmp_path / "twin.py"
    names = "dataloader, lr_multiplier, model, optimizer, train"
    start = f"from detectron2.config import LazyConfig\ncfg = LazyConfig.load({LAZY!r})\n"
    file.write_text(
        start + "".join(f"{n} = cfg.{n}\n" for n in names.split(", ")) + f"del cfg\n{line}\n"
    )
    with pytest.raises(UserError, match=words) as caught:
        load_lazy(str(file))
    assert "twin.py" in str(caught.value)


def test_a_config_has_to_be_named_and_has_an_ending(tmp_path):
    with pytest.raises(UserError, match="no config: pass --config-file"):
        is_lazy("")
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(UserError, match=r"is a \.yaml, \.yml or \.py file, not '\.json'"):
        is_lazy(str(tmp_path / "model.json"))
    (tmp_path / "model.yaml").write_bytes(b"\xff\xfe\x00")
    assert not is_lazy(str(tmp_path / "model.yaml"))  # whoever reads it says what is wrong


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["train.max_iter=[1,"], "command line: "),
        (["train.max_iter"], r"override train\.max_iter has no value: write key=value"),
    ],
)
def test_an_override_that_cannot_be_read_is_of_the_command_line(overrides, words):
    with pytest.raises(UserError, match=words):
        load_lazy(LAZY, overrides)


def test_a_call_is_checked_as_far_as_it_can_be_read():
    with pytest.raises(UserError, match=r"^f\.py: a\._target_: .*nowhere"):
        _check_call("nowhere.at.all", ["x"], "a", "f.py")
    _check_call("builtins.min", ["anything"], "a", "f.py")  # without a signature: left to the call
    _check_call(dict, ["anything"], "a", "f.py")
    with pytest.raises(UserError, match=r"f\.py: a\.centre: .* takes no 'centre'"):
        _check_call(torch.nn.Linear, ["centre"], "a", "f.py")
