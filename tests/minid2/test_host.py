"""`detectron2.x` is `minid2.x`; each test in a process of its own, since that is what changes."""

import importlib
import os
import sys
import textwrap
import types
from pathlib import Path

import pytest

import minid2
from minid2.absent import ABSENT, fill_in, is_stand_in

from ..process import output_of_python

TREE = Path(os.environ.get("D2FREQ_DETECTRON2_TREE", Path.home() / ".d2freq-detectron2/tree"))


def run(code: str) -> str:
    prelude = "import minid2; minid2.install_as_detectron2()\n"
    return output_of_python("-c", prelude + textwrap.dedent(code))


def test_both_names_lead_to_one_module_whichever_comes_first():
    run(
        """
        import detectron2.structures.boxes, minid2.structures.boxes, minid2.utils.env
        import sys, detectron2.utils.env, detectron2.utils as utils
        assert detectron2 is minid2 and detectron2.__version__ == "0.6"
        assert sys.modules["detectron2.structures.boxes"] is minid2.structures.boxes
        assert utils.env is minid2.utils.env and utils.env.__spec__.name == "minid2.utils.env"
        minid2.install_as_detectron2()  # a second call is harmless
        assert minid2.is_installed_as_detectron2()
        """
    )


def test_modules_do_not_hide_functions_of_their_name():
    run(
        """
        from detectron2.config.instantiate import instantiate as a
        from detectron2.config import instantiate as b
        assert a is b and callable(b)
        """
    )


def test_an_import_of_what_is_missing_explains():
    run(
        """
        for statement in ("from detectron2 import _C", "import detectron2._C.x"):
            try:
                exec(statement)
            except ModuleNotFoundError as error:
                assert error.name == "detectron2._C"
                assert "'detectron2._C'" in str(error) and "real Detectron2" in str(error)
            else:
                raise AssertionError(statement)
        assert not hasattr(minid2, "_C")

        # what only the real one has is imported by each of its places, and is one class
        import detectron2.export.flatten, minid2.export.flatten, detectron2.structures
        assert detectron2.export.flatten is minid2.export.flatten
        from detectron2.structures import RotatedBoxes as handed_on
        from detectron2.structures.rotated_boxes import RotatedBoxes
        assert handed_on is RotatedBoxes and not hasattr(detectron2.structures, "Rotated")
        from detectron2.projects.point_rend.point_features import point_sample
        from detectron2.modeling.backbone.vit import ViT

        class Mine(ViT):
            pass

        for use in (point_sample, RotatedBoxes, Mine, lambda: list(RotatedBoxes)):
            try:
                use()
            except NotImplementedError as error:
                said = str(error)
                assert "real Detectron2, https://" in said and "\\n" not in said, said
            else:
                raise AssertionError(use)
        assert not isinstance(1, RotatedBoxes)
        """
    )


def test_the_table_of_what_is_missing_has_nothing_that_is_there():
    for module, (topic, names) in ABSENT.items():
        assert topic and len(set(names)) == len(names)
        place = Path(minid2.__file__).parent / module.replace(".", "/")
        if not (place.is_dir() or place.with_suffix(".py").is_file()):
            continue
        found = vars(importlib.import_module(f"minid2.{module}"))
        assert names and not set(names) & set(found), module


@pytest.mark.skipif(not TREE.is_dir(), reason=f"no source tree of Detectron2 at {TREE}")
def test_detectron2s_training_scripts_start():
    run(
        f"""
        import importlib.util
        for name in ("train_net", "plain_train_net", "lazyconfig_train_net"):
            file = {str(TREE / "tools")!r} + f"/{{name}}.py"
            spec = importlib.util.spec_from_file_location(name, file)
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        """
    )


def test_pickles_and_dotted_names_of_either_package_are_the_same_class():
    run(
        """
        import pickle
        from detectron2.structures import BoxMode
        from minid2.utils.registry import _convert_target_to_string, locate
        data = pickle.dumps(BoxMode.XYWH_ABS, protocol=0)
        other = data.replace(b"minid2.", b"detectron2.")
        assert data != other and pickle.loads(other) is BoxMode.XYWH_ABS
        assert _convert_target_to_string(BoxMode) == "detectron2.structures.BoxMode"
        assert locate("detectron2.structures.BoxMode") is locate("minid2.structures.BoxMode")
        """
    )


def test_an_imported_detectron2_is_not_replaced():
    code = """
        import sys, types
        sys.modules["detectron2"] = types.ModuleType("detectron2")
        import minid2
        assert not minid2.is_installed_as_detectron2()
        try:
            minid2.install_as_detectron2()
        except ImportError as error:
            print("refused")
        """
    assert output_of_python("-c", textwrap.dedent(code)) == "refused"


def test_a_stand_in_says_what_it_stands_for():
    module = types.ModuleType("minid2.structures")
    fill_in(module, "structures", missing=False)
    fill_in(module, "structures", missing=True)  # the first call holds
    boxes = module.RotatedBoxes
    assert boxes is module.RotatedBoxes and is_stand_in(boxes) and not is_stand_in(module)
    for use in (boxes, lambda: list(boxes), lambda: len(boxes), lambda: 1 in boxes):
        with pytest.raises(NotImplementedError, match=r"RotatedBoxes .*real Detectron2, https://"):
            use()
    with pytest.raises(AttributeError, match=r"^cat: detectron2\.structures.*RotatedBoxes"):
        boxes.cat  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'Rotated'"):
        module.Rotated  # noqa: B018
    whole = types.ModuleType("minid2.export.flatten")
    fill_in(whole, "export.flatten", missing=True)
    assert is_stand_in(whole) and is_stand_in(whole.flatten_to_tuple)


@pytest.mark.skipif(not minid2.is_installed_as_detectron2(), reason="the host is Detectron2")
def test_the_hosts_finder_makes_missing_modules(monkeypatch):
    minid2.install_as_detectron2()  # again, which is harmless
    module = importlib.import_module("detectron2.export.flatten")
    assert module is sys.modules["minid2.export.flatten"] and is_stand_in(module)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "detectron2", types.ModuleType("detectron2"))
        with pytest.raises(ImportError, match="has been imported already"):
            minid2.install_as_detectron2()
