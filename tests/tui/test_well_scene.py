"""What is looked at in a well, and what each key makes of it."""

from __future__ import annotations

import pytest

from openhcs.tui.well_scene import Frame, Scene, Stage, Stock

STOCK = Stock(
    channels=(1, 2),
    sites=(1, 2, 3, 4),
    z_planes=(0, 1, 2, 3),
    time_points=(1,),
    labels=("cells", "nuclei"),
    places={1: (0, 0), 2: (0, 1), 3: (1, 0), 4: (1, 1)},
)
SCENE = Scene().within(STOCK)


def test_a_scene_begins_with_all_channels_in_the_middle_of_the_stack() -> None:
    """All sites, all channels, the middle z plane and not the stored projection, the first time point."""
    assert (SCENE.channel, SCENE.z, SCENE.t, SCENE.site, SCENE.is_overview) == (None, 2, 1, 1, True)


def test_what_another_well_lacks_is_replaced() -> None:
    """A channel or z plane that is not there gives way; outlines wait where there are no label images at all."""
    other = Stock((1,), (0,), (1,), (1,), (), {0: (0, 0)})
    scene = Scene(channel=2, z=3, label="nuclei", site=4).within(other)
    assert (scene.channel, scene.z, scene.label, scene.site) == (None, 1, "nuclei", 0)
    assert Scene(label="no such").within(STOCK).label is None


def test_channels_go_round_and_digits_choose_one() -> None:
    """`c` goes through the channels and back to all; a digit shows its channel alone, pressed again all."""
    seen = [SCENE]
    for _ in range(3):
        seen.append(seen[-1].next_channel(STOCK))
    assert [scene.channel for scene in seen] == [None, 1, 2, None]
    second = SCENE.with_channel(STOCK, 2)
    assert second.channel == 2
    assert second.with_channel(STOCK, 2).channel is None


def test_z_labels_and_stage_go_round() -> None:
    """z passes the projection too; labels go through all and none; before and after are each other's other."""
    assert SCENE.stepped_z(STOCK, 1).stepped_z(STOCK, 1).z == 0
    assert SCENE.stepped_z(STOCK, -1).z == 1
    assert [SCENE.next_label(STOCK).label, SCENE.next_label(STOCK).next_label(STOCK).label] == ["cells", "nuclei"]
    assert Stage.SOURCE.other is Stage.RESULTS
    assert SCENE.stepped_t(STOCK, 1).t == 1


@pytest.mark.parametrize(("rows", "columns", "site"), [(0, 1, 2), (1, 0, 3), (-1, 0, 1), (0, -1, 1)])
def test_arrows_go_from_site_to_site(rows: int, columns: int, site: int) -> None:
    """With all sites in view an arrow goes to the neighbour that way, and stays where there is none."""
    assert SCENE.moved(STOCK, rows, columns).site == site


def test_near_and_far_are_each_others_way_back() -> None:
    """+ goes from all sites to one and nearer, - back; the arrows then move the picture, within its edges."""
    one = SCENE.closer()
    assert one.zoom == 1.0
    assert not one.is_overview
    assert one.moved(STOCK, 0, 1) == one
    near = one.closer()
    assert near.farther() == one
    assert one.farther().is_overview
    corner = near
    for _ in range(50):
        corner = corner.moved(STOCK, 1, 1)
    assert corner.centre == (1.0, 1.0)


def test_a_picture_follows_the_mouse() -> None:
    """Dragged by half of what is on the screen the picture moves by that, and not beyond its edges."""
    near = Scene(zoom=2.0)
    frame = Frame.of(near, (500, 1000), 80, 20)
    assert (frame.rows, frame.columns) == (40, 80)
    assert near.dragged(frame, 0, 0).centre == (0.5, 0.5)
    assert near.dragged(frame, 40, -10).centre == pytest.approx((0.75, 0.25))
    assert near.dragged(frame, -400, 400).centre == (0.0, 1.0)


def test_a_frame_fills_the_screen_and_stays_inside_the_picture() -> None:
    """Whole at zoom 1 with its shape kept; nearer it is a part of that size, pushed inside at the edges."""
    whole = Frame.of(Scene(zoom=1.0), (500, 1000), 80, 30)
    assert (whole.rows, whole.columns) == (40, 80)
    assert whole.section == (0.0, 0.0, 1.0, 1.0)
    corner = Frame.of(Scene(zoom=4.0, centre=(1.0, 0.0)), (500, 1000), 80, 30)
    assert (corner.rows, corner.columns) == (60, 80)
    top, left, bottom, right = corner.section
    assert (left, bottom) == (0.0, 1.0)
    assert right - left == pytest.approx(0.25)
    assert bottom - top == pytest.approx(60 / 160)
    other_corner = Frame.of(Scene(zoom=4.0, centre=(0.0, 1.0)), (500, 1000), 80, 30)
    assert (other_corner.section[0], other_corner.section[3]) == (0.0, 1.0)
    assert other_corner.section[1] == pytest.approx(0.75)
