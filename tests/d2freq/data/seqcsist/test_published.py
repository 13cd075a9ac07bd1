"""The layout in which SeqCSIST was published: read as it was written, and faults named."""

import logging
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from detectron2.data import DatasetCatalog
from scipy import io

from d2freq.data.seqcsist import generate_seqcsist, load_q_init
from d2freq.data.seqcsist.frames import observe, quantize
from d2freq.data.seqcsist.published import read_published
from d2freq.data.seqcsist.rules import Rules
from d2freq.data.seqcsist.trajectories import draw_trajectory
from d2freq.errors import DatasetError
from d2freq.ops.psf import sampling_matrix


def write_frame(folder: Path, number: int, frame: np.ndarray, targets) -> None:
    """A frame and its annotation as the authors name and write them."""
    cv2.imwrite(str(folder / f"image/image_{number}.png"), frame)
    objects = "".join(
        f"<object><name>Target</name><coordinate><xc>{row}</xc><yc>{column}</yc>"
        f"<brightness>{light}</brightness></coordinate></object>"
        for row, column, light in targets
    )
    size = "".join(f"<{name}>11</{name}>" for name in ("width", "height"))
    (folder / f"annotation/COS{number}.xml").write_text(
        f"<annotation><filename>COS{number}</filename><size>{size}<depth>1</depth></size>"
        f"<sigma>0.5</sigma>{objects}</annotation>"
    )


def write_published(folder: Path, split: str = "train", count: int = 3):
    """Trajectories of 20 frames in the published layout; returns them."""
    for part in ("image", "annotation"):
        (folder / part).mkdir(parents=True)
    tracks = [draw_trajectory(Rules(), split, index) for index in range(count)]
    for index, track in enumerate(tracks):
        frames = quantize(observe(track.positions, track.intensities))
        for time in range(20):
            targets = np.c_[track.positions[time], track.intensities[time]].tolist()
            write_frame(folder, 20 * index + time, frames[time], targets)
    return tracks


@pytest.fixture
def folder(tmp_path):
    write_published(tmp_path / "track/train")
    return tmp_path / "track/train"


def edit(file: Path, pattern: str, by: str) -> None:
    text, count = re.subn(pattern, by, file.read_text(), count=1)
    assert count == 1
    file.write_text(text)


def test_what_was_written_is_read(tmp_path):
    tracks = write_published(tmp_path)
    split = read_published(tmp_path)
    assert split.frames.shape == (3, 20, 11, 11) and split.frames.dtype == np.float32
    assert split.info["size"] == 11 and split.info["sigma"] == 0.5
    for index, track in enumerate(tracks):  # numbers count: image_10 comes after image_9
        exact = observe(track.positions, track.intensities)
        assert np.allclose(split.frames[index], np.minimum(exact, 255), atol=0.5001)
        assert np.array_equal(split.positions[index], track.positions)
        assert np.array_equal(split.intensities[index], track.intensities)


def test_shorter_trajectories_are_read_where_asked_for(folder):
    split = read_published(folder, frames=5)
    assert split.frames.shape == (12, 5, 11, 11) and split.info["frames"] == 5


def test_missing_brightness_is_named(folder):
    edit(folder / "annotation/COS7.xml", "<brightness>.*?</brightness>", "")
    with pytest.raises(DatasetError, match=r"COS7.xml: <brightness> of object 1 is missing; write"):
        read_published(folder)
    edit(folder / "annotation/COS7.xml", "</yc>", "</yc><brightness>bright</brightness>")
    with pytest.raises(DatasetError, match=r"COS7.xml: <brightness> of object 1 is 'bright'"):
        read_published(folder)


def test_frames_of_another_size_are_named(folder):
    file = folder / "image/image_30.png"
    for shape in ((11, 12), (9, 9), (11, 11, 3)):
        cv2.imwrite(str(file), np.zeros(shape, np.uint8))
        with pytest.raises(DatasetError, match=r"image_30.png: an image of the shape .* replace"):
            read_published(folder)
    file.write_bytes(b"\x89PNG")
    with pytest.raises(DatasetError, match=r"image_30.png: cannot be read"):
        read_published(folder)


@pytest.mark.parametrize(
    ("pattern", "by", "message"),
    [
        ("<width>11", "<width>12", "<width> is 12, 11 in the first file"),
        ("<sigma>0.5", "<sigma>0.6", "<sigma> is 0.6, 0.5 in the first file"),
        ("<xc>[^<]*", "<xc>10.6", "object 1 at .*outside the frame.*correct xc and yc"),
        ("<yc>[^<]*", "<yc>-0.7", "object 1 at .*outside the frame"),
        ("<yc>[^<]*", "<yc>nan", "<yc> of object 1 is 'nan'"),
        ("<object>.*?</object>", "", r"targets, the first frame of its trajectory has"),
        ("</annotation>", "", "no whole XML"),
    ],
)
def test_faulty_annotations_are_named(folder, pattern, by, message):
    edit(folder / "annotation/COS25.xml", pattern, by)
    with pytest.raises(DatasetError, match=f"COS25.xml: .*{message}"):
        read_published(folder)


def test_incomplete_folders_are_named(folder):
    (folder / "image/image_59.png").unlink()
    with pytest.raises(DatasetError, match=r"COS59.xml: frame 59 has no image \(1 such"):
        read_published(folder)
    (folder / "annotation/COS59.xml").unlink()
    with pytest.raises(DatasetError, match=r"image_40.png: the last trajectory .* has 19 frames"):
        read_published(folder)
    with pytest.raises(DatasetError, match=r"nowhere/image: no numbered .png files"):
        read_published(folder / "nowhere")


def test_a_sampling_matrix_beside_the_folders_has_to_fit(folder):
    file = folder.parent.parent / "phi_0.5.mat"
    io.savemat(file, {"phi": sampling_matrix().numpy()})
    assert read_published(folder).frames.shape[0] == 3
    for wrong in (sampling_matrix(sigma=0.7), sampling_matrix(size=9), sampling_matrix().mT):
        io.savemat(file, {"phi": wrong.numpy()})
        with pytest.raises(DatasetError, match=r"phi_0.5.mat: .*remove the file"):
            read_published(folder)


def test_the_published_layout_by_name(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    folder = tmp_path / "seqcsist/track_5000_20"
    write_published(folder / "train")
    records = DatasetCatalog.get("seqcsist_train")
    assert len(records) == 3 and records[0]["file_name"] == str(folder / "train")
    assert load_q_init("seqcsist_train").shape == (1089, 121)
    assert (folder / "train/q_init_x3.npz").is_file()
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    few = {"train": 6, "val": 1, "test": 1, "progress": False}
    generate_seqcsist(tmp_path / "seqcsist", **few)
    with caplog.at_level(logging.WARNING, logger="d2freq.data.seqcsist.catalog"):
        assert len(DatasetCatalog.get("seqcsist_train")) == 6
    assert "there is also" in caplog.text
