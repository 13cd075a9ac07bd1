"""Messages about a missing package name an extra that setup.py has, and its package is in it."""

import ast
import re
from pathlib import Path

import d2freq

PACKAGE = Path(d2freq.__file__).parent
EXTRA = re.compile(r"install\(['\"](\w+)['\"]\)|d2freq\[(\w+)\]")
# what a plain `pip install d2freq` does not bring, and the extra that does
OPTIONAL = {
    "geopandas": "geo",
    "mlflow": "mlflow",
    "onnx": "export",
    "onnxruntime": "export",
    "openvino": "openvino",
    "pyproj": "geo",
    "rasterio": "geo",
    "sahi": "sahi",
    "shapely": "shapely",
    "supervision": "supervision",
    "wandb": "wandb",
}


def _setup_words() -> dict[str, object]:
    """The names that setup.py gives values to, and the words of ``setup``."""
    tree = ast.parse((PACKAGE.parent / "setup.py").read_text(encoding="utf-8"))
    values: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
            code = ast.unparse(node.value)
            values[node.targets[0].id] = eval(code, dict(values))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            for word in node.value.keywords:
                if word.arg in ("extras_require", "install_requires"):
                    values[word.arg] = eval(ast.unparse(word.value), dict(values))
    return values


def _imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_every_extra_that_a_message_names_is_one_of_setup_py():
    named = set()
    for file in PACKAGE.rglob("*.py"):
        named |= {a or b for a, b in EXTRA.findall(file.read_text(encoding="utf-8"))}
    extras = _setup_words()["extras_require"]
    assert named >= {"export", "geo", "openvino", "sahi", "shapely", "supervision"}
    assert named <= set(extras)
    brings = {extra: {re.split(r"[<>=\[]", word)[0] for word in extras[extra]} for extra in extras}
    assert {package for package, extra in OPTIONAL.items() if package not in brings[extra]} == set()


def test_no_package_is_imported_that_neither_the_requirements_nor_an_extra_bring():
    known = {re.split(r"[<>=\[]", word)[0] for word in _setup_words()["install_requires"]}
    names = {"opencv-python": "cv2", "Pillow": "PIL", "hydra-core": "hydra"}
    known = {names.get(word, word).replace("-", "_") for word in known} | set(OPTIONAL)
    standard = set(__import__("sys").stdlib_module_names)
    own = {"d2freq", "d2freq_command", "detectron2", "minid2"}
    comes_along = {"pyogrio", "yaml"}  # with geopandas, with yacs and omegaconf
    strange = {
        (file.relative_to(PACKAGE).as_posix(), name)
        for file in PACKAGE.rglob("*.py")
        for name in _imports(file) - known - standard - own - comes_along
    }
    assert strange == set()
