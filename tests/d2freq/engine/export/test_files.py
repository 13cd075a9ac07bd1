"""Exported detectors against the models they come from, at sizes and batches never traced."""

import json

import pytest
import torch
from PIL import Image

from d2freq.cli import main
from d2freq.engine.export import ImageDetector, export_onnx, export_openvino, export_torchscript
from d2freq.errors import UserError

from ....process import output_of_python
from .cases import FASTER, SIZES, SMALL, TRACED, assert_same, build, noise

FILES = ["faster_hsfpn", "retinanet_released", "cascade_hsfpn", "fcos_published", "dino"]
CASES = [(name, suffix) for name in FILES for suffix in (".pt", ".onnx")]
CASES += [("cascade_rpn", ".onnx"), ("grid_rcnn", ".onnx")]  # TorchScript is the same trace

# torch calls TorchScript deprecated in favour of torch.export, which cannot hold a detector
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")


def load(path):
    """The file as a function from a batch to tensors; onnxruntime is asked for ONNX alone."""
    if path.suffix == ".pt":
        return torch.jit.load(str(path))
    session = pytest.importorskip(
        "onnxruntime", reason="ONNX files are run in onnxruntime, which is not installed"
    ).InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == [
        "boxes",
        "scores",
        "classes",
        "images",
    ]
    return lambda batch: [torch.from_numpy(v) for v in session.run(None, {"pixels": batch.numpy()})]


def write(model, path, **options):
    options = {"size": TRACED} | options
    if path.suffix == ".pt":
        export_torchscript(model, path, **options)
    else:
        pytest.importorskip("onnx", reason="ONNX files are made with onnx, which is not installed")
        export_onnx(model, path, **options)


def assert_file_is_model(run, model, batch):
    *found, images = run(batch)
    for place, image in enumerate(batch):
        with torch.no_grad():
            expected = ImageDetector(model)(image)
        assert_same([part[images == place] for part in found], expected)


@pytest.mark.parametrize(("name", "suffix"), CASES)
def test_a_file_finds_what_the_model_finds_at_any_size(name, suffix, tmp_path):
    model = build(name)
    path = tmp_path / "folder" / f"detector{suffix}"
    write(model, path)
    run = load(path)
    for place, size in enumerate([TRACED, *SIZES]):
        batch = torch.stack([noise(size, seed=seed) for seed in range((2, 1, 3, 1, 2, 3)[place])])
        assert_file_is_model(run, model, batch)


@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
def test_nothing_found_is_an_empty_result_and_no_error(suffix, tmp_path):
    model = build("faster_fpn", "MODEL.ROI_HEADS.SCORE_THRESH_TEST", "1.0")
    path = tmp_path / f"detector{suffix}"
    write(model, path)
    boxes, scores, classes, images = load(path)(noise((70, 50))[None])
    assert boxes.shape == (0, 4) and scores.shape == classes.shape == images.shape == (0,)


@pytest.mark.parametrize(("channels", "order", "suffix"), [(1, "L", ".pt"), (4, "RGBN", ".onnx")])
def test_models_of_one_and_of_four_channels(channels, order, suffix, tmp_path):
    words = ["MODEL.PIXEL_MEAN", str([100.0] * channels), "MODEL.PIXEL_STD", str([50.0] * channels)]
    model = build("faster_hsfpn", *words, "INPUT.FORMAT", order)
    path = tmp_path / f"detector{suffix}"
    write(model, path)
    batch = torch.stack([noise((70, 90), channels, seed) for seed in range(2)])
    assert_file_is_model(load(path), model, batch)


SCRIPT = """
import json, sys
import torch, torchvision
module = torch.jit.load(sys.argv[1])
image = torch.load(sys.argv[2])
assert not {"d2freq", "detectron2", "minid2"} & set(sys.modules)
print(json.dumps([value.tolist() for value in module(image)]))
"""


def test_torchscript_runs_in_a_process_without_this_package(tmp_path):
    model, image = build("retinanet_released"), noise((80, 111))
    export_torchscript(model, tmp_path / "detector.pt", size=TRACED)
    torch.save(image[None], tmp_path / "image.pt")
    files = tmp_path / "detector.pt", tmp_path / "image.pt"
    printed = output_of_python("-W", "ignore", "-c", SCRIPT, *files)
    boxes, scores, classes, _ = map(torch.tensor, json.loads(printed))
    with torch.no_grad():
        assert_same((boxes, scores, classes), ImageDetector(model)(image))


def test_the_command_writes_trained_weights(tmp_path, capsys):
    model = build("faster_fpn")
    torch.save({"model": model.state_dict()}, tmp_path / "weights.pth")
    path = tmp_path / "detector.pt"
    words = ["--config-file", FASTER, "--weights", str(tmp_path / "weights.pth"), "--size", "64"]
    words += ["80", "--format", "torchscript", "--output", str(path), *SMALL]
    assert main(["export", *words]) == 0
    assert "RGB -> boxes, scores, classes, images\n" in capsys.readouterr().out
    assert_file_is_model(load(path), model, noise((90, 70))[None])


