"""The pictures in `docs/pictures`: their scenes, played anew, show what the committed ones show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright")

from PIL import Image
from support import scenes
from support.camera import moments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

AGAIN = "run `make pictures`"

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes


@pytest.fixture(scope="module")
def stage(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[scenes.Stage]:
    with scenes.stage(tmp_path_factory.mktemp("stage"), chromium) as made:
        yield made


@pytest.mark.parametrize("scene", scenes.SCENES)
def test_a_picture_shows_what_is_there(scene: str, stage: scenes.Stage) -> None:
    """At each moment of it the words and the parts are those of today's view and record.

    The scene itself holds the labels of Stop, the state and the order in which they come.
    """
    camera = scenes.SCENES[scene](stage, "light", films=False)
    for theme in scenes.THEMES:
        shown = moments(scenes.PICTURES / f"{scene}-{theme}.gif")
        assert shown == camera.moments, f"{scene}-{theme}: {AGAIN}"


@pytest.mark.parametrize("path", sorted(scenes.PICTURES.iterdir()), ids=lambda path: path.name)
def test_a_picture_is_small_and_moves(path: Path) -> None:
    """Of a scene that there is; a page with all of them loads quickly, and none is endless."""
    assert path.stem in {f"{scene}-{theme}" for scene in scenes.SCENES for theme in scenes.THEMES}
    assert path.stat().st_size < 400_000
    with Image.open(path) as image:
        assert image.width == scenes.WIDTH
        assert image.n_frames > 10
        assert image.info["loop"] == 0
