"""Checkpoints go both ways, and evaluation gives the same numbers, on Detectron2 and minid2."""

import importlib
import inspect
import json
import logging
import pickle
import re
from types import SimpleNamespace

import detectron2.checkpoint
import detectron2.checkpoint.c2_model_loading
import detectron2.evaluation
import detectron2.evaluation.testing
import numpy as np
import pytest
import torch
import torchvision
from torch import nn

import minid2.checkpoint
import minid2.checkpoint.c2_model_loading
import minid2.evaluation
import minid2.evaluation.testing

HOSTS = {"detectron2": detectron2, "minid2": minid2}


def build_backbone(host):
    """ResNet-18 with FPN of that host."""
    cfg = importlib.import_module(f"{host}.config").get_cfg()
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.BACKBONE.NAME = "build_resnet_fpn_backbone"
    cfg.MODEL.RESNETS.DEPTH = 18
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 64
    cfg.MODEL.RESNETS.STRIDE_IN_1X1 = False
    cfg.MODEL.RESNETS.OUT_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.FPN.OUT_CHANNELS = 16
    backbone = importlib.import_module(f"{host}.modeling").build_backbone(cfg)
    return nn.ModuleDict({"backbone": backbone}).eval()


def features(model):
    with torch.no_grad():
        return model["backbone"](torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64))


@pytest.mark.parametrize("saver, loader", [("detectron2", "minid2"), ("minid2", "detectron2")])
def test_a_checkpoint_of_one_host_loads_in_the_other(tmp_path, saver, loader):
    source, target = build_backbone(saver), build_backbone(loader)
    optimizer = torch.optim.SGD(source.parameters(), lr=0.3, momentum=0.9)
    HOSTS[saver].checkpoint.DetectionCheckpointer(source, str(tmp_path), optimizer=optimizer).save(
        "model_0000009", iteration=9
    )

    resumed = torch.optim.SGD(target.parameters(), lr=0.1, momentum=0.9)
    rest = (
        HOSTS[loader]
        .checkpoint.DetectionCheckpointer(target, str(tmp_path), optimizer=resumed)
        .resume_or_load("", resume=True)
    )
    assert rest["iteration"] == 9 and resumed.param_groups[0]["lr"] == 0.3
    expected, got = features(source), features(target)
    assert list(expected) == list(got)
    for level in expected:
        torch.testing.assert_close(got[level], expected[level], atol=1e-5, rtol=1e-5)


def test_converted_torchvision_weights_load_alike(tmp_path):
    weights = torchvision.models.resnet18().state_dict()
    converted = {}
    for name, value in weights.items():  # the names of the documented conversion
        if "layer" not in name:
            name = "stem." + name
        name = re.sub(r"layer(\d)", lambda m: f"res{int(m[1]) + 1}", name)
        name = re.sub(r"bn(\d)", r"conv\1.norm", name)
        name = name.replace("downsample.0", "shortcut").replace("downsample.1", "shortcut.norm")
        converted[name] = value.numpy()
    with open(tmp_path / "r18.pkl", "wb") as file:
        content = {"model": converted, "__author__": "torchvision", "matching_heuristics": True}
        pickle.dump(content, file)

    models = {host: build_backbone(host) for host in HOSTS}
    for host, model in models.items():
        HOSTS[host].checkpoint.DetectionCheckpointer(model).load(str(tmp_path / "r18.pkl"))
    states = [
        {k: v for k, v in m.state_dict().items() if "bottom_up" in k} for m in models.values()
    ]
    stem = states[0]["backbone.bottom_up.stem.conv1.weight"]
    assert len(states[0]) == 100 and torch.equal(stem, weights["conv1.weight"])
    for state in states[1:]:
        assert state.keys() == states[0].keys()
        assert all(torch.equal(state[key], states[0][key]) for key in state)


def test_caffe2_names_convert_alike():
    blobs = {f"{name}_{kind}": torch.rand(2) for name in ("conv1", "fc1000") for kind in "wb"}
    for stem in ("res_conv1", "res2_0_branch1", "res2_0_branch2a", "res4_22_branch2c"):
        blobs |= {f"{stem}_bn_{s}": torch.rand(2) for s in "sb"}
    blobs |= {f"res2_0_branch{branch}_w": torch.rand(2) for branch in ("1", "2a", "2b", "2c")}
    blobs |= {f"res3_1_branch2b_bn_{s}": torch.rand(2) for s in ("s", "b", "rm", "riv")}
    theirs, their_names = detectron2.checkpoint.c2_model_loading.convert_c2_detectron_names(
        dict(blobs)
    )
    ours, our_names = minid2.checkpoint.c2_model_loading.convert_c2_detectron_names(dict(blobs))
    assert our_names == their_names
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_names_align_alike():
    state = {f"net.{n}": torch.zeros(2) for n in ("a.w", "b.w", "b.c.w", "d.bias", "e.w")}
    file = {n: torch.rand(2) for n in ("b.w", "c.w", "net.a.w", "unused")} | {"e.w": torch.rand(3)}
    ours, theirs = (
        host.checkpoint.c2_model_loading.align_and_update_state_dicts(
            state, dict(file), c2_conversion=False
        )
        for host in HOSTS.values()
    )
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def predictions(host):
    """Random ground truth of six images, and detections about it in that host's Instances."""
    structures = importlib.import_module(f"{host}.structures")
    rng = np.random.default_rng(0)
    images = [{"id": i, "height": 300, "width": 300} for i in range(1, 7)]
    annotations, outputs = [], []
    for image in images:
        count = int(rng.integers(0, 40))
        boxes = np.hstack([rng.uniform(0, 150, (count, 2)), rng.uniform(1, 140, (count, 2))])
        labels = rng.integers(0, 3, count)
        for box, label in zip(boxes, labels, strict=True):
            annotation = {"id": len(annotations) + 1, "image_id": image["id"]}
            annotation |= {"category_id": [2, 5, 9][label], "bbox": box.tolist()}
            annotation |= {"area": float(box[2] * box[3]), "iscrowd": int(rng.random() < 0.1)}
            annotations.append(annotation)
        boxes[:, 2:] += boxes[:, :2]
        boxes = np.repeat(boxes, 12, 0) + rng.normal(0, 2, (count * 12, 4))
        outputs.append(
            structures.Instances(
                (300, 300),
                pred_boxes=structures.Boxes(torch.tensor(boxes, dtype=torch.float32)),
                scores=torch.tensor(rng.random(len(boxes)), dtype=torch.float32),
                pred_classes=torch.tensor(np.repeat(labels, 12)),
            )
        )
    return images, annotations, outputs


