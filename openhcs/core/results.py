"""The results folder: what lies where in it, whose it is, and which wells are done.

    openhcs.json            whose results these are; also the lock that writers of shared files hold
    plate.zarr/             processed images and label images, an OME-Zarr plate
    tables/<table>/<well>.parquet, <table>.parquet, and <table>.csv where it was asked for
    provenance/<well>.json  the plan, versions, times, warnings: written last, so its presence says that a well is done
    samples/<digest>.json   the planes that something about the whole plate was learnt from; provenance names them
    runs/<start>/           each run's request, journal and log
    .tmp/                   wells being written

Standard library and pydantic only, so that front ends may ask what is done. Writing images is `store`, tables `tables`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from openhcs.core.journal import Json
from openhcs.core.model import PlaneSample, WellPlan, well_position
from openhcs.core.whole_file import UNFINISHED, write_text
from openhcs.core.wording import is_text
from openhcs.errors import DiskFullError, StoreError

__all__ = ["Provenance", "ResultsFolder", "explained", "is_done", "recipe_of"]

_PROVENANCE_FORMAT = "openhcs provenance 1"
_RESULTS_FORMAT = "openhcs results 1"
_EARLIER = "earlier"

Provenance = Mapping[str, Json]
"""What `provenance/<well>.json` holds; `store` writes it."""

_HOW = "(--out, or `results_folder` in the settings)"
_NEXT_STEPS = {
    errno.EACCES: f"Choose a results folder that you may write to {_HOW}.",
    errno.EPERM: f"Choose a results folder that you may write to {_HOW}.",
    errno.EROFS: f"The file system is read-only: choose a results folder elsewhere {_HOW}.",
    errno.ENOTDIR: "A file is where a folder is needed: choose another results folder.",
    errno.EEXIST: "A file is where a folder is needed: choose another results folder.",
    errno.ENAMETOOLONG: "Choose a results folder with a shorter path.",
    errno.EFBIG: "Neither the disk nor this session takes larger files: choose a results folder elsewhere.",
    **dict.fromkeys(
        (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT),
        "The disk or the network drive does not answer: see that it is there, and run again; finished wells are kept.",
    ),
}
_FULL = {errno.ENOSPC: "The disk is full", errno.EDQUOT: "Your disk quota is used up"}


@cache
def _plan_adapter() -> TypeAdapter[WellPlan]:
    return TypeAdapter(WellPlan)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an `OSError` inside into a `StoreError` that names the path and what to do next."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        where = error.filename2 or error.filename or path  # of a file that is moved, where to
        failed = f"results cannot be written: {where} ({error.strerror or error}); expected"
        if full := _FULL.get(error.errno or 0):
            raise DiskFullError(
                f"{failed} room for them. {full}, with {_free_text(path)} free at {path}: free some space and run "
                "again; finished wells are kept."
            ) from error
        step = _NEXT_STEPS.get(error.errno or 0, "Check the results folder and run again; finished wells are kept.")
        raise StoreError(f"{failed} to write there. {step}") from error


def _free_text(path: Path) -> str:
    """The room that is left where `path` lies or would lie."""
    for place in (path, *path.parents):
        try:
            space = os.statvfs(place)
        except OSError:
            continue
        if space.f_files and not space.f_favail:
            return "no more files"
        return f"{space.f_bavail * space.f_frsize / 2**20:.1f} MiB"
    return "an unknown amount"


@dataclass(frozen=True, slots=True)
class ResultsFolder:
    """The results of one plate, at `path`."""

    path: Path

    @property
    def marker(self) -> Path:
        """The file that says whose results these are."""
        return self.path / "openhcs.json"

    @property
    def plate(self) -> Path:
        """The OME-Zarr plate."""
        return self.path / "plate.zarr"

    @property
    def tables(self) -> Path:
        """The folder of tables."""
        return self.path / "tables"

    @property
    def runs(self) -> Path:
        """The folder of runs, one folder each, named by when they started."""
        return self.path / "runs"

    @property
    def temporary(self) -> Path:
        """Where wells are written before they are put in place; on the same file system."""
        return self.path / ".tmp"

    def well_table(self, table: str, well: str) -> Path:
        """The file of one table's rows of one well."""
        return self.tables / table / f"{well}.parquet"

    def provenance_file(self, well: str) -> Path:
        """The file that says how a well's results came to be."""
        return self.path / "provenance" / f"{well}.json"

    def claim(self, plate: str, root: Path) -> None:
        """Make this the results folder of a plate, or see that it already is.

        A plate of the same name at another place counts as the same plate, moved, only if it is gone from where it was.

        Raises:
            StoreError: the folder holds something else or another plate's results, lies in the plate's folder, or
                cannot be written.
        """
        if not is_text(str(self.path)):
            raise StoreError(
                f"results folder: {self.path} is not UTF-8; expected a name that is, since it is written into the "
                "results. Choose another results folder."
            )
        if self.path.resolve().is_relative_to(root.resolve()):
            raise StoreError(
                f"results folder: {self.path} is inside the plate {root}; expected one outside of it, "
                "since nothing is ever written into a plate. Choose another results folder."
            )
        if root.resolve().is_relative_to(self.path.resolve()):
            raise StoreError(
                f"results folder: {self.path} holds the plate {root} itself; expected one outside of it, "
                "since nothing is ever written into a plate. Choose another results folder."
            )
        with explained(self.path):
            if not self.marker.exists() and self.path.exists() and any(self.path.iterdir()):
                raise StoreError(
                    f"results folder: {self.path} holds other files; expected an empty folder or earlier results of "
                    f"the plate {plate}. Choose another results folder."
                )
            if self.marker.exists():
                self._check_owner(plate, root)
            owner = {"format": _RESULTS_FORMAT, "plate": plate, "root": str(root.resolve())}
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.marker, json.dumps(owner, indent=2, ensure_ascii=False) + "\n")
            self.runs.mkdir(exist_ok=True)

    def has_other_plate(self, root: Path) -> bool:
        """Whether it holds results of a plate that is there, at another place than `root`."""
        try:
            other = Path(json.loads(self.marker.read_bytes())["root"])
            return other != root.resolve() and other.exists()
        except (OSError, ValueError, KeyError, TypeError):  # `claim` tells what is wrong with it
            return False

    def read_provenance(self, well: str) -> Provenance | None:
        """How a well's results came to be; None where the well is not done, or the file is damaged.

        Raises:
            StoreError: the file cannot be read, or another version of the program wrote it.
        """
        path = self.provenance_file(well)
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                f"provenance: {path} ({error.strerror}); expected a readable file. Check its permissions."
            ) from error
        except ValueError:  # a crash of the whole machine can leave it empty: the well is done again
            return None
        if not isinstance(content, dict) or content.get("format") != _PROVENANCE_FORMAT:
            raise StoreError(
                f"provenance: {path} is of another format; expected {_PROVENANCE_FORMAT!r}. Choose another results "
                "folder, or remove the file to have the well done again."
            )
        return content

    def write_provenance(self, plan: WellPlan, content: Provenance) -> None:
        """Say how a well's results came to be; from now on the well is done. Raises `OSError`."""
        whole = {
            "format": _PROVENANCE_FORMAT,
            "hash": plan.hash,
            "plate": plan.plate,
            "well": plan.well,
            "root": plan.root,
            "recipe": recipe_of(plan),
            "planes": {str(key): file for key, file in plan.planes},
            "labels": {f"{name}, {key}": file for name, key, file in plan.labels},
            "z_um": {str(z): height for z, height in plan.z_um},
            "t_s": {str(t): seconds for t, seconds in plan.t_s},
            **({"samples": [self._write_sample(sample) for sample in plan.samples]} if plan.samples else {}),
            **content,
        }
        file = self.provenance_file(plan.well)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")

    def _write_sample(self, sample: PlaneSample) -> Json:
        """What a well's provenance says of a sample, whose planes are listed once for all wells. Raises `OSError`."""
        file = self.path / "samples" / f"{sample.digest}.json"
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            planes = {str(key): name for key, name in sample.planes}
            write_text(file, json.dumps(planes, indent=1, ensure_ascii=False) + "\n")
        return {
            "channel": sample.channel,
            "site": sample.site,
            "asked": sample.asked,
            "planes": len(sample.planes),
            "file": str(file.relative_to(self.path)),
        }

    def done_wells(self, recipe: Json | None = None) -> tuple[str, ...]:
        """The wells that have results, in row-major order: all, or those made by one recipe.

        Raises:
            StoreError: a well's provenance cannot be read.
        """
        wells = sorted((file.stem for file in self.path.glob("provenance/[!.]*.json")), key=well_position)
        if recipe is None:
            return tuple(wells)
        return tuple(well for well in wells if (self.read_provenance(well) or {}).get("recipe") == recipe)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only process that changes files which wells share; waits for its turn."""
        with self.marker.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield  # closing the file gives the lock back

    def replaced_well(self, aside: Path, place: Path) -> Path:
        """Where in the folder `aside` the earlier images go of a well that is replaced; see `clear_temporary`."""
        return aside / _EARLIER / place.relative_to(self.plate)

    def clear_temporary(self) -> None:
        """Remove what unfinished wells and files left; call it while no well is being written.

        Images of a well that was just being replaced go back to their place if it is empty.
        """
        with explained(self.temporary):
            for earlier in self.temporary.glob(f"*/{_EARLIER}/*/*"):
                place = self.plate / earlier.parent.name / earlier.name
                if not place.exists():
                    earlier.replace(place)
            if self.temporary.exists():
                shutil.rmtree(self.temporary)
            for folder in (self.path, self.plate, *self.plate.glob("[A-Z]*"), *self.path.glob("[a-z]*")):
                for unfinished in folder.glob(UNFINISHED):
                    unfinished.unlink()

    def _check_owner(self, plate: str, root: Path) -> None:
        try:
            owner = json.loads(self.marker.read_bytes())
            known = owner["format"] == _RESULTS_FORMAT
            other_plate, other_root = str(owner["plate"]), Path(owner["root"])
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"results folder: {self.marker} is damaged; expected what OpenHCS wrote. Choose another results folder."
            ) from error
        if not known:
            raise StoreError(
                f"results folder: {self.path} is of the format {owner['format']!r}; expected {_RESULTS_FORMAT!r}. "
                "Choose another results folder."
            )
        if other_plate != plate or (other_root != root.resolve() and other_root.exists()):
            raise StoreError(
                f"results folder: {self.path} holds results of the plate {other_plate} at {other_root}; expected the "
                f"plate {plate} at {root}. Choose another results folder."
            )


def recipe_of(plan: WellPlan) -> Json:
    """What all wells of a run have in common: steps, versions, modules and pixel size. Plain data, for comparing."""
    recipe: Json = _plan_adapter().dump_python(
        plan, mode="json", include={"format", "steps", "versions", "modules", "pixel_size_um"}
    )
    return recipe


def is_done(plan: WellPlan, out: Path) -> bool:
    """Whether the results of `plan` are in place under its hash.

    Raises:
        StoreError: the well's provenance is there and cannot be read.
    """
    provenance = ResultsFolder(out).read_provenance(plan.well)
    if provenance is None or provenance.get("hash") != plan.hash:
        return False
    files = provenance.get("files")
    return isinstance(files, list) and all((out / str(file)).exists() for file in files)
