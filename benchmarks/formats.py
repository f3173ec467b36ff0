"""How long a plate of 17,280 planes takes to index, in each format, against walking its folder.

The plates have 384 wells of 3 sites, 5 channels and 3 z steps, or 9 sites and one z, and no pixels. CPU time of this
process, the median of several turns. Run it with `make bench`, or `python benchmarks/formats.py --turns 9`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from openhcs.core.formats import index_plate
from openhcs.core.model import well_name

WELLS = [well_name(row, column) for row in range(16) for column in range(24)]
PLANES = 17_280

HARMONY_EXTRA = "".join(f"<Detail{number}>some value</Detail{number}>" for number in range(18))
"""A V5 index says as much of each image besides what is read."""


def make_imagexpress(folder: Path) -> None:
    """An export with z steps."""
    for z in (1, 2, 3):
        step = folder / "TimePoint_1" / f"ZStep_{z}"
        step.mkdir(parents=True)
        for well in WELLS:
            for site in (1, 2, 3):
                for wave in range(1, 6):
                    (step / f"p_{well}_s{site}_w{wave}.tif").touch()


def make_phenix(folder: Path) -> None:
    """A V5 plate, whose index repeats the channel in every image."""
    images = folder / "Images"
    images.mkdir(parents=True)
    entries = []
    for number in range(len(WELLS)):
        row, column = number // 24 + 1, number % 24 + 1
        for field in range(1, 10):
            for channel in range(1, 6):
                name = f"r{row:02}c{column:02}f{field:02}p01-ch{channel}sk1fk1fl1.tiff"
                (images / name).touch()
                entries.append(
                    f"<Image><id>x</id><State>Ok</State><URL>{name}</URL><Row>{row}</Row><Col>{column}</Col>"
                    f"<FieldID>{field}</FieldID><PlaneID>1</PlaneID><TimepointID>0</TimepointID>"
                    f"<ChannelID>{channel}</ChannelID><ChannelName>Dye {channel}</ChannelName>"
                    f'<ImageResolutionX Unit="m">6E-07</ImageResolutionX><PositionX Unit="m">{field % 3}E-4</PositionX>'
                    f'<PositionY Unit="m">{field // 3}E-4</PositionY><PositionZ Unit="m">0</PositionZ>'
                    f"<MainExcitationWavelength>488</MainExcitationWavelength>"
                    f"<MainEmissionWavelength>522</MainEmissionWavelength>{HARMONY_EXTRA}</Image>"
                )
    (images / "Index.idx.xml").write_text(
        '<EvaluationInputData xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5"><Images>\n'
        + "\n".join(entries)
        + "</Images></EvaluationInputData>"
    )


def make_ome_zarr(folder: Path) -> None:
    """A 0.5 plate: metadata without chunks, which an index does not look at."""

    def group(place: Path, attributes: dict[str, object]) -> None:
        place.mkdir(parents=True, exist_ok=True)
        content = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": attributes}}
        (place / "zarr.json").write_text(json.dumps(content))

    axes = [{"name": "c"}, *({"name": name, "unit": "micrometer"} for name in "yx")]
    scale = {"type": "scale", "scale": [1, 0.6, 0.6]}
    multiscales = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}]
    labels = [{"label": f"Dye {channel}"} for channel in range(1, 6)]
    array = json.dumps({"zarr_format": 3, "node_type": "array", "shape": [5, 1080, 1080], "codecs": []})
    group(folder, {"plate": {"name": "p", "wells": [{"path": f"{well[0]}/{well[1:]}"} for well in WELLS]}})
    for well in WELLS:
        place = folder / well[0] / well[1:]
        group(place, {"well": {"images": [{"path": str(site)} for site in range(9)]}})
        for site in range(9):
            group(place / str(site), {"multiscales": multiscales, "omero": {"channels": labels}})
            (place / str(site) / "0").mkdir()
            (place / str(site) / "0" / "zarr.json").write_text(array)


def walk(folder: Path) -> int:
    """How many files there are."""
    return sum(len(files) for _, _, files in os.walk(folder))


def spent_s(work: Callable[[Path], object], folder: Path) -> float:
    """CPU time of one call."""
    started = time.process_time()
    work(folder)
    return time.process_time() - started


def main() -> None:
    """Make the plates, index each in turns, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    makers = {"ImageXpress": make_imagexpress, "Opera Phenix": make_phenix, "OME-Zarr": make_ome_zarr}
    with tempfile.TemporaryDirectory() as top:
        for name, make in makers.items():
            make(Path(top, name))
            assert len(index_plate(Path(top, name)).planes) == PLANES
        walks: dict[str, list[float]] = {name: [] for name in makers}
        indices: dict[str, list[float]] = {name: [] for name in makers}
        for _ in range(turns):
            for name in makers:
                walks[name].append(spent_s(walk, Path(top, name)))
                indices[name].append(spent_s(index_plate, Path(top, name)))
    print(f"{PLANES} planes, CPU seconds, median of {turns}")
    for name in makers:
        print(f"  {name:13} index {statistics.median(indices[name]):.3f}   walk {statistics.median(walks[name]):.3f}")


if __name__ == "__main__":
    main()
