"""d2freq's own hooks, the same ones for YAML and for lazy configs.

A hook is a file in this folder and a line in :func:`with_own_hooks`. Its switches are keys with
one default each, in d2freq/trainer_config.py: a YAML config has them under ``D2FREQ``, or in the
node of Detectron2 that they belong to, a lazy config has the same names in small letters under
``train``, and code asks ``run.config.setting(name)`` whatever the kind:

=========================  =========================  ==================================
YAML                       lazy                       in code
=========================  =========================  ==================================
D2FREQ.EMA.DECAY           train.ema.decay            config.setting("EMA.DECAY")
SOLVER.CHECKPOINT_KEEP     train.checkpoint_keep      config.setting("SOLVER.CHECKPOINT_KEEP")
DATALOADER.BAD_IMAGES      train.bad_images           config.setting("DATALOADER.BAD_IMAGES")
=========================  =========================  ==================================

A hook that looks into the iteration itself (gradients, the update) reaches it by
``step_of(self.trainer)``; see d2freq.engine.step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.engine import HookBase
from detectron2.engine.hooks import EvalHook, PeriodicCheckpointer, PeriodicWriter
from torch import nn

from d2freq.engine.config import Config
from d2freq.engine.hooks.asked_for import asked_for
from d2freq.engine.hooks.exact_resume import ExactResume
from d2freq.engine.hooks.fast_cpu import FastCPU
from d2freq.engine.hooks.finite_steps import FiniteSteps
from d2freq.engine.hooks.first_lines import FirstLines
from d2freq.engine.hooks.known_classes import KnownClasses
from d2freq.engine.hooks.saving import Saving
from d2freq.engine.hooks.stopping import Evaluating, Leave, Stop
from d2freq.engine.hooks.training_data import SaveTrainingData

__all__ = ["Run", "with_own_hooks"]


@dataclass(frozen=True)
class Run:
    """What hooks are made of.

    Attributes:
        config: of either kind.
        model: the one that is trained, wrapped where there are several processes.
        checkpointer: what saves it.
    """

    config: Config
    model: nn.Module
    checkpointer: DetectionCheckpointer

    def setting(self, name: str) -> Any:
        """See :meth:`Config.setting`."""
        return self.config.setting(name)


def with_own_hooks(usual: Sequence[HookBase | None], run: Run) -> list[HookBase]:
    """The host's usual hooks with d2freq's in between, in the order in which they are called.

    Args:
        usual: timer, schedule, checkpoints, evaluation, writers; None for one that this process
            does without. Hooks of one's own may be among them.
        run: what the training consists of.
    """
    hooks = [hook for hook in usual if hook is not None and type(hook) is not PeriodicCheckpointer]
    evaluations = [hook for hook in hooks if isinstance(hook, EvalHook)]
    stop = Stop()
    saving = Saving(
        run.checkpointer,
        period=run.config.checkpoint_period,
        keep=run.config.checkpoint_keep,
        stop=stop,
        evaluations=evaluations,
    )
    asked = asked_for(run.config, run.model, save=saving.save_final)
    # what a checkpoint holds has to be up to date when it is saved
    exact = ExactResume(run.model, bad_images=run.setting("DATALOADER.BAD_IMAGES"))
    saving.before_save.append(exact.gather)
    finite = FiniteSteps(most=run.setting("NONFINITE_STEPS"))
    before_saving: list[HookBase] = [
        SaveTrainingData(run.config),
        KnownClasses(run.config),
        finite,
        *asked.before_saving,
    ]
    if run.setting("FAST_CPU"):
        before_saving.append(FastCPU(run.model))
    before_saving.append(exact)
    # what looks at the results of an evaluation; what it stores is written in the same iteration
    after_evaluation: list[HookBase] = [*asked.after_evaluation]
    # behind the writers: what may end the training
    at_the_end: list[HookBase] = [*asked.at_the_end]
    printing = next((hook for hook in hooks if isinstance(hook, PeriodicWriter)), None)
    if printing is not None:  # of the main process alone
        at_the_end.append(FirstLines(printing._period))

    place = _first(hooks, (EvalHook, PeriodicWriter))
    hooks[place:place] = [*before_saving, saving, Evaluating(stop, begins=True)]
    place = _behind_last(hooks, (EvalHook, Evaluating))
    hooks[place:place] = [*after_evaluation, Evaluating(stop, begins=False)]
    return [*hooks, *at_the_end, Leave(stop, evaluations)]


def _first(hooks: Sequence[HookBase], kinds: tuple[type, ...]) -> int:
    found = (place for place, hook in enumerate(hooks) if isinstance(hook, kinds))
    return next(found, len(hooks))


def _behind_last(hooks: Sequence[HookBase], kinds: tuple[type, ...]) -> int:
    return max((n + 1 for n, hook in enumerate(hooks) if isinstance(hook, kinds)), default=0)
