"""The runner of benchmarks/pretrained: its arms build, its runs are named, its figures add up."""

import json
from pathlib import Path

import pytest
from scipy.stats import ttest_ind, ttest_rel

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def names():
    import sys

    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from pretrained.arms import ARMS
    finally:
        sys.path.pop(0)
    return list(ARMS)


@pytest.mark.parametrize("name", names())
def test_each_arm_is_a_config_that_can_be_checked(name):
    from pretrained.arms import ARMS
    from pretrained.runs import Run

    from d2freq.engine import load_yaml
    from d2freq.engine.config import as_config

    arm = ARMS[name]
    file, words = Run("kit_ais", name, 3).config(1.5)
    cfg = load_yaml(file, words)
    as_config(cfg).check_parts()
    plain = load_yaml(file).SOLVER
    steps = [round(1.5 * arm.schedule * number) for number in (plain.MAX_ITER, *plain.STEPS)]
    assert (cfg.SEED, cfg.SOLVER.MAX_ITER, *cfg.SOLVER.STEPS) == (3, *steps)
    assert (cfg.TEST.EVAL_PERIOD > 0) == (not arm.baseline)
    assert not arm.baseline or ARMS[arm.baseline].detector == arm.detector
    assert not arm.time_of or arm.time_of in ARMS
    assert cfg.MODEL.DEVICE == "cpu" and cfg.D2FREQ.FAST_CPU
    _, words = Run("kit_ais", name, 3).config(1.5, "cuda")
    at = words.index("MODEL.DEVICE")
    assert words[at : at + 4] == ["MODEL.DEVICE", "cuda", "D2FREQ.FAST_CPU", "False"]


def test_costs_are_of_one_measurement(tmp_path, monkeypatch):
    """Another machine's costs beside these would make ratios of two machines."""
    from pretrained import cost, main
    from pretrained.results import read, write

    asked = []

    def measure(data, names, *, weights):
        asked.append(list(names))
        return {name: {"step_s": float(len(asked))} for name in names}

    monkeypatch.setattr(cost, "measure", measure)
    file = tmp_path / "results.json"
    write({"about": {}, "cost": {"kit_ais": {"FPN": {"step_s": 9.0}}}, "runs": []}, file)
    (tmp_path / "weights.pth").touch()
    words = ["cost", "--weights", str(tmp_path / "weights.pth"), "--results", str(file)]
    for _ in range(2):
        assert main.main([*words, "--arms", "NWD"]) == 0
    assert asked == [["FPN", "NWD"]]
    costs = read(file)["cost"]["kit_ais"]
    assert {name: own["step_s"] for name, own in costs.items()} == {"FPN": 1.0, "NWD": 1.0}


def test_two_runs_never_share_a_folder():
    from pretrained.arms import ARMS, DATA
    from pretrained.runs import Run

    runs = [Run(data, arm, seed) for data in DATA for arm in ARMS for seed in (1, 11)]
    assert len({run.folder(Path()) for run in runs}) == len(runs)


def test_the_paired_interval_is_that_of_the_paired_t_test():
    from pretrained.paired import difference

    arm, baseline = {1: 3.0, 2: 5.5, 3: 4.0, 9: 0.0}, {1: 2.0, 2: 5.0, 3: 3.5, 4: 7.0}
    found = difference(arm, baseline)
    expected = ttest_rel([3.0, 5.5, 4.0], [2.0, 5.0, 3.5]).confidence_interval(0.95)
    assert found.seeds == [1, 2, 3] and found.mean == pytest.approx(2 / 3)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.clear == (expected.low > 0)
    assert difference({1: 1.0}, {2: 1.0}) is None
    assert difference({1: 1.0}, {1: 0.5}).low is None


def write_run(work: Path, arm: str, seed: int, ap: float) -> None:
    from pretrained.runs import Run

    run = Run("kit_ais", arm, seed)
    folder = run.folder(work)
    folder.mkdir(parents=True)
    figures = {**run._asdict(), "steps": 8, "commit": "abc", "seconds": 1}
    figures["measured"] = {"kit_ais_half_val": {"AP": ap, "AP50": 2 * ap}}
    figures["curve"] = [[2, 1.0], [4, 2.0], [6, 2.5], [8, ap]]
    (folder / "figures.json").write_text(json.dumps(figures))


