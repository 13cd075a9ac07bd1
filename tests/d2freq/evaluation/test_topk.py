"""Top-1 and top-5 against a count by hand: ties, several processes, and what is refused."""

import json

import pytest
import torch
from detectron2.data import DatasetCatalog
from detectron2.utils import comm

from d2freq.errors import DatasetError, UserError
from d2freq.evaluation import DetectionError, TopKEvaluator

NAME = "topk_test"
LABELS = [int(n) for n in torch.randint(0, 9, (40,), generator=torch.Generator().manual_seed(0))]


@pytest.fixture
def records():
    found = [{"image_id": f"a/{n}.png", "label": label} for n, label in enumerate(LABELS)]
    DatasetCatalog.register(NAME, lambda: found)
    yield found
    DatasetCatalog.remove(NAME)


@pytest.fixture
def outputs():
    """Scores of nine classes, rounded so that many are equal."""
    scores = torch.randn(40, 9, generator=torch.Generator().manual_seed(1)).round(decimals=1)
    return [{"logits": row} for row in scores]


def by_hand(outputs, k: int) -> float:
    hits = 0
    for output, label in zip(outputs, LABELS, strict=True):
        scores = output["logits"].tolist()
        better = [s for n, s in enumerate(scores) if n != label and s >= scores[label]]
        hits += len(better) < k
    return 100 * hits / len(LABELS)


def test_counts_as_by_hand_and_writes_it(records, outputs, tmp_path):
    assert any(len(set(output["logits"].tolist())) < 9 for output in outputs)
    evaluator = TopKEvaluator(NAME, output_dir=str(tmp_path))
    for start in (0, 15, 30):
        evaluator.process(records[start : start + 15], outputs[start : start + 15])
    expected = {"top1": by_hand(outputs, 1), "top5": by_hand(outputs, 5)}
    assert evaluator.evaluate() == {"classification": expected}
    assert 0 < expected["top1"] < expected["top5"] < 100
    saved = json.loads((tmp_path / "classification_results.json").read_text())
    assert saved["classification"] == expected and saved["images"] == 40
    evaluator.reset()
    with pytest.raises(UserError, match="40 of 40 images have no prediction"):
        evaluator.evaluate()


def test_without_ties_it_is_torchs_topk(records):
    scores = torch.randn(40, 9, generator=torch.Generator().manual_seed(2))
    evaluator = TopKEvaluator(NAME, topk=(1, 3, 9))
    evaluator.process(records, [{"logits": row} for row in scores])
    hits = scores.topk(9).indices == torch.tensor(LABELS)[:, None]
    expected = {f"top{k}": 100 * hits[:, :k].any(1).float().mean().item() for k in (1, 3, 9)}
    assert evaluator.evaluate()["classification"] == pytest.approx(expected)


def test_a_model_that_scores_all_classes_alike_hits_nothing(records):
    evaluator = TopKEvaluator(NAME)
    evaluator.process(records, [{"logits": torch.zeros(9)}] * 40)
    assert evaluator.evaluate() == {"classification": {"top1": 0.0, "top5": 0.0}}


def test_the_shares_of_three_processes_count_each_image_once(records, outputs, monkeypatch, caplog):
    """A sampler that gives all processes 14 images repeats the first two."""
    places = [*range(40), 0, 1]
    shares = [TopKEvaluator(NAME) for _ in range(3)]
    for rank, evaluator in enumerate(shares):
        own = places[rank::3]
        evaluator.process([records[i] for i in own], [outputs[i] for i in own])
    parts = []

    def gather(part, dst):
        parts.append(part)
        return list(parts) if len(parts) == 3 else []

    monkeypatch.setattr(comm, "gather", gather)
    for rank in (2, 1, 0):
        monkeypatch.setattr(comm, "is_main_process", lambda rank=rank: rank == 0)
        result = shares[rank].evaluate()
        assert bool(result) == (rank == 0), "only the main process has a result"
    expected = {"top1": by_hand(outputs, 1), "top5": by_hand(outputs, 5)}
    assert result == {"classification": expected}
    assert "2 images were predicted twice" in caplog.text


def test_an_image_twice_counts_as_it_came_first(records, outputs, caplog):
    evaluator = TopKEvaluator(NAME)
    evaluator.process(records, outputs)
    evaluator.process(records[:3], [{"logits": torch.zeros(9)}] * 3)
    assert evaluator.evaluate()["classification"]["top1"] == by_hand(outputs, 1)
    assert "3 images were predicted twice" in caplog.text


def test_what_cannot_be_measured_is_refused(records, outputs):
    evaluator = TopKEvaluator(NAME)
    evaluator.process(records[1:], outputs[1:])
    with pytest.raises(UserError, match=r"1 of 40 images .* a/0\.png"):
        evaluator.evaluate()
    for record, output, kind, words in (
        (records[0], {"instances": None}, UserError, "no 'logits'"),
        ({"image_id": "b/0.png"}, outputs[0], UserError, "not in data set"),
        (records[0], {"logits": torch.full((9,), torch.nan)}, DetectionError, "diverged"),
        ({"image_id": f"a/{LABELS.index(8)}.png"}, {"logits": torch.ones(3)}, UserError, "3 cl"),
    ):
        with pytest.raises(kind, match=words):
            evaluator.process([record], [output])
    with pytest.raises(UserError, match="topk"):
        TopKEvaluator(NAME, topk=(0,))
    records.append(records[0])
    with pytest.raises(DatasetError, match=r"a/0\.png stands twice"):
        TopKEvaluator(NAME)
