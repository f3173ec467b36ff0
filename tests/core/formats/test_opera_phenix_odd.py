"""Opera Phenix plates as they should not be, and as the versions of Harmony differ."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openhcs.core.formats import index_plate
from openhcs.core.formats.harmony_index import read_harmony_index
from openhcs.core.model import Channel, PlaneKey, PlateIndex
from openhcs.errors import PlateError

Make = Callable[..., Any]


def said(index: PlateIndex) -> list[str]:
    return [str(remark) for remark in index.discrepancies]


@pytest.mark.parametrize("version", ["V5", "V7"])
def test_both_versions_tell_channels_positions_and_sizes(phenix_plate: Make, phenix_image: Make, version: str) -> None:
    """Names of channels in each image (V5, with a byte-order mark) or in the Maps (V7) give the same plate."""
    images = [phenix_image(channel=channel, plane=z, z_m=f"{z}E-06") for channel in (1, 2) for z in (1, 2)]
    index = index_plate(phenix_plate(*images, version=version, channels={1: "Hoechst"}).write())
    assert index.channels == (Channel(1, "Hoechst", 501.0, 401.0), Channel(2, "Dye 2", 502.0, 402.0))
    assert index.pixel_size_um == pytest.approx(0.25)
    assert index.z_um == pytest.approx({1: 1.0, 2: 2.0})
    assert (index.name, index.rows, index.columns) == ("made__2024-07-09T10_00_00-Measurement 1", 2, 3)
    assert list(index.planes) == [PlaneKey("A01", 1, channel, z, 1) for channel in (1, 2) for z in (1, 2)]
    assert said(index) == []


@pytest.mark.parametrize("name", ["Index.idx.xml", "Index.xml", "Index.ref.xml", "INDEX.XML"])
def test_every_name_of_the_index_is_known(phenix_plate: Make, phenix_image: Make, name: str) -> None:
    """Each version's name is found, in whatever letter case a copy has it."""
    assert len(index_plate(phenix_plate(phenix_image(), index_name=name).write()).planes) == 1


@pytest.mark.parametrize(("told", "expected"), [((0, 1, 2), [1, 2, 3]), ((1, 2), [1, 2]), ((2,), [2])])
def test_time_points_count_from_one(
    phenix_plate: Make, phenix_image: Make, told: tuple[int, ...], expected: list[int]
) -> None:
    """Time points from 0 are moved up by one; from 1 they stay, also where the first is missing."""
    index = index_plate(phenix_plate(*(phenix_image(time_point=t) for t in told)).write())
    assert [key.t for key in index.planes] == expected


def test_seconds_of_time_points_are_told(phenix_plate: Make, phenix_image: Make) -> None:
    """From the offsets of the measurement, since the first time point; nothing where they are all alike."""
    folder = phenix_plate(*(phenix_image(time_point=t) for t in (0, 1, 2))).write()
    assert index_plate(folder).t_s == {}
    (file,) = folder.rglob("Index*.xml")
    text = file.read_text(encoding="utf-8-sig")
    for t, offset in enumerate(("4.5", "604.5", "1204.75")):
        tag = f"<TimepointID>{t}</TimepointID>"
        text = text.replace(tag, f'{tag}<MeasurementTimeOffset Unit="s">{offset}</MeasurementTimeOffset>')
    file.write_text(text)
    assert index_plate(folder).t_s == {1: 0, 2: 600, 3: 1200.25}
    file.write_text(text.replace("604.5", "4.5"))
    assert index_plate(folder).t_s == {}


