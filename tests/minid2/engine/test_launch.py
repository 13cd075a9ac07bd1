"""launch: in place, in two processes, under torchrun."""

import importlib
import socket
import textwrap

import pytest
import torch

from minid2.engine import launch
from minid2.utils import comm

from ...process import run_python

launching = importlib.import_module("minid2.engine.launch")  # the function hides its module


def test_launch_runs_one_process_in_place():
    assert launch(lambda a, b: a + b, 1, args=(2, 3)) == 5


def test_launch_refuses_auto_on_two_machines():
    with pytest.raises(ValueError, match="auto"):
        launch(print, 1, num_machines=2, dist_url="auto")


# Processes import their function by name, so they get a script of their own.
SCRIPT = """
    import sys
    import warnings
    import torch
    from torch import nn
    from minid2.engine import create_ddp_model, launch
    from minid2.utils import comm

    def gradients():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2))
        batch, rank = torch.randn(4, 3, 8, 8), comm.get_rank()
        model(batch).square().mean().backward()
        joined = [parameter.grad.clone() for parameter in model.parameters()]
        model.zero_grad()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ddp = create_ddp_model(model, broadcast_buffers=False)
        assert ddp is not model and comm.get_world_size() == comm.get_local_size() == 2
        ddp(batch[2 * rank : 2 * rank + 2]).square().mean().backward()
        for parameter, expected in zip(model.parameters(), joined, strict=True):
            torch.testing.assert_close(parameter.grad, expected, atol=1e-6, rtol=0)
        print(f"process {rank} agrees", flush=True)

    def gradients_then_error():
        gradients()
        comm.synchronize()
        if comm.get_rank() == 1:
            raise FloatingPointError("of process one")
        comm.synchronize()  # waits until it is stopped

    if __name__ == "__main__":
        launch(globals()[sys.argv[1]], num_gpus_per_machine=2, dist_url="auto")
"""


def _run_script(folder, *command):
    script = folder / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    words = [*command[:-1], script, command[-1]]
    return run_python(*words, timeout=120, CUDA_VISIBLE_DEVICES="")


def test_two_processes_agree_with_one_and_an_error_comes_to_the_surface(tmp_path):
    done = _run_script(tmp_path, "gradients_then_error")
    assert all(f"process {rank} agrees" in done.stdout for rank in (0, 1)), done.stderr
    assert done.returncode != 0
    assert "ProcessRaisedException" in done.stderr
    assert "FloatingPointError: of process one" in done.stderr


def test_torchrun_is_joined(tmp_path):
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    done = _run_script(tmp_path, *torchrun, "gradients")
    assert done.returncode == 0, done.stderr
    assert all(f"process {rank} agrees" in done.stdout for rank in (0, 1))


def _size_and_rank(word):
    return word, comm.get_world_size(), comm.get_local_rank(), comm.get_local_size()


def test_torchruns_only_process_joins_itself_in_place(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    variables = dict(TORCHELASTIC_RUN_ID="1", RANK="0", LOCAL_RANK="0", MASTER_ADDR="127.0.0.1")
    variables |= dict(WORLD_SIZE="1", LOCAL_WORLD_SIZE="1", MASTER_PORT=port)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(comm, "_local_group", None)
    monkeypatch.setattr(launching.torch.cuda, "is_available", lambda: False)
    assert launch(_size_and_rank, 7, args=("in place",)) == ("in place", 1, 0, 1)
    assert not torch.distributed.is_initialized()


def test_processes_know_where_to_meet(monkeypatch):
    """Of the second of two machines: its first process is the third of all."""
    seen = []
    monkeypatch.setattr(launching.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(
        launching.mp, "start_processes", lambda run, **options: seen.append((run, options))
    )
    places = dict(num_machines=2, machine_rank=1, dist_url="tcp://first:9")
    assert launch(print, 2, args=("word",), **places) is None
    run, options = seen.pop()
    assert (options["nprocs"], options["start_method"]) == (2, "spawn")
    *_, main, words, meeting = options["args"]
    assert main is print and words == ("word",)
    assert meeting == {"init_method": "tcp://first:9", "world_size": 4, "rank": 2}
    launch(print, 2, dist_url="auto")
    assert seen.pop()[1]["args"][-1]["init_method"].startswith("tcp://127.0.0.1:")

    def refuse(backend, **options):
        raise ValueError(f"{backend}: rank {options['rank']}")

    monkeypatch.setattr(launching.dist, "init_process_group", refuse)
    threads = torch.get_num_threads()
    try:
        with pytest.raises(RuntimeError, match=r"Process 1 could not join.*tcp://first:9") as found:
            run(1, *options["args"])
    finally:
        torch.set_num_threads(threads)
    assert str(found.value.__cause__) == "gloo: rank 3"


def test_more_gpus_than_there_are_are_refused(monkeypatch):
    monkeypatch.setattr(launching.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(launching.torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="2 GPUs asked for and 1 found.*CUDA_VISIBLE_DEVICES"):
        launch(print, 2)
