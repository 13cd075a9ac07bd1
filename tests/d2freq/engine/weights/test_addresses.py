"""Weights by address and by the names of Detectron2's model zoo, from a server of this machine."""

import logging
import pickle
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from detectron2.utils import file_io

from d2freq import model_zoo
from d2freq.cli import main
from d2freq.engine.build import build
from d2freq.engine.checks import check
from d2freq.engine.config import load_config
from d2freq.engine.weights.addresses import ZOO_HOST, fetch, find_weights, zoo_names
from d2freq.engine.weights.strict import StrictCheckpointer, load_weights
from d2freq.errors import UserError

DEMO = "demo/faster_rcnn_R18_FPN_scenes"
SMALL = """
MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 32 MODEL.ROI_HEADS.NUM_CLASSES 80
MODEL.DEVICE cpu MODEL.PIXEL_MEAN [103.53,116.28,123.675] INPUT.FORMAT BGR
""".split()
NAME = "COCO-Detection/faster_rcnn_R_50_FPN_3x"
FULL = f"{NAME}/137849458/model_final_280758.pkl"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *words):
        self.server.asked.append(self.path)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves tmp_path/served, where Detectron2's storage lies for this test; an empty cache."""
    (tmp_path / "served").mkdir()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "served"))
    )
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    monkeypatch.setenv("FVCORE_CACHE", str(tmp_path / "cache"))
    if hasattr(file_io, "STORAGE"):
        monkeypatch.setattr(file_io, "STORAGE", address)
    else:
        monkeypatch.setattr(file_io.Detectron2Handler, "S3_DETECTRON2_PREFIX", address)
    for handler in file_io.PathManager._path_handlers.values():
        if hasattr(handler, "cache_map"):
            monkeypatch.setattr(handler, "cache_map", {})
    server.address, server.folder = address, tmp_path / "served"
    yield server
    server.shutdown()
    server.server_close()


def publish(folder, model, name=FULL, **more):
    """A file in the form of Detectron2's model zoo: arrays by name, with the buffers of 2020."""
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    weights["pixel_mean"] = torch.tensor([103.53, 116.28, 123.675]).view(3, 1, 1).numpy()
    weights["pixel_std"] = torch.ones(3, 1, 1).numpy()
    weights["proposal_generator.anchor_generator.cell_anchors.0"] = torch.zeros(3, 4).numpy()
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"model": weights, "__author__": "Detectron2 Model Zoo", **more}
    file.write_bytes(pickle.dumps(content))
    return file


@pytest.mark.parametrize("given", [f"detectron2://{FULL}", NAME, f"detectron2://{NAME}.yaml"])
def test_weights_of_the_model_zoo_load_whole_and_are_fetched_once(given, server, tmp_path):
    config = load_config(DEMO, SMALL)
    theirs = build(config)
    publish(server.folder, theirs)
    for _ in range(2):
        torch.manual_seed(1)
        ours = build(config, weights=given).state_dict()
        assert all(torch.equal(ours[key], value) for key, value in theirs.state_dict().items())
    assert server.asked == [f"/{FULL}"]
    assert (tmp_path / "cache" / FULL).is_file()


