"""How the tables of HS-FPN count (its Table 5, reproduced from mmcv's published formulas).

A layer object counts: convolution MACs and one per bias, linear MACs, two per number of a norm's
input, one per number of a ReLU's output or a pool's input. What is called as a function does not:
DCT, attention, softmax, pooling to cells, interpolation, the ReLU of the RPN. Frozen layers have
no parameters, while the fixed batch norms of a trained stage have theirs.
"""

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack

import torch
from detectron2.layers import FrozenBatchNorm2d
from detectron2.modeling.backbone.resnet import BasicBlock, BasicStem, BottleneckBlock
from torch import Tensor, nn

from d2freq.modeling.hs_fpn.spatial_dependency import SpatialDependencyPerception

__all__ = ["paper_macs", "paper_parameters"]

# Detectron2's residual blocks call ReLU as a function; in the counted ones it is a layer, behind
# these convolutions and at the end of the block. The pool of the stem counts its input, which is
# as large as the ReLU's output, hence conv1 twice.
HIDDEN_RELUS: dict[type[nn.Module], tuple[str, ...]] = {
    BasicStem: ("conv1", "conv1"),
    BasicBlock: ("conv1", ""),
    BottleneckBlock: ("conv1", "conv2", ""),
}
REPETITION = 4  # SDP, Sec. 3.2: keys of the upsampled level above; ours are those before upsampling


def paper_parameters(model: nn.Module) -> dict[str, int]:
    """Trainable parameters by name, and those of fixed batch norms beside trained convolutions."""
    counts = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
    for name, module in model.named_modules():
        norm = getattr(module, "norm", None)
        weight = getattr(module, "weight", None)
        if isinstance(norm, FrozenBatchNorm2d) and isinstance(weight, nn.Parameter):
            learns = isinstance(norm.weight, nn.Parameter)  # FrozenStatsBN: counted above
            if weight.requires_grad and not learns:
                counts[f"{name}.norm"] = 2 * norm.num_features
    return counts


def paper_macs(model: nn.Module, run: Callable[[], object]) -> dict[str, int]:
    """MACs by module name while ``run`` calls the model's parts."""
    counts: dict[str, int] = defaultdict(int)
    names = {module: name for name, module in model.named_modules()}
    repeated = _repeated(model)
    silent = {m for name, m in model.named_modules() if "rpn_head" in name.split(".")}

    def count(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        if not (module in silent and isinstance(module, nn.ReLU)):
            counts[names[module]] += repeated.get(module, 1) * _layer(module, inputs[0], output)

    def count_relu(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        counts[names[module]] += output.numel()

    with ExitStack() as hooks, torch.no_grad():
        for module in model.modules():
            if isinstance(module, COUNTED):
                hooks.callback(module.register_forward_hook(count).remove)
            for place in _hidden_relus(module):
                hooks.callback(module.get_submodule(place).register_forward_hook(count_relu).remove)
        run()
    return dict(counts)


def _hidden_relus(module: nn.Module) -> tuple[str, ...]:
    return next((relus for kind, relus in HIDDEN_RELUS.items() if isinstance(module, kind)), ())


NORMS = (FrozenBatchNorm2d, nn.modules.batchnorm._BatchNorm, nn.GroupNorm)
COUNTED = (nn.Conv2d, nn.Linear, nn.ReLU, *NORMS)


def _layer(module: nn.Module, x: Tensor, output: Tensor) -> int:
    if isinstance(module, nn.Conv2d):
        products = output.numel() * module.weight[0].numel()
        return products + (output.numel() if module.bias is not None else 0)
    if isinstance(module, nn.Linear):
        return x.numel() * module.out_features
    return 2 * x.numel() if isinstance(module, NORMS) else output.numel()


def _repeated(model: nn.Module) -> dict[nn.Module, int]:
    """The layers of SDP that work before upsampling, where the counted ones work after it."""
    return {
        layer: REPETITION
        for module in model.modules()
        if isinstance(module, SpatialDependencyPerception)
        for branch in (module.key, module.value)
        if branch is not None
        for layer in branch.modules()
    }
