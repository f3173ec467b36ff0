"""A small plate whose truth is known, written as an ImageXpress microscope exports one.

Two channels (DAPI: nuclei, GFP: a marker in the cytoplasm) in a dose response: from the first well to the last the
nuclei become fewer and the marker comes on. Beside the images lies `truth.json`, which the format does not look at:
the recipe the plate was made by, and every nucleus. Equal recipes give equal bytes.

The images themselves are `demo_images`' work. The plate is made in a hidden folder beside its place and moved there
whole, so a plate that exists is complete; a folder with anything else in it is refused
(`test_foreign_files_are_never_overwritten`).
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from openhcs.core.formats.imagexpress_names import FileName
from openhcs.core.model import well_name, well_position
from openhcs.errors import PlateError

if TYPE_CHECKING:
    from openhcs.core.demo_images import Nucleus

__all__ = ["DemoPlate", "make_demo_plate", "read_demo_truth"]

DEMO_WELLS = ("B02", "B03", "B04", "B05", "C02", "C03", "C04", "C05")
"""The wells of the demo plate, in the order of the dose."""

_TRUTH = "truth.json"
_PLATE = "demo"
_ROWS, _COLUMNS = 8, 12
_WAVES = (("DAPI", 452.0), ("GFP", 520.0))
_PIXEL_SIZE_UM = 0.6838
_Z_STEP_UM = 5.0
_DEFOCUS_PX_PER_STEP = 1.6
_MOST_NUCLEI_PX = 4370  # 512 x 512 pixels hold 60 nuclei
_LEAST_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class _Recipe:
    """All that decides a demo plate's bytes; `version` counts changes of how one is made."""

    seed: int
    wells: tuple[str, ...]
    sites: int
    z_steps: int
    size_px: int
    version: int = 1


@dataclass(frozen=True)
class DemoPlate:
    """A demo plate on disk; `truth` is the number of nuclei at each (well, site)."""

    folder: Path
    truth: Mapping[tuple[str, int], int]

    def well_truth(self) -> Mapping[str, int]:
        """The number of nuclei in each well."""
        totals: Counter[str] = Counter()
        for (well, _), count in self.truth.items():
            totals[well] += count
        return dict(totals)


