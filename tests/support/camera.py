"""A camera on a page: a pointer and a caption that the picture shows, frames, a moving picture."""

from __future__ import annotations

import base64
import io
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from playwright.sync_api import Locator, Page

MIN_SECONDS = 0.08
"""No two frames of a picture are nearer to each other."""

MAX_SECONDS = 18.0
"""No picture is longer."""

NEAR = 8
"""Colours that are no further from each other count as one."""

REST = (0.7, 0.75)
"""Where the pointer is when it does nothing: so far right, and so far down."""

STAGE = """([width, height, x, y]) => {
    const caption = document.createElement('div');
    caption.id = 'camera-caption';
    caption.style.cssText = `position:fixed; left:0; top:${height - 34}px; width:${width}px;
        height:34px; box-sizing:border-box; padding:0 14px; z-index:99998; pointer-events:none;
        font:600 15px/34px 'DejaVu Sans',sans-serif; color:#fff; background:#26364d`;
    const pointer = document.createElement('div');
    pointer.id = 'camera-pointer';
    pointer.style.cssText = `position:fixed; left:0; top:0; z-index:99999; pointer-events:none;
        transform:translate(${x}px, ${y}px)`;
    pointer.innerHTML = `<svg width="26" height="30" viewBox="0 0 26 30" style="overflow:visible">
        <circle cx="2" cy="2" r="15" fill="#2a7de1" opacity="0"/>
        <path d="M2 2v20l5-4.6 3.4 7.8 3.6-1.6-3.4-7.6h7z" fill="#111" stroke="#fff"
        stroke-width="1.6"/></svg>`;
    document.body.append(caption, pointer);
    const ring = pointer.querySelector('circle');
    addEventListener('mousemove', event => {
        pointer.style.transform = `translate(${event.clientX - 2}px, ${event.clientY - 2}px)`;
    }, true);
    addEventListener('mousedown', () => ring.setAttribute('opacity', '.45'), true);
    const out = () => ring.setAttribute('opacity', '0');
    addEventListener('mouseup', () => setTimeout(out, 350), true);
}"""
"""Puts the pointer, which headless pages have none of, and the caption over a page."""

PARTS = """element => {
    const parts = [];
    const visit = one => {
        if (one.matches('.xterm, .nomad-magic-output, style')) return;
        if (one.querySelector(':scope > svg')) return;
        const style = one.getAttribute('style') ?? '';
        parts.push(`${one.localName} ${one.className} ${style}`.trim());
        [...one.children].forEach(visit);
    };
    visit(element);
    return parts;
}"""
"""What a view or a record is made of, without the output in it, and the chart of a long run."""

CHART = "output per second"
"""The words under the chart of a long run: how long one takes here is the machine's business."""

