"""SeqCSIST by its names: found when used, mapped for both loaders, with the matrix of its start."""

import numpy as np
import pytest
import torch
from detectron2.data import (
    DatasetCatalog,
    MetadataCatalog,
    build_detection_test_loader,
    build_detection_train_loader,
    get_detection_dataset_dicts,
)
from scipy import io

from d2freq.cli import main
from d2freq.data.seqcsist import (
    Rules,
    SequenceMapper,
    generate_seqcsist,
    load_q_init,
    register_seqcsist,
)
from d2freq.data.seqcsist.files import read_split
from d2freq.data.seqcsist.grid import grid_targets
from d2freq.data.seqcsist.q_init_fit import least_squares
from d2freq.errors import DatasetError, UserError

FEW = {"train": 6, "val": 3, "test": 2, "progress": False}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small seqcsist where the names look."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    generate_seqcsist(tmp_path / "seqcsist", **FEW)
    return tmp_path


def test_names_are_there_before_the_files_and_say_how_to_get_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    for folder in ("seqcsist", "seqcsist_small", "seqcsist_dense", "seqcsist_mixed"):
        for split in ("train", "val", "test"):
            metadata = MetadataCatalog.get(f"{folder}_{split}")
            assert metadata.evaluator_type == "seqcsist" and metadata.factor == 3
            assert (metadata.size, metadata.sigma) == (11, 0.5)
            with pytest.raises(DatasetError, match="generate seqcsist") as error:
                DatasetCatalog.get(f"{folder}_{split}")
        command = str(error.value).split("'")[1].split()[1:]  # the cure, in its own words
        assert main([*command, "--train", "2", "--val", "1", "--test", "1"]) == 0
        assert len(DatasetCatalog.get(f"{folder}_train")) == 2
        assert load_q_init(f"{folder}_val").shape == (1089, 121)
    with pytest.raises(DatasetError, match="DETECTRON2_DATASETS"):
        monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "elsewhere"))
        load_q_init("seqcsist_test")


def test_records_are_those_of_the_file(root):
    records = get_detection_dataset_dicts("seqcsist_val")
    split = read_split(root / "seqcsist/val.npz")
    assert [record["trajectory_id"] for record in records] == [0, 1, 2]
    for number, record in enumerate(records):
        assert record["file_name"] == str(root / "seqcsist/val.npz")
        assert np.array_equal(record["frames"], split.frames[number])
        assert record["positions"].shape[:2] == record["intensities"].shape


def test_both_loaders_take_trajectories(root):
    mapper = SequenceMapper(False)
    records = get_detection_dataset_dicts("seqcsist_test")
    loader = build_detection_test_loader(records, mapper=mapper, num_workers=0)
    found = [trajectory for batch in loader for trajectory in batch]
    assert [trajectory["trajectory_id"] for trajectory in found] == [0, 1]
    for trajectory, record in zip(found, records, strict=True):
        assert trajectory["frames"].shape == (20, 1, 11, 11)
        assert torch.equal(trajectory["frames"][:, 0], torch.from_numpy(record["frames"]))
        assert "target" not in trajectory
    records = get_detection_dataset_dicts("seqcsist_train")
    options = {"mapper": SequenceMapper(True), "total_batch_size": 4, "num_workers": 0}
    batch = next(iter(build_detection_train_loader(records, **options)))
    assert len(batch) == 4
    for trajectory in batch:
        assert trajectory["target"].dtype == torch.float32
        grid = grid_targets(trajectory["positions"], trajectory["intensities"])
        assert torch.equal(trajectory["target"], grid[:, None].float())


def test_noise_is_fixed_in_evaluation_and_new_in_training(root):
    record = get_detection_dataset_dicts("seqcsist_train")[0]
    other = get_detection_dataset_dicts("seqcsist_train")[1]
    clean = SequenceMapper(False)(record)["frames"]
    mapper = SequenceMapper(False, noise=3.0)
    noise = mapper(record)["frames"] - clean
    assert torch.equal(mapper(record)["frames"] - clean, noise)
    assert noise.std().item() == pytest.approx(3, rel=0.1) and abs(noise.mean().item()) < 0.3
    assert not torch.allclose(
        noise, mapper(other)["frames"] - SequenceMapper(False)(other)["frames"]
    )
    train = SequenceMapper(True, noise=3.0)
    torch.manual_seed(0)
    first, second = train(record)["frames"], train(record)["frames"]
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(train(record)["frames"], first)
    assert torch.equal(torch.from_numpy(record["frames"]), clean[:, 0])  # the record is untouched


def test_a_range_of_noise_is_drawn_anew_in_training_alone(root):
    record = get_detection_dataset_dicts("seqcsist_train")[0]
    clean = SequenceMapper(False)(record)["frames"]
    assert torch.equal(SequenceMapper(False, noise_range=(2.0, 6.0))(record)["frames"], clean)
    mapper = SequenceMapper(True, noise=9.0, noise_range=[2.0, 6.0])
    levels = [float((mapper(record)["frames"] - clean).std()) for _ in range(30)]
    assert 1.9 < min(levels) < 3 and 5 < max(levels) < 6.2
    for wrong in ((5.0, 2.0), (-1.0, 2.0), (3.0,)):
        with pytest.raises(UserError, match="NOISE_RANGE .*least and largest"):
            SequenceMapper(True, noise_range=wrong)


