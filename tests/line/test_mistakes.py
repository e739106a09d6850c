"""What a refused line was probably meant to say."""

from __future__ import annotations

import shlex

import pytest

from nomad_magic.errors import FlagError, UsageError
from nomad_magic.line.flag_table import FLAGS
from nomad_magic.line.flags import check_target, parse
from nomad_magic.line.mistakes import ESCAPE, SHAPE, unknown_flag
from nomad_magic.line.nearest import LONGEST, SHOWN, listed, nearest


def refused(line: str, *, tty: bool = False) -> UsageError:
    with pytest.raises(UsageError) as caught:
        check_target(parse(shlex.split(line), environ={}, stdin_is_tty=tty))
    return caught.value


BOOLEAN = "takes no separate value"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        # Nothing shows what was meant: how a whole line looks.
        ("", SHAPE),
        ("health-check", SHAPE),
        ("-job=j", SHAPE),
        ("-job=j -group=g hello", SHAPE),
        # A value after a flag that takes none.
        ("-t false -job=j hello", f"-t {BOOLEAN}: write -t=false"),
        ("-i no -job=j hello", f"-i {BOOLEAN}: write -i=false"),
        ("-job=j -t YES hello", f"-t {BOOLEAN}: write -t"),
        ("-i -t 0 -job=j hello", "-i and -t take no separate value: write -t=false"),
        ("-t=yes hello", "Write -t or -t=false"),
        # A flag that another one took as its value, or that has none.
        ("-e -job=j hello", "-e took -job as its value: write -e=<char>"),
        ("-group --job=j hello", "-group took -job as its value: write -group=<name>"),
        ("-job=j -group", "Write -group=<name>, and the action after the flags."),
        ("-job= j hello", "-job has an empty value; a blank after its = would end it too."),
        ("-job =j hello", "There is a blank before the = of -job: write -job=<id>"),
        ("-job = j hello", "There is a blank before the = of -job: write -job=<id>"),
        # Flags that were not read as flags.
        ("job=j hello", "A flag begins with a dash: write -job=<id>"),
        ("\u2013job=j x", "A flag does not begin with \u2013 (U+2013): write -"),
        ("hello -job=j -t", "Flags stand before the action: -job, -t stand after it."),
        ("-job=j hello -group=g", "Flags stand before the action: -group stands after it."),
        # The command behind the magic's name.
        ("nomad job action -job=j x", "Leave out 'nomad job action': the flags come first."),
        ("action -job=j x", "Leave out 'action': the flags come first."),
        # Flags that do not exist.
        ("-it -job=j", "Flags of one letter are not written as one: write -i -t"),
        ("-tt", "Flags of one letter are not written as one: write -t"),
        ("-jobs=j", "Did you mean -job?"),
        ("-Job=j", "Did you mean -job?"),
        ("-tls_server_name=x", "Did you mean -tls-server-name?"),
        ("-adress=x", "Did you mean -address?"),
        ("-tty", "Did you mean -t?"),
        ("-bogus", "%nomad_action -help lists the flags."),
        ("---job=j", "A flag is written -name=value"),
        # Values that cannot be.
        ("-i=false -t -job=j x", "A terminal needs stdin: leave out -t, or -i=false"),
        ("-e=xx -job=j x", ESCAPE),
    ],
)  # fmt: skip
def test_a_mistake_gets_the_way_out(line: str, hint: str) -> None:
    """A line of hint, after the CLI's own words."""
    error = refused(line)
    assert error.hint == hint
    assert str(error) == f"{error.message}\n{hint}"


def test_a_terminal_by_default_is_named_so() -> None:
    """Who only wrote -i=false did not ask for a terminal."""
    assert refused("-i=false -job=j x", tty=True).hint.endswith("write -i=false -t=false")


def test_no_hint_shows_a_value() -> None:
    """A value may be a secret."""
    for line in (
        "-token=hunter2 hello",
        "-token hunter2",
        "hunter2 -token=hunter2",
        "-t false -token=hunter2",
        "-token= hunter2",
        "token=hunter2",
    ):
        assert "hunter2" not in refused(line).hint


def test_every_flag_is_its_own_nearest() -> None:
    """With a letter too many, with the wrong case, with _ for -."""
    for flag in FLAGS:
        if len(flag.name) > 2:
            for name in (flag.name + "x", flag.name.upper(), flag.name.replace("-", "_")):
                assert unknown_flag(name) == f"Did you mean -{flag.name}?"


def test_a_refused_flag_is_shown_once_in_a_cell() -> None:
    """The CLI's two lines are kept as the message; a cell shows the one that says it all."""
    error = refused("-jobs=j a")
    assert isinstance(error, FlagError)
    assert error.message.count("-jobs") == 2
    assert error._render_traceback_() == [
        "FlagError: Error parsing flags: flag provided but not defined: -jobs\nDid you mean -job?"
    ]
    help_requested = FlagError("Error parsing flags: flag: help requested")
    assert help_requested._render_traceback_() == [f"FlagError: {help_requested}"]


@pytest.mark.parametrize(
    ("word", "names", "found"),
    [
        ("chace", ["cache", "web"], "cache"),
        ("CACHE", ["cache"], "cache"),
        ("health_check", ["health-check", "health"], "health-check"),
        ("ca", ["cache", "web"], "cache"),
        ("ca", ["cache", "catalogue"], ""),
        ("redis-server", ["redis", "red"], "redis"),
        ("zzz", ["cache"], ""),
        ("", ["cache"], ""),
        ("x" * (LONGEST + 1), ["x" * (LONGEST + 2)], ""),
        ("x", [], ""),
    ],
)
def test_the_nearest_name(word: str, names: list[str], found: str) -> None:
    """Its form, its beginning, or most of its letters; else none."""
    assert nearest(word, names) == found


def test_a_long_list_is_cut() -> None:
    """It says how many names it leaves out."""
    names = [f"n{number:02}" for number in range(SHOWN + 3)]
    assert listed(names).endswith(f"n{SHOWN - 1:02} and 3 more")
    assert listed({"b", "a"}) == "a, b"
