"""The engine's values: planes, plates, steps, plans, run events' vocabulary. All frozen, all plain data.

Deliberately absent: reading files (`formats`), checking parameters (`functions`, `compiler`), running (`worker`).
Values survive a trip through JSON by `pydantic.TypeAdapter`, which understands these dataclasses as they are.

Anybody may import this; it imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

__all__ = [
    "COMBINED",
    "Channel",
    "Component",
    "Discrepancy",
    "FunctionCall",
    "ParameterValue",
    "Pattern",
    "Pipeline",
    "PlaneKey",
    "PlaneSample",
    "PlaneSource",
    "PlateIndex",
    "Status",
    "Step",
    "WellPlan",
    "well_name",
    "well_position",
]

COMBINED = 0
"""Component value of a plane made from all values of that component: a projection has `z == COMBINED`,
a mosaic `site == COMBINED`. Real components count from 1."""


class Component(StrEnum):
    """What tells the planes of one well apart; each is a field of `PlaneKey`."""

    SITE = "site"
    CHANNEL = "channel"
    Z = "z"
    T = "t"


class Status(Enum):
    """Where a plate is in its life; the value is the symbol shown to users."""

    ADDED = "?"
    INITIALISED = "-"
    COMPILED = "o"
    RUNNING = "!"
    FINISHED = "✓"
    FAILED = "X"


@dataclass(frozen=True, slots=True, order=True)
class PlaneKey:
    """One image plane of a plate. Components count from 1; `COMBINED` (0) marks a combination of all.

    A projection stored by the microscope has `z == COMBINED`: it is a separate kind of plane, never z = 1.
    """

    well: str
    site: int
    channel: int
    z: int
    t: int

    def __str__(self) -> str:
        parts = [self.well, f"site {self.site}", f"channel {self.channel}", f"z {self.z}", f"t {self.t}"]
        return ", ".join(parts)

    def component(self, component: Component) -> int:
        """The value of one component of this key."""
        value: int = getattr(self, component.value)
        return value


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of a plate: `number` as in `PlaneKey.channel`, `name` as the microscope calls it.

    `wavelength_nm` is that of the light collected (emission), `excitation_nm` that of the light sent in.
    """

    number: int
    name: str
    wavelength_nm: float | None = None
    excitation_nm: float | None = None


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A difference between what the metadata promises and what the folder holds. Reported, never an error."""

    message: str
    well: str | None = None

    def __str__(self) -> str:
        return f"well {self.well}: {self.message}" if self.well else self.message


@dataclass(frozen=True, slots=True)
class PlateIndex:
    """What one plate folder holds: every plane with its file, and what is known about the plate.

    `planes` maps each key to a file path relative to `root`, with `/` between folders; its order is the keys'. A plane
    that is part of an array ends in the numbers of its place along the leading axes: `B/03/0/0[0,2,1]`.
    `positions_um` maps (well, site) to the stage position (x, y) in micrometres, where the metadata tells it; only
    differences within a well mean the same in every format. `y_is_up` says whether y grows towards the top of an image.
    `fields` maps (well, site) to the number that the microscope gave the site, where it counts otherwise than we do.
    `z_um` maps z to the nominal height of that plane in micrometres, where the metadata tells it.
    `t_s` maps t to the nominal seconds of that time point since the first, where the metadata tells it.
    `labels` maps the name of each label image that lies beside the images to its planes, whose channel is `COMBINED`.
    `origins` maps each well that a run made to the hash of the plan it was made by.
    """

    root: str
    name: str
    format: str
    rows: int
    columns: int
    channels: tuple[Channel, ...]
    planes: Mapping[PlaneKey, str]
    pixel_size_um: float | None = None
    positions_um: Mapping[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    discrepancies: tuple[Discrepancy, ...] = ()
    y_is_up: bool = False
    fields: Mapping[tuple[str, int], int] = field(default_factory=dict)
    z_um: Mapping[int, float] = field(default_factory=dict)
    labels: Mapping[str, Mapping[PlaneKey, str]] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    t_s: Mapping[int, float] = field(default_factory=dict)

    @property
    def wells(self) -> tuple[str, ...]:
        """Names of the wells that have planes, in row-major order."""
        return tuple(sorted({key.well for key in self.planes}, key=well_position))


ParameterValue = bool | int | float | str | None
"""What a parameter in a pipeline file may be; a `Labels` parameter holds the name of a label image."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A catalogue function by name, with the parameters the user set."""

    function: str
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)


