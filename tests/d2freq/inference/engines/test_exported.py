"""Each engine of an exported file against the model in torch, in batches of mixed sizes."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from d2freq.engine.export import export_onnx, export_openvino, export_torchscript
from d2freq.errors import UserError
from d2freq.inference.detections import Detections
from d2freq.inference.engines.engine import ModelAbout
from d2freq.inference.engines.exported import ExportedEngine
from d2freq.inference.engines.registry import engine_of, load_engine
from d2freq.inference.engines.torch_engine import TorchEngine

from ...engine.export.cases import SIZES, TRACED, assert_same, build, noise

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")

ABOUT = ModelAbout(
    names=("ship", "person", "Ü-Boot"), channel_order="BGR", train_size=(64, 96), crop=(32, 48)
)
WRITERS = {
    "torchscript": (export_torchscript, ".pt", "torch"),
    "onnx": (export_onnx, ".onnx", "onnxruntime"),
    "openvino": (export_openvino, ".xml", "openvino"),
}


@pytest.fixture(scope="module")
def model():
    return build("faster_hsfpn")


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """Engine -> its file, written when first asked for."""
    folder, written = tmp_path_factory.mktemp("files"), {}

    def get(name):
        write, suffix, package = WRITERS[name]
        pytest.importorskip(package)
        if name not in written:
            if name != "torchscript":
                pytest.importorskip("onnx")
            write(model, folder / f"model{suffix}", size=TRACED, about=asdict(ABOUT))
            written[name] = folder / f"model{suffix}"
        return written[name]

    return get


def pictures(sizes):
    return [
        np.ascontiguousarray(noise(size, seed=seed).byte().numpy().transpose(1, 2, 0))
        for seed, size in enumerate(sizes)
    ]


def parts(found: Detections):
    return [torch.from_numpy(part) for part in (found.boxes, found.scores, found.classes)]


@pytest.mark.parametrize("name", WRITERS)
def test_an_engine_finds_what_torch_finds(name, model, files):
    """Five sizes, then a batch that mixes them, two of a kind apart in it."""
    engine, torch_engine = load_engine(files(name)), TorchEngine(model, ABOUT)
    assert engine.about == ABOUT and engine_of(files(name)) == name
    batches = [pictures([size]) for size in SIZES]
    batches.append(pictures([SIZES[0], SIZES[4], SIZES[1], SIZES[0]]))
    for batch in batches:
        found = engine(batch)
        assert len(found) == len(batch)
        for own, pixels in zip(found, batch, strict=True):
            (alone,) = torch_engine([pixels])
            assert len(alone) > 3, "a test of nothing"
            assert_same(parts(own), parts(alone))
            assert own.boxes.dtype == own.scores.dtype == np.float64
            assert own.names == ABOUT.names
    assert engine([]) == []


def test_torch_finds_in_a_batch_of_mixed_sizes_what_it_finds_on_each_alone():
    """With a plain FPN, whose convolutions would carry the padding into the smaller pictures."""
    engine = TorchEngine(build("faster_fpn"), ABOUT)
    batch = pictures([SIZES[0], SIZES[2], SIZES[0]])
    for own, pixels in zip(engine(batch), batch, strict=True):
        (alone,) = engine([pixels])
        assert_same(parts(own), parts(alone))


def test_openvino_runs_onnx_files_too(model, files):
    pytest.importorskip("openvino")
    engine = load_engine(files("onnx"), engine="openvino")
    assert engine.about == ABOUT
    (pixels,) = pictures([SIZES[0]])
    assert_same(parts(engine([pixels])[0]), parts(TorchEngine(model, ABOUT)([pixels])[0]))


def test_channels_come_in_the_models_order():
    seen = []

    def run(batch):
        seen.append(batch)
        return np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64)

    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[..., 0], pixels[..., 2] = 200, 50
    for order, channels, first in (("RGB", 3, 200), ("BGR", 3, 50), ("L", 1, 65)):
        text = metadata(channel_order=order, channels=channels)
        (found,) = ExportedEngine("a.onnx", text, run)([pixels])
        assert len(found) == 0 and seen[-1].dtype == np.float32
        assert seen[-1].shape == (1, channels, 4, 6) and (seen[-1][0, 0] == first).all()


def test_a_model_of_one_picture_at_a_time_gets_them_so():
    seen = []

    def run(batch):
        seen.append(batch.shape)
        return np.ones((2, 4)), np.ones(2), np.zeros(2, np.int64), np.zeros(2, np.int64)

    found = ExportedEngine("a.onnx", metadata(batch=1), run)(pictures([(8, 8), (8, 8)]))
    assert seen == [(1, 3, 8, 8)] * 2 and [len(each) for each in found] == [2, 2]


def metadata(*, batch="any", **changed):
    import json

    own = {"format": 2, "batch": batch, "precision": "float32"}
    return json.dumps(asdict(replace(ABOUT, **changed)) | own)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_cut_off_is_one_line(name, files, tmp_path):
    whole = files(name)
    short = tmp_path / whole.name
    short.write_bytes(whole.read_bytes()[:200])
    with pytest.raises(UserError, match=short.name) as caught:
        load_engine(short)
    assert len(str(caught.value).splitlines()) == 1


def test_files_of_others_and_channels_that_no_picture_has_are_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(tmp_path / "other.pt"))
    with pytest.raises(UserError, match=r"other\.pt: says nothing .* 'd2freq export'"):
        load_engine(tmp_path / "other.pt")
    with pytest.raises(UserError, match="4 channels in order RGBN"):
        ExportedEngine("a.onnx", metadata(channels=4, channel_order="RGBN"), print)
    with pytest.raises(UserError, match="no such file"):
        load_engine(tmp_path / "a.onnx")


EXTRAS = {"onnxruntime": "export", "openvino": "openvino"}


@pytest.mark.parametrize(("name", "package"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_a_missing_package_is_named(name, package, files, monkeypatch):
    path = files(name)
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(UserError, match=rf'pip install "d2freq\[{EXTRAS[package]}\]"'):
        load_engine(path)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_device_that_is_not_there_is_named(name, files):
    with pytest.raises(UserError, match="--device cuda"):
        load_engine(files(name), device="cuda")


def test_a_folder_has_to_hold_one_file(tmp_path):
    with pytest.raises(UserError, match=r"holds 0 files that end in \.onnx.*d2freq export"):
        load_engine(tmp_path, engine="onnx")
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"holds 2 files that end in \.onnx; name one"):
        load_engine(tmp_path, engine="onnx")
    with pytest.raises(UserError, match=r"c\.onnx: no such file; 'd2freq export' writes one"):
        load_engine(tmp_path / "c.onnx")
