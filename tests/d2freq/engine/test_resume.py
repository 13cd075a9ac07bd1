"""Resume and evaluation are exact, from YAML and from the lazy twin, as train_net.py runs them."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from detectron2.engine import default_argument_parser

from d2freq.engine import run
from d2freq.engine.step import Step
from d2freq.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
CONFIG = str(ROOT / "configs/hs_fpn/faster_rcnn_R18_HSFPN_kit_ais")
YAML = """
MODEL.DEVICE cpu MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 32
DATASETS.TRAIN ('vehicles_test',) DATASETS.TEST ('vehicles_test',)
SOLVER.IMS_PER_BATCH 2 SOLVER.STEPS (4,) SOLVER.WARMUP_ITERS 2
SOLVER.CHECKPOINT_PERIOD 3 DATALOADER.NUM_WORKERS 0
"""
LAZY = """
train.device=cpu model.backbone.out_channels=32 model.roi_heads.box_head.fc_dims=[32,32]
model.roi_heads.box_predictor.input_shape.channels=32
dataloader.train.dataset.names=vehicles_test dataloader.test.dataset.names=vehicles_test
dataloader.train.total_batch_size=2
lr_multiplier.scheduler.num_updates=6 lr_multiplier.scheduler.milestones=[4]
lr_multiplier.scheduler.values=[1,0.1] lr_multiplier.warmup_length=0.33333333
train.checkpointer.period=3 dataloader.train.num_workers=0 dataloader.test.num_workers=0
train.eval_period=6
"""
KINDS = {
    "yaml": SimpleNamespace(
        run=run,
        file=CONFIG + ".yaml",
        options=YAML,
        max_iter="SOLVER.MAX_ITER",
        out="OUTPUT_DIR",
        weights="MODEL.WEIGHTS",
        strict="D2FREQ.STRICT_WEIGHTS",
    ),
    "lazy": SimpleNamespace(
        run=run,
        file=CONFIG + ".py",
        options=LAZY,
        max_iter="train.max_iter",
        out="train.output_dir",
        weights="train.init_checkpoint",
        strict="train.strict_weights",
    ),
}
FILES = ("tiny_results.json", "coco_instances_results.json")


@pytest.fixture(params=list(KINDS))
def run(request, vehicles, loggers):
    """A function that runs a config with flags of train_net.py, in a folder, from weights."""
    kind = KINDS[request.param]

    def run(
        out: Path, *flags: str, weights: object = "", strict: bool = True, stop: int = 6
    ) -> dict:
        words = ["--config-file", kind.file, *flags, *kind.options.split(), kind.out, str(out)]
        words += [kind.max_iter, str(stop), *([kind.weights, str(weights)] if weights else [])]
        words += [] if strict else [kind.strict, "False"]
        return kind.run(default_argument_parser().parse_args(words))

    return run


@pytest.fixture
def steps(monkeypatch):
    """What each step of any training began with, in order."""
    seen = []
    whole = Step.run_step

    def run_step(self):
        momenta = [s["momentum_buffer"].clone() for s in self.optimizer.state.values() if s]
        weights = {key: value.clone() for key, value in self.model.state_dict().items()}
        rates = [group["lr"] for group in self.optimizer.param_groups]
        seen.append(SimpleNamespace(at=self.iter, rates=rates, weights=weights, momenta=momenta))
        whole(self)

    monkeypatch.setattr(Step, "run_step", run_step)
    return seen


def assert_same_state(found: SimpleNamespace, wanted: SimpleNamespace) -> None:
    assert found.weights.keys() == wanted.weights.keys()
    for key, value in wanted.weights.items():
        assert torch.equal(found.weights[key], value), key
    assert len(wanted.momenta) == len(found.momenta) > 0
    assert all(map(torch.equal, found.momenta, wanted.momenta))


def test_resume_goes_on_with_weights_momentum_and_schedule(run, steps, tmp_path):
    out = tmp_path / "run"
    run(out)
    whole = list(steps)
    assert [step.at for step in whole] == [0, 1, 2, 3, 4, 5]
    rates = [step.rates[0] for step in whole]
    assert rates[0] < rates[1] < rates[2] and rates[5] == pytest.approx(rates[2] / 10)
    for newer in ("model_final.pth", "model_0000005.pth"):
        (out / newer).unlink(missing_ok=True)
    (out / "last_checkpoint").write_text("model_0000002.pth")

    steps.clear()
    run(out, "--resume")
    assert [(s.at, s.rates) for s in steps] == [(s.at, s.rates) for s in whole[3:]]
    assert_same_state(steps[0], whole[3])


def test_without_resume_training_starts_anew_from_the_weights(run, steps, tmp_path):
    out = tmp_path / "run"
    run(out, stop=2)
    first = list(steps)
    steps.clear()
    final = torch.load(out / "model_final.pth", weights_only=False)["model"]
    run(out, weights=out / "model_final.pth", stop=2)
    assert [(s.at, s.rates) for s in steps] == [(s.at, s.rates) for s in first]
    assert not steps[0].momenta
    assert all(torch.equal(value, final[key]) for key, value in steps[0].weights.items())


def test_eval_only_reproduces_what_training_measured(run, steps, tmp_path):
    out = tmp_path / "run"
    trained = run(out)
    wanted = [(out / "inference" / name).read_bytes() for name in FILES]
    assert json.loads(wanted[0])["detections"] > 0
    steps.clear()
    shutil.rmtree(out / "inference")
    results = {
        tmp_path / "again": run(tmp_path / "again", "--eval-only", weights=out / "model_final.pth"),
        out: run(out, "--eval-only", "--resume"),  # the last checkpoint of its folder
    }
    for folder, found in results.items():
        assert json.dumps(found["bbox"]) == json.dumps(trained["bbox"])
        assert [(folder / "inference" / name).read_bytes() for name in FILES] == wanted
    assert not steps


def test_weights_of_another_class_count_are_refused_unless_the_config_allows(run, steps, tmp_path):
    run(tmp_path / "run", stop=1)
    file = tmp_path / "run" / "model_final.pth"
    saved = torch.load(file, weights_only=False)
    saved["model"]["roi_heads.box_predictor.cls_score.weight"] = torch.zeros(5, 32)
    torch.save(saved, file)
    steps.clear()
    for out, flags, weights in (
        ("other", [], file),
        ("other", ["--eval-only"], file),
        ("run", ["--resume"], ""),
    ):
        with pytest.raises(UserError, match="(?s)cls_score.*NUM_CLASSES"):
            run(tmp_path / out, *flags, weights=weights)
    assert not steps
    run(tmp_path / "other", weights=file, strict=False, stop=1)  # the predictor starts anew
    key = "backbone.bottom_up.stem.conv1.weight"
    assert torch.equal(steps[0].weights[key], saved["model"][key])