def test_eighty_classes_do_not_become_eight(server, tmp_path, data_root, capsys):
    """Said before training starts, by the name of the address."""
    publish(server.folder, build(load_config(DEMO, SMALL)))
    main(["generate", "scenes", "--train", "1", "--val", "1", "--size", "64", "--workers", "1"])
    eight = [*SMALL, "MODEL.WEIGHTS", f"detectron2://{FULL}", "MODEL.ROI_HEADS.NUM_CLASSES", "8"]
    assert main(["train", "--config-file", DEMO, *eight, "OUTPUT_DIR", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert FULL in error and "(81, 32) in the checkpoint, (9, 32) in the model" in error
    assert "D2FREQ.STRICT_WEIGHTS False" in error and "MODEL.ROI_HEADS.NUM_CLASSES" in error
    kept = load_config(DEMO, [*eight, "D2FREQ.STRICT_WEIGHTS", "False"]).model()
    load_weights(kept, NAME, "", resume=False, strict=False)
    assert kept.roi_heads.box_predictor.cls_score.weight.shape == (9, 32)


def test_a_plain_detectors_weights_start_one_with_hsfpn(server):
    """The names of the model zoo are those of Detectron2's FPN, which HS-FPN keeps."""
    plain = build(load_config(DEMO, SMALL))
    publish(server.folder, plain)
    config = load_config("demo/faster_rcnn_R18_HSFPN_scenes", SMALL)
    ours = config.model()
    StrictCheckpointer(ours).load(NAME)
    state = ours.state_dict()
    shared = [key for key in plain.state_dict() if key in state]
    assert len(shared) == len(plain.state_dict())
    assert all(torch.equal(state[key], plain.state_dict()[key]) for key in shared)


def test_other_colours_are_told(server, caplog):
    config = load_config(DEMO, [*SMALL, "MODEL.PIXEL_MEAN", "[123.675,116.28,103.53]"])
    publish(server.folder, build(config))
    with caplog.at_level(logging.WARNING):
        build(config, weights=NAME)
    assert "expects MODEL.PIXEL_MEAN [103.53, 116.28, 123.675]" in caplog.text
    assert "INPUT.FORMAT" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        build(load_config(DEMO, SMALL), weights=NAME)
    assert "PIXEL_MEAN" not in caplog.text


def test_caffe2s_backbone_by_name(server):
    """MSRA's ResNet comes with Caffe2's names; matched by the endings of the model's."""
    config = load_config(DEMO, SMALL)
    kernel = torch.randn(64, 3, 7, 7)
    file = server.folder / "ImageNetPretrained/MSRA/R-50.pkl"
    file.parent.mkdir(parents=True)
    blobs = {"conv1_w": kernel.numpy(), "conv1_w_momentum": kernel.numpy()}
    file.write_bytes(pickle.dumps({"blobs": blobs}))
    model = config.model()
    StrictCheckpointer(model).load("detectron2://ImageNetPretrained/MSRA/R-50.pkl")
    assert torch.equal(model.state_dict()["backbone.bottom_up.stem.conv1.weight"], kernel)


def test_two_hosts_with_one_path_are_two_files(server, tmp_path):
    torch.save({"model": {"a": torch.ones(1)}}, server.folder / "model_final.pth")
    one = fetch(server.address + "model_final.pth")
    other = fetch(server.address.replace("127.0.0.1", "localhost") + "model_final.pth")
    assert one != other and len(server.asked) == 2
    with_query = fetch(server.address + "model_final.pth?matching_heuristics=True")
    assert with_query == one + "?matching_heuristics=True"


@pytest.mark.parametrize("given", ["gone.pth", f"detectron2://{FULL}", NAME])
def test_what_cannot_be_fetched_is_one_line(given, server, capsys):
    address = server.address + given if given == "gone.pth" else given
    words = ["export", "--config-file", DEMO, "--format", "torchscript", "--output", "x.ts"]
    assert main([*words, "--weights", address, *SMALL]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "cannot be fetched" in line and "404" in line and "by hand" in line


@pytest.mark.parametrize(
    ("name", "eval_only", "cures"),
    [
        (DEMO, False, ("MODEL.WEIGHTS FILE starts from the same", 'MODEL.WEIGHTS "" starts from')),
        (f"{DEMO}.py", False, ("train.init_checkpoint=FILE", 'train.init_checkpoint="" starts')),
        (DEMO, True, ("Name a file that is here: MODEL.WEIGHTS FILE",)),
    ],
)
def test_a_training_without_network_is_told_both_ways_on(name, eval_only, cures, server):
    address = server.address + "gone.pth"
    key = "train.init_checkpoint=" if name.endswith(".py") else "MODEL.WEIGHTS="
    config = load_config(name, [f"{key}{address}", *(() if name.endswith(".py") else SMALL)])
    with pytest.raises(UserError, match=r"gone\.pth cannot be fetched") as error:
        check(config, eval_only=eval_only)
    assert all(cure in str(error.value) for cure in cures), str(error.value)
    # what is advised is taken
    none = load_config(name, [f'{key}""'] if name.endswith(".py") else ["MODEL.WEIGHTS", ""])
    assert none.weights == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("COCO-Detection/faster_rcnn_R_50_FPN", f"did you mean {NAME}"),
        ("detectron2://COCO-Detection/faster_rcnn_R_50_FPN", f"did you mean {NAME}"),
        ("output/none.pth", r"none\.pth: no such file$"),
        (".", r"\.: no such file"),
    ],
)
def test_a_wrong_name_is_told_the_nearest(given, said):
    with pytest.raises(UserError, match=said):
        find_weights(given)


def test_published_addresses():
    """As Detectron2's model_zoo gives them; its own list has these two."""
    assert len(zoo_names()) > 60
    assert model_zoo.get_checkpoint_url(f"{NAME}.yaml") == ZOO_HOST + FULL
    assert model_zoo.get_checkpoint_url("ImageNetPretrained/MSRA/R-50").endswith("/MSRA/R-50.pkl")
    with pytest.raises(UserError, match="nor weights of Detectron2"):
        model_zoo.get_checkpoint_url("COCO-Detection/yolo")
    with pytest.raises(UserError, match="no such file"):
        model_zoo.get_checkpoint_url(DEMO)
