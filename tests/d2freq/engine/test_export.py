"""Exported detectors against the models they come from, at sizes that were never traced."""

import json

import pytest
import torch

from d2freq.cli import main
from d2freq.engine.build import config_model
from d2freq.engine.export import OUTPUTS, ImageDetector, export_onnx, export_torchscript
from d2freq.errors import UserError

from ...process import output_of_python

# torch calls TorchScript deprecated in favour of torch.export, which cannot hold a detector
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")

TRACED = (96, 128)
SIZES = [(64, 64), (97, 131), (224, 160), (33, 290), (20, 20)]  # smaller, odd, larger, wide, tiny
SMALL = (
    "MODEL.DEVICE cpu MODEL.WEIGHTS '' MODEL.RESNETS.DEPTH 18 MODEL.RESNETS.RES2_OUT_CHANNELS 64 "
    "MODEL.BACKBONE.FREEZE_AT 0 MODEL.FPN.OUT_CHANNELS 64 MODEL.FPN.NORM GN "
    "MODEL.ROI_HEADS.NUM_CLASSES 3 MODEL.ROI_BOX_HEAD.FC_DIM 32 "
    "MODEL.RPN.PRE_NMS_TOPK_TEST 60 MODEL.RPN.POST_NMS_TOPK_TEST 40 "
    "MODEL.RETINANET.NUM_CLASSES 3 MODEL.RETINANET.TOPK_CANDIDATES_TEST 60 "
    "MODEL.RETINANET.NUM_CONVS 1 TEST.DETECTIONS_PER_IMAGE 30"
).split()
HS = ["MODEL.BACKBONE.NAME", "build_resnet_hsfpn_backbone"]
FASTER = "configs/_base_/faster_rcnn_R18_FPN.yaml"
RETINA = "configs/_base_/retinanet_R50_FPN.yaml"
FCOS = "configs/_base_/fcos_R18_FPN.yaml"
CASCADE = "configs/_base_/cascade_rcnn_R50_FPN.yaml"
MODELS = {
    "faster_fpn": (FASTER, []),
    "faster_hsfpn": (FASTER, HS),
    "retinanet_fpn": (RETINA, []),
    "retinanet_released": (RETINA, [*HS, "MODEL.HSFPN.PRESET", "released"]),
    "cascade_hsfpn": (CASCADE, HS),
    "fcos_published": (
        FCOS,
        "MODEL.FCOS.NUM_CLASSES 3 MODEL.FCOS.TOPK_CANDIDATES_TEST 60 "
        "MODEL.FCOS.INFERENCE published".split(),
    ),
}


def build(name, *overrides):
    """A detector whose scores are far apart: ties would come out in any order."""
    config, own = MODELS[name]
    torch.manual_seed(0)
    model = config_model(config, [*SMALL, *own, *overrides])
    for part, layer in model.named_modules():
        if part.endswith(("objectness_logits", "cls_score")):
            fan_in = layer.weight[0].numel()
            torch.nn.init.normal_(layer.weight, std=8 / fan_in**0.5)
            torch.nn.init.zeros_(layer.bias)
    return model


def noise(size):
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(sum(size))) * 255


def load(path):
    """The file as a function from an image to tensors; onnxruntime is asked for ONNX alone."""
    if path.suffix == ".pt":
        return torch.jit.load(str(path))
    session = pytest.importorskip(
        "onnxruntime", reason="ONNX files are run in onnxruntime, which is not installed"
    ).InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == list(OUTPUTS)
    return lambda image: [torch.from_numpy(v) for v in session.run(None, {"image": image.numpy()})]


def write(model, path, **options):
    options = {"size": TRACED} | options
    if path.suffix == ".pt":
        export_torchscript(model, path, **options)
    else:
        pytest.importorskip("onnx", reason="ONNX files are made with onnx, which is not installed")
        export_onnx(model, path, **options)


