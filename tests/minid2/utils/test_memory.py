"""What runs out of GPU memory is tried again, and at last on the CPU."""

import pytest
import torch

from minid2.utils.memory import retry_if_cuda_oom


class OnGpu:
    """Stands for a tensor on a GPU, where there is none."""

    device = torch.device("cuda")

    def to(self, device):
        return f"moved to {device}"


def test_a_third_try_has_its_arguments_on_the_cpu():
    seen = []

    @retry_if_cuda_oom
    def work(first, second, *, third):
        seen.append((first, second, third))
        if len(seen) < 3:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return "done"

    gpu = OnGpu()
    assert work(gpu, 1, third=gpu) == "done"
    assert seen[:2] == [(gpu, 1, gpu)] * 2
    assert seen[2] == ("moved to cpu", 1, "moved to cpu")


def test_other_errors_are_not_tried_again():
    with pytest.raises(ZeroDivisionError):
        retry_if_cuda_oom(lambda: 1 / 0)()
