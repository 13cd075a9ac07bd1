"""COCO files in other encodings: the one reader serves whoever opens them, Detectron2 included."""

import gzip
import json

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from detectron2.structures import Boxes, Instances
from PIL import Image

from d2freq.cli import main
from d2freq.data import check_dataset, register_coco
from d2freq.evaluation import TinyCOCOEvaluator
from d2freq.evaluation.coco.detections_file import read_detections
from d2freq.inference.sources.find import find_sources
from tests.d2freq.coco_cases import coco

ENCODERS = {
    "mark": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "gzip": lambda text: gzip.compress(text.encode()),
}
REGISTER = {
    "d2freq": register_coco,
    "detectron2": lambda name, file, root: register_coco_instances(name, {}, str(file), str(root)),
}


@pytest.fixture
def files(tmp_path):
    """A function that writes a COCO file and detections in an encoding; paths of both."""

    def write(case: str):
        truth = coco([{"bbox": [10, 10, 6, 6]}], kinds={1: "渔船"})
        found = [dict(image_id=1, category_id=1, bbox=[10, 10, 6, 6], score=0.9)]
        Image.new("RGB", (99, 99)).save(tmp_path / "1.png")
        suffix = ".json.gz" if case == "gzip" else ".json"
        paths = tmp_path / f"truth{suffix}", tmp_path / f"found{suffix}"
        for path, content in zip(paths, (truth, found), strict=True):
            path.write_bytes(ENCODERS[case](json.dumps(content, ensure_ascii=False)))
        return paths

    return write


@pytest.mark.parametrize("registered_by", REGISTER)
@pytest.mark.parametrize("case", ENCODERS)
def test_training_and_evaluation(case, registered_by, files, tmp_path):
    truth, _ = files(case)
    name = f"encoded_{case}"
    REGISTER[registered_by](name, truth, tmp_path)
    try:
        assert check_dataset(name).ok
        (record,) = DatasetCatalog.get(name)
        assert record["annotations"][0]["bbox"] == [10, 10, 6, 6]
        assert record["file_name"] == str(tmp_path / "1.png")
        evaluator = TinyCOCOEvaluator(name, distributed=False)
        found = Instances((99, 99), pred_boxes=Boxes(torch.tensor([[10.0, 10, 16, 16]])))
        found.scores, found.pred_classes = torch.tensor([0.9]), torch.tensor([0])
        evaluator.process([{"image_id": 1}], [{"instances": found}])
        assert evaluator.evaluate()["bbox"]["AP-渔船"] == pytest.approx(100)
        assert MetadataCatalog.get(name).json_file == str(truth)
        assert not any("as plain" in other for other in MetadataCatalog.list())
    finally:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


@pytest.mark.parametrize("case", ENCODERS)
def test_commands(case, files, tmp_path, capsys):
    truth, found = map(str, files(case))
    assert main(["validate", truth, "--images", str(tmp_path)]) == 0
    assert "渔船" in capsys.readouterr().out
    assert main(["evaluate", truth, found]) == 0
    assert "100.00" in capsys.readouterr().out
    assert len(read_detections(found)) == 1
    assert [source.image_id for source in find_sources([truth])] == [1]
    fixed = tmp_path / "fixed.json"
    assert main(["validate", truth, "--fix", str(fixed)]) == 0
    assert json.loads(fixed.read_text(encoding="utf-8"))["categories"][0]["name"] == "渔船"


@pytest.mark.parametrize("case", ["cut off", "another encoding", "zip"])
def test_what_cannot_be_read_is_one_line(case, files, tmp_path, capsys):
    truth, found = files("gzip")
    for path in (truth, found):
        text = gzip.decompress(path.read_bytes()).decode()
        path.write_bytes(
            {
                "cut off": path.read_bytes()[:-12],
                "another encoding": text.encode("gbk") + b"\xff",
                "zip": b"PK\x03\x04" + path.read_bytes(),
            }[case]
        )
    said = {"cut off": "breaks off", "another encoding": "save it as UTF-8", "zip": "unpack it"}
    assert main(["validate", str(truth)]) == 2
    assert said[case] in capsys.readouterr().out
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(coco([{"bbox": [10, 10, 6, 6]}])))
    assert main(["evaluate", str(plain), str(found)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("d2freq: ") and error.count("\n") == 1
    if case != "another encoding":
        assert said[case] in error


def test_a_loader_of_ones_own_stays(files, tmp_path):
    truth, _ = files("mark")
    DatasetCatalog.register("encoded_own", list)
    MetadataCatalog.get("encoded_own").set(json_file=str(truth), image_root=str(tmp_path))
    try:
        assert check_dataset("encoded_own").ok
        assert DatasetCatalog["encoded_own"] is list
    finally:
        DatasetCatalog.remove("encoded_own")
        MetadataCatalog.remove("encoded_own")
