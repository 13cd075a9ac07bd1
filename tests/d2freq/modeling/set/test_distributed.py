"""Two processes over gloo: every parameter takes part, and gradients are means of both."""

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from .set_cases import batch, build, gradients

CASES = ("fcos", "cascade")


def one_of_two(rank: int, folder: str) -> None:
    """Two steps of each case; DDP finds in the second what the first left undone."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    try:
        for case in CASES:
            model = nn.parallel.DistributedDataParallel(build(case))
            for step in range(2):
                own = gradients(model, batch(seed=10 * step + rank))
            found = {name.removeprefix("module."): value for name, value in own.items()}
            torch.save(found, f"{folder}/{case}{rank}")
    finally:
        dist.destroy_process_group()


def test_two_processes_have_the_mean_gradient_of_both(tmp_path):
    mp.spawn(one_of_two, args=(str(tmp_path),), nprocs=2)
    for case in CASES:
        first, second = (torch.load(tmp_path / f"{case}{rank}") for rank in range(2))
        parts = []
        for rank in range(2):
            model = build(case)
            for step in range(2):
                own = gradients(model, batch(seed=10 * step + rank))
            parts.append(own)
        assert first.keys() == second.keys() == parts[0].keys() == parts[1].keys()
        for name, gradient in first.items():
            assert torch.equal(gradient, second[name]), name
            mean = (parts[0][name] + parts[1][name]) / 2
            close = 1e-4 * float(mean.abs().max()) + 1e-7
            torch.testing.assert_close(gradient, mean, rtol=1e-3, atol=close)
