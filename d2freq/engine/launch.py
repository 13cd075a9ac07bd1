"""The processes of a training: those that torchrun or SLURM has started, or new ones.

``torchrun --nproc-per-node 2 train_net.py ...`` and ``srun --ntasks 16 python train_net.py ...``
start the processes themselves. Each finds its place in its environment, and they meet through
nccl, or through gloo where there is no GPU. Without such an environment Detectron2's own ``launch``
starts ``--num-gpus`` processes.
"""

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from detectron2.engine.launch import DEFAULT_TIMEOUT
from detectron2.engine.launch import launch as launch_here
from detectron2.utils import comm

from d2freq.errors import UserError

__all__ = ["Place", "launch", "place_in"]

logger = logging.getLogger(__name__)

TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """A process among the others.

    Attributes:
        rank: among all, from 0.
        world: how many there are on all machines.
        local_rank: among those of this machine, from 0: the number of its GPU.
        local_world: how many this machine has.
        address: ``tcp://host:port`` of the first process.
    """

    rank: int
    world: int
    local_rank: int
    local_world: int
    address: str


def place_in(environment: Mapping[str, str]) -> Place | None:
    """This process's place, as torchrun or srun has written it down; None where neither did.

    Within a job of SLURM it is ``srun`` that starts the processes: the script of ``sbatch``, which
    runs once, is none of them.

    Raises:
        UserError: a part of it is missing or no number.
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        return _torchrun(environment)
    if "SLURM_PROCID" in environment and "SLURM_STEP_ID" in environment:
        return _slurm(environment)
    return None


def launch(
    main: Callable[..., Any], arguments: Any, *, timeout: timedelta = DEFAULT_TIMEOUT
) -> Any:
    """Run ``main(arguments)`` in every process.

    Args:
        main: importable by name, since new processes import it.
        arguments: of Detectron2's default_argument_parser; its numbers of machines and GPUs hold
            where nothing else has started the processes.
        timeout: how long a process waits for the others.

    Returns:
        What ``main`` returned where it ran in this process, else None.

    Raises:
        UserError: the environment is incomplete, or the others cannot be reached.
    """
    place = place_in(os.environ)
    if place is None:
        return launch_here(
            main,
            arguments.num_gpus,
            num_machines=arguments.num_machines,
            machine_rank=arguments.machine_rank,
            dist_url=arguments.dist_url,
            args=(arguments,),
            timeout=timeout,
        )
    if place.world == 1:
        return main(arguments)
    _join(place, timeout)
    result = main(arguments)
    dist.destroy_process_group()
    return result


def _join(place: Place, timeout: timedelta) -> None:
    on_gpu = torch.cuda.is_available() and torch.cuda.device_count() > place.local_rank
    if on_gpu:
        torch.cuda.set_device(place.local_rank)
    else:  # a thread of each process on every core would be too many
        torch.set_num_threads(max(1, torch.get_num_threads() // place.local_world))
    try:
        dist.init_process_group(
            "nccl" if on_gpu else "gloo",
            init_method=place.address,
            rank=place.rank,
            world_size=place.world,
            timeout=timeout,
        )
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"process {place.rank} of {place.world} could not join the others at {place.address}: "
            f"{error}"
        ) from error
    comm.create_local_process_group(place.local_world)
    comm.synchronize()  # nobody works while another is still starting


def _torchrun(environment: Mapping[str, str]) -> Place:
    missing = [name for name in TORCHRUN if not environment.get(name)]
    if missing and environment.get("WORLD_SIZE") != "1":
        raise UserError(
            f"RANK is set, as by torchrun, but {', '.join(missing)} is not: start with torchrun, "
            "or unset RANK and WORLD_SIZE"
        )
    world, local = _number(environment, "WORLD_SIZE"), _number(environment, "LOCAL_RANK", 0)
    return Place(
        rank=_number(environment, "RANK"),
        world=world,
        local_rank=local,
        local_world=_number(environment, "LOCAL_WORLD_SIZE", world),
        address=f"tcp://{environment.get('MASTER_ADDR')}:{environment.get('MASTER_PORT')}",
    )


def _slurm(environment: Mapping[str, str]) -> Place:
    """See SLURM's documentation of srun, "output environment variables"."""
    tasks = "SLURM_STEP_NUM_TASKS" if "SLURM_STEP_NUM_TASKS" in environment else "SLURM_NTASKS"
    world = _number(environment, tasks, 1)
    per_node = environment.get("SLURM_STEP_TASKS_PER_NODE") or environment.get(
        "SLURM_TASKS_PER_NODE", str(world)
    )
    found = re.fullmatch(r"(\d+)(\(x\d+\))?", per_node)
    if not found:
        raise UserError(
            f"SLURM_TASKS_PER_NODE is {per_node}: machines have to run equally many processes "
            "(srun --ntasks-per-node)"
        )
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST", "")
    host = environment.get("MASTER_ADDR") or _first_host(nodes) or "127.0.0.1"
    # the same in all processes of a step, and most likely free
    job, step = _number(environment, "SLURM_JOB_ID", 0), _number(environment, "SLURM_STEP_ID", 0)
    port = environment.get("MASTER_PORT") or str(20000 + (10 * job + step) % 20000)
    return Place(
        rank=_number(environment, "SLURM_PROCID"),
        world=world,
        local_rank=_number(environment, "SLURM_LOCALID", 0),
        local_world=int(found.group(1)),
        address=f"tcp://{host}:{port}",
    )


def _first_host(nodes: str) -> str:
    """The first of SLURM's list of hosts: gpu03 of ``gpu[03-05,9],cpu1``."""
    found = re.match(r"([^,\[]+)(?:\[(\d+)[^\]]*\]([^,]*))?", nodes)
    return "".join(part or "" for part in found.groups()) if found else ""


def _number(environment: Mapping[str, str], name: str, otherwise: int | None = None) -> int:
    value = environment.get(name, "" if otherwise is None else str(otherwise))
    if not value.isdigit():
        raise UserError(f"{name} is {value!r} in the environment: it has to be a number")
    return int(value)
