"""`detectron2.x` is `minid2.x`; each test in a process of its own, since that is what changes."""

import textwrap

from ..process import output_of_python


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
        for statement in ("from detectron2 import model_zoo", "import detectron2.model_zoo.x"):
            try:
                exec(statement)
            except ModuleNotFoundError as error:
                assert error.name == "detectron2.model_zoo"
                assert "'detectron2.model_zoo'" in str(error) and "real Detectron2" in str(error)
            else:
                raise AssertionError(statement)
        assert not hasattr(minid2, "model_zoo")
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
