"""The catalogue reads functions as they are written."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest

from openhcs.core.functions import catalogue, describe, find_function
from openhcs.core.parameters import REQUIRED, Parameter, ParameterKind
from openhcs.errors import PipelineError
from openhcs.processing.types import Bounds, FromPlate, Image, Labels, PixelSizeUm, PlateSample, Role, Table


def example(
    image: Image,
    labels: Labels,
    *,
    sigma_px: Annotated[float, Bounds(0, 10)] = 2,
    count: Annotated[int, Bounds(low=1)],
    limit: Annotated[int, Bounds(high=9)] | None = None,
    mode: Literal["near", "far"] = "near",
    title: str = "",
    exact: bool = False,
    pixel_size_um: PixelSizeUm,
) -> Table:
    """Do what the example does.

    More about it.

    Args:
        image: (N, Y, X), counts.
        sigma_px: how much,
            in pixels.
        count: how many.
    """
    return {}


def test_a_signature_is_read_completely():
    """Kinds, defaults, bounds, choices, optional ones and help come from annotations and docstring."""
    function = describe(example)
    assert (function.name, function.returns, function.category) == ("example", Role.TABLE, "test_functions")
    assert function.summary == "Do what the example does."
    assert "More about it." in function.help
    assert function.takes_pixel_size
    assert function.needs_pixel_size
    assert function.parameters == (
        Parameter("labels", ParameterKind.LABELS),
        Parameter("sigma_px", ParameterKind.FLOAT, 2.0, Bounds(0, 10), help="how much, in pixels."),
        Parameter("count", ParameterKind.INT, REQUIRED, Bounds(1), help="how many."),
        Parameter("limit", ParameterKind.INT, None, Bounds(None, 9), optional=True),
        Parameter("mode", ParameterKind.CHOICE, "near", choices=("near", "far")),
        Parameter("title", ParameterKind.TEXT, ""),
        Parameter("exact", ParameterKind.BOOL, False),
    )


def test_what_is_learnt_from_the_plate_brings_its_parameters():
    """The estimate itself is not the user's to set: neither the form of a step nor a pipeline file has it."""
    function = find_function("correct_plate_illumination")
    names = [parameter.name for parameter in function.parameters]
    assert names == ["dark_counts", "percent", "degree", "sample_planes", "sample_by_site"]
    assert all(parameter.help for parameter in function.parameters)
    assert function.parameter("sample_planes").expected == "a whole number from 1 to 1000"
    assert function.estimate.argument == "light"
    assert function.estimate.parameters == {"dark_counts", "percent", "degree"}
    assert function.estimate.not_own == set(names) - {"dark_counts"}


