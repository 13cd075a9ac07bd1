"""Learning rates and weight decays of their own, for parameters chosen by patterns."""

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from d2freq.engine.parameters.patterns import matching
from d2freq.errors import UserError

__all__ = ["regroup"]


def regroup(
    optimizer: Optimizer,
    model: nn.Module,
    rules: Sequence[Sequence[Any]],
    *,
    key: str = "D2FREQ.PARAM_GROUPS",
) -> Optimizer:
    """Give parameters other options than the group that they are in.

    Args:
        optimizer: new, not yet stepped, of any kind; changed in place.
        model: whose parameters it has.
        rules: each (pattern, factor on the learning rate) or (pattern, factor, weight decay),
            with None for a decay that stays. Of several that match a parameter the last one holds.
        key: where the rules were given, for messages.

    Returns:
        The same optimizer.

    Raises:
        UserError: a rule of another form, or a pattern that matches nothing.
    """
    chosen: dict[str, int] = {}
    for place, rule in enumerate(rules):
        _check(rule, key)
        chosen |= dict.fromkeys(matching(model, rule[0], key=key), place)
    place_of = {parameter: chosen.get(name) for name, parameter in model.named_parameters()}
    for group in list(optimizer.param_groups):
        moved: dict[int, list[nn.Parameter]] = {}
        kept: list[nn.Parameter] = []
        for parameter in group["params"]:
            found = place_of.get(parameter)
            (kept if found is None else moved.setdefault(found, [])).append(parameter)
        if not moved:
            continue
        group["params"] = kept
        for found, parameters in sorted(moved.items()):
            _, factor, decay = (*rules[found], None)[:3]
            options = {**group, "params": parameters, "lr": group["lr"] * factor}
            if decay is not None:
                options["weight_decay"] = decay
            optimizer.add_param_group(options)
    optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]
    return optimizer


def _check(rule: Sequence[Any], key: str) -> None:
    is_sequence = isinstance(rule, Sequence) and not isinstance(rule, str)
    if is_sequence and len(rule) in (2, 3) and isinstance(rule[0], str):
        numbers = [value for value in rule[1:] if value is not None]
        if rule[1] is not None and all(isinstance(n, (int, float)) and n >= 0 for n in numbers):
            return
    raise UserError(
        f"{key}: {rule!r}: write a list of [pattern, factor on the learning rate] or [pattern, "
        "factor, weight decay], numbers of at least 0"
    )
