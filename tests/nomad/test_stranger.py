"""What speaks at an address, where it is not the agent that was meant."""

from __future__ import annotations

import pytest

from nomad_magic.nomad.address import parse_address
from nomad_magic.nomad.stranger import answer_hint, other_json, silent_hint, too_old

BROKEN = "net/http: HTTP/1.x transport connection broken: illegal status line: "


@pytest.mark.parametrize(
    ("address", "words", "hint"),
    [
        ("http://h:1", "dial tcp 1.1.1.1:1: connect: connection refused", "Nothing listens there."),
        ("http://h:4647", "dial tcp: connection refused", "the HTTP API's is 4646."),
        ("http://h", "dial tcp: connection refused", "names no port, which means 80; an agent's"),
        ("https://h", "dial tcp: connection refused", "names no port, which means 443"),
        ("https://h:1", "http: server gave HTTP response to HTTPS client", "write http://h:1"),
        ("http://h:1", "EOF", "it may want TLS (https://h:1)"),
        ("http://h:4648", "read: connection reset by peer", "(gossip); the HTTP API's is 4646."),
        ("https://h:1", "EOF", "it may not be an agent's HTTP port."),
        ("http://h:1", rf"{BROKEN}bytearray(b'\x15\x03\x03')", "There is TLS on that port"),
        ("http://h:1", f"{BROKEN}bytearray(b'SSH-2.0')", "does not speak HTTP."),
    ],
)
def test_an_address_without_an_answer(address: str, words: str, hint: str) -> None:
    """In a line, with the address or the port that may be meant."""
    said = silent_hint(words, parse_address(address), known=False)
    assert hint in said
    assert "\n" not in said


def test_nothing_is_said_where_nothing_is_known() -> None:
    """Of a socket, of an agent that has answered before, of a bound that was passed."""
    assert silent_hint("EOF", parse_address("unix:///run/x"), known=False) == ""
    assert silent_hint("EOF", parse_address("http://h:1"), known=True) == ""
    assert silent_hint("no answer within 1 s", parse_address("http://h:1"), known=False) == ""


@pytest.mark.parametrize(
    "body",
    [
        "Client sent an HTTP request to an HTTPS server.\n",
        "<html>400 The plain HTTP request was sent to HTTPS port</html>",
    ],
)
def test_http_to_a_port_with_tls(body: str) -> None:
    """Go's server and nginx say so themselves."""
    said = answer_hint(400, body, {}, parse_address("http://h:1"))
    assert said == "There is TLS on that port: the address begins with https:// (https://h:1)"


def test_another_web_server_is_named() -> None:
    """By its header and the title of its page, in one line."""
    page = "<!DOCTYPE html>\n<head><title>\n Directory of &amp; all </title>\n" + "<p>\n" * 40
    said = answer_hint(404, page, {"Server": "nginx/1.27"}, parse_address("http://h"))
    assert "The address names no port, which means 80" in said
    assert "status 404, from nginx/1.27, with the title 'Directory of & all'." in said
    assert said.endswith("It begins: <!DOCTYPE html>")
    assert "\n" not in said


def test_json_of_another_server() -> None:
    """Without the marks of Nomad's answers it may be anyone's."""
    assert "another server" in other_json({})
    assert other_json({"Vary": "Accept-Encoding"}) == ""


@pytest.mark.parametrize(
    ("version", "words"),
    [("1.6.2+ent", "node runs 1.6.2+ent"), ("1.7.0", "may be older"), ("", "may be older")],
)
def test_an_agent_without_actions(version: str, words: str) -> None:
    """They exist since 1.7, and the node says its version."""
    assert words in too_old(version)
