"""launch: in place, in two processes, under torchrun."""

import textwrap

import pytest

from minid2.engine import launch

from ...process import run_python


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
