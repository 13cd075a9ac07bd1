"""``d2freq demo``: it trains, goes on where it was broken off, and shows again what it has."""

import json
from argparse import Namespace

import pytest

from d2freq.cli import main
from d2freq.commands import demo as command

TINY = """
MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 32 SOLVER.IMS_PER_BATCH 1 MODEL.DEVICE cpu
INPUT.CROP.SIZE [64,64] SOLVER.CHECKPOINT_PERIOD 1 SOLVER.STEPS () SOLVER.MAX_ITER
""".split()


@pytest.fixture
def run(monkeypatch, tmp_path, data_root, loggers, capsys):
    """Runs the demo on four scenes; gives the exit code, the folder and what was printed."""
    from d2freq.data.scenes import dataset

    generate = dataset.generate_scenes

    def few(output):
        return generate(output, train=2, val=2, size=64, workers=1, progress=False)

    monkeypatch.setattr(dataset, "generate_scenes", few)

    def demo(*words, steps=2):
        code = main(["demo", "--output", str(tmp_path / "demo"), *words, *TINY, str(steps)])
        out, err = capsys.readouterr()
        assert code or out.rstrip().endswith("detections/report.html")
        return code, tmp_path / "demo", out + err

    return demo


def iterations(folder) -> list[int]:
    lines = (folder / "metrics.json").read_text().splitlines()
    return [r["iteration"] for r in map(json.loads, lines) if "total_loss" in r]


def test_a_demo_that_is_broken_off_goes_on_and_a_finished_one_is_shown(run, monkeypatch, caplog):
    from d2freq.engine.hooks.fast_cpu import FastCPU

    def break_off(hook):
        if hook.trainer.iter == 1:
            raise SystemExit(143)

    with monkeypatch.context() as patch:
        patch.setattr(FastCPU, "before_step", break_off, raising=False)
        with pytest.raises(SystemExit):
            run(steps=3)
    code, folder, said = run(steps=3)
    assert code == 0 and "goes on at iteration 1" in (folder / "log.txt").read_text()
    assert "trained already" not in said
    assert "knows generated scenes alone" in said
    assert "depends on its settings" in said and "Step 3 of 3" in said
    assert (folder / "detections/detections.json").is_file()
    assert not (folder / "detections/pictures").exists()  # one folder of pictures is enough
    assert json.loads((folder / "detections/run.json").read_text())["options"]["score"] == 0.05
    page = folder / "detections/report.html"
    assert page.resolve().as_uri() in said and len(list((folder / "pictures").glob("*.png"))) == 2
    assert (folder / "loss.png").stat().st_size > 1000
    final = (folder / "model_final.pth").stat().st_mtime_ns

    code, _, said = run(steps=3)
    assert code == 0 and "trained already with these settings" in said and str(page) in said
    assert (folder / "model_final.pth").stat().st_mtime_ns == final

    code, _, said = run("SOLVER.MAXITER", "2")
    assert code == 2 and "did you mean SOLVER.MAX_ITER?" in said
    code, _, said = run("--config-file", "demo/nosuch")
    assert code == 2 and "nor a config of d2freq" in said
    assert "trained already with these settings" in run(steps=3)[2]  # nothing was lost by either

    assert "Running with full config" not in said
    code, _, said = run("--verbose", steps=2)  # other overrides: another training
    assert "Running with full config" in said
    assert code == 0 and iterations(folder) == [1]
    assert "takes the place of the demo with" in said and "SOLVER.MAX_ITER 3" in said
    assert json.loads((folder / command.STATE).read_text())["trained"] is True


def test_another_training_in_the_folder_is_not_replaced(run, tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/model_final.pth").write_bytes(b"of a week's training")
    code, folder, said = run()
    assert code == 2 and "holds a former training" in said
    assert (folder / "model_final.pth").read_bytes() == b"of a week's training"
    assert run()[0] == 2 and not (folder / command.STATE).exists()


def test_a_demo_as_it_is_says_how_long_it_takes(tmp_path):
    def said(*opts, overwrite=False):
        asked = {"config_file": command.CONFIG, "opts": list(opts)}
        return command._duration(Namespace(**asked, output=str(tmp_path), overwrite=overwrite))

    assert "about six minutes on two idle CPU cores" in said()
    assert "six minutes" not in said("SOLVER.MAX_ITER", "9") and "eta" in said("X", "9")
    state = {"config_file": command.CONFIG, "opts": [], "trained": True}
    (tmp_path / command.STATE).write_text(json.dumps(state))
    assert "trained already" in said() and "a minute at most" in said()
    assert "six minutes" in said(overwrite=True)


def test_the_folder_is_named_by_one_option(run):
    code, _, said = run("OUTPUT_DIR", "elsewhere")
    assert code == 2 and "named by --output" in said
