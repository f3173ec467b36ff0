"""What the JSON files of an OME-Zarr plate tell: plate, wells, images, the shapes of arrays. Versions 0.4 and 0.5.

0.4 keeps a group's metadata in `.zattrs` and an array's shape in `.zarray` (Zarr 2), 0.5 both in `zarr.json` (Zarr 3).
They are read by themselves here, because the libraries for OME-Zarr take two seconds to import and indexing a plate
needs nothing else of them. What is not used is not checked. Specification: https://ngff.openmicroscopy.org/0.5/
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from openhcs.core.formats.listing import holds_file
from openhcs.errors import PlateError

__all__ = [
    "ArrayMetadata",
    "Axis",
    "ImageMetadata",
    "Multiscale",
    "OmeroChannel",
    "PlateMetadata",
    "WellImage",
    "WellMetadata",
    "read_array",
    "read_image",
    "read_label_names",
    "read_plate",
    "read_well",
]

_LARGEST_FILE_BYTES = 64 << 20
"""Metadata of 1,536 wells takes 0.2 MB, consolidated with all arrays some 20 MB."""


class _Metadata(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class WellPath(_Metadata):
    """Where a well lies in the plate."""

    path: str


class Acquisition(_Metadata):
    """One pass of the microscope over the plate."""

    id: int
    name: str | None = None


class PlateMetadata(_Metadata):
    """A plate: its wells, and how many rows and columns it says it has."""

    name: str | None = None
    rows: list[object] = []
    columns: list[object] = []
    wells: list[WellPath]
    acquisitions: list[Acquisition] = []


class WellImage(_Metadata):
    """One image of a well."""

    path: str
    acquisition: int | None = None


class WellMetadata(_Metadata):
    """A well: its images, usually one for each site."""

    images: list[WellImage]


class Axis(_Metadata):
    """An axis of an image; before version 0.4 its name was all there was."""

    name: str
    unit: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, raw: object) -> object:
        return {"name": raw} if isinstance(raw, str) else raw


class Transformation(_Metadata):
    """A step from pixels to lengths."""

    type: str
    scale: list[float] | None = None
    translation: list[float] | None = None


class Dataset(_Metadata):
    """One level of a pyramid."""

    path: str
    transformations: list[Transformation] = Field([], alias="coordinateTransformations")


class Multiscale(_Metadata):
    """An image as a pyramid, the full resolution first."""

    axes: list[Axis] = [Axis(name=name) for name in "tczyx"]
    datasets: list[Dataset] = Field(min_length=1)
    transformations: list[Transformation] = Field([], alias="coordinateTransformations")

    def scale(self) -> list[float]:
        """Length of a pixel along each axis, in the axis's unit, at full resolution."""
        scale = [1.0] * len(self.axes)
        for step in (*self.datasets[0].transformations, *self.transformations):
            if step.scale is not None and len(step.scale) == len(scale):
                scale = [one * other for one, other in zip(scale, step.scale, strict=True)]
        return scale

    def translation(self) -> list[float] | None:
        """Where the first pixel lies along each axis, in the axis's unit; None where nothing is told."""
        for step in (*self.datasets[0].transformations, *self.transformations):
            if step.translation is not None and len(step.translation) == len(self.axes):
                return step.translation
        return None


class OmeroChannel(_Metadata):
    """A channel as viewers show it; the wavelengths are in nanometres."""

    label: str | None = None
    emission_nm: float | None = Field(default=None, alias="emissionWave")
    excitation_nm: float | None = Field(default=None, alias="excitationWave")


class Omero(_Metadata):
    """How viewers show an image."""

    channels: list[OmeroChannel] = []


class ImageMetadata(_Metadata):
    """An image or a label image."""

    multiscales: list[Multiscale] = Field(min_length=1)
    omero: Omero = Omero()


class _PlateAttributes(_Metadata):
    plate: PlateMetadata


class _WellAttributes(_Metadata):
    well: WellMetadata


class _LabelsAttributes(_Metadata):
    labels: list[str]