@pytest.mark.parametrize(
    "options", [{}, {"use_fast_impl": False}, {"max_dets_per_image": 1500}, {"tasks": ("bbox",)}]
)
@pytest.mark.parametrize("names", [["a", "b", "c"], None, "one"])
def test_coco_evaluator_gives_identical_results(tmp_path, options, names):
    images, annotations, _ = predictions("minid2")
    ids = [2, 5, 9]
    if names == "one":
        ids, names = [2], ["a"]
        annotations = [{**a, "category_id": 2} for a in annotations]
    content = {"info": {}, "images": images, "annotations": annotations}
    content["categories"] = [{"id": key, "name": f"c{key}"} for key in ids]
    (tmp_path / "gt.json").write_text(json.dumps(content))
    results, files, limits = {}, {}, {}
    for host, package in HOSTS.items():
        _, _, outputs = predictions(host)
        metadata = importlib.import_module(f"{host}.data").MetadataCatalog.get(str(tmp_path))
        metadata.json_file = str(tmp_path / "gt.json")
        metadata.thing_dataset_id_to_contiguous_id = {key: i for i, key in enumerate(ids)}
        if names:
            metadata.thing_classes = names
        folder = tmp_path / host
        evaluator = package.evaluation.COCOEvaluator(
            str(tmp_path), output_dir=str(folder), **options
        )
        evaluator.reset()
        for image, instances in zip(images, outputs, strict=True):
            if len(ids) == 1:
                instances.pred_classes[:] = 0
            evaluator.process([{"image_id": image["id"]}], [{"instances": instances}])
        results[host] = evaluator.evaluate()["bbox"]
        limits[host] = evaluator._max_dets_per_image
        files[host] = json.loads((folder / "coco_instances_results.json").read_text())
    assert files["minid2"] == files["detectron2"]
    assert limits["minid2"] == limits["detectron2"]
    ours, theirs = results["minid2"], results["detectron2"]
    assert list(ours) == list(theirs)
    assert list(ours.values()) == pytest.approx(list(theirs.values()), abs=1e-10, nan_ok=True)
    assert 5 < ours["AP"] < 95


def test_reports_are_alike(caplog):
    results = {"bbox": {"AP": 1.23456, "AP50": float("nan"), "AP-car": 3.0}, "segm": {"AP": 2.0}}
    verdicts = {}
    for host, package in HOSTS.items():
        caplog.clear()
        with caplog.at_level(logging.INFO):
            package.evaluation.print_csv_format(results)
        verdicts[host] = [record.getMessage() for record in caplog.records]
        verdicts[host].append(package.evaluation.testing.flatten_results_dict(results["bbox"]))
        for row in (["bbox", "AP", 1.2, 0.1], ["bbox", "AP", 2, 0.1], ["bbox", "AP50", 1, 1], None):
            rows = [row] if row else []
            cfg = SimpleNamespace(TEST=SimpleNamespace(EXPECTED_RESULTS=rows))
            try:
                verdicts[host].append(package.evaluation.verify_results(cfg, results))
            except SystemExit as stop:
                verdicts[host].append(stop.code)
    assert str(verdicts["minid2"]) == str(verdicts["detectron2"])


def parameters(function):
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(
    "name",
    [
        "checkpoint.DetectionCheckpointer",
        "checkpoint.DetectionCheckpointer.save",
        "checkpoint.DetectionCheckpointer.resume_or_load",
        "checkpoint.PeriodicCheckpointer",
        "checkpoint.c2_model_loading.align_and_update_state_dicts",
        "checkpoint.c2_model_loading.convert_c2_detectron_names",
        "evaluation.COCOEvaluator",
        "evaluation.COCOEvaluator.evaluate",
        "evaluation.COCOEvaluator.process",
        "evaluation.COCOEvaluator._eval_predictions",
        "evaluation.COCOEvaluator._derive_coco_results",
        "evaluation.coco_evaluation.instances_to_coco_json",
        "evaluation.DatasetEvaluator.process",
        "evaluation.DatasetEvaluators",
        "evaluation.inference_on_dataset",
        "evaluation.inference_context",
        "evaluation.print_csv_format",
        "evaluation.verify_results",
        "evaluation.testing.flatten_results_dict",
    ],
)
def test_signatures_agree(name):
    ours, theirs = minid2, detectron2
    for part in name.split("."):
        ours, theirs = getattr(ours, part), getattr(theirs, part)
    assert parameters(ours) == parameters(theirs)
