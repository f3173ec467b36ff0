"""What a worker of somebody else's cluster must see as the runner sees it: plate, results folder, users' modules.

Without a shared file system every well would fail on such a worker, so it is asked before it gets one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from openhcs.core.model import WellPlan
from openhcs.core.run_folder import RunFolder

__all__ = ["Surroundings", "surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a worker must see.

    Args:
        root: the plate's folder.
        plane: a file of the plate with its size; None where the plate has none that can be read.
        out: the results folder, which must be writable too.
        token: a file in it with its content.
        versions: of the distributions that can change a result.
        modules: of the user, with the digests of their sources.
    """

    root: Path
    plane: tuple[Path, int] | None
    out: Path
    token: tuple[Path, bytes]
    versions: tuple[tuple[str, str], ...]
    modules: tuple[tuple[str, str], ...]


def surroundings(folder: RunFolder, out: Path, plan: WellPlan) -> Surroundings:
    """What a worker must see for a run whose wells are alike `plan`. Raises `OSError`."""
    root, token = Path(plan.root), folder.path / "run.json"
    modules = {name: plan.versions[name] for name in plan.modules}
    versions = {name: version for name, version in plan.versions.items() if name not in modules}
    return Surroundings(
        root=root,
        plane=_some_plane(root, plan),
        out=out,
        token=(token, token.read_bytes()),
        versions=tuple(sorted(versions.items())),
        modules=tuple(sorted(modules.items())),
    )


def _some_plane(root: Path, plan: WellPlan) -> tuple[Path, int] | None:
    """A file of the plan that is there, with its size."""
    for _, name in plan.planes:
        path = root / name
        if path.is_file():
            return path, path.stat().st_size
    return None