def test_sites_are_numbered_from_the_top_left(phenix_plate: Make, phenix_image: Make) -> None:
    """Harmony's spiral of fields becomes rows from the top, each from the left; its own numbers are kept."""
    spiral = {1: ("0", "0"), 2: ("-1E-4", "1E-4"), 3: ("0", "1E-4"), 4: ("1E-4", "0"), 5: ("1.001E-4", "1.0000003E-4")}
    images = [phenix_image(field=field, x_m=x, y_m=y) for field, (x, y) in spiral.items()]
    index = index_plate(phenix_plate(*images).write())
    assert index.fields == {("A01", 1): 2, ("A01", 2): 3, ("A01", 3): 5, ("A01", 4): 1, ("A01", 5): 4}
    assert index.positions_um[("A01", 1)] == pytest.approx((-100, 100))
    assert index.y_is_up
    assert index.planes[PlaneKey("A01", 1, 1, 1, 1)] == "Images/r01c01f02p01-ch1sk1fk1fl1.tiff"


def test_a_field_has_one_number_on_the_whole_plate(phenix_plate: Make, phenix_image: Make) -> None:
    """A well that lacks a field keeps the numbers of the others, and is told to lack that site."""
    places = {1: ("0", "0"), 2: ("0", "1E-4"), 3: ("1E-4", "0")}
    images = [
        phenix_image(column=column, field=field, x_m=x, y_m=y)
        for column in (1, 2)
        for field, (x, y) in places.items()
        if (column, field) != (2, 2)
    ]
    index = index_plate(phenix_plate(*images).write())
    assert {key.site for key in index.planes if key.well == "A02"} == {2, 3}
    assert said(index) == ["well A02: 1 of 3 planes missing: site 1"]


def test_wells_with_layouts_of_their_own_are_numbered_by_themselves(phenix_plate: Make, phenix_image: Make) -> None:
    """Where the same field lies elsewhere in another well, nothing of it is a discrepancy."""
    images = [
        phenix_image(field=1, y_m="0"),
        phenix_image(field=2, y_m="1E-4"),
        phenix_image(column=2, field=1, y_m="5E-4"),
    ]
    index = index_plate(phenix_plate(*images).write())
    assert index.fields == {("A01", 1): 2, ("A01", 2): 1, ("A02", 1): 1}
    assert said(index) == []


def test_fields_of_three_digits_and_bare_names_are_read(phenix_plate: Make, phenix_image: Make) -> None:
    """The index decides which plane a file is, however the file is named."""
    images = [phenix_image(field=125, url="r01c01f125p01-ch1.tiff"), phenix_image(field=2, url="r1c1f2p1.tif")]
    index = index_plate(phenix_plate(*images).write())
    assert sorted(index.planes.values()) == ["Images/r01c01f125p01-ch1.tiff", "Images/r1c1f2p1.tif"]
    assert said(index) == []


def test_absent_files_are_told_by_well(phenix_plate: Make, phenix_image: Make) -> None:
    """A well without a file is told for the plate; one that lacks some, with their places and names."""
    images = [phenix_image(column=c, channel=channel, plane=z) for c in (1, 2, 3) for channel in (1, 2) for z in (1, 2)]
    folder = phenix_plate(*images).write()
    for gone in ("r01c02f01p01-ch2sk1fk1fl1.tiff", "r01c02f01p02-ch2sk1fk1fl1.tiff"):
        (folder / "Images" / gone).unlink()
    for gone in (folder / "Images").glob("r01c03*"):
        gone.unlink()
    files = "r01c02f01p01-ch2sk1fk1fl1.tiff, r01c02f01p02-ch2sk1fk1fl1.tiff"
    assert said(index_plate(folder)) == [
        "index says 3 wells, 2 found: no A03",
        f"well A02: 2 of 4 planes missing: channel 2; no file {files}",
    ]


def test_files_the_index_does_not_name_are_told_by_well(phenix_plate: Make, phenix_image: Make) -> None:
    """A TIFF that is not in the index is left out; its name tells the well, or none."""
    folder = phenix_plate(phenix_image()).write()
    for name in ("r02c03f01p01-ch1sk1fk1fl1.tiff", "overview.tif", "notes.txt"):
        (folder / "Images" / name).touch()
    index = index_plate(folder)
    assert len(index.planes) == 1
    assert said(index) == [
        "1 TIFF file left out, not in the index: overview.tif",
        "well B03: 1 TIFF file left out, not in the index: r02c03f01p01-ch1sk1fk1fl1.tiff",
    ]


