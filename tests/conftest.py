"""One thread a process and a fixed seed for every test; d2freq chooses the host first."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two xdist workers share two cores

import pytest
import torch

import d2freq  # noqa: F401  makes 'detectron2' importable on either host

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _fixed_seed():
    torch.manual_seed(0)
