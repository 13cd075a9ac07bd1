"""Start the processes of a distributed training, or join those that torchrun has started."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from ..utils import comm

__all__ = ["DEFAULT_TIMEOUT", "launch"]

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
        num_gpus_per_machine: processes on each machine.
        num_machines: machines in all.
        machine_rank: this machine among them, from 0.
        dist_url: where the processes meet, as ``tcp://host:port`` on machine 0 or ``file://``;
            "auto" looks for a free port, for one machine only.
        args: passed to ``main_func``.
        timeout: how long a process waits for the others.

    Returns:
        What ``main_func`` returned when it ran in this process, else None.

    Raises:
        torch.multiprocessing.ProcessRaisedException: a process failed; the message holds its
            traceback, and the other processes of this machine have been stopped.
        ValueError: the arguments do not fit together or this machine.
    """
    if dist.is_torchelastic_launched():
        return _run_under_torchrun(main_func, args, timeout)
    if num_machines * num_gpus_per_machine <= 1:
        return main_func(*args)

    available = torch.cuda.device_count()
    if torch.cuda.is_available() and num_gpus_per_machine > available:
        raise ValueError(
            f"{num_gpus_per_machine} GPUs asked for and {available} found. To train on the CPU "
            "in several processes, hide the GPUs: CUDA_VISIBLE_DEVICES='' ... MODEL.DEVICE cpu."
        )
    mp.start_processes(
        _run_worker,
        args=(
            main_func,
            num_gpus_per_machine,
            num_machines,
            machine_rank,
            _meeting_point(dist_url, num_machines),
            args,
            timeout,
        ),
        nprocs=num_gpus_per_machine,
        start_method="spawn",
    )
    return None


def _meeting_point(dist_url: str | None, num_machines: int) -> str:
    if dist_url is None:
        raise ValueError("launch() needs dist_url for several processes, for example 'auto'.")
    if dist_url == "auto":
        if num_machines > 1:
            raise ValueError("dist_url='auto' works on one machine only: give tcp://host:port.")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    if num_machines > 1 and dist_url.startswith("file://"):
        logging.getLogger(__name__).warning(
            "file:// is not reliable between machines: prefer tcp:// for dist_url."
        )
    return dist_url


def _run_worker(
    local_rank: int,
    main_func: Callable[..., Any],
    local_size: int,
    num_machines: int,
    machine_rank: int,
    dist_url: str,
    args: tuple,
    timeout: timedelta,
) -> None:
    """Life of one new process."""
    if not torch.cuda.is_available():
        # Each process would start a thread on every core, and they would be in each other's way.
        torch.set_num_threads(max(1, torch.get_num_threads() // local_size))
    _join(
        local_rank,
        local_size,
        timeout,
        init_method=dist_url,
        world_size=num_machines * local_size,
        rank=machine_rank * local_size + local_rank,
    )
    main_func(*args)
    # Only after success: with the others stuck, leaving in good order would wait for them.
    dist.destroy_process_group()


def _run_under_torchrun(main_func: Callable[..., Any], args: tuple, timeout: timedelta) -> Any:
    if not dist.is_initialized():
        local_rank, local_size = (
            int(os.environ[name]) for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE")
        )
        _join(local_rank, local_size, timeout, init_method="env://")
        result = main_func(*args)
        dist.destroy_process_group()
        return result
    return main_func(*args)


def _join(local_rank: int, local_size: int, timeout: timedelta, **rendezvous: Any) -> None:
    """Meet the other processes, and choose this one's GPU."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(local_rank)
    try:
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=timeout, **rendezvous)
    except Exception as error:
        raise RuntimeError(
            f"Process {local_rank} could not join the others through {rendezvous}: is the "
            "address right and its port free (--dist-url)?"
        ) from error
    comm.create_local_process_group(local_size)
    comm.synchronize()  # nobody works while another is still starting