def test_images_that_are_not_ok_are_left_out_by_well(phenix_plate: Make, phenix_image: Make) -> None:
    """An image whose state is anything but Ok is no plane, whether its file is there or not."""
    index = index_plate(phenix_plate(phenix_image(), phenix_image(plane=2, state="Error")).write())
    assert [key.z for key in index.planes] == [1]
    assert said(index) == [
        "well A01: 1 image left out, the index says their state is Error: r01c01f01p02-ch1sk1fk1fl1.tiff"
    ]


def test_two_images_of_one_plane_are_both_named(phenix_plate: Make, phenix_image: Make) -> None:
    """The first by name is taken, the other named."""
    index = index_plate(phenix_plate(phenix_image(url="b.tiff"), phenix_image(url="a.tiff")).write())
    assert list(index.planes.values()) == ["Images/a.tiff"]
    assert said(index) == ["well A01: two images for one plane: a.tiff taken, b.tiff left out"]


def test_images_without_a_place_are_counted(phenix_plate: Make, phenix_image: Make) -> None:
    """Entries that tell no well of a real plate or no file are counted, not guessed."""
    index = index_plate(phenix_plate(phenix_image(), phenix_image(row=0), phenix_image(column=99)).write())
    assert said(index)[0] == "2 images of the index left out: no well, channel or file told"


@pytest.mark.parametrize(
    "url",
    ["../../etc/passwd", "/etc/passwd", "Images/../../x.tiff", "..\\..\\x.tiff", "C:\\x.tiff", "file:///etc/passwd"],
)
def test_paths_that_lead_out_of_the_plate_are_refused_by_name(phenix_plate: Make, phenix_image: Make, url: str) -> None:
    """No path in the index makes us look outside of the plate; it is told for its well."""
    folder = phenix_plate(phenix_image(), phenix_image(plane=2, url=url)).write()
    (folder.parent / "x.tiff").touch()
    index = index_plate(folder)
    assert [key.z for key in index.planes] == [1]
    (remark,) = index.discrepancies
    assert remark.well == "A01"
    assert remark.message.startswith("image left out: expected a path within the plate's folder")
    assert remark.message.endswith(url)


def test_links_out_of_the_plate_are_refused_by_name(phenix_plate: Make, phenix_image: Make, tmp_path: Path) -> None:
    """An image that is a link to a file elsewhere, or lies behind a link to a folder elsewhere, is left out."""
    urls = ("linked.tiff", "away/secret.tiff", "inner.tiff")
    folder = phenix_plate(phenix_image(), *(phenix_image(plane=2 + n, url=url) for n, url in enumerate(urls))).write()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.tiff").touch()
    for name, target in (("linked.tiff", elsewhere / "secret.tiff"), ("inner.tiff", folder / "Images" / "real.tiff")):
        (folder / "Images" / name).unlink()
        (folder / "Images" / name).symlink_to(target)
    (folder / "Images" / "real.tiff").touch()
    (folder / "Images" / "away").symlink_to(elsewhere)
    index = index_plate(folder)
    assert [key.z for key in index.planes] == [1, 4]
    assert [text for text in said(index) if "link" in text] == [
        f"well A01: image left out: linked.tiff is a link out of the plate, to {elsewhere}/secret.tiff",
        f"well A01: image left out: away is a link out of the plate, to {elsewhere}",
    ]