def test_what_does_not_fit_is_refused_by_file_and_cure(root):
    record = get_detection_dataset_dicts("seqcsist_val")[2]
    with pytest.raises(UserError, match="window=4.*odd"):
        SequenceMapper(True, window=4)
    with pytest.raises(UserError, match="NOISE is -1"):
        SequenceMapper(True, noise=-1)
    with pytest.raises(DatasetError, match=r"val.npz, trajectory 2: 20 frames, a window has 21"):
        SequenceMapper(False, window=21)(record)
    with pytest.raises(DatasetError, match=r"val.npz, trajectory 2: .*\(11, 11\).*9 x 9.*--size"):
        SequenceMapper(False, size=9)(record)
    outside = {**record, "positions": record["positions"] + 9}
    with pytest.raises(DatasetError, match=r"val.npz, trajectory 2: a target at .*outside"):
        SequenceMapper(True)(outside)


def test_the_start_is_that_of_the_training_split_and_kept(root):
    file = root / "seqcsist/q_init_x3.npz"
    split = read_split(root / "seqcsist/train.npz")
    targets = zip(split.positions, split.intensities, strict=True)
    truth = [tuple(map(torch.from_numpy, one)) for one in targets]
    expected = least_squares(truth)
    for name in ("seqcsist_train", "seqcsist_val", "seqcsist_test", file):
        assert torch.allclose(load_q_init(name), expected, atol=1e-10)
    assert MetadataCatalog.get("seqcsist_test").q_init == str(file)
    before = file.read_bytes()
    file.unlink()
    load_q_init("seqcsist_test")
    assert file.read_bytes() == before
    file.write_bytes(b"cut off")
    assert torch.allclose(load_q_init("seqcsist_val"), expected, atol=1e-10)
    # another training split has another start, whatever lies beside it
    generate_seqcsist(root / "other", rules=Rules(seed=3), **FEW)
    (root / "other/train.npz").replace(root / "seqcsist/train.npz")
    assert not torch.allclose(load_q_init("seqcsist_val"), expected, atol=1e-3)


def test_a_ridge_has_a_start_of_its_own(root):
    plain, file = load_q_init("seqcsist_val"), root / "seqcsist/q_init_x3.npz"
    before = file.read_bytes()
    split = read_split(root / "seqcsist/train.npz")
    targets = zip(split.positions, split.intensities, strict=True)
    truth = [tuple(map(torch.from_numpy, one)) for one in targets]
    for name in ("seqcsist_train", "seqcsist_val"):
        found = load_q_init(name, ridge=1e-3)
        assert torch.allclose(found, least_squares(truth, ridge=1e-3), atol=1e-10)
        assert not torch.allclose(found, plain, atol=1e-3)
    assert file.read_bytes() == before and torch.equal(load_q_init("seqcsist_val"), plain)
    assert (root / "seqcsist/q_init_x3_ridge0.001.npz").is_file()
    assert torch.equal(load_q_init(file, ridge=1e-3), plain)  # a file stays as it is
    for ridge in (-1e-4, float("nan")):
        with pytest.raises(UserError, match="Q_INIT_RIDGE"):
            load_q_init("seqcsist_val", ridge=ridge)


def test_a_start_that_does_not_fit_is_refused(root):
    assert load_q_init("seqcsist_train", size=11, factor=2).shape == (22**2, 121)
    with pytest.raises(DatasetError, match=r"seqcsist_train: Q_init has .*9 x 9 pixels"):
        load_q_init("seqcsist_train", size=9)
    with pytest.raises(DatasetError, match=r"q_init_x3.npz: Q_init has the shape \(1089, 121\)"):
        load_q_init(root / "seqcsist/q_init_x3.npz", size=11, factor=2)
    published, matrix = root / "qinit.mat", load_q_init("seqcsist_train")
    io.savemat(published, {"Qinit": matrix.numpy()})
    assert torch.equal(load_q_init(published, size=11, factor=3), matrix)
    np.save(root / "own.npy", matrix.numpy())
    assert torch.equal(load_q_init(root / "own.npy"), matrix)
    io.savemat(published, {"other": np.eye(2)})
    with pytest.raises(DatasetError, match=r"qinit.mat: holds no Q_init"):
        load_q_init(published)
    with pytest.raises(DatasetError, match=r"nowhere.npz: not found"):
        load_q_init(root / "nowhere.npz")


def test_splits_of_ones_own(root):
    generate_seqcsist(root / "wide", rules=Rules(size=13, sigma=0.6), **FEW)
    register_seqcsist("wide_test", root / "wide/test.npz")
    try:
        register_seqcsist("wide_test", root / "wide/test.npz")
        with pytest.raises(UserError, match="wide_test.*registered already"):
            register_seqcsist("wide_test", root / "wide/val.npz")
        metadata = MetadataCatalog.get("wide_test")
        assert (metadata.size, metadata.sigma) == (13, 0.6)
        assert metadata.as_dict()["file"] == str(root / "wide/test.npz")
        assert len(DatasetCatalog.get("wide_test")) == 2
        assert load_q_init("wide_test").shape == (39**2, 13**2)
    finally:
        DatasetCatalog.remove("wide_test")
        MetadataCatalog.remove("wide_test")
