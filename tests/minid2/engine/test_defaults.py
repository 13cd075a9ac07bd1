"""DefaultPredictor and what DefaultTrainer does on top of a training."""

import argparse
import logging

import numpy as np
import pytest
import torch
from torch import nn

from minid2.config import get_cfg
from minid2.data import MetadataCatalog
from minid2.engine import DefaultPredictor, DefaultTrainer, default_setup, defaults, setup
from minid2.evaluation import DatasetEvaluator


class Echo(nn.Module):
    """Gives back what it is given, its first channel multiplied with a weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, batch):
        return [{**batch[0], "first": self.weight * batch[0]["image"][0]}]


@pytest.fixture
def cfg(monkeypatch, tmp_path):
    monkeypatch.setattr(defaults, "build_model", lambda cfg: Echo())
    cfg = get_cfg()
    cfg.MODEL.DEVICE, cfg.MODEL.WEIGHTS = "cpu", str(tmp_path / "weights.pth")
    cfg.INPUT.MIN_SIZE_TEST, cfg.DATASETS.TEST = 8, ()
    torch.save({"model": {"weight": torch.full((1,), 2.0)}}, cfg.MODEL.WEIGHTS)
    return cfg


@pytest.mark.parametrize(("order", "first"), [("BGR", 10.0), ("RGB", 30.0)])
def test_the_predictor_resizes_and_orders_channels(order, first, cfg):
    cfg.INPUT.FORMAT, cfg.DATASETS.TEST = order, ("some_pictures",)
    predictor = DefaultPredictor(cfg)
    assert not predictor.model.training
    assert predictor.metadata is MetadataCatalog.get("some_pictures")
    picture = np.broadcast_to(np.array([10, 20, 30], np.uint8), (4, 6, 3))
    found = predictor(picture)
    assert found["image"].shape == (3, 8, 12) and found["image"].dtype == torch.float32
    assert (found["height"], found["width"]) == (4, 6)
    assert torch.equal(found["first"], torch.full((8, 12), 2 * first))
    assert not found["first"].requires_grad


def test_the_predictor_knows_two_orders(cfg):
    cfg.INPUT.FORMAT = "L"
    with pytest.raises(AssertionError, match="INPUT.FORMAT L: BGR or RGB"):
        DefaultPredictor(cfg)


def test_the_trainer_logs_its_model(cfg, caplog):
    with caplog.at_level(logging.INFO, logger=defaults.logger_of("minid2.engine").name):
        assert isinstance(DefaultTrainer.build_model(cfg), Echo)


def test_the_trainers_loaders_are_the_hosts(cfg, monkeypatch):
    monkeypatch.setattr(defaults, "build_detection_train_loader", lambda cfg: ["train", cfg])
    monkeypatch.setattr(defaults, "build_detection_test_loader", lambda cfg, name: [cfg, name])
    assert DefaultTrainer.build_train_loader(cfg) == ["train", cfg]
    assert DefaultTrainer.build_test_loader(cfg, "some") == [cfg, "some"]


class Counter(DatasetEvaluator):
    """How many inputs there were."""

    def reset(self):
        self.count = 0

    def process(self, inputs, outputs):
        self.count += len(inputs)

    def evaluate(self):
        return {"bbox": {"count": self.count}}


def test_an_evaluator_for_each_data_set(cfg, monkeypatch):
    inputs = [[{"image": torch.ones(3, 2, 2)}]] * 3
    monkeypatch.setattr(defaults, "build_detection_test_loader", lambda cfg, name: inputs)
    cfg.DATASETS.TEST = ("one",)
    assert DefaultTrainer.test(cfg, Echo(), Counter()) == {"bbox": {"count": 3}}
    cfg.DATASETS.TEST = ("one", "two")
    with pytest.raises(ValueError, match=r"1 evaluators for 2 data sets: \('one', 'two'\)"):
        DefaultTrainer.test(cfg, Echo(), Counter())
    found = DefaultTrainer.test(cfg, Echo(), [Counter(), Counter()])
    assert list(found) == ["one", "two"]


class Fixed(DefaultTrainer):
    """Trains nothing, and has a result."""

    def __init__(self, cfg, results):
        self.cfg, self.start_iter, self.max_iter = cfg, 0, 0
        self._hooks, self._last_eval_results = [], results
        self._trainer = self


def test_results_are_compared_with_those_expected(cfg, monkeypatch):
    monkeypatch.setattr(defaults.TrainerBase, "train", lambda self, start, end: None)
    cfg.TEST.EXPECTED_RESULTS = [["bbox", "AP", 30.0, 0.5]]
    assert Fixed(cfg, {"bbox": {"AP": 30.4}}).train() == {"bbox": {"AP": 30.4}}
    with pytest.raises(SystemExit) as stop:
        Fixed(cfg, {"bbox": {"AP": 30.6}}).train()
    assert stop.value.code == 1
    with pytest.raises(AssertionError, match="nothing was evaluated"):
        Fixed(cfg, None).train()


def test_setup_sets_the_precision_of_products(cfg, monkeypatch):
    monkeypatch.setattr(setup, "setup_logger", lambda *words, **named: logging.getLogger("some"))
    cfg.OUTPUT_DIR, cfg.FLOAT32_PRECISION = "", "high"
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        default_setup(cfg, argparse.Namespace(eval_only=True))
        assert torch.get_float32_matmul_precision() == "high" and torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