def test_a_link_in_place_of_the_images_folder_is_the_plate(
    phenix_plate: Make, phenix_image: Make, tmp_path: Path
) -> None:
    """Whoever links the folder of images into a plate has chosen it; its files are planes."""
    folder = phenix_plate(phenix_image()).write()
    (folder / "Images").rename(tmp_path / "store")
    (folder / "Images").symlink_to(tmp_path / "store")
    assert len(index_plate(folder).planes) == 1


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE lolz [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "http://example.org/x.dtd">',
        '<!DOCTYPE x [<!ENTITY % file SYSTEM "file:///etc/passwd">]>',
        "<!DOCTYPE EvaluationInputData>",
    ],
)
def test_a_document_type_is_refused(phenix_plate: Make, phenix_image: Make, prolog: str) -> None:
    """No entity can be declared, so none can be expanded or fetched."""
    folder = phenix_plate(phenix_image(), prolog=prolog, index_name="Index.idx.xml").write()
    with pytest.raises(PlateError, match=r"index refused: .*Index\.idx\.xml; expected .* got a document type"):
        index_plate(folder)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "index is not whole: .*no element found"),
        (b"<EvaluationInputData><Images><Image>", "index is not whole: .*line 1"),
        (b"<EvaluationInputData/>", "index not understood: .*EvaluationInputData"),
        (b"\xff\xfe<\x00", "index is not whole"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "index (cannot be read|is not whole)"),
        (b"<EvaluationInputData><Images/></EvaluationInputData>", "no images in: "),
    ],
)
def test_a_damaged_index_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    """An index that is cut off, empty or something else is an error with its path and a next step."""
    (tmp_path / "Index.idx.xml").write_bytes(content)
    with pytest.raises(PlateError, match=rf"{told}(.|\n)*(Copy|Choose)"):
        index_plate(tmp_path)


def test_of_two_indices_the_one_that_can_be_read_is_taken(phenix_plate: Make, phenix_image: Make) -> None:
    """A damaged index beside a good one is a remark."""
    folder = phenix_plate(phenix_image()).write()
    (folder / "Images" / "Index.idx.xml").touch()
    index = index_plate(folder)
    assert len(index.planes) == 1
    assert said(index)[0].startswith("index is not whole: ")


def test_several_measurements_are_offered_for_choice(phenix_plate: Make, phenix_image: Make, tmp_path: Path) -> None:
    """A folder of exports is refused; the message names each. A folder of one leads to it."""
    folder = phenix_plate(phenix_image()).write()
    assert index_plate(tmp_path).root == str(folder)
    folder.rename(tmp_path / "first")
    phenix_plate(phenix_image()).write().rename(tmp_path / "second")
    with pytest.raises(PlateError, match=r"2 measurements in: .*Choose one of them: first, second"):
        index_plate(tmp_path)


def test_an_index_of_something_else_is_nobodys(tmp_path: Path) -> None:
    """A folder with an `Index.xml` that is not Harmony's is no plate of an Opera Phenix."""
    (tmp_path / "Index.xml").write_text("<feed/>")
    with pytest.raises(PlateError, match="no plate recognised in"):
        index_plate(tmp_path)


def test_a_plate_without_any_of_its_files_is_an_error(phenix_plate: Make, phenix_image: Make) -> None:
    """An index alone is no plate; the message says which files are expected."""
    folder = phenix_plate(phenix_image()).write()
    (folder / "Images" / "r01c01f01p01-ch1sk1fk1fl1.tiff").unlink()
    with pytest.raises(PlateError, match=r"no images in: .*such as r01c01f01p01-ch1sk1fk1fl1\.tiff"):
        index_plate(folder)


def test_a_large_index_is_read_in_little_memory(phenix_plate: Make, phenix_image: Make, tmp_path: Path) -> None:
    """17,280 images of 384 wells: the index is far larger than what is kept of it while it is read."""
    images = [
        phenix_image(row=row, column=column, field=field, channel=channel, x_m=f"{field}E-4")
        for row in range(1, 17)
        for column in range(1, 25)
        for field in range(1, 10)
        for channel in range(1, 6)
    ]
    path = tmp_path / "Index.idx.xml"
    text = phenix_plate(*images, version="V5").xml()
    # What a real index says of each image besides, in the real one 1.2 kB.
    path.write_text(
        text.replace("<id>x</id>", f"<id>x</id><OrientationMatrix>{'[0.97,0,0]' * 100}</OrientationMatrix>")
    )
    tracemalloc.start()
    index = read_harmony_index(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(index.images) == 17280
    assert path.stat().st_size > 25_000_000
    assert peak < 8_000_000
