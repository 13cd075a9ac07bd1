"""CSOEvaluator: what it measures, says, writes and refuses; alone and over two processes."""

import json
import logging

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import d2freq  # noqa: F401  a spawned process chooses the host anew
from d2freq.errors import DatasetError, UserError
from d2freq.evaluation.coco.guard import DetectionError

NAME = "cso_evaluator_test"
FRAMES = 7  # measured are 2, 3 and 4


def records(count=5, frames=FRAMES):
    """Trajectories of two to four targets that drift along the rows."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        targets = rng.uniform(2, 8, (1, 2 + number % 3, 2))
        positions = targets + np.arange(frames)[:, None, None] * np.array([0.04, 0])
        found.append({"trajectory_id": number, "positions": positions, "file_name": "test.npz"})
    return found


@pytest.fixture
def registered():
    from detectron2.data import DatasetCatalog

    names = []

    def register(content) -> str:
        name = f"{NAME}_{len(names)}"
        DatasetCatalog.register(name, lambda: content)
        names.append(name)
        return name

    yield register
    for name in names:
        DatasetCatalog.remove(name)


def predicted(record, *, points=True) -> dict:
    """The perfect grid, with intensities that follow from the position, and exact points."""
    frames = torch.arange(2, len(record["positions"]) - 2)
    positions = torch.from_numpy(record["positions"])[frames]
    intensities = 220 + 30 * (positions.sum(2) * 7).frac()
    grid = torch.zeros(len(frames), 33, 33)
    cells = torch.round(3 * positions + 1).long()
    for number, frame in enumerate(cells):
        grid[number, frame[:, 0], frame[:, 1]] = intensities[number].float()
    output = {"grid": grid, "frames": frames}
    exact = torch.cat([positions, intensities[..., None]], 2).float()
    return output | ({"points": list(exact)} if points else {})


def evaluator_of(name, content, output=None, **options):
    from d2freq.evaluation.cso.evaluator import CSOEvaluator

    evaluator = CSOEvaluator(name, output_dir=output, **options)
    evaluator.reset()
    for record in content:
        evaluator.process([record], [predicted(record)])
    return evaluator


def test_scores_take_the_place_of_intensities(registered):
    """A false alarm that is bright and unsure comes last by its score."""
    content = records()
    name = registered(content)
    evaluator = evaluator_of(name, [])
    for record in content:
        output = predicted(record)
        wrong = torch.tensor([[0.0, 0.0, 1000.0]])
        output["points"] = [torch.cat([wrong, points]) for points in output["points"]]
        output["scores"] = [500 - (p[:, 2] - 500).abs() for p in output["points"]]
        evaluator.process([record], [output])
    assert evaluator.evaluate()["cso_subpixel"]["CSO-mAP"] == 100
    evaluator.reset()
    for record in content:
        output = predicted(record)
        output["points"] = [torch.cat([wrong, points]) for points in output["points"]]
        evaluator.process([record], [output])
    assert evaluator.evaluate()["cso_subpixel"]["CSO-mAP"] < 90


def test_grid_and_points_are_measured_apart_and_written(registered, tmp_path, caplog):
    content = records()
    name = registered(content)
    with caplog.at_level(logging.INFO):
        results = evaluator_of(name, content, str(tmp_path)).evaluate()
    keys = ["CSO-mAP", "AP05", "AP10", "AP15", "AP20", "AP25"]
    assert list(results) == ["cso", "cso_subpixel"] and list(results["cso"]) == keys
    assert set(results["cso_subpixel"].values()) == {100.0}
    assert 0 < results["cso"]["CSO-mAP"] < 100 and results["cso"]["AP25"] == 100.0
    saved = json.loads((tmp_path / "cso_results.json").read_text())
    assert saved["cso"] == results["cso"] and saved["frames"] == 15 and saved["targets"] == 42
    assert saved["threshold"] == 70.0 and saved["detections"]["cso_subpixel"] == 42
    lines = caplog.text.splitlines()
    assert "copypaste: CSO-mAP,AP05,AP10,AP15,AP20,AP25" in lines
    assert "copypaste: " + ",".join(["100.0000"] * 6) in lines


def test_what_is_measured_is_what_cso_map_says(registered):
    from d2freq.evaluation.cso.metric import cso_map, grid_detections

    content = records()
    outputs = [predicted(record) for record in content]
    grids = [grid_detections(grid.numpy()) for output in outputs for grid in output["grid"]]
    truth = [frame for record in content for frame in record["positions"][2:5]]
    expected = cso_map(grids, truth)
    results = evaluator_of(registered(content), content).evaluate()
    assert results["cso"] == pytest.approx({k: 100 * v for k, v in expected.items()}, abs=1e-12)


def test_without_points_there_is_no_second_metric_and_nothing_found_is_0(registered):
    content = records(2)
    evaluator = evaluator_of(registered(content), [])
    for record in content:
        output = predicted(record, points=False)
        evaluator.process([record], [{**output, "grid": output["grid"] * 0.25}])  # below 70
    results = evaluator.evaluate()
    assert list(results) == ["cso"] and set(results["cso"].values()) == {0.0}


def test_frames_twice_or_beyond_are_said_and_missing_ones_are_an_error(registered, caplog):
    content = records()
    name = registered(content)
    whole = evaluator_of(name, content).evaluate()
    evaluator = evaluator_of(name, content)
    evaluator.process([content[1]], [predicted(content[2])])
    evaluator.process([{"trajectory_id": 99}], [predicted(content[2])])
    assert evaluator.evaluate() == whole
    assert "3 frames were predicted twice" in caplog.text
    assert "3 predicted frames are not measured" in caplog.text
    with pytest.raises(UserError, match=r"3 of 15 frames .*first frame 2 of trajectory 4"):
        evaluator_of(name, content[:4]).evaluate()
    evaluator = evaluator_of(name, content[1:])
    evaluator.process(content[:1], [predicted(content[0], points=False)])
    with pytest.raises(UserError, match="cso_subpixel"):
        evaluator.evaluate()
    evaluator.reset()
    with pytest.raises(UserError, match="15 of 15"):
        evaluator.evaluate()


def test_bad_data_and_bad_outputs_are_refused(registered):
    content = records()
    with pytest.raises(UserError, match="odd number"):
        evaluator_of(registered(content), [], window=4)
    with pytest.raises(DatasetError, match="7 frames, a window 9"):
        evaluator_of(registered(content), [], window=9)
    with pytest.raises(DatasetError, match="stands twice"):
        evaluator_of(registered([*content, content[0]]), [])
    with pytest.raises(DatasetError, match="no targets"):
        evaluator_of(registered([]), [])
    evaluator = evaluator_of(registered(content), [])
    with pytest.raises(UserError, match="no 'grid'"):
        evaluator.process(content[:1], [{"instances": None}])
    output = predicted(content[0])
    output["points"][1][0, 0] = torch.nan
    with pytest.raises(DetectionError, match="trajectory 0, frame 3"):
        evaluator.process(content[:1], [output])


def one_of_two(rank: int, rendezvous: str, folder: str) -> None:
    from detectron2.data import DatasetCatalog
    from detectron2.utils import comm

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    try:
        if hasattr(comm, "create_local_process_group"):
            comm.create_local_process_group(2)
        content = records()
        DatasetCatalog.register(NAME, lambda: content)
        # five trajectories in shares that a sampler padded to three each
        share = [content[place] for place in ((1, 3, 0), (2, 4, 0))[rank]]
        result = evaluator_of(NAME, share, folder).evaluate()
        assert bool(result) == (rank == 0), "only the main process has a result"
    finally:
        dist.destroy_process_group()


def test_two_processes_measure_what_one_does(registered, tmp_path):
    content = records()
    results = evaluator_of(registered(content), content).evaluate()
    mp.spawn(one_of_two, args=(str(tmp_path / "meet"), str(tmp_path)), nprocs=2)
    saved = json.loads((tmp_path / "cso_results.json").read_text())
    assert {task: saved[task] for task in results} == results
    assert saved["predicted_twice"] == 3
