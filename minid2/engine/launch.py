"""Start the processes of a distributed training, or join those that torchrun has started."""

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from ..utils import comm

DEFAULT_TIMEOUT = timedelta(minutes=30)


def launch(
    main_func: Callable[..., Any],
    num_gpus_per_machine: int,
    num_machines: int = 1,
    machine_rank: int = 0,
    dist_url: str | None = None,
    args: tuple = (),
    timeout: timedelta = DEFAULT_TIMEOUT,
) -> Any:
    """Run ``main_func(*args)`` in every process of a training; call it once on each machine.

    With CUDA there is one process a GPU, and they talk through nccl. Without CUDA there are
    ``num_gpus_per_machine`` processes on the CPU, and they talk through gloo. Where torchrun has
    started this process (``torchrun --nproc-per-node 2 train_net.py ...``), its number of
    processes counts and the arguments on machines and addresses here do not.

    Args:
        main_func: importable by name, since new processes import it.
        num_gpus_per_machine, num_machines: processes on each machine, and machines.
        machine_rank: this machine among them, from 0.
        dist_url: where the processes meet, as ``tcp://host:port`` on machine 0 or ``file://``;
            "auto" looks for a free port, for one machine only.
        args, timeout: passed to ``main_func``, and how long a process waits for the others.

    Returns what ``main_func`` returned when it ran in this process, else None.

    Raises:
        torch.multiprocessing.ProcessRaisedException: a process failed; the message holds its
            traceback, and the other processes of this machine have been stopped.
        ValueError: the arguments do not fit together or this machine.
    """
    if dist.is_torchelastic_launched():
        local_rank, local_size = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
        return _join_and_run(local_rank, local_size, timeout, main_func, args)
    if num_machines * num_gpus_per_machine <= 1:
        return main_func(*args)

    available = torch.cuda.device_count()
    if torch.cuda.is_available() and num_gpus_per_machine > available:
        raise ValueError(
            f"{num_gpus_per_machine} GPUs asked for and {available} found. To train on the CPU "
            "in several processes, hide the GPUs: CUDA_VISIBLE_DEVICES='' ... MODEL.DEVICE cpu."
        )
    if dist_url == "auto":
        if num_machines > 1:
            raise ValueError("dist_url='auto' works on one machine only: give tcp://host:port.")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            dist_url = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    rendezvous = {
        "init_method": dist_url,
        "world_size": num_machines * num_gpus_per_machine,
        "rank": machine_rank * num_gpus_per_machine,  # of the first process here
    }
    mp.start_processes(
        _join_and_run,
        args=(num_gpus_per_machine, timeout, main_func, args, rendezvous),
        nprocs=num_gpus_per_machine,
        start_method="spawn",
    )
    return None


def _join_and_run(
    local_rank: int,
    local_size: int,
    timeout: timedelta,
    main_func: Callable[..., Any],
    args: tuple,
    rendezvous: dict[str, Any] | None = None,
) -> Any:
    """Life of one process; those of torchrun find in their environment where to meet."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(local_rank)
    options = {}
    if rendezvous is not None:
        options = {**rendezvous, "rank": rendezvous["rank"] + local_rank}
        if not on_gpu:  # a thread of each process on every core would be too many
            torch.set_num_threads(max(1, torch.get_num_threads() // local_size))
    try:
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=timeout, **options)
    except Exception as error:
        raise RuntimeError(
            f"Process {local_rank} could not join the others through {options}: is the "
            "address right and its port free (--dist-url)?"
        ) from error
    comm.create_local_process_group(local_size)
    comm.synchronize()  # nobody works while another is still starting
    result = main_func(*args)
    # Only after success: with the others stuck, leaving in good order would wait for them.
    dist.destroy_process_group()
    return result
