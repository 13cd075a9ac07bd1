"""What a training script does before the work: logging, seed, processes, writers."""

from __future__ import annotations

import argparse
import inspect
import logging
import os
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ...config import CfgNode, LazyConfig
from ...utils import comm
from ...utils.collect_env import collect_env_info
from ...utils.env import seed_all_rng
from ...utils.events import CommonMetricPrinter, EventWriter, JSONWriter, TensorboardXWriter
from ...utils.file_io import PathManager
from ...utils.logger import setup_logger


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

    Args:
        output_dir: folder of the files; it is made if missing.
        max_iter: the length of the training, from which the time left is told.
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
    output_dir = _first_of(cfg, "OUTPUT_DIR", "output_dir", "train.output_dir")
    if output_dir and comm.is_main_process():
        PathManager.mkdirs(output_dir)
    rank = comm.get_rank()
    setup_logger(output_dir, distributed_rank=rank, name="fvcore")
    logger = setup_logger(output_dir, distributed_rank=rank)

    logger.info("Rank of current process: %d. World size: %d", rank, comm.get_world_size())
    logger.info("Environment info:\n%s", collect_env_info())
    logger.info("Command line arguments: %s", args)
    if getattr(args, "config_file", ""):
        with PathManager.open(args.config_file, "r") as file:
            logger.info("Contents of args.config_file=%s:\n%s", args.config_file, file.read())
    if output_dir and comm.is_main_process():
        _save_config(cfg, os.path.join(output_dir, "config.yaml"), logger)

    seed = _first_of(cfg, "SEED", "train.seed", default=-1)
    # Every process draws its own numbers; -1 asks for another seed each time.
    seed_all_rng(None if seed < 0 else seed + rank)
    if not getattr(args, "eval_only", False):
        torch.backends.cudnn.benchmark = bool(
            _first_of(cfg, "CUDNN_BENCHMARK", "train.cudnn_benchmark", default=False)
        )
    precision = _first_of(cfg, "FLOAT32_PRECISION", "train.float32_precision", default="")
    if precision:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = precision != "highest"


def _save_config(cfg: CfgNode | DictConfig, path: str, logger: logging.Logger) -> None:
    if isinstance(cfg, CfgNode):
        text = cfg.dump()
        logger.info("Running with full config:\n%s", text)
        with PathManager.open(path, "w") as file:
            file.write(text)
    else:
        LazyConfig.save(cfg, path)
    logger.info("Full config saved to %s", path)


def _first_of(cfg: CfgNode | DictConfig, *keys: str, default: Any = None) -> Any:
    """Value of the first of the dotted keys that the config has."""
    for key in keys:
        node: Any = cfg
        for part in key.split("."):
            if part not in node:
                break
            node = node[part]
        else:
            return node
    return default
