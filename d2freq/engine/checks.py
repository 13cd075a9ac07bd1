"""What can be known before the first iteration: names, data, class counts, masks, weights."""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from d2freq.data.coco.check import check_coco
from d2freq.data.stream.bad_images import policy_of
from d2freq.engine.config import Config, YamlConfig, as_config
from d2freq.engine.hooks.asked_for import asked_for
from d2freq.engine.tasks import check_data
from d2freq.engine.warm_up import tell_long_warm_up
from d2freq.engine.weights.addresses import fetch, find_weights
from d2freq.engine.weights.folder import newest_readable
from d2freq.engine.weights.strict import check_fits
from d2freq.engine.writers import check_writers
from d2freq.errors import UserError
from d2freq.evaluation.coco.merge_tiles import check_merge, originals_json
from d2freq.evaluation.protocols import get_protocol
from d2freq.utils.choices import did_you_mean

logger = logging.getLogger(__name__)

__all__ = ["check", "check_names", "check_trainable", "learns"]


def check(
    cfg: Config | CfgNode | DictConfig, *, eval_only: bool = False, resume: bool = False
) -> None:
    """Raise UserError for what would fail, or be silently wrong, once training has begun.

    Args:
        cfg: of either kind; nothing in it changes.
        eval_only: nothing is trained, so weights have to be there and complete.
        resume: the last checkpoint of the output folder stands for the config's weights.
    """
    config = as_config(cfg)
    config.check_parts()
    if isinstance(config.protocol, str):
        get_protocol(config.protocol)
    if config.merging:
        check_merge(*config.merging)
        check_originals(config.test_sets())
    model = _try("the model", lambda: config.model("meta"))
    check_features(model)
    check_group_norms(model)
    if not eval_only:
        check_trainable(model)
        config.freeze(model)
        check_writers(config)
        policy_of(config.setting("DATALOADER.BAD_IMAGES"))
        asked_for(config, model, save=lambda: None)  # refuses values that no hook takes
        optimizer = _try("the optimizer", lambda: config.optimizer(model))
        _try("the schedule", lambda: config.schedule(optimizer))
        tell_long_warm_up(config)
    config.check_sets(eval_only=eval_only)
    train = [] if eval_only else config.train_sets()
    names = list(dict.fromkeys([*train, *config.test_sets()]))
    check_names(names, where=config.sets_key)
    weights = (_last_checkpoint(config.output_dir) if resume else "") or config.weights
    check_weights(
        weights, config.output_dir, eval_only=eval_only and learns(model), key=config.weights_key
    )
    if weights:
        fetch(weights, config.weights_key, cure=_without_network(config, eval_only=eval_only))
    if config.strict:
        check_checkpoint(model, weights, complete=eval_only)
    check_data(names, model, config, train=train)


def check_names(names: Iterable[str], *, where: str) -> None:
    """Raise UserError for a data set that the catalog does not know."""
    known = DatasetCatalog.list()
    for name in names:
        if name not in known:
            near = did_you_mean(name, known, n=3, cutoff=0.4)
            hint = near or "; register it before training"
            raise UserError(f"{where}: data set {name!r} is not in the catalog{hint}")


def check_originals(names: Iterable[str]) -> None:
    """Raise UserError for a data set that is not tiles, or tiles of a faulty originals.json."""
    for name in names:
        check_coco(originals_json(name), allow_ignore=True).raise_if_faulty()


def learns(model: torch.nn.Module) -> bool:
    """Whether there are weights to train and to load; ISTA, for one, has none."""
    return next(model.parameters(), None) is not None


def check_trainable(model: torch.nn.Module) -> None:
    """Raise UserError for a model that has nothing to train."""
    if not learns(model):
        raise UserError(
            f"{type(model).__name__} has nothing to train: measure it with --eval-only, without "
            "weights"
        )