def assert_same(found, expected):
    """Each detection has its own counterpart of the same class, whichever order ties come in."""
    (boxes, scores, classes), (true_boxes, true_scores, true_classes) = found, expected
    assert boxes.shape == true_boxes.shape and boxes.dtype == true_boxes.dtype
    assert scores.dtype == true_scores.dtype and classes.dtype == true_classes.dtype
    if len(boxes) == 0:
        return
    distance = (boxes[:, None] - true_boxes).abs().amax(dim=2)
    distance += 1e6 * (classes[:, None] != true_classes)
    nearest = distance.argmin(dim=1)
    assert nearest.unique().numel() == len(boxes)
    assert distance.gather(1, nearest[:, None]).max() < 0.05
    assert (scores - true_scores[nearest]).abs().max() < 1e-3


@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
@pytest.mark.parametrize("name", MODELS)
def test_a_file_finds_what_the_model_finds_at_any_size(name, suffix, tmp_path):
    model = build(name)
    path = tmp_path / "folder" / f"detector{suffix}"
    write(model, path)
    exported, eager = load(path), ImageDetector(model)
    for size in [TRACED, *SIZES]:
        with torch.no_grad():
            expected = eager(noise(size))
            assert len(expected[0]) > 3, "a test of nothing"
            assert_same(exported(noise(size)), expected)


@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
def test_nothing_found_is_an_empty_result_and_no_error(suffix, tmp_path):
    model = build("faster_fpn", "MODEL.ROI_HEADS.SCORE_THRESH_TEST", "1.0")
    path = tmp_path / f"detector{suffix}"
    write(model, path)
    boxes, scores, classes = load(path)(noise((70, 50)))
    assert boxes.shape == (0, 4) and scores.shape == classes.shape == (0,)


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
    torch.save(image, tmp_path / "image.pt")
    files = tmp_path / "detector.pt", tmp_path / "image.pt"
    printed = output_of_python("-W", "ignore", "-c", SCRIPT, *files)
    boxes, scores, classes = map(torch.tensor, json.loads(printed))
    with torch.no_grad():
        assert_same((boxes, scores, classes), ImageDetector(model)(image))


def test_the_command_writes_trained_weights(tmp_path, capsys):
    model = build("faster_fpn")
    torch.save({"model": model.state_dict()}, tmp_path / "weights.pth")
    path = tmp_path / "detector.pt"
    words = ["--config-file", FASTER, "--weights", str(tmp_path / "weights.pth"), "--size", "64"]
    words += ["80", "--format", "torchscript", "--output", str(path), *SMALL]
    assert main(["export", *words]) == 0
    assert "RGB -> boxes, scores, classes\n" in capsys.readouterr().out
    with torch.no_grad():
        assert_same(load(path)(noise((90, 70))), ImageDetector(model)(noise((90, 70))))


def test_the_command_says_that_masks_are_left_out(tmp_path, capsys):
    words = ["--config-file", "configs/frequency_input/mask_rcnn_R18_DCT_FPN_scenes.yaml"]
    words += ["--size", "64", "80", "--format", "torchscript", "--output", str(tmp_path / "a.pt")]
    assert main(["export", *words, *SMALL]) == 0
    said = "boxes, scores, classes; its masks are left out; untrained: no --weights given\n"
    assert said in capsys.readouterr().out


def test_what_finds_no_boxes_is_refused(tmp_path):
    class Classifier(torch.nn.Linear):
        def forward(self, records):
            return [{"logits": record["image"].mean((1, 2))} for record in records]

    with pytest.raises(UserError, match="Classifier gives logits, no boxes"):
        export_torchscript(Classifier(1, 1), tmp_path / "a.pt")


def test_bad_wishes_name_the_cure(tmp_path, monkeypatch):
    model = torch.nn.Linear(1, 1)
    with pytest.raises(UserError, match="0 x 5"):
        export_torchscript(model, tmp_path / "a.pt", size=(0, 5))
    with pytest.raises(UserError, match="opset 11 .* 16"):
        export_onnx(model, tmp_path / "a.onnx", opset=11)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install onnx"):
        export_onnx(model, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