Pattern = tuple[FunctionCall, ...] | Mapping[str, tuple[FunctionCall, ...]]
"""A function pattern, normalised: calls in order, or such a chain for each value of the step's `group_by`
(a number or, for channels, a name). Groups that a mapping does not name pass through unchanged."""


class PlaneSource(StrEnum):
    """Which planes of the plate a pipeline starts from."""

    STACK = "stack"
    PROJECTION = "projection"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a pipeline.

    Planes that differ only in `variable_components` form the stack `(N, Y, X)` the functions get, ordered by key.
    `output` names the label image or the table that the step's functions write; None takes the function's default.
    """

    name: str
    pattern: Pattern
    variable_components: tuple[Component, ...] = (Component.SITE,)
    group_by: Component | None = Component.CHANNEL
    output: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Steps in order, and which planes of the plate they start from."""

    name: str
    steps: tuple[Step, ...] = ()
    description: str = ""
    planes: PlaneSource = PlaneSource.STACK


@dataclass(frozen=True, slots=True)
class PlaneSample:
    """Planes of one channel from all over the plate, of one `site` or (`COMBINED`) of all, to learn something from.

    `asked` is how many the user wanted. `digest` stands for the planes: for their keys and files, not for the pixels.
    """

    channel: int
    site: int
    asked: int
    planes: tuple[tuple[PlaneKey, str], ...]
    digest: str


@dataclass(frozen=True, slots=True)
class WellPlan:
    """Everything a worker needs to process one well, and nothing else.

    `planes` are the (key, file relative to `root`) pairs to read; `steps` are the enabled steps with every parameter
    filled in and every mapping key of a pattern resolved to a component number. Planes that differ in one of
    `independent` (site, t, or both) never meet in a stack, so the worker takes such parts one after the other.
    `modules` are the users' own modules that the functions may come from.
    `positions_um` are (site, x, y) of every site, y downwards in the image, where the index tells or a step takes them;
    otherwise the plate's files may tell them, with y as `y_is_up` says.
    `time_points` are those of the whole plate, from 1 without gaps, so that the t axes of all wells mean the same;
    `t_s` are their (t, seconds since the first) where known. `z_planes` and `z_um` are the same for z, in micrometres.
    `labels` are the (name, key, file) of the plate's own label images that steps take; `origin` is the hash of the plan
    that made the planes, where a run did.
    `samples` are what functions learn about the whole plate from; all plans of a plate have the same.
    `hash` is the hex digest of all of it plus the versions of the libraries: equal hash, equal results.
    """

    well: str
    root: str
    plate: str
    format: str
    channels: tuple[Channel, ...]
    pixel_size_um: float | None
    planes: tuple[tuple[PlaneKey, str], ...]
    steps: tuple[Step, ...]
    independent: tuple[Component, ...]
    versions: Mapping[str, str]
    modules: tuple[str, ...] = ()
    positions_um: tuple[tuple[int, float, float], ...] = ()
    time_points: tuple[int, ...] = ()
    t_s: tuple[tuple[int, float], ...] = ()
    z_planes: tuple[int, ...] = ()
    z_um: tuple[tuple[int, float], ...] = ()
    y_is_up: bool = False
    labels: tuple[tuple[str, PlaneKey, str], ...] = ()
    origin: str = ""
    samples: tuple[PlaneSample, ...] = ()
    hash: str = ""


def well_position(well: str) -> tuple[int, int]:
    """Row and column of a well name, from 0: `A01` is (0, 0), `AF48` is (31, 47)."""
    letters = well.rstrip("0123456789")
    row = 0
    for letter in letters:
        row = row * 26 + ord(letter.upper()) - ord("A") + 1
    return row - 1, int(well[len(letters) :]) - 1


def well_name(row: int, column: int) -> str:
    """The name of the well at `row`, `column`, from 0: (0, 0) is `A01`, (31, 47) is `AF48`."""
    letters = ""
    row += 1
    while row:
        row, rest = divmod(row - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{column + 1:02d}"
