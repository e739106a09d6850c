"""Firefox as playwright drives it, where it is older than playwright's newest commands.

    python -m support.firefox -- FIREFOX ARGUMENTS…

Playwright starts the machine's own Firefox and speaks WebDriver BiDi with it, a standard that
grows: it makes no page where the browser lacks a single command, as the long-term release does.
This stands between the two, and answers in Firefox's stead what Firefox does not know; every other
message passes as it is.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from websockets.asyncio.connection import Connection
    from websockets.asyncio.server import ServerConnection

LISTENING = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")

UNKNOWN = frozenset({"emulation.setMediaFeaturesOverride"})
"""Firefox 153 has no such commands: pages see the machine's own colour scheme."""

BIG = 256 * 1024 * 1024


def program(firefox: str, folder: Path) -> Path:
    """Write what playwright is to start in Firefox's stead; return its path.

    Args:
        firefox: The real one.
        folder: For the program, and for what Firefox keeps at home.
    """
    path = folder / "firefox"
    here = Path(__file__).parents[1]
    path.write_text(
        "#!/bin/sh\n"
        f"export PYTHONPATH='{here}' HOME='{folder}'\n"
        f"exec '{sys.executable}' -m support.firefox -- '{firefox}' \"$@\"\n"
    )
    path.chmod(0o755)
    return path


async def main(command: list[str]) -> int:
    """Run Firefox, and stand between it and whoever connects; return how it ended."""
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, process.terminate)
    assert process.stderr is not None
    async for line in process.stderr:
        if found := LISTENING.search(line):
            break
        os.write(2, line)
    else:
        return await process.wait()
    there = found[1].decode()

    async def between(page: ServerConnection) -> None:
        async with connect(there + page.request.path, max_size=BIG, proxy=None) as firefox:
            sides = [_to_firefox(page, firefox), _pass_on(firefox, page)]
            tasks = [asyncio.create_task(side) for side in sides]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()

    async with serve(between, "127.0.0.1", 0, max_size=BIG) as server:
        port = server.sockets[0].getsockname()[1]
        os.write(2, f"WebDriver BiDi listening on ws://127.0.0.1:{port}\n".encode())
        async for line in process.stderr:
            os.write(2, line)
        return await process.wait()


async def _to_firefox(page: Connection, firefox: Connection) -> None:
    try:
        async for message in page:
            asked = json.loads(message)
            if asked["method"] in UNKNOWN:
                said = {"type": "success", "id": asked["id"], "result": {}}
                await page.send(json.dumps(said))
            else:
                await firefox.send(message)
    except ConnectionClosed:
        return


async def _pass_on(source: Connection, to: Connection) -> None:
    try:
        async for message in source:
            await to.send(message)
    except ConnectionClosed:
        return


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[sys.argv.index("--") + 1 :])))
