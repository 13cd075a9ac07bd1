"""What a lazy config and its YAML twin agree on, whatever their task."""

import copy

import torch
from detectron2.config import CfgNode, instantiate
from detectron2.solver import LRMultiplier, build_lr_scheduler
from omegaconf import DictConfig, ListConfig

from d2freq.engine.solver import build_optimizer

RULES = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "betas", "eps", "amsgrad")


def plain(value):
    """Numbers, text and containers of such; of Detectron2's small objects their attributes."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, ListConfig)):
        return [plain(each) for each in value]
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    own = getattr(value, "__dict__", None) if not callable(value) else None
    return plain(own) if own else type(value).__name__


def settings(model: torch.nn.Module) -> dict:
    """Every public attribute of every module, and every buffer, saved in state_dict or not."""
    found = {
        name: list(value.shape) if value.is_meta else value.tolist()
        for name, value in model.named_buffers()
    }
    for name, module in model.named_modules():
        for key, value in vars(module).items():
            if not key.startswith("_"):
                found[f"{name}.{key}"] = plain(value)
            if key == "loss_weight" and isinstance(value, dict):  # not named: weight 1
                weights = found[f"{name}.{key}"]
                found[f"{name}.{key}"] = {k: w for k, w in weights.items() if w != 1}
    return found


def assert_same_training(cfg: CfgNode, lazy: DictConfig, model: torch.nn.Module) -> None:
    """Equal optimizers for ``model``, and the settings and rates of equal schedules."""
    recipe = copy.deepcopy(lazy.optimizer)
    recipe.params.model = model
    rules = []
    for optimizer in (build_optimizer(cfg, model), instantiate(recipe)):
        groups = optimizer.param_groups
        of = {id(p): {k: g[k] for k in RULES if k in g} for g in groups for p in g["params"]}
        rules.append((type(optimizer).__name__, of))
    assert rules[0] == rules[1]
    assert plain(lazy.train.get("param_groups", [])) == plain(cfg.D2FREQ.PARAM_GROUPS)
    clipping = cfg.SOLVER.CLIP_GRADIENTS
    if clipping.CLIP_TYPE == "full_model":  # the other kinds are part of the optimizer
        given = {"norm_type": 2.0, **lazy.train.clip_gradients}
        assert given == {key.lower(): value for key, value in clipping.items()}

    loaders, train = lazy.dataloader, lazy.train
    assert (loaders.train.dataset.names,) == tuple(cfg.DATASETS.TRAIN)
    assert (loaders.test.dataset.names,) == tuple(cfg.DATASETS.TEST)
    assert loaders.train.num_workers == loaders.test.num_workers == cfg.DATALOADER.NUM_WORKERS
    assert loaders.train.total_batch_size == cfg.SOLVER.IMS_PER_BATCH
    assert loaders.train.seed == train.seed == cfg.SEED
    assert train.output_dir == cfg.OUTPUT_DIR
    assert train.init_checkpoint == cfg.MODEL.WEIGHTS
    assert train.strict_weights == cfg.D2FREQ.STRICT_WEIGHTS
    assert train.max_iter == cfg.SOLVER.MAX_ITER
    assert train.eval_period == cfg.TEST.EVAL_PERIOD
    assert train.checkpointer.period == cfg.SOLVER.CHECKPOINT_PERIOD
    assert train.amp.enabled == cfg.SOLVER.AMP.ENABLED
    assert_same_rates(cfg, lazy)


def assert_same_rates(cfg: CfgNode, lazy: DictConfig) -> None:
    last, turns = cfg.SOLVER.MAX_ITER, [*cfg.SOLVER.STEPS, cfg.SOLVER.WARMUP_ITERS, 1000]
    around = [turn + offset for turn in turns for offset in (-1, 0, 1)]
    watched = sorted({*range(0, last, 1 + last // 2000), *(i for i in around if 0 <= i < last)})
    rates = []
    for schedule in (
        lambda optimizer: build_lr_scheduler(cfg, optimizer),
        lambda optimizer: LRMultiplier(optimizer, instantiate(lazy.lr_multiplier), last),
    ):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=cfg.SOLVER.BASE_LR)
        scheduler, found = schedule(optimizer), []
        for iteration in watched:
            scheduler.last_epoch = iteration
            found.append(scheduler.get_lr())
        rates.append(found)
    assert rates[0] == rates[1]
