"""A training or an evaluation from a config file of either kind, as train_net.py starts it."""

import argparse
import logging
from typing import Any

from d2freq.engine import train_lazy, train_yaml
from d2freq.engine.checks import check
from d2freq.engine.config import YamlConfig, load_config
from d2freq.engine.weights.strict import load_weights

__all__ = ["check_arguments", "run"]

logger = logging.getLogger(__name__)


def check_arguments(args: argparse.Namespace) -> None:
    """Raise UserError for what can be known to fail, before a process starts; see check."""
    config = load_config(args.config_file, args.opts)
    check(config, eval_only=args.eval_only, resume=args.resume)


def run(args: argparse.Namespace) -> dict:
    """One process of a training, or with ``--eval-only`` of an evaluation.

    Args:
        args: of Detectron2's default_argument_parser.

    Returns:
        The results of the last evaluation, {} without one.
    """
    config = load_config(args.config_file, args.opts)
    config.set_up(args)
    # YAML goes through Detectron2's DefaultTrainer, a lazy config through the same hooks
    kind: Any = train_yaml if isinstance(config, YamlConfig) else train_lazy
    if not args.eval_only:
        return kind.train(config, resume=args.resume)
    model = config.model()
    logger.info("Model:\n%s", model)
    load_weights(model, config.weights, config.output_dir, resume=args.resume, strict=config.strict)
    return kind.evaluate(config, model)