def test_the_command_says_that_masks_are_left_out(tmp_path, capsys):
    words = ["--config-file", "configs/frequency_input/mask_rcnn_R18_DCT_FPN_scenes.yaml"]
    words += ["--size", "64", "80", "--format", "torchscript", "--output", str(tmp_path / "a.pt")]
    assert main(["export", *words, *SMALL]) == 0
    said = "classes, images; its masks are left out; untrained: no --weights given\n"
    assert said in capsys.readouterr().out


def test_a_refused_checkpoint_is_one_line_and_no_file(tmp_path, capsys):
    model = build("faster_fpn")
    state = {name: value for name, value in model.state_dict().items() if "rpn" not in name}
    torch.save({"model": state}, tmp_path / "weights.pth")
    words = ["--config-file", FASTER, "--weights", str(tmp_path / "weights.pth"), *SMALL]
    options = ["--format", "torchscript", "--output", str(tmp_path / "a.pt")]
    assert main(["export", *options, *words]) == 2
    said = capsys.readouterr().err.strip()
    assert "weights.pth" in said and len(said.splitlines()) == 1
    assert not (tmp_path / "a.pt").exists()


def test_a_graph_that_onnx_cannot_hold_is_one_line(tmp_path):
    pytest.importorskip("onnx")
    model = build("faster_fpn")

    class Unknown(torch.nn.Module):
        def forward(self, x):
            return torch.special.bessel_j0(x)

    model.roi_heads.box_head = torch.nn.Sequential(model.roi_heads.box_head, Unknown())
    with pytest.raises(UserError, match="bessel_j0.*TorchScript"):
        export_onnx(model, tmp_path / "a.onnx", size=(64, 64))
    assert not list(tmp_path.iterdir())


def test_an_interrupted_export_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    path.write_text("before")

    def cut(module, name, **options):
        with open(name, "w") as file:
            file.write("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch.jit, "save", cut)
    with pytest.raises(OSError, match="No space"):
        export_torchscript(build("fcos"), path, size=(64, 64))
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_bad_wishes_name_the_cure(tmp_path, monkeypatch):
    model = torch.nn.Linear(1, 1)
    with pytest.raises(UserError, match="0 x 5"):
        export_torchscript(model, tmp_path / "a.pt", size=(0, 5))
    with pytest.raises(UserError, match="opset 11 .* 16"):
        export_onnx(model, tmp_path / "a.onnx", opset=11)
    with pytest.raises(UserError, match=r"a\.bin.*\.xml"):
        export_openvino(model, tmp_path / "a.bin")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"onnx: pip install \"d2freq\[export\]\""):
        export_onnx(model, tmp_path / "a.onnx")
    with pytest.raises(UserError, match=r"openvino: pip install \"d2freq\[openvino\]\""):
        export_openvino(model, tmp_path / "a.xml")
    assert not list(tmp_path.iterdir())


def test_eight_bits_stay_near_and_say_so(tmp_path, capsys):
    """Ranges from a folder of pictures; the last layers of the heads stay in float."""
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        pixels = noise((64, 80), seed=seed).byte().numpy().transpose(1, 2, 0)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    path = tmp_path / "a.onnx"
    words = [
        "--config-file",
        FASTER,
        "--format",
        "onnx",
        "--output",
        str(path),
        "--size",
        "64",
        "64",
    ]
    words += ["--size", "64", "64", "--int8", "--calibration", str(folder)]
    assert main(["export", *words, *SMALL]) == 0
    capsys.readouterr()
    graph = onnx.load(path).graph
    inputs = {node.name: node.input for node in graph.node if node.op_type in ("Conv", "Gemm")}
    floats = {name for name, given in inputs.items() if "quantize" not in given[0].lower()}
    assert len(floats) < len(inputs) / 2
    assert any("bbox_pred" in name for name in floats)
    assert path.stat().st_size < 20e6  # a third of the model in float
    session = onnxruntime.InferenceSession(str(path))
    assert '"precision": "int8"' in session.get_modelmeta().custom_metadata_map["d2freq"]
    assert len(session.run(None, {"pixels": noise((70, 90))[None].numpy()})) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "onnx", "--int8"], "--calibration SOURCE need each other"),
        (["--format", "onnx", "--calibration", "x"], "need each other"),
        (["--format", "torchscript", "--int8", "--calibration", "x"], "stays in float"),
        (["--format", "onnx", "--int8", "--calibration", "nowhere"], "nowhere"),
    ],
)
def test_faulty_wishes_for_eight_bits_are_one_line(words, said, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    options = ["--config-file", FASTER, "--output", str(tmp_path / "a.onnx"), "--size", "64", "64"]
    assert main(["export", *options, *words, *SMALL]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error.splitlines()[-1] and not list(tmp_path.iterdir())
