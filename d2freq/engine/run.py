"""A training or an evaluation from a config file of either kind, as train_net.py starts it."""

import argparse
from typing import Any

from detectron2.utils import comm

from d2freq.engine import train_lazy, train_yaml
from d2freq.engine.changed_keys import changed_keys, tell_changed_keys
from d2freq.engine.checks import check
from d2freq.engine.config import Config, YamlConfig, load_config
from d2freq.engine.console import warnings_logged
from d2freq.engine.log_model import log_model
from d2freq.engine.resume import check_folder, start_anew
from d2freq.engine.weights.strict import load_weights
from d2freq.errors import UserError
from d2freq.utils.notices import note

__all__ = ["check_arguments", "output_folder", "run"]


def output_folder(args: argparse.Namespace) -> str:
    """The folder that a run would write to.

    Raises:
        UserError: the config is faulty, or the folder is a file.
    """
    folder = load_config(args.config_file, args.opts).output_dir
    check_folder(folder, resume=False, overwrite=True)
    return folder


def check_arguments(args: argparse.Namespace) -> None:
    """Raise UserError for what can be known to fail, before a process starts; see check."""
    config = load_config(args.config_file, args.opts)
    resume, overwrite = _beginning(args, config)
    if getattr(args, "reset_lr", False) and not resume:
        raise UserError("--reset-lr changes what --resume goes on with: say --resume, too")
    check_folder(config.output_dir, resume=resume, overwrite=overwrite, trains=not args.eval_only)
    check(config, eval_only=args.eval_only, resume=resume)


def run(args: argparse.Namespace) -> dict:
    """One process of a training, or with ``--eval-only`` of an evaluation.

    Args:
        args: of d2freq.train's parser, or of Detectron2's default_argument_parser. ``verbose``
            prints all that the log has; ``noted`` is what another process has told already.

    Returns:
        The results of the last evaluation, {} without one.

    Raises:
        Stopped: a signal has stopped the training, and it is saved; see d2freq.engine.hooks.
    """
    note(*getattr(args, "noted", ()))
    config = load_config(args.config_file, args.opts)
    config.settle_pixels()
    resumes = args.resume and not args.eval_only and comm.is_main_process()
    # before set_up writes this run's config in its place
    changed = changed_keys(config) if resumes else []
    config.set_up(args)
    tell_changed_keys(config, changed)
    with warnings_logged():
        return _run(config, args)


def _run(config: Config, args: argparse.Namespace) -> dict:
    # YAML goes through Detectron2's DefaultTrainer, a lazy config through the same hooks
    kind: Any = train_yaml if isinstance(config, YamlConfig) else train_lazy
    if not args.eval_only:
        resume, overwrite = _beginning(args, config)
        if overwrite and comm.is_main_process():
            start_anew(config.output_dir, weights=config.weights)
        return kind.train(config, resume=resume, reset_lr=getattr(args, "reset_lr", False))
    model = config.model()
    log_model(model)
    load_weights(model, config.weights, config.output_dir, resume=args.resume, strict=config.strict)
    return kind.evaluate(config, model)


def _beginning(args: argparse.Namespace, config: Config) -> tuple[bool, bool]:
    """Whether to resume, and whether to overwrite: a dry run goes through everything each time."""
    if config.setting("FAST_DEV_RUN.ENABLED") and not args.eval_only:
        return False, True
    return args.resume, getattr(args, "overwrite", False)