def test_runs_become_one_file_and_the_file_a_table(tmp_path):
    from pretrained import report
    from pretrained.results import collect, read
    from pretrained.runs import Run, state

    for seed, (one, other) in {1: (3.0, 4.5), 2: (2.0, 3.0)}.items():
        write_run(tmp_path / "work", "FPN", seed, one)
        write_run(tmp_path / "work", "NWD", seed, other)
    file = tmp_path / "results.json"
    collect(tmp_path / "work", file)
    results = collect(tmp_path / "work", file)  # a second time adds nothing
    assert results == read(file) and len(results["runs"]) == 4
    assert state(Run("kit_ais", "NWD", 2), tmp_path / "work") == "done"
    assert state(Run("kit_ais", "NWD", 3), tmp_path / "work") == "to do"
    rows = report.table(results, "kit_ais").splitlines()
    assert rows[2].startswith("| FPN | 2 | 2.5 (1.0) | 5.0 (2.0) |")
    assert rows[3].startswith("| NWD | 2 | 3.8 (1.5) | 7.5 (3.0) | +1.2 | -1.9 to +4.4 |")
    assert "FPN, seed 1: 2: 1.0, 4: 2.0, 6: 2.5, 8: 3.0; last quarter +0.5" in report.curves(
        results, "kit_ais"
    )
    assert [file.exists() for file in report.plot(results, "kit_ais", tmp_path / "plots")] == [1, 1]


def test_the_table_of_the_readme_has_arms_of_two_seeds_and_nothing_else_changes(tmp_path):
    from pretrained import front

    def run(arm: str, seed: int, ap: float, data: str = "kit_ais") -> dict:
        split = {"kit_ais": "kit_ais_half_val", "sirst": "sirst_v2_test"}[data]
        return {"data": data, "arm": arm, "seed": seed, "measured": {split: {"AP": ap}}}

    runs = [run("FPN", seed, 30.0 + seed) for seed in (1, 2)] + [run("NWD", 1, 40.0)]
    runs += [run("HS-FPN paper", seed, 31.0 + seed) for seed in (1, 2)]
    costs = {"FPN": {"step_s": 0.5, "inference_s": 0.2}}
    costs["HS-FPN paper"] = {"step_s": 0.6, "inference_s": 0.3}
    results = {"cost": {"kit_ais": costs}, "runs": runs}
    file = tmp_path / "README.md"
    file.write_text(f"before\n{front.BEGIN}\nold\n{front.END}\nbehind\n", encoding="utf-8")
    front.write(results, file)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[-1]) == ("before", "behind")
    rows = [line for line in lines if line.startswith("|")][2:]
    assert rows[0].startswith("| FPN") and "| 31.5 |  | 1.00 | 1.00 | 2 |" in rows[0]
    assert "| 32.5 | +1.0 (+1.0 to +1.0) | 1.20 | 1.50 | 2 |" in rows[1]
    assert len(rows) == 2
    runs += [run("FPN", seed, 10.0 + seed, "sirst") for seed in (1, 2, 3)]
    runs += [run("HS-FPN paper", seed, 13.0 + seed, "sirst") for seed in (1, 2, 3)]
    front.write(results, file)
    rows = [line for line in file.read_text(encoding="utf-8").splitlines() if "|" in line]
    assert "| 15.0 | **+3.0** (+3.0 to +3.0) | +2.0 (+2.0 to +2.0) | 1.20" in rows[3]
    assert rows[2].endswith("| 2 + 3 |")
    file.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="evidence: begin"):
        front.write(results, file)


def test_the_interval_over_two_data_sets_is_that_of_welchs_test():
    from pretrained.paired import difference, pooled

    first, second = {1: 1.0, 2: 2.5, 3: 4.5}, {1: 0.5, 2: -3.0, 3: 2.0, 4: 1.0}
    zero = dict.fromkeys(range(1, 5), 0.0)
    negative = {seed: -value for seed, value in second.items()}
    found = pooled([difference(first, zero), difference(negative, zero)])
    ends = ttest_ind(list(first.values()), list(second.values()), equal_var=False)
    ends = ends.confidence_interval(0.95)
    assert found[1:] == pytest.approx((ends.low / 2, ends.high / 2))
    assert found[0] == pytest.approx((ends.low + ends.high) / 4)
    assert pooled([difference(first, zero), difference({1: 2.0}, zero)]) is None