class ArrayMetadata(_Metadata):
    """An array: its shape, and how its chunks are coded, in the words of Zarr 3 (`codecs`) or Zarr 2 (the others)."""

    shape: list[int] = Field(min_length=2)
    zarr_format: Literal[2, 3]
    codecs: list[dict[str, object]] = []
    filters: list[dict[str, object]] | None = None
    compressor: dict[str, object] | None = None

    def codec_names(self) -> list[str]:
        """The names of all codecs, those within shards too."""
        pending = [*self.codecs, *(self.filters or ()), *([self.compressor] if self.compressor else ())]
        names = []
        while pending:
            codec = pending.pop()
            names.append(str(codec.get("name", codec.get("id"))))
            settings = codec.get("configuration")
            for part in ("codecs", "index_codecs"):
                inner = settings.get(part) if isinstance(settings, dict) else None
                pending += [one for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []
        return names


_Attributes = TypeVar("_Attributes", bound=_Metadata)
_Kind = TypeVar("_Kind", bound=BaseModel)


def read_plate(folder: Path) -> PlateMetadata:
    """The plate in `folder`; raises `PlateError`, as all of these do."""
    return _read_attributes(folder, _PlateAttributes, "an OME-Zarr plate").plate


def read_well(folder: Path) -> WellMetadata:
    """The well in `folder`."""
    return _read_attributes(folder, _WellAttributes, "an OME-Zarr well").well


def read_image(folder: Path) -> ImageMetadata:
    """The image, or label image, in `folder`."""
    return _read_attributes(folder, ImageMetadata, "an OME-Zarr image")


def read_label_names(image: Path) -> list[str]:
    """The names of the label images of the image in `image`; none if there is no such group."""
    if not any(holds_file(image / "labels", name) for name in ("zarr.json", ".zattrs")):
        return []
    return _read_attributes(image / "labels", _LabelsAttributes, "OME-Zarr labels").labels


def read_array(folder: Path) -> ArrayMetadata:
    """The array in `folder`."""
    path, text = _read_first(folder, ("zarr.json", ".zarray"), "a Zarr array")
    return _validated(path, text, ArrayMetadata, "a Zarr array")


def _read_attributes(folder: Path, kind: type[_Attributes], what: str) -> _Attributes:
    path, text = _read_first(folder, ("zarr.json", ".zattrs"), what)
    if path.name == ".zattrs":
        return _validated(path, text, kind, what)
    group = _validated(path, text, _Group, what).attributes
    try:
        return kind.model_validate(group.get("ome", group))
    except ValidationError as error:
        raise _not_understood(path, what, error) from error


class _Group(_Metadata):
    attributes: dict[str, object] = {}


def _read_first(folder: Path, names: tuple[str, ...], what: str) -> tuple[Path, bytes]:
    """The first of the files that exists, and what is in it."""
    for name in names:
        path = folder / name
        try:
            with path.open("rb") as file:
                # Asked first, since `read` with a limit makes room for the whole limit.
                size = os.fstat(file.fileno()).st_size
                text = file.read() if size <= _LARGEST_FILE_BYTES else b""
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise PlateError(
                f"metadata cannot be read: {path}; expected a file you may read, got {error.strerror}. "
                "Check its permissions and the disk it is on."
            ) from error
        if size > _LARGEST_FILE_BYTES:
            raise PlateError(
                f"metadata too large: {path}, {size} bytes; expected at most {_LARGEST_FILE_BYTES >> 20} MiB of JSON. "
                "Check what wrote it."
            )
        return path, text
    raise PlateError(f"metadata missing: {folder}; expected {what} with {' or '.join(names)}. Copy the plate again.")


def _validated(path: Path, text: bytes, kind: type[_Kind], what: str) -> _Kind:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise _not_understood(path, what, error) from error


def _not_understood(path: Path, what: str, error: ValidationError) -> PlateError:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return PlateError(
        f"metadata not understood: {path}; expected {what}, got {first['msg']}{f' at {where}' if where else ''}. "
        "Copy the plate again, or open the folder of a plate."
    )