VARYING = (
    (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{64}\b|\b[0-9a-f]{16}\b", "ID"),
    (r"(?<=allocation )[0-9a-f]{8}\b|(?<=on node )\S+|(?<=ID )\S+$", "ID"),
    (r"\d+(?:[.,:]\d+)*", "N"),
)
"""What differs from run to run, and what stands for it."""


def settled(text: str) -> list[str]:
    """Return the lines of a text without what varies; lines that are equal then count once."""
    for pattern, stands in VARYING:
        text = re.sub(pattern, stands, text, flags=re.MULTILINE)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return list(dict.fromkeys(one for one in lines if one and not one.startswith(CHART)))


class TooSlowError(Exception):
    """What is shown took too long to be shown."""


class Camera:
    """Films a page, or only looks on; keeps what was to be seen at the moments that matter.

    Args:
        page: The page.
        width: Of the picture, in the page's pixels, from its left upper corner.
        height: The same.
        films: Whether there is a film in it. Without one nothing is held: `moments` alone are made.
    """

    def __init__(self, page: Page, width: int, height: int, *, films: bool) -> None:
        self.page = page
        self.films = films
        self.moments: dict[str, dict[str, list[str]]] = {}
        self._size = (width, height)
        self._at = (width * REST[0], height * REST[1])
        self._frames: list[tuple[float, bytes]] = []
        self._cuts: list[int] = []
        self._session: Any = None

    def start(self, caption: str) -> None:
        """Begin a take."""
        self.page.evaluate(STAGE, [*self._size, *self._at])
        self.caption(caption)
        if not self.films:
            return
        self._cuts.append(len(self._frames))
        self._session = self.page.context.new_cdp_session(self.page)
        self._session.on("Page.screencastFrame", self._take)
        self._session.send("Page.startScreencast", {"format": "png", "everyNthFrame": 1})

    def cut(self) -> None:
        """End the take: what happens until the next start is in no picture."""
        if self.films:
            self.page.wait_for_timeout(100)
            self._session.send("Page.stopScreencast")
            self._session.detach()

    def caption(self, text: str) -> None:
        """Say what the picture shows."""
        self.page.locator("#camera-caption").evaluate(
            "(element, text) => { element.textContent = text }", text
        )

    def hold(self, seconds: float) -> None:
        """Leave whoever watches the time to read."""
        if self.films:
            self.page.wait_for_timeout(seconds * 1000)

    def click(self, locator: Locator) -> None:
        """Move the pointer there, press, and move on, so that it covers no words."""
        box = locator.bounding_box()
        assert box is not None
        x, y = box["x"] + min(box["width"] / 2, 60), box["y"] + box["height"] * 0.7
        self._move(x, y)
        self.hold(0.3)
        self.page.mouse.down()
        self.page.mouse.up()
        self.hold(0.5)
        self._move(self._size[0] * REST[0], y + 60)

    def _move(self, x: float, y: float) -> None:
        """Move the pointer, slowly enough to be followed."""
        (from_x, from_y), self._at = self._at, (x, y)
        steps = 12 if self.films else 1
        for step in range(1, steps + 1):
            done = step / steps
            self.page.mouse.move(from_x + (x - from_x) * done, from_y + (y - from_y) * done)
            self.hold(0.03)

    def moment(self, name: str, shown: Locator) -> None:
        """Keep what a view or a record says now, and what it is made of."""
        words = settled(shown.inner_text())
        self.moments[name] = {"words": words, "parts": settled("\n".join(shown.evaluate(PARTS)))}

    def _take(self, event: dict[str, Any]) -> None:
        self._frames.append((event["metadata"]["timestamp"], base64.b64decode(event["data"])))
        self._session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    def develop(self, path: Path, last: float) -> None:
        """Write the moving picture, with the moments as its comment.

        Args:
            path: Of the GIF.
            last: For how many seconds its last frame stands.
        """
        takes = zip(self._cuts, [*self._cuts[1:], len(self._frames)], strict=True)
        kept: list[tuple[float, bytes]] = []
        for begin, end in takes:
            kept += _spaced(self._frames[begin:end], last)
        length = sum(seconds for seconds, _ in kept)
        if length > MAX_SECONDS:
            raise TooSlowError(f"{path.name} would be {length:.0f} s long: this machine is busy")
        images = [Image.open(io.BytesIO(data)).convert("RGB") for _, data in kept]
        scale = images[0].width / self.page.viewport_size["width"]  # type: ignore[index]
        box = (0, 0, int(self._size[0] * scale), int(self._size[1] * scale))
        images = [one.crop(box) for one in images]
        first, *others = _with_one_palette(images)
        first.save(
            path, save_all=True, append_images=others, loop=0, optimize=False, disposal=1,
            duration=[round(seconds * 100) * 10 for seconds, _ in kept],
            comment=json.dumps(self.moments, ensure_ascii=True).encode(),
        )  # fmt: skip


def _spaced(frames: Sequence[tuple[float, bytes]], last: float) -> list[tuple[float, bytes]]:
    """Return how long each frame stands, without those that stood too shortly to be seen."""
    kept: list[tuple[float, bytes]] = []
    begins: list[float] = []
    for at, data in frames:
        if begins and at - begins[-1] < MIN_SECONDS:
            kept[-1] = (0.0, data)
        elif not kept or kept[-1][1] != data:
            kept.append((0.0, data))
            begins.append(at)
    ends = [*begins[1:], begins[-1] + last]
    return [(end - at, one) for at, end, (_, one) in zip(begins, ends, kept, strict=True)]


def _with_one_palette(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Return the frames in 255 colours at most: the most frequent that are not nearly the same.

    A mean of many colours would make those of text, which are few, dull.
    """
    counts: Counter[tuple[int, int, int]] = Counter()
    for one in images:
        for number, colour in one.getcolors(one.width * one.height) or ():
            counts[colour] += number
    chosen: list[tuple[int, int, int]] = []
    for red, green, blue in (colour for colour, _ in counts.most_common()):
        if len(chosen) < 255 and all(
            max(abs(red - r), abs(green - g), abs(blue - b)) > NEAR for r, g, b in chosen
        ):
            chosen.append((red, green, blue))
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in chosen for part in colour])
    return [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in images]


def moments(path: Path) -> Any:
    """Return what a picture was made with."""
    with Image.open(path) as image:
        return json.loads(image.info["comment"])
