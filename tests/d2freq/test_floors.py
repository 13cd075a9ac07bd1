"""Who may import whom: lower floors know nothing of higher ones, systems nothing of each other."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each floor with those that it may stand on, beside itself.
BASE = {"ops", "utils", "errors"}
FLOORS: dict[str, set[str]] = {
    "errors": set(),
    "ops": set(),
    "utils": {"errors"},
    "modeling": BASE,
    "data": BASE,
    "trainer_config": set(),
    "config": {"data", "errors", "evaluation", "modeling", "trainer_config", "utils"},
    "idle_keys": {"config", "modeling", "utils"},
    "evaluation": BASE | {"data"},
    "engine": BASE | {"config", "data", "evaluation", "idle_keys", "modeling", "trainer_config"},
    "model_zoo": {"engine", "errors", "utils"},
    "train": {"d2freq", "engine", "errors", "train_arguments", "utils"},
    "train_arguments": {"utils"},
    "inference": BASE | {"d2freq", "config", "data", "engine", "evaluation", "modeling"},
    "analysis": BASE | {"d2freq", "config", "data", "engine", "evaluation", "modeling"},
    "commands": BASE
    | {"analysis", "config", "data", "engine", "evaluation", "inference", "modeling"}
    | {"train", "train_arguments"},
    "cli": BASE | {"commands", "d2freq"},
    "d2freq": {"config", "data", "former_names", "host", "idle_keys", "modeling"},
    "former_names": set(),
    "host": {"errors", "minid2"},
    "minid2": set(),
}
# DeRefNet's start is computed from a data set's training split, which the config names.
EXCEPTIONS = {("d2freq.modeling.unmixing.config", "d2freq.data.seqcsist")}

SYSTEMS = {"derefnet", "detectors", "fft_fpn", "frequency_input", "hs_fpn", "set", "unmixing"}
SYSTEMS |= {"wavelet_fpn"}
MODELING = SYSTEMS | {"assignment", "backbones", "classification"}  # what systems share
STANDS_ON = {"derefnet": {"unmixing"}}


def read_imports(file: Path, module: str) -> Iterator[tuple[str, bool]]:
    """(what is imported, whether at the top): a module by its name, a thing of it by both."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in tree.body) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((f"{source}.{alias.name}", node in tree.body) for alias in node.names)


FILES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for package in ("d2freq", "minid2")
    for file in sorted((ROOT / package).rglob("*.py"))
}
# by module: other modules of this project, and whether they are imported at its top
IMPORTS = {
    module: {
        (name if name in FILES else name.rpartition(".")[0], at_top)
        for name, at_top in read_imports(file, module)
        if name.split(".")[0] in ("d2freq", "minid2")
    }
    for module, file in FILES.items()
}


def floor_of(module: str) -> str:
    """The first name below d2freq: ops, utils, ...; or the package itself."""
    package, *rest = module.split(".")
    return rest[0] if package == "d2freq" and rest else package


def system_of(module: str) -> str:
    """The folder of modeling that a module lies in, "" for modules elsewhere."""
    return module.split(".")[2] if module.startswith("d2freq.modeling.") else ""


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_stands_on_lower_ones_alone(floor):
    """The imports inside functions count, too."""
    strangers = {
        (module, name)
        for module in IMPORTS
        for name, _ in IMPORTS[module]
        if floor_of(module) == floor and floor_of(name) not in FLOORS[floor] | {floor}
    }
    assert strangers <= EXCEPTIONS


def test_every_floor_has_its_rule():
    assert {floor_of(module) for module in FILES} == set(FLOORS)


def test_systems_do_not_import_each_other():
    strangers = [
        (module, name)
        for module in IMPORTS
        for name, _ in IMPORTS[module]
        if (system := system_of(module)) != (other := system_of(name))
        if system in MODELING and other in SYSTEMS and other not in STANDS_ON.get(system, ())
    ]
    assert not strangers


def test_no_module_imports_itself_by_others():
    """Imports at the top of a module; those in functions break no import."""
    above = {
        module: {name for name, at_top in IMPORTS[module] if at_top and name != module}
        for module in IMPORTS
    }
    TopologicalSorter(above).prepare()  # raises CycleError with the circle
