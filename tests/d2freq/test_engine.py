"""Bad input is an error with culprit and cure before training; resume and evaluation are exact."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from detectron2.modeling import build_model

from d2freq.engine import Trainer, check_yaml, load_lazy, load_weights, load_yaml
from d2freq.engine.config_file import is_lazy
from d2freq.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / "configs/hs_fpn/faster_rcnn_R18_HSFPN_kit_ais.yaml")
SMALL = ["MODEL.DEVICE", "cpu", "MODEL.FPN.OUT_CHANNELS", 32, "MODEL.ROI_BOX_HEAD.FC_DIM", 32]


@pytest.fixture
def data(tmp_path):
    """A registered COCO data set of four noise images with a vehicle each."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    images, annotations = [], []
    for number in (1, 2, 3, 4):
        pixels = random.integers(0, 120, (64, 64, 3), dtype=np.uint8)
        pixels[20:30, 10 * number : 10 * number + 9] = 250
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        images.append(dict(id=number, file_name=f"{number}.png", height=64, width=64))
        box = [10 * number, 20, 9, 10]
        annotations.append(
            dict(id=number, image_id=number, category_id=1, iscrowd=0, bbox=box, area=90)
        )
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name="vehicle")])
    file = tmp_path / "gt.json"
    file.write_text(json.dumps(content))
    register_coco_instances("engine_test", {}, str(file), str(tmp_path))
    yield file
    DatasetCatalog.remove("engine_test")
    MetadataCatalog.remove("engine_test")


def small_cfg(out: Path, *options):
    return load_yaml(
        CONFIG,
        [*SMALL, "DATASETS.TRAIN", ("engine_test",), "DATASETS.TEST", ("engine_test",)]
        + ["SOLVER.IMS_PER_BATCH", 2, "SOLVER.MAX_ITER", 6, "SOLVER.STEPS", (4,)]
        + ["SOLVER.WARMUP_ITERS", 2, "SOLVER.CHECKPOINT_PERIOD", 3, "INPUT.CROP.ENABLED", False]
        + ["DATALOADER.NUM_WORKERS", 0, "OUTPUT_DIR", str(out), *options],
    )


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


def test_a_typo_in_a_yaml_file_names_the_file_and_the_key(tmp_path):
    file = tmp_path / "typo.yaml"
    file.write_text("MODEL:\n  BACKBONE:\n    NAMME: x\nVERSION: 2\n")
    with pytest.raises(
        UserError, match=r"typo\.yaml.*MODEL\.BACKBONE\.NAMME.*MODEL\.BACKBONE\.NAME"
    ):
        load_yaml(str(file))


def test_a_lazy_override_that_names_no_key_is_refused():
    with pytest.raises(UserError, match="max_itter"):
        load_lazy(CONFIG.replace(".yaml", ".py"), ["train.max_itter=3"])


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
def test_an_unregistered_name_is_refused_with_the_nearest(data, tmp_path, key, value, near):
    with pytest.raises(UserError, match=f"{key}.*{value}.*{near}"):
        check_yaml(small_cfg(tmp_path, key, value))


def test_data_sets_are_checked_before_training(data, tmp_path):
    cfg = small_cfg(tmp_path)
    with pytest.raises(UserError, match="engine_tesst.*engine_test"):
        check_yaml(small_cfg(tmp_path, "DATASETS.TRAIN", ("engine_tesst",)))
    third = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").unlink()
    with pytest.raises(UserError, match=r"3\.png"):
        check_yaml(cfg)
    (tmp_path / "3.png").write_bytes(third)
    whole = data.read_text()
    data.write_text(whole[:-40])
    with pytest.raises(UserError, match=r"gt\.json"):
        check_yaml(cfg)
    data.write_text(whole)
    check_yaml(cfg)
    with pytest.raises(UserError, match=r"NUM_CLASSES is 3.*1 classes \(vehicle\)"):
        check_yaml(small_cfg(tmp_path, "MODEL.ROI_HEADS.NUM_CLASSES", 3))


