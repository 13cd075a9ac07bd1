"""What a training script does before the work: command line, logging, seed, writers."""

import argparse
import inspect
import os
import sys
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ..config import CfgNode, LazyConfig
from ..utils import comm
from ..utils.collect_env import collect_env_info
from ..utils.env import seed_all_rng
from ..utils.events import CommonMetricPrinter, EventWriter, JSONWriter, TensorboardXWriter
from ..utils.file_io import PathManager
from ..utils.logger import setup_logger

_EXAMPLES = """
Examples:
    $ {script} --num-gpus 8 --config-file cfg.yaml SOLVER.BASE_LR 0.001
    $ {script} --num-machines 2 --machine-rank 0 --dist-url tcp://host-of-rank-0:port ...
    $ torchrun --nproc-per-node 2 {script} --config-file cfg.yaml
"""


def default_argument_parser(epilog: str | None = None) -> argparse.ArgumentParser:
    """A parser for the arguments that training scripts have in common.

    ``epilog`` is the text below their list; examples by default.
    """
    parser = argparse.ArgumentParser(
        epilog=_EXAMPLES.format(script=sys.argv[0]) if epilog is None else epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--config-file", default="", metavar="FILE", help="path to the config, .yaml or .py")
    resume = "go on from the last checkpoint in the output directory, if there is one"
    add("--resume", action="store_true", help=resume)
    add("--eval-only", action="store_true", help="evaluate without training")
    add("--num-gpus", type=int, default=1, help="GPUs, or processes on a CPU, *per machine*")
    add("--num-machines", type=int, default=1, help="machines in all")
    add("--machine-rank", type=int, default=0, help="this machine among them, from 0")
    # A dynamic port that is fixed for a user, so that two users of one machine do not collide.
    port = 2**15 + 2**14 + (os.getuid() if hasattr(os, "getuid") else 1) % 2**14
    add(
        "--dist-url",
        default=f"tcp://127.0.0.1:{port}",
        help="where the processes meet: tcp://host:port on machine 0, or 'auto' on one machine",
    )
    changes = "changes to the config: PATH.KEY VALUE pairs for YAML, path.key=value for .py"
    add("opts", nargs=argparse.REMAINDER, help=changes)
    return parser


def create_ddp_model(
    model: nn.Module, *, fp16_compression: bool = False, **kwargs: Any
) -> nn.Module:
    """Wrap the model in ``DistributedDataParallel`` if there are several processes.

    Args:
        model: on a GPU, or on the CPU where the processes talk through gloo.
        fp16_compression: exchange gradients in float16.
        kwargs: for ``DistributedDataParallel``.
    """
    if comm.get_world_size() == 1:
        return model
    if "device_ids" not in kwargs and all(p.is_cuda for p in model.parameters()):
        kwargs["device_ids"] = [comm.get_local_rank()]
    # torch renamed this one: the new one still makes buffers equal once, at the start.
    renamed = "forward_sync_buffers"
    if renamed in inspect.signature(DistributedDataParallel).parameters:
        if "broadcast_buffers" in kwargs:
            kwargs[renamed] = kwargs.pop("broadcast_buffers")
    ddp = DistributedDataParallel(model, **kwargs)
    if fp16_compression:
        from torch.distributed.algorithms.ddp_comm_hooks import default_hooks

        ddp.register_comm_hook(state=None, hook=default_hooks.fp16_compress_hook)
    return ddp


def default_writers(output_dir: str, max_iter: int | None = None) -> list[EventWriter]:
    """Writers to the terminal, to ``metrics.json`` and to tensorboard's format.

    ``output_dir`` is made if missing; from ``max_iter``, the length, the time left is told.
    """
    PathManager.mkdirs(output_dir)
    return [
        CommonMetricPrinter(max_iter),
        JSONWriter(os.path.join(output_dir, "metrics.json")),
        TensorboardXWriter(output_dir),
    ]


def default_setup(cfg: CfgNode | DictConfig, args: argparse.Namespace) -> None:
    """Prepare a job: loggers, a record of environment and config, seeds, cudnn.

    The full config goes to ``config.yaml`` in the output directory.

    Args:
        cfg: a YAML config, or a lazy one whose ``train`` has the job's options.
        args: the command line; logged. With ``eval_only`` cudnn does not benchmark.
    """

    def option(name: str, default: Any) -> Any:
        """``NAME`` of a YAML config, ``train.name`` of a lazy one."""
        if isinstance(cfg, CfgNode):
            return cfg.get(name.upper(), default)
        return OmegaConf.select(cfg, f"train.{name}", default=default)

    output_dir, rank = option("output_dir", None), comm.get_rank()
    saves = output_dir and comm.is_main_process()
    if saves:
        PathManager.mkdirs(output_dir)
    setup_logger(output_dir, distributed_rank=rank, name="fvcore")
    logger = setup_logger(output_dir, distributed_rank=rank)

    logger.info("Rank of current process: %d. World size: %d", rank, comm.get_world_size())
    logger.info("Environment info:\n%s", collect_env_info())
    logger.info("Command line arguments: %s", args)
    if getattr(args, "config_file", ""):
        with PathManager.open(args.config_file, "r") as file:
            logger.info("Contents of args.config_file=%s:\n%s", args.config_file, file.read())
    if saves:
        path = os.path.join(output_dir, "config.yaml")
        if isinstance(cfg, CfgNode):
            logger.info("Running with full config:\n%s", cfg.dump())
            with PathManager.open(path, "w") as file:
                file.write(cfg.dump())
        else:
            LazyConfig.save(cfg, path)
        logger.info("Full config saved to %s", path)

    seed = option("seed", -1)
    # Every process draws its own numbers; -1 asks for another seed each time.
    seed_all_rng(None if seed < 0 else seed + rank)
    if not getattr(args, "eval_only", False):
        torch.backends.cudnn.benchmark = option("cudnn_benchmark", False)
    precision = option("float32_precision", "")
    if precision:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = precision != "highest"