def check_weights(weights: str, output_dir: str, *, eval_only: bool, key: str) -> None:
    """Raise UserError for weights that are named but not there, or missing for evaluation.

    Args:
        weights: the checkpoint that --resume found in ``output_dir``, else what ``key`` names.
    """
    if eval_only and not weights:
        raise UserError(
            f"--eval-only measures trained weights, but {key} is empty: set it, or --resume "
            f"with a checkpoint in {output_dir}"
        )
    find_weights(weights, key)


def check_checkpoint(model: torch.nn.Module, weights: str, *, complete: bool) -> None:
    """Raise UserError for a file that cannot be had, cannot be read or does not fit the model.

    Args:
        model: on device "meta".
        complete: every tensor of the model has to be in the file, as for evaluation.
    """
    if weights:
        check_fits(model, weights, complete=complete)


def _without_network(config: Config, *, eval_only: bool) -> str:
    """What to do where the weights that training starts from, or that are measured, have an
    address that does not answer. They are fetched once for all processes of this machine.
    """
    key = config.weights_key
    file, none = f"{key} FILE", f'{key} ""'
    if not isinstance(config, YamlConfig):
        file, none = f"{key}=FILE", f'{key}=""'
    if eval_only:
        return f"Name a file that is here: {file}"
    return (
        f"Without a network, {file} starts from the same file, fetched by hand on another machine, "
        f"and {none} starts from random weights, which takes a much longer training"
    )


def _last_checkpoint(output_dir: str) -> str:
    """The file that --resume would load, or ""."""
    return str(newest_readable(output_dir, quiet=True) or "")


def check_features(model: torch.nn.Module) -> None:
    """Raise UserError where a head asks for a feature map that the backbone does not give.

    A lazy config's heads would ask for it in the first iteration.
    """
    backbone = getattr(model, "backbone", None)
    if backbone is None or not callable(getattr(backbone, "output_shape", None)):
        return
    given = backbone.output_shape()
    inside = {id(module) for module in backbone.modules()}
    for module in model.modules():
        if id(module) in inside:
            continue
        for key, names in vars(module).items():
            if not key.endswith("in_features") or not isinstance(names, Sequence):
                continue
            for name in names:
                if name not in given:
                    raise UserError(f"{type(module).__name__}: {_no_feature(name, given)}")


def check_group_norms(model: torch.nn.Module) -> None:
    """Warn of norms that end in torch's error on a feature map of one pixel, in inference too."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.GroupNorm) and module.num_groups == module.num_channels:
            logger.warning(
                "%s normalises %d channels in as many groups: a picture so small that a feature "
                "map has one pixel ends in an error; take more channels "
                "(MODEL.FPN.OUT_CHANNELS), or another NORM than GN",
                *(name, module.num_channels),
            )
            return


def _no_feature(name: str, given: Iterable[str] = ()) -> str:
    gives = f"; it gives {', '.join(given)}" if given else ""
    return (
        f"feature map {name} is asked for, and the backbone does not give it{gives}: IN_FEATURES "
        "of MODEL.FPN, MODEL.RPN (or RETINANET, FCOS) and MODEL.ROI_HEADS have to fit each other"
    )


def _try(what: str, build: Callable[[], Any]) -> Any:
    """Build something without memory for weights, so that a bad switch shows at once."""
    logging.disable(logging.ERROR)  # the error that is raised says it all
    try:
        with torch.device("meta"):
            return build()
    except UserError:
        raise
    except KeyError as error:
        name = str(error).strip("'\"")
        if not re.fullmatch(r"(p|res|layer|features\.)\d+", name):
            raise UserError(f"{what} cannot be built: {error}") from error
        raise UserError(f"{what} cannot be built: {_no_feature(name)}") from error
    except (
        AssertionError,
        ImportError,
        NotImplementedError,
        OmegaConfBaseException,
        TypeError,
        ValueError,
    ) as error:
        raise UserError(f"{what} cannot be built: {error}") from error
    finally:
        logging.disable(logging.NOTSET)
