"""A run over pictures: the same whatever interrupts it, and whatever one picture does."""

import errno
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d2freq.errors import UserError
from d2freq.inference import parts as parts_module
from d2freq.inference.parts import Parts
from d2freq.inference.run import prepare_folder, search, write_run
from d2freq.inference.search import Choice
from d2freq.inference.searcher import Settings
from d2freq.inference.sources import find_sources
from d2freq.inference.tiling import TilePlan
from d2freq.utils.output import PARTS
from tests.d2freq.inference.blobs import NAMES, BlobEngine, blob_picture, sorted_boxes

PLAN = TilePlan((64, 64), (20, 20))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Five pictures of three sizes; the last has an empty half."""
    root = tmp_path_factory.mktemp("pictures")
    for n, (width, height) in enumerate([(150, 130), (64, 64), (150, 130), (50, 40), (200, 100)]):
        pixels, _ = blob_picture(width, height, seed=n)
        if n == 4:
            pixels[:, :100] = 9
        Image.fromarray(pixels).save(root / f"{n}.png")
    return root


class SlowEngine(BlobEngine):
    """Scores depend on who shares the batch, as the last bits of a real engine do."""

    wait = 0.0

    def __call__(self, pictures):
        time.sleep(self.wait)
        found = super().__call__(pictures)
        mean = float(np.mean([pixels.mean() for pixels in pictures]))
        for own in found:
            own.scores[:] = 0.5 + mean / 1000
        return found


def run(folder: Path, source: Path, *, engine=None, resume=False, limit=0, batch=3, key=None):
    engine = engine or SlowEngine()
    parts = Parts(folder, key or {"tile": 64}, NAMES)
    assert prepare_folder(folder, parts, resume=resume, overwrite=False)
    sources = find_sources([str(source)])
    settings = Settings(PLAN, batch=batch)
    found = search(engine, sources, settings, parts, limit=limit, progress=False)
    rows = [
        [r.picture.name, r.picture.image_id, r.failure, r.detections.boxes.tolist()]
        + [r.detections.scores.tolist(), r.detections.classes.tolist()]
        for r in found.results
    ]
    (folder / "rows.json").write_text(json.dumps(rows))
    write_run(folder, parts, found, [folder / "rows.json"])
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_object_is_found_once(pictures, tmp_path):
    engine = BlobEngine()
    found = run(tmp_path / "out", pictures, engine=engine, batch=4)
    for n, size in enumerate([(150, 130), (64, 64), (150, 130), (50, 40)]):
        _, boxes = blob_picture(*size, seed=n)
        own = found.results[n].detections
        assert np.abs(sorted_boxes(own.boxes) - sorted_boxes(boxes)).max() <= 1e-6
    assert found.empty > 0 and not found.failures
    assert [r.picture.image_id for r in found.results] == [1, 2, 3, 4, 5]
    assert set(files_of(tmp_path / "out")) == {"rows.json", "run.json"}
    about = json.loads((tmp_path / "out/run.json").read_text())
    assert about["tiles"] == {"searched": found.searched, "empty": found.empty}
    # tiles of different pictures share batches, so few are not full
    assert len(engine.batches) < found.searched / 4 + 4


def test_killed_anywhere_and_resumed_it_leaves_the_same_files(pictures, tmp_path):
    """Kill -9, thrice, at other places; batches are made again as they were."""
    run(tmp_path / "whole", pictures)
    expected = files_of(tmp_path / "whole")
    folder, log = tmp_path / "killed", tmp_path / "killed" / PARTS / "done.jsonl"
    context = multiprocessing.get_context("fork")
    for lines in (2, 4, 6):
        engine = SlowEngine()
        engine.wait = 0.05
        arguments = dict(engine=engine, resume=lines > 2)
        process = context.Process(target=run, args=(folder, pictures), kwargs=arguments)
        process.start()
        deadline = time.monotonic() + 60
        while not (log.is_file() and log.read_bytes().count(b"\n") >= lines):
            assert time.monotonic() < deadline and process.is_alive()
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL and not (folder / "run.json").exists()
    with open(log, "ab") as file:  # as if the kill had cut a line off
        file.write(b'[["0.png",0,[1')
    engine = SlowEngine()
    run(folder, pictures, engine=engine, resume=True)
    assert files_of(folder) == expected
    whole = SlowEngine()
    run(tmp_path / "again", pictures, engine=whole)
    assert 0 < len(engine.batches) <= len(whole.batches) - 6


def test_a_changed_picture_is_searched_again(pictures, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("0.png", "2.png"):
        (source / name).write_bytes((pictures / name).read_bytes())
    (source / "3.png").write_bytes(b"broken")
    first = run(tmp_path / "out", source)
    assert [r.failure != "" for r in first.results] == [False, False, True]
    assert "3.png" in first.failures[0].failure and (tmp_path / "out" / PARTS).is_dir()
    (source / "3.png").write_bytes((pictures / "3.png").read_bytes())
    os.utime(source / "0.png", ns=(1, 1))
    engine = SlowEngine()
    second = run(tmp_path / "out", source, engine=engine, resume=True)
    assert not second.failures and not (tmp_path / "out" / PARTS).exists()
    tiles = len(PLAN.windows((150, 130))) + 1  # of 0.png and 3.png, not of 2.png
    assert sum(engine.batches) == tiles


def test_a_broken_picture_ends_nothing(pictures, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    Image.fromarray(np.full((40, 40), 4000, np.uint16)).save(source / "a.png")
    (source / "b.png").write_bytes((pictures / "0.png").read_bytes()[:900])
    (source / "c.png").write_bytes((pictures / "0.png").read_bytes())
    (source / "d.avi").write_bytes(b"no film")
    Image.fromarray(blob_picture(60, 60)[0][:3]).save(source / "e.png")
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(source / "f.png")
    found = run(tmp_path / "out", source, engine=BlobEngine(stride=4))
    reasons = {r.picture.name: r.failure for r in found.failures}
    assert set(reasons) == {"a.png", "b.png", "d.avi", "e.png", "f.png"}
    assert "1 band of 16 bits" in reasons["a.png"] and "unreadable" in reasons["b.png"]
    assert "no frame" in reasons["d.avi"] and "stride of 4 px" in reasons["e.png"]
    assert "1 x 1 px is less" in reasons["f.png"]
    assert len(found.results[2].detections) == len(blob_picture(150, 130)[1])
    assert [r.picture.image_id for r in found.results] == [1, 2, 3, 4, 5, 6]
    about = json.loads((tmp_path / "out/run.json").read_text())
    assert about["failures"] == reasons and about["pictures"] == 6


def test_a_picture_damaged_in_the_middle_takes_no_other_with_it(pictures, tmp_path, monkeypatch):
    from d2freq.errors import DatasetError
    from d2freq.inference.sources.decoded import Decoded

    usual = Decoded._read

    def damaged(self, window):
        if self.picture.name == "2.png" and window.y > 40:
            raise DatasetError("2.png: damaged at y 80")
        return usual(self, window)

    monkeypatch.setattr(Decoded, "_read", damaged)
    found = run(tmp_path / "out", pictures, engine=BlobEngine())
    assert [r.picture.name for r in found.failures] == ["2.png"]
    assert len(found.results[2].detections) == 0
    assert len(found.results[0].detections) == len(blob_picture(150, 130)[1])
    assert len(found.results[4].detections) > 0


def test_an_engine_out_of_memory_ends_the_run_in_one_line(pictures, tmp_path):
    class Small(BlobEngine):
        def __call__(self, tiles):
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    class Broken(BlobEngine):
        def __call__(self, tiles):
            raise RuntimeError("shape mismatch")

    with pytest.raises(UserError, match="3 tiles of 64 x 64 px at once: take a smaller --batch"):
        run(tmp_path / "a", pictures, engine=Small())
    with pytest.raises(RuntimeError, match="shape mismatch"):  # a fault of ours is not hidden
        run(tmp_path / "b", pictures, engine=Broken())


def test_a_full_disk_is_one_line_and_the_run_goes_on_after_it(pictures, tmp_path, monkeypatch):
    usual, writes = Parts.add, []

    def full(self, found):
        writes.append(found)
        if len(writes) == 3:
            with open(self.folder / "done.jsonl", "a") as file:
                file.write('[["0.png",3,')  # what fitted
            raise OSError(errno.ENOSPC, "No space left on device")
        usual(self, found)

    monkeypatch.setattr(parts_module.Parts, "add", full)
    with pytest.raises(UserError, match=r"out: No space left on device; make room.*--resume"):
        run(tmp_path / "out", pictures)
    run(tmp_path / "out", pictures, resume=True)
    run(tmp_path / "whole", pictures)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_folder_with_a_run_is_refused(pictures, tmp_path):
    folder, parts = tmp_path / "out", Parts(tmp_path / "out", {"tile": 64}, NAMES)

    def prepare(key=None, **options):
        options = {"resume": False, "overwrite": False} | options
        return prepare_folder(folder, Parts(folder, key or {"tile": 64}, NAMES), **options)

    parts.begin()
    with pytest.raises(UserError, match="holds an interrupted run: go on with --resume"):
        prepare()
    with pytest.raises(UserError, match="made with tile 64, not 32; resume it with the same"):
        prepare({"tile": 32}, resume=True)
    assert prepare({"tile": 64, "format": ["csv"]}, resume=True)  # files come behind the search
    assert prepare(resume=True)
    run(folder, pictures, resume=True)
    with pytest.raises(UserError, match="holds a finished run"):
        prepare()
    assert not prepare(resume=True)  # nothing is left to do
    with pytest.raises(UserError, match="finished run with other options"):
        prepare({"tile": 32}, resume=True)
    with pytest.raises(UserError, match="finished run with other options"):
        prepare({"tile": 64, "format": ["csv"]}, resume=True)
    with pytest.raises(UserError, match="take one of them"):
        prepare(resume=True, overwrite=True)
    (folder / "mine.txt").write_text("kept")
    (folder / ".rows.json.77.draft").write_text("left by a process that was killed")
    assert prepare({"tile": 32}, overwrite=True)
    assert set(files_of(folder)) == {"mine.txt", f"{PARTS}/key.json"}


def test_numbers_do_not_meet_those_of_a_coco_file(pictures, tmp_path):
    images = [{"id": 3, "file_name": "0.png", "width": 150, "height": 130}]
    (pictures / "gt.json").write_text(json.dumps({"images": images}))
    sources = find_sources([str(pictures / "gt.json"), str(pictures / "1.png")])
    sources += find_sources([str(pictures / "3.png")])
    parts = Parts(tmp_path / "out", {}, NAMES)
    parts.begin()
    found = search(BlobEngine(), sources, Settings(PLAN), parts, progress=False)
    assert [r.picture.image_id for r in found.results] == [3, 5, 6]
    (pictures / "gt.json").unlink()


def test_the_first_pictures_alone(pictures, tmp_path):
    assert len(run(tmp_path / "out", pictures, limit=2).results) == 2


def test_settings_are_checked():
    with pytest.raises(UserError, match="--batch 0"):
        Settings(PLAN, batch=0)
    assert Choice(0.5).classes is None