def test_weights_that_are_not_there_are_refused(data, tmp_path):
    with pytest.raises(UserError, match=r"none\.pth: no such file"):
        check_yaml(small_cfg(tmp_path, "MODEL.WEIGHTS", "none.pth"))
    with pytest.raises(UserError, match="MODEL.WEIGHTS is empty"):
        check_yaml(small_cfg(tmp_path), eval_only=True)


def test_a_checkpoint_of_another_class_count_is_refused(data, tmp_path):
    cfg = small_cfg(tmp_path)
    other = build_model(load_yaml(CONFIG, [*SMALL, "MODEL.ROI_HEADS.NUM_CLASSES", 4]))
    file = str(tmp_path / "four.pth")
    torch.save({"model": other.state_dict()}, file)
    with pytest.raises(UserError, match="(?s)cls_score.*NUM_CLASSES"):
        load_weights(build_model(cfg), file, str(tmp_path), resume=False, strict=True)
    cfg.merge_from_list(["MODEL.WEIGHTS", file])
    trainer = Trainer(cfg)
    with pytest.raises(UserError, match="cls_score"):
        trainer.resume_or_load(resume=False)
    cfg.merge_from_list(["D2FREQ.STRICT_SHAPES", False])
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=False)  # the predictor starts anew, the backbone is loaded
    key = "backbone.bottom_up.stem.conv1.weight"
    assert torch.equal(trainer.model.state_dict()[key], other.state_dict()[key])


def test_resume_continues_at_the_iteration_with_optimizer_and_schedule(data, tmp_path):
    trainer = Trainer(small_cfg(tmp_path / "run"))
    trainer.resume_or_load(resume=False)
    rates = []

    def note():
        rates.append((trainer.iter, trainer.optimizer.param_groups[0]["lr"]))

    from detectron2.engine import hooks

    trainer.register_hooks([hooks.CallbackHook(before_step=lambda t: note())])
    trainer.train()
    stopped = tmp_path / "stopped"
    shutil.copytree(tmp_path / "run", stopped)
    for newer in ("model_final.pth", "model_0000005.pth"):
        (stopped / newer).unlink(missing_ok=True)
    (stopped / "last_checkpoint").write_text("model_0000002.pth")

    again = Trainer(small_cfg(stopped))
    again.resume_or_load(resume=True)
    assert again.start_iter == 3
    saved = torch.load(stopped / "model_0000002.pth", weights_only=False)
    for key, value in saved["model"].items():
        assert torch.equal(again.model.state_dict()[key], value)
    momentum = saved["trainer"]["_trainer"]["optimizer"]["state"]
    assert momentum and all(
        torch.equal(
            again.optimizer.state_dict()["state"][i]["momentum_buffer"], s["momentum_buffer"]
        )
        for i, s in momentum.items()
    )
    resumed = []
    again.register_hooks(
        [
            hooks.CallbackHook(
                before_step=lambda t: resumed.append((t.iter, t.optimizer.param_groups[0]["lr"]))
            )
        ]
    )
    again.train()
    assert resumed == rates[3:]


def test_eval_only_reproduces_the_numbers_of_training(data, tmp_path):
    cfg = small_cfg(tmp_path / "run")
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=False)
    trained = trainer.train()
    model = Trainer.build_model(cfg)
    final = str(tmp_path / "run" / "model_final.pth")
    load_weights(model, final, cfg.OUTPUT_DIR, resume=False, strict=True)
    again = Trainer.test(cfg, model)
    assert json.dumps(again["bbox"]) == json.dumps(dict(trained["bbox"]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config-file", "configs/none.yaml"], "no such config file"),
        (["--config-file", CONFIG, "MODEL.HSFPN.PRESET", "papper"], "papper"),
        (
            ["--config-file", CONFIG, "DATASETS.TRAIN", "('tiny_scenes_trian',)"],
            "tiny_scenes_train",
        ),
    ],
)
def test_train_net_prints_one_error_and_no_traceback(arguments, words, tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "train_net.py"), *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "DETECTRON2_DATASETS": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert words in done.stderr and "Traceback" not in done.stderr
