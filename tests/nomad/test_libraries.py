"""What a run does not use of its libraries is not loaded, and is there for whoever asks for it."""

from __future__ import annotations

import subprocess
import sys

LOADED = "import sys, nomad_magic\nnomad_magic.run\n"


def printed(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LOADED + code], check=True, capture_output=True, encoding="utf-8"
    )
    return done.stdout


def test_what_is_left_out_is_there_for_others() -> None:
    """Neither httpx's command line nor what nobody calls; all but that loads afterwards."""
    code = """
left_out = {"click", "rich", "pygments", "httpx._main", "importlib.metadata", "typing_extensions"}
left_out |= {"idna", "mimetypes", "platform", "shutil", "textwrap"}
print(*sorted(left_out & set(sys.modules)))
import importlib.metadata, websockets
import idna, mimetypes, platform, shutil, textwrap, typing_extensions
print(importlib.metadata.version("websockets") == websockets.__version__)
for module in (idna, mimetypes, platform, shutil, textwrap):
    assert module.__file__ and module.__spec__ and vars(module), module
assert (platform.machine(), shutil.which("sh"), textwrap.dedent(" a"))
"""
    assert printed(code) == "\nTrue\n"


def test_who_asks_later_is_given_it() -> None:
    """The libraries that were loaded without it use it as ever."""
    code = """
import os, tempfile, uuid
from pathlib import Path
import httpx, msgspec
print(httpx.URL("http://bücher.example/").raw_host.decode())
print(httpx.URL("http://xn--bcher-kva.example/").host)
with tempfile.TemporaryDirectory() as folder:
    (path := Path(folder, "a.png")).write_bytes(b"an image")
    with path.open("rb") as file:
        print(b"image/png" in httpx.Request("POST", "http://a", files={"a": file}).read())
class Asked(msgspec.Struct):
    '''Words.

        Indented.
    '''
schema = msgspec.json.schema(Asked)
print(schema["$defs"]["Asked"]["description"].splitlines()[-1].strip(), path.exists())
platform = getattr(uuid, "platform", None)  # Python 3.13 asks for none.
print(uuid.uuid1().version, platform is None or platform.system() == os.uname().sysname)
"""
    assert printed(code).splitlines() == [
        "xn--bcher-kva.example",
        "bücher.example",
        "True",
        "Indented. False",
        "1 True",
    ]


def test_httpx_is_whole_for_who_uses_it_afterwards() -> None:
    """Its clients, with cookies, redirects, forms and another thread's first import."""
    code = """
import asyncio, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import httpx
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = (self.headers["Cookie"] or "none").encode()
        self.send_response(302 if self.path == "/first" else 200)
        self.send_header("Location", "/second")
        self.send_header("Set-Cookie", "seen=yes; Path=/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/first"
print(httpx.get(url, follow_redirects=True).text)
async def asked():
    async with httpx.AsyncClient(follow_redirects=True, cookies={"own": "1"}) as client:
        answer = await client.get(url)
        print(sorted(answer.text.split("; ")), dict(client.cookies))
asyncio.run(asked())
assert all(hasattr(httpx, name) for name in httpx.__all__)
assert {getattr(httpx, name).__module__ for name in ("Client", "Cookies", "Request")} == {"httpx"}
server.shutdown()
"""
    lines = printed(code).splitlines()
    assert lines == ["seen=yes", "['own=1', 'seen=yes'] {'own': '1', 'seen': 'yes'}"]


def test_what_is_asked_for_in_the_meantime_is_the_module_itself() -> None:
    """What another thread imports while a library is loaded gives it all that it asks for."""
    code = """
from nomad_magic.nomad.libraries import _instead, _Later
sys.modules.pop("textwrap", None)
stand_in = _Later("textwrap", {})
with _instead("textwrap", stand_in):
    import textwrap as one
    from textwrap import dedent
    import textwrap as other
print(one is stand_in, other is sys.modules["textwrap"], one.dedent is dedent is other.dedent)
"""
    assert printed(code) == "True True True\n"
