"""A checkpoint that holds code is refused on either host, and none of it runs."""

import os
import pickle

import numpy as np
import pytest
import torch

from d2freq.engine.weights.safe import SafeCheckpointer
from d2freq.engine.weights.strict import check_fits
from d2freq.errors import UserError


class Hostile:
    """What touches a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def write(path, content):
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)


@pytest.mark.parametrize("name", ["weights.pth", "weights.pkl"])
@pytest.mark.parametrize("read", ["load", "check"])
def test_code_in_a_checkpoint_is_refused(name, read, tmp_path):
    model, ran = torch.nn.Linear(2, 2), tmp_path / "ran"
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    write(tmp_path / name, {"model": weights, "extra": Hostile(ran)})
    with pytest.raises(UserError, match=rf"{name} is refused: it holds more than weights.*system"):
        if read == "load":
            SafeCheckpointer(model).load(str(tmp_path / name))
        else:
            check_fits(model, str(tmp_path / name), complete=False)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["weights.pth", "weights.pkl"])
def test_arrays_and_numbers_of_numpy_are_data(name, tmp_path):
    """As published files of Detectron2 have them."""
    weights = {"weight": np.ones((2, 2), np.float32), "bias": np.zeros(2, np.float32)}
    content = {"model": weights, "__author__": "someone", "lr": np.float64(0.1)}
    write(tmp_path / name, content)
    model = torch.nn.Linear(2, 2)
    SafeCheckpointer(model).load(str(tmp_path / name))
    assert torch.equal(model.weight, torch.ones(2, 2))