def unannotated(image: Image, *, sigma=1) -> Image: ...
def no_image(sigma_px: float) -> Image: ...
def no_result(image: Image) -> int: ...
def by_position(image: Image, sigma_px: float = 1) -> Image: ...
def odd_type(image: Image, *, sizes: list[int]) -> Image: ...
def odd_default(image: Image, *, sigma_px: Annotated[float, Bounds(0, 1)] = 2) -> Image: ...
def odd_pixel_size(image: Image, *, size: PixelSizeUm = None) -> Image: ...
def estimate_anything(sample: PlateSample, *, low: float = 1) -> float: ...
def estimate_without_sample(planes: Image) -> float: ...
def estimate_with_labels(sample: PlateSample, *, labels: Labels) -> float: ...
def estimate_with_sample_planes(sample: PlateSample, *, sample_planes: int = 3) -> float: ...
def no_sample(image: Image, *, own: Annotated[float, FromPlate(estimate_without_sample)]) -> Image: ...
def labels_of_plate(image: Image, *, own: Annotated[float, FromPlate(estimate_with_labels)]) -> Image: ...
def engines_name(image: Image, *, own: Annotated[float, FromPlate(estimate_with_sample_planes)]) -> Image: ...
def other_low(image: Image, *, own: Annotated[float, FromPlate(estimate_anything)], low: float = 2) -> Image: ...
def two_estimates(
    image: Image,
    *,
    one: Annotated[float, FromPlate(estimate_anything)],
    other: Annotated[float, FromPlate(estimate_anything)],
) -> Image: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (unannotated, "no annotation of sigma"),
        (no_image, "expected `image: Image`"),
        (no_result, "expected `-> Image`, `-> Mosaic`, `-> Labels` or `-> Table`"),
        (by_position, "sigma_px by position; expected keyword-only"),
        (odd_type, "parameter sizes of type"),
        (odd_default, r"default of sigma_px: 2; expected a number from 0 to 1"),
        (odd_pixel_size, "expected the name pixel_size_um"),
        (no_sample, "own, estimated by estimate_without_sample: no planes as first parameter; expected `sample: "),
        (labels_of_plate, "parameter labels of an earlier step; expected none"),
        (engines_name, "parameter sample_planes; expected another name"),
        (other_low, "parameter low differs from the function's own; expected the same"),
        (two_estimates, "one and other from the plate; expected one such parameter"),
    ],
)
def test_an_unfit_signature_is_refused_with_what_is_missing(function, message):
    """The message names the function and the fault."""
    with pytest.raises(TypeError, match=message) as caught:
        describe(function)
    assert function.__name__ in str(caught.value)


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        (Parameter("p", ParameterKind.FLOAT, bounds=Bounds(0, 10)), 3, 3.0),
        (Parameter("p", ParameterKind.INT), 3.0, 3),
        (Parameter("p", ParameterKind.BOOL), True, True),
        (Parameter("p", ParameterKind.TEXT), "", ""),
        (Parameter("p", ParameterKind.LABELS), "nuclei", "nuclei"),
        (Parameter("p", ParameterKind.CHOICE, choices=("a", "b")), "b", "b"),
        (Parameter("p", ParameterKind.INT, optional=True), None, None),
    ],
)
def test_a_fitting_value_is_converted(parameter, value, expected):
    """A whole number does for a float, and a float without fraction for an int; the type is the parameter's then."""
    result = parameter.check(value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        (Parameter("p", ParameterKind.FLOAT, bounds=Bounds(0, 10)), 10.5, "10.5; expected a number from 0 to 10"),
        (Parameter("p", ParameterKind.FLOAT, bounds=Bounds(low=1)), 0, "0; expected a number, at least 1"),
        (Parameter("p", ParameterKind.INT, bounds=Bounds(high=1)), 2, "2; expected a whole number, at most 1"),
        (Parameter("p", ParameterKind.FLOAT), float("nan"), "nan; expected a number"),
        (Parameter("p", ParameterKind.FLOAT), "2", "'2'; expected a number"),
        (Parameter("p", ParameterKind.INT), 2.5, "2.5; expected a whole number"),
        (Parameter("p", ParameterKind.INT), True, "True; expected a whole number"),
        (Parameter("p", ParameterKind.BOOL), 1, "1; expected true or false"),
        (Parameter("p", ParameterKind.TEXT), 5, "5; expected text"),
        (Parameter("p", ParameterKind.LABELS), "", "''; expected the name of a label image"),
        (Parameter("p", ParameterKind.CHOICE, choices=("a", "b")), "c", "'c'; expected a or b"),
        (Parameter("p", ParameterKind.INT), None, "None; expected a whole number"),
        (Parameter("p", ParameterKind.INT, optional=True), "x", "'x'; expected a whole number, or nothing"),
    ],
)
def test_an_unfit_value_is_refused_with_what_was_expected(parameter, value, expected):
    """The message begins with the parameter's name and shows the value."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        parameter.check(value)
    assert str(caught.value) == f"p: {expected}"


def test_every_shipped_function_has_help_and_a_source():
    """Each parameter is explained, and each docstring names where the method comes from."""
    for function in catalogue().values():
        assert function.summary.endswith("."), function.name
        assert "Source:" in function.help, function.name
        for parameter in function.parameters:
            assert parameter.name == "labels" or parameter.help, (function.name, parameter.name)


def test_the_catalogue_holds_functions_only_from_the_listed_modules():
    """Names resolve to functions defined in `openhcs.processing`; what those modules import is not offered."""
    assert len(catalogue()) >= 18
    assert {function.module.rpartition(".")[0] for function in catalogue().values()} == {"openhcs.processing"}
    assert "label_planes" not in catalogue()


@pytest.mark.parametrize("name", ["os.system", "numpy.load", "__import__", "label_planes", ""])
def test_a_name_outside_the_catalogue_reaches_no_code(name):
    """A pipeline file cannot name a module."""
    with pytest.raises(PipelineError, match="expected a function of the catalogue"):
        find_function(name)


def test_a_misspelt_function_is_told_with_the_likely_one():
    """`gausian_blur` suggests `gaussian_blur`."""
    with pytest.raises(PipelineError, match=r"'gausian_blur'.*Did you mean gaussian_blur\?"):
        find_function("gausian_blur")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the module path; modules made in it are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]
    catalogue.cache_clear()


def test_a_module_of_the_users_adds_its_functions(lab: Path):
    """Without `__all__`, public functions on images are offered, helpers and imports are not."""
    (lab / "lab_double.py").write_text(
        "from openhcs.processing.filters import gaussian_blur\n"
        "from openhcs.processing.types import Image\n"
        "def double(image: Image) -> Image:\n    return image * 2\n"
        "def helper(x):\n    return x\n"
        "def _hidden(image: Image) -> Image:\n    return image\n"
    )
    added = set(catalogue(("lab_double",))) - set(catalogue())
    assert added == {"double"}
    assert find_function("double", ["lab_double"]).module == "lab_double"
    with pytest.raises(PipelineError):
        find_function("double")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", r"lab_wrong \(ZeroDivisionError: division by zero\)"),
        ("import sys\nsys.exit(4)", r"lab_wrong \(SystemExit: 4\)"),
        ("from openhcs.processing.types import Image\ndef f(image: Image): ...", "expected `-> Image`"),
        ("from openhcs.processing.types import Image\ndef gaussian_blur(image: Image) -> Image: ...", "Rename yours"),
        ("from __future__ import annotations\n__all__ = ['f']\ndef f(image: Nothing) -> Nothing: ...", "Nothing"),
    ],
)
def test_an_unfit_module_is_told_with_its_fault(lab: Path, source: str, message: str):
    """A module that fails to import, or that holds an unfit function, is a named error and nothing worse."""
    (lab / "lab_wrong.py").write_text(source)
    with pytest.raises(PipelineError, match=message):
        catalogue(("lab_wrong",))


def test_what_a_module_prints_goes_to_the_log(
    lab: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    """A module that prints while it is imported disturbs neither JSON nor a screen."""
    (lab / "lab_chatty.py").write_text("print('hello from the lab')\n")
    with caplog.at_level(logging.INFO):
        catalogue(("lab_chatty",))
    assert capsys.readouterr().out == ""
    assert "hello from the lab" in caplog.text


def test_an_absent_module_is_told():
    """The message names the module."""
    with pytest.raises(PipelineError, match="no_such_lab"):
        catalogue(("no_such_lab",))


def test_the_catalogue_loads_no_image_library():
    """Describing every function leaves the submodules of skimage and scipy unloaded."""
    code = (
        "import sys; from openhcs.core.functions import catalogue; catalogue();"
        "heavy = {'skimage.filters', 'skimage.measure', 'scipy.ndimage', 'dask'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