def make_demo_plate(
    folder: Path,
    *,
    seed: int = 1,
    wells: Sequence[str] = DEMO_WELLS,
    sites: int = 2,
    z_steps: int = 3,
    size_px: int = 512,
) -> DemoPlate:
    """Make the demo plate at `folder`, or find the same one there already.

    Args:
        folder: the plate's own folder; missing or empty, or holding this very plate.
        wells: names on a 96-well plate, in the order of the dose.
        size_px: height and width of each image; the number of nuclei follows its area.

    Raises:
        PlateError: the folder holds something else, or cannot be written, or the plate asked for cannot be.
    """
    recipe = _checked(_Recipe(seed, tuple(wells), sites, z_steps, size_px))
    if (plate := _existing(folder, recipe)) is not None:
        return plate
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _write(making, recipe)
            making.chmod(0o755)
            making.replace(folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        raise PlateError(
            f"demo plate cannot be made: {folder}; expected a folder that can be written, got {error.strerror}. "
            "Choose another folder."
        ) from error
    made = _existing(folder, recipe)
    if made is None:
        raise PlateError(f"demo plate vanished: {folder}; expected the plate just made. Make it again.")
    return made


def read_demo_truth(folder: Path) -> Mapping[str, int] | None:
    """The number of nuclei in each well of the demo plate at `folder`; None where it is no demo plate."""
    found = _read_truth(folder)
    return None if found is None else found[1].well_truth()


def _checked(recipe: _Recipe) -> _Recipe:
    on_plate = {well_name(row, column) for row in range(_ROWS) for column in range(_COLUMNS)}
    if not recipe.wells or len(set(recipe.wells)) < len(recipe.wells) or not on_plate.issuperset(recipe.wells):
        raise PlateError(f"demo plate's wells: {', '.join(recipe.wells)}; expected different wells from A01 to H12.")
    for what, value, least in (
        ("sites", recipe.sites, 1),
        ("z steps", recipe.z_steps, 1),
        ("image size in pixels", recipe.size_px, 128),
    ):
        if value < least:
            raise PlateError(f"demo plate's {what}: {value}; expected {least} or more.")
    return recipe


def _existing(folder: Path, recipe: _Recipe) -> DemoPlate | None:
    """The plate of this recipe at `folder`, or None if nothing is there; raises `PlateError` for anything else."""
    try:
        if not any(folder.iterdir()):
            return None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PlateError(
            f"demo plate cannot be made: {folder}; expected an empty folder, got {error.strerror}. "
            "Choose another folder."
        ) from error
    found = _read_truth(folder)
    if found is None or found[0] != recipe:
        what = "other files" if found is None else "another demo plate"
        raise PlateError(
            f"demo plate cannot be made: {folder}; expected an empty folder or the same demo plate, got {what}. "
            "Choose another folder, or delete this one."
        )
    pixels = 2 * recipe.size_px**2
    broken = [path for path in _image_paths(recipe) if not _is_file_of(folder / path, pixels)]
    if broken:
        raise PlateError(
            f"demo plate is not complete: {folder}; expected {broken[0]} of at least {pixels} bytes. "
            "Delete the folder and make the plate again."
        )
    return found[1]


def _is_file_of(path: Path, least_bytes: int) -> bool:
    try:
        return path.stat().st_size >= least_bytes
    except OSError:
        return False


def _read_truth(folder: Path) -> tuple[_Recipe, DemoPlate] | None:
    try:
        content = json.loads((folder / _TRUTH).read_bytes())
        recipe = _Recipe(**{**content["recipe"], "wells": tuple(content["recipe"]["wells"])})
        truth = {(str(site["well"]), int(site["site"])): len(site["nuclei"]) for site in content["sites"]}
    except (OSError, ValueError, TypeError, LookupError):
        # Somebody's own truth.json is nothing of ours.
        return None
    return recipe, DemoPlate(folder, truth)


def _image_paths(recipe: _Recipe) -> Iterator[str]:
    for well in recipe.wells:
        for site in range(1, recipe.sites + 1):
            for channel in range(1, len(_WAVES) + 1):
                for z in range(1, recipe.z_steps + 1):
                    yield _image_path(recipe, well, site, channel, z)


def _image_path(recipe: _Recipe, well: str, site: int, channel: int, z: int) -> str:
    """Below the plate's folder; a plate of one z step has no folders for them, as the microscope's have not."""
    step = f"ZStep_{z}/" if recipe.z_steps > 1 else ""
    return f"TimePoint_1/{step}{FileName(_PLATE, well, site, channel)}"


def _write(folder: Path, recipe: _Recipe) -> None:
    # scipy and tifffile take 0.4 s to import; only making a plate needs them.
    import numpy as np
    import tifffile

    from openhcs.core.demo_images import expose, place_nuclei

    for path in _image_paths(recipe):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    fields = []
    for dose, well in enumerate(recipe.wells):
        for site in range(1, recipe.sites + 1):
            # A stream of its own for each field: one more well or site leaves the others as they were.
            rng = np.random.default_rng([recipe.seed, *well_position(well), site])
            share = _dose_response(dose, len(recipe.wells))
            most = recipe.size_px**2 / _MOST_NUCLEI_PX
            count = max(1, round(most * (_LEAST_SHARE + (1 - _LEAST_SHARE) * share) * rng.uniform(0.94, 1.06)))
            nuclei = place_nuclei(rng, count, recipe.size_px, marker_share=1 - share)
            fields.append({"well": well, "site": site, "nuclei": [_row(nucleus) for nucleus in nuclei]})
            focus = (recipe.z_steps + 1) / 2 + rng.uniform(-0.25, 0.25)
            blur = [_DEFOCUS_PX_PER_STEP * abs(z - focus) for z in range(1, recipe.z_steps + 1)]
            for channel in range(1, len(_WAVES) + 1):
                pictures = expose(rng, nuclei, recipe.size_px, channel, blur)
                for z, picture in enumerate(pictures, start=1):
                    tifffile.imwrite(
                        folder / _image_path(recipe, well, site, channel, z),
                        picture,
                        description=_metaseries(recipe, well, site, channel, z),
                        metadata=None,
                        software="MetaSeries",  # readers take the description for a MetaSeries tag by this name
                    )
    (folder / f"{_PLATE}.HTD").write_bytes(_htd(recipe).encode())
    truth = {"recipe": asdict(recipe), "pixel_size_um": _PIXEL_SIZE_UM, "sites": fields}
    (folder / _TRUTH).write_text(json.dumps(truth, indent=1), encoding="utf-8")


def _row(nucleus: Nucleus) -> dict[str, float | bool]:
    return {
        "y_px": round(nucleus.y_px, 2),
        "x_px": round(nucleus.x_px, 2),
        "radius_px": round(nucleus.radius_px, 2),
        "marker": nucleus.marker,
    }


def _dose_response(dose: int, doses: int) -> float:
    """Share of cells left at step `dose` of `doses`: a logistic curve from 1 down to 0."""
    place = dose / max(doses - 1, 1)
    return 1 / (1 + math.exp(9 * (place - 0.5)))


def _site_grid(sites: int) -> tuple[int, int]:
    """Sites down and across, as square as they fit."""
    down = next(rows for rows in range(math.isqrt(sites), 0, -1) if sites % rows == 0)
    return down, sites // down


def _htd(recipe: _Recipe) -> str:
    """The .HTD file: the plan of the acquisition."""
    down, across = _site_grid(recipe.sites)
    chosen = {well_position(well) for well in recipe.wells}

    def switches(values: Sequence[bool]) -> str:
        return ", ".join("TRUE" if value else "FALSE" for value in values)

    lines = [
        ("HTSInfoFile", "Version 1.0"),
        ("Description", '"Simulated cells, made by OpenHCS"'),
        ("PlateType", "2"),
        ("TimePoints", "1"),
        ("ZSeries", switches([recipe.z_steps > 1])),
        ("ZSteps", str(recipe.z_steps if recipe.z_steps > 1 else 0)),
        ("ZProjection", "FALSE"),
        ("XWells", str(_COLUMNS)),
        ("YWells", str(_ROWS)),
        *(
            (f"WellsSelection{row + 1}", switches([(row, column) in chosen for column in range(_COLUMNS)]))
            for row in range(_ROWS)
        ),
        ("Sites", switches([recipe.sites > 1])),
        ("XSites", str(across)),
        ("YSites", str(down)),
        *((f"SiteSelection{row + 1}", switches([True] * across)) for row in range(down)),
        ("Waves", "TRUE"),
        ("NWavelengths", str(len(_WAVES))),
        *((f"WaveName{number}", f'"{name}"') for number, (name, _) in enumerate(_WAVES, start=1)),
        *((f"WaveCollect{number}", "1") for number in range(1, len(_WAVES) + 1)),
    ]
    return "".join(f'"{key}", {value}\r\n' for key, value in lines) + '"EndFile"\r\n'


def _metaseries(recipe: _Recipe, well: str, site: int, channel: int, z: int) -> str:
    """The MetaSeries tag of one image: where, in which light and how large its pixels are."""
    row, column = well_position(well)
    _, across = _site_grid(recipe.sites)
    site_y, site_x = divmod(site - 1, across)
    field_um = recipe.size_px * _PIXEL_SIZE_UM
    name, wavelength = _WAVES[channel - 1]
    properties: list[tuple[str, str, str | int | float]] = [
        ("plane-type", "string", "plane"),
        ("pixel-size-x", "int", recipe.size_px),
        ("pixel-size-y", "int", recipe.size_px),
        ("bits-per-pixel", "int", 16),
        ("spatial-calibration-state", "bool", "on"),
        ("spatial-calibration-x", "float", _PIXEL_SIZE_UM),
        ("spatial-calibration-y", "float", _PIXEL_SIZE_UM),
        ("spatial-calibration-units", "string", "um"),
        ("image-name", "string", name),
        ("stage-position-x", "float", round(14300 + 9000 * column + site_x * field_um, 2)),
        ("stage-position-y", "float", round(11200 + 9000 * row + site_y * field_um, 2)),
        ("stage-label", "string", f"{well} : Site {site}"),
        ("z-position", "float", 9000 + _Z_STEP_UM * (z - 1)),
        ("wavelength", "float", wavelength),
        ("_IllumSetting_", "string", name),
        ("SiteX", "float", site_x + 1),
        ("SiteY", "float", site_y + 1),
        ("Z Step", "float", z),
    ]
    plane = "".join(
        f"<{'prop' if not key[0].isupper() and key[0] != '_' else 'custom-prop'} "
        f"id={quoteattr(key)} type={quoteattr(kind)} value={quoteattr(str(value))}/>\n"
        for key, kind, value in properties
    )
    return (
        '<MetaData>\n<prop id="Description" type="string" value="Simulated cells, made by OpenHCS"/>\n'
        '<prop id="MetaDataVersion" type="float" value="1"/>\n<PlaneInfo>\n'
        f'{plane}</PlaneInfo>\n<SetInfo>\n<prop id="number-of-planes" type="int" value="1"/>\n</SetInfo>\n</MetaData>'
    )
