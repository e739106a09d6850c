"""The command line of `nomad job action`: what is accepted, refused, shown and kept secret."""

from __future__ import annotations

import dataclasses
import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.errors import FlagError, UsageError
from nomad_magic.go import encode_query, go_quote, parse_bool, path_escape, query_escape
from nomad_magic.line.flag_table import FLAGS, help_text
from nomad_magic.line.flags import ActionArgs, HelpRequested, check_target, parse
from nomad_magic.line.shellwords import split
from nomad_magic.record.userinfo import without_password

RECORDED = json.loads(
    (Path(__file__).parents[1] / "data" / "cli" / "parse.json").read_text(encoding="utf-8")
)
MORE_HELP = "\nFor additional help try 'nomad job action -help'"


def read(*argv: str, tty: bool = False, **environ: str) -> ActionArgs:
    return parse(argv, environ=environ, stdin_is_tty=tty)


def refused(*argv: str, tty: bool = False, **environ: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(*argv, tty=tty, **environ)
    return caught.value


@pytest.mark.parametrize(
    "recorded", RECORDED, ids=lambda recorded: shlex.join(recorded["argv"]) or "nothing"
)
def test_every_recorded_line_is_read_as_the_cli_reads_it(recorded: dict[str, Any]) -> None:
    """Refusals are the same byte for byte; what the CLI went on with is accepted."""
    usage = help_text() + "\n"
    stdout, stderr, exit_code = "", "", 0
    try:
        check_target(parse(recorded["argv"], environ=recorded["env"], stdin_is_tty=False))
    except HelpRequested as help_requested:
        stdout = help_requested.text + "\n"
    except UsageError as error:
        stdout = f"{error.output}\n" if error.output else ""
        stderr, exit_code = error.message + "\n", error.exit_code
    else:
        assert recorded["stderr"].startswith(
            ("Error querying job prefix", "Error querying allocation", "Error initializing client")
        )
        return
    assert stdout == recorded["stdout"].replace("<usage>\n", usage)
    assert (stderr, exit_code) == (recorded["stderr"], recorded["exit_code"])


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--job=j", "-t", "a"], {"job": "j", "tty": True}),
        (["--job", "j", "--", "-t"], {"action": "-t", "tty": False}),
        (["-job=j", "-"], {"action": "-"}),
        (["-job=j", ""], {"action": ""}),
        (["-job", "-t", "a"], {"job": "-t", "tty": False}),
        (["-job", "--", "a"], {"job": "--", "action": "a"}),
        (["-job=a=b", "a"], {"job": "a=b"}),
        (["-job=j", "-t", "false", "hello"], {"action": "false", "tty": True}),
        (["-job=j", "-t", "-t=F", "a"], {"tty": False}),
        (["-job=j", "-insecure", "a"], {"tls_skip_verify": True}),
        (["-job=j", "-insecure", "-tls-skip-verify=0", "a"], {"tls_skip_verify": False}),
        (["-job=j", "-e=none", "a"], {"escape": ""}),
        (["-job=j", "-e=", "a"], {"escape": ""}),
        (["-job=j", "-e", "%", "a"], {"escape": "%"}),
        (["-job=j", "-region=", "a"], {"region": "", "given": frozenset({"job"})}),
        (["-job=j", "a", "-t", "b"], {"tty": False, "ignored": ("-t", "b")}),
        (["-job=j", "a", "-no-color", "b"], {"no_color": True, "ignored": ("b",)}),
        (["-job=j", "a", "--force-color"], {"force_color": True, "ignored": ()}),
        (["-e", "-no-color", "-e=~", "-job=j", "a"], {"no_color": True}),
        (["-force-color", "-no-color", "-job=j", "a"], {"no_color": True, "force_color": False}),
        (["-no-color=true", "-job=j", "a"], {"no_color": False}),
    ],
)
def test_flags_follow_go(argv: list[str], expected: dict[str, Any]) -> None:
    """One dash or two, the last one wins, a boolean takes no word, the action ends them."""
    args = read(*argv)
    assert {name: getattr(args, name) for name in expected} == expected


def test_every_flag_reaches_its_field() -> None:
    """Each flag of the table is read, and into the field that bears its name."""
    for flag in FLAGS:
        for name in (flag.name, *flag.synonyms):
            default = getattr(read("-job=j", "a"), flag.field)
            if flag.kind == "string":
                assert getattr(read("-job=j", f"-{name}=x", "a"), flag.field) == "x"
                assert getattr(read("-job=j", f"--{name}", "x", "a"), flag.field) == "x"
            elif default:
                assert getattr(read("-job=j", f"-{name}=false", "a"), flag.field) is False
            else:
                assert getattr(read("-job=j", f"-{name}", "a"), flag.field) is True
    names = [name for flag in FLAGS for name in (flag.name, *flag.synonyms)]
    assert len(names) == len(set(names)) >= 20


@pytest.mark.parametrize("word", ["1", "t", "T", "true", "TRUE", "True"])
def test_true_has_six_spellings(word: str) -> None:
    """What Go reads as true, and its opposite."""
    assert read(f"-t={word}", "-job=j", "a").tty is True
    opposite = {"1": "0", "t": "f", "T": "F"}.get(word)
    opposite = opposite or {"true": "false", "TRUE": "FALSE", "True": "False"}[word]
    assert read(f"-t={opposite}", "-job=j", "a", tty=True).tty is False


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["---job=j"], "bad flag syntax: ---job=j"),
        (["---token=abc"], "bad flag syntax: ---token=[masked]"),
        (["---"], "bad flag syntax: ---"),
        (["-it"], "flag provided but not defined: -it"),
        (["-jo=j"], "flag provided but not defined: -jo"),
        (["-Job=j"], "flag provided but not defined: -Job"),
        (["-e=x", "-region"], "flag needs an argument: -region"),
        (['-i=a"b\n日\x00'], r'invalid boolean value "a\"b\n日\x00" for -i: parse error'),
        (["-insecure=x"], 'invalid boolean value "x" for -insecure: parse error'),
    ],
)
def test_a_refused_flag_is_named_twice_and_the_usage_given(argv: list[str], message: str) -> None:
    """Go's package says what it refuses, then the CLI does, and stdout has the usage."""
    error = refused(*argv)
    assert isinstance(error, FlagError)
    assert error.message == f"{message}\nError parsing flags: {message}"
    assert (error.output, error.exit_code) == (help_text(), 1)


@pytest.mark.parametrize("argv", [["-help=x"], ["--h"], ["-h=false"], ["--help=1", "-bogus"]])
def test_help_with_a_value_is_an_error(argv: list[str]) -> None:
    """Only the three plain words are the help; Go's package refuses the other spellings."""
    error = refused(*argv)
    assert error.message == "Error parsing flags: flag: help requested"
    assert error.output == help_text()


@pytest.mark.parametrize(
    "argv", [["-h"], ["a", "--help"], ["-bogus", "-help"], ["-job", "-h"], ["-t=x", "-h", "--"]]
)
def test_help_counts_anywhere(argv: list[str]) -> None:
    """The help is asked for wherever the word stands, even as a flag's value."""
    with pytest.raises(HelpRequested) as caught:
        read(*argv, NOMAD_CLI_SHOW_HINTS="maybe")
    assert caught.value.text == help_text()
    assert caught.value.warnings[0].startswith('Invalid value "maybe" for NOMAD_CLI_SHOW_HINTS')


def test_help_does_not_count_after_two_dashes() -> None:
    """A `--` ends the search for the help: an action can be called `-h`."""
    assert read("-job=j", "--", "-h").action == "-h"


@pytest.mark.parametrize("escape", ["ab", "é", "日", "None", "--"])
def test_the_escape_character_is_one_byte(escape: str) -> None:
    """A character of several bytes is refused as several characters are."""
    error = refused(f"-e={escape}", "-job=j", "a")
    assert error.message == "-e requires 'none' or a single character" + MORE_HELP
    assert not error.output


def test_the_checks_come_in_the_order_of_the_cli() -> None:
    """Flags, action, job, -t with -i, -e; group and task wait for `check_target`."""
    assert "not defined" in refused("-e=xx", "-bogus").message
    assert "action name" in refused("-e=xx", "-i=false", "-t").message
    assert "job ID" in refused("-e=xx", "-i=false", "-t", "a").message
    assert "-i must" in refused("-e=xx", "-i=false", "-t", "-job=j", "a").message
    assert "-e requires" in refused("-e=xx", "-job=j", "a").message
    args = read("-job=j", "a")
    with pytest.raises(UsageError, match=r"^A group name is required if no allocation is provided"):
        check_target(args)
    with pytest.raises(UsageError, match=r"^A task name is required if no allocation is provided"):
        check_target(dataclasses.replace(args, group="g"))
    check_target(dataclasses.replace(args, alloc="x"))


def test_t_is_what_stdin_is() -> None:
    """Without -t a terminal decides, and -i=false then needs -t=false."""
    assert read("-job=j", "a", tty=True).tty is True
    assert read("-job=j", "-t=false", "a", tty=True).tty is False
    assert refused("-i=false", "-job=j", "a", tty=True).message.startswith("-i must be enabled")
    assert read("-i=false", "-t=false", "-job=j", "a", tty=True).stdin is False


def test_colours_from_the_environment() -> None:
    """Any value that is not empty counts, "0" and "false" too, and no colour wins."""
    assert read("-job=j", "a", NOMAD_CLI_NO_COLOR="0").no_color is True
    assert read("-job=j", "a", NOMAD_CLI_NO_COLOR="").no_color is False
    assert read("-job=j", "a", NOMAD_CLI_FORCE_COLOR="false").force_color is True
    both = read("-job=j", "a", NOMAD_CLI_FORCE_COLOR="1", NOMAD_CLI_NO_COLOR="1")
    assert (both.no_color, both.force_color) == (True, False)


@pytest.mark.parametrize("value", ["", "1", "false"])
def test_hints_that_go_can_read_are_no_warning(value: str) -> None:
    """An empty or a boolean value says nothing."""
    assert read("-job=j", "a", NOMAD_CLI_SHOW_HINTS=value).warnings == ()


def test_hints_that_go_cannot_read_are_a_warning() -> None:
    """The line runs, with the CLI's words before it."""
    warning = (
        'Invalid value "ma\\"y" for NOMAD_CLI_SHOW_HINTS:'
        ' strconv.ParseBool: parsing "ma\\"y": invalid syntax'
    )
    assert read("-job=j", "a", NOMAD_CLI_SHOW_HINTS='ma"y').warnings == (warning,)
    error = refused("-bogus", NOMAD_CLI_SHOW_HINTS='ma"y')
    assert isinstance(error, FlagError)
    assert error.message.startswith(f"{warning}\nflag provided but not defined: -bogus\n")
    assert error.output == help_text()


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["-job=j", "a"], "-job=j a"),
        (["--job", "j", "-t", "-i=T", "a", "ignored"], "-job=j -i -t a"),
        (["-t", "-job=j", "-t=0", "a"], "-job=j -t=false a"),
        (["-job=j", "-e=~", "a"], "-job=j -e='~' a"),
        (["-job=j", "-e=", "a"], "-job=j -e=none a"),
        (["-job=true", "-e=none", "a"], "-job=true -e=none a"),
        (["-job=a b", "-group=it's", "-task=$x{y}", "a b"], None),
        (["-insecure", "-job=j", "--", "-a"], "-job=j -tls-skip-verify -- -a"),
        (["-job=j", "-"], "-job=j -"),
        (["-job=j", ""], "-job=j ''"),
        (["-token=abc", "-job=j", "-token", "def", "a"], "-job=j a"),
        (["-address=http://u:p@h:1/x", "-job=j", "a"], "-job=j -address=http://h:1/x a"),
    ],
)
def test_the_command_line_repeats_what_was_given(argv: list[str], line: str | None) -> None:
    """It reads back as the same arguments, but for the secrets and what had no effect."""
    args = read(*argv)
    shown = args.command_line()
    if line is not None:
        assert shown == f"nomad job action {line}"
    again = read(*shlex.split(shown)[3:])
    assert again == dataclasses.replace(
        args,
        token="",
        address=without_password(args.address),
        ignored=(),
        given=args.given - {"token"},
    )


def test_the_command_line_follows_a_copy() -> None:
    """What a copy changes is in its line; what the surroundings decided is not."""
    args = read("-job=j", "a", tty=True, NOMAD_CLI_FORCE_COLOR="1")
    assert args.command_line() == "nomad job action -job=j a"
    copy = dataclasses.replace(args, alloc="1234", stdin=False, escape="", namespace="default")
    shown = "nomad job action -job=j -alloc=1234 -i=false -e=none -namespace=default a"
    assert copy.command_line() == shown
    # As one run of many is, whose allocation is known.
    copy = dataclasses.replace(read("-job=j", "-group=g", "a"), alloc="1234", group="")
    assert copy.command_line() == "nomad job action -job=j -alloc=1234 a"


@given(st.text(), st.text(min_size=1), st.sampled_from("~`'\\$ x"))
def test_a_magic_reads_the_command_line_back(action: str, job: str, escape: str) -> None:
    """The line in a record runs in a cell as it runs in a terminal."""
    args = read(f"-job={job}", f"-e={escape}", "--", action)
    line = split(args.command_line(), variables={}.__getitem__, evaluate=lambda _: None)
    assert read(*line.words[3:]) == args


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://h:1", "http://h:1"),
        ("", ""),
        ("h", "h"),
        ("http://u:p@h:1/p?q#f", "http://h:1/p?q#f"),
        ("https://u@h", "https://h"),
        ("http://u:p@[::1]:2", "http://[::1]:2"),
        ("http://[::1]:2/a@b", "http://[::1]:2/a@b"),
        ("http://h/a@b", "http://h/a@b"),
        ("http://u:p@h/a@b", "http://h/a@b"),
        ("http://u:p@q@h", "http://h"),
        ("http://u:p/q@h", "http://h"),
        ("http://u:p?q@h", "http://h"),
        ("http://u:p#q@h:1", "http://h:1"),
        ("http://u:p://q@h:1", "http://h:1"),
        ("u:p@h:4646", "h:4646"),
        ("unix:///run/a@b.sock", "unix:///run/a@b.sock"),
        ("localhost:4646", "localhost:4646"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    """Also where the password makes the address no valid URL."""
    assert without_password(address) == shown


def test_secrets_are_in_no_repr_and_no_ignored_word() -> None:
    """A token or a password stays in its own field."""
    args = read(
        "-token=hunter2",
        "-address=http://u:hunter2@h",
        "-job=j",
        "a",
        "-token",
        "hunter2",
        "--token=hunter2\nhunter2",
        "-address=http://u:hunter2@h",
        "me@example.org",
        "-token",
    )
    assert args.token == "hunter2"
    assert args.address == "http://u:hunter2@h"
    assert "hunter2" not in repr(args)
    assert "hunter2" not in args.command_line()
    assert args.ignored == (
        "-token",
        "[masked]",
        "--token=[masked]",
        "-address=http://h",
        "me@example.org",
        "-token",
    )


def test_the_help_lists_every_flag() -> None:
    """Each flag with its variable and its default, in 80 columns."""
    text = help_text()
    assert text.startswith("Usage: nomad job action [options] <action>\n")
    assert max(map(len, text.splitlines())) <= 80
    flat = " ".join(text.split())
    for flag in FLAGS:
        head = f"-{flag.name}=<{flag.value}>" if flag.value else f"-{flag.name}"
        variable = f" Environment: {flag.environment}." if flag.environment else ""
        assert f" {head} {flag.summary}. Default: {flag.default}.{variable}" in flat
        assert all(f"-{name} " in flat for name in flag.synonyms)
    assert "%nomad_action " in flat
    assert "%%nomad_action " in flat


@given(st.lists(st.sampled_from(["-t", "-i=0", "-job", "-job=j", "--", "-", "a", "-e", "-x"])))
def test_any_words_are_read_or_refused(argv: list[str]) -> None:
    """Nothing but the two outcomes, and the ignored words are the tail of the line."""
    with suppress(UsageError):
        args = read(*argv)
        assert argv[len(argv) - len(args.ignored) - 1] == args.action


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ('a "b" \\c', r'"a \"b\" \\c"'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\x00\x1b\x7f", r'"\x00\x1b\x7f"'),
        ("é日本語שלום🙂", '"é日本語שלום🙂"'),
        ("\x80\xa0\u00ad\u200b\u2028\ufeff", r'"\u0080\u00a0\u00ad\u200b\u2028\ufeff"'),
        ("\ue000\U000e0001\U0010ffff", r'"\ue000\U000e0001\U0010ffff"'),
        ("\ufffd\u0301", '"\ufffd\u0301"'),
        ("a\udcffb", r'"a\xffb"'),
        ("\ud800", r'"\xed\xa0\x80"'),
        ("'$`", '"\'$`"'),
    ],
)
def test_strings_are_quoted_as_go_quotes_them(text: str, quoted: str) -> None:
    """Printable characters of any script stay; the rest is escaped the shortest way."""
    assert go_quote(text) == quoted


@pytest.mark.parametrize(
    ("text", "in_query", "in_path"),
    [
        ("aZ09-_.~", "aZ09-_.~", "aZ09-_.~"),
        ("a b", "a+b", "a%20b"),
        ("$&+=:@", "%24%26%2B%3D%3A%40", "$&+=:@"),
        ("/;,?#%", "%2F%3B%2C%3F%23%25", "%2F%3B%2C%3F%23%25"),
        ("*!'()\"", "%2A%21%27%28%29%22", "%2A%21%27%28%29%22"),
        ("é日🙂", "%C3%A9%E6%97%A5%F0%9F%99%82", "%C3%A9%E6%97%A5%F0%9F%99%82"),
        ("\udcff\n", "%FF%0A", "%FF%0A"),
        ("", "", ""),
    ],
)
def test_urls_are_escaped_as_go_escapes_them(text: str, in_query: str, in_path: str) -> None:
    """A value of a query and a segment of a path, each by its own rule."""
    assert (query_escape(text), path_escape(text)) == (in_query, in_path)


def test_a_query_is_sorted_by_key() -> None:
    """As `url.Values.Encode`; values of one key keep their order."""
    assert encode_query({"prefix": "a b", "namespace": "*"}) == "namespace=%2A&prefix=a+b"
    assert encode_query([("b", "2"), ("a", ""), ("b", "1")]) == "a=&b=2&b=1"
    assert encode_query({}) == ""
    assert encode_query({"\U00010000": "2", "\uffff": "1"}) == "%EF%BF%BF=1&%F0%90%80%80=2"


def test_booleans_are_read_as_go_reads_them() -> None:
    """Twelve spellings, and no other."""
    assert [parse_bool(text) for text in ("1", "t", "T", "true", "TRUE", "True")] == [True] * 6
    assert [parse_bool(text) for text in ("0", "f", "F", "false", "FALSE", "False")] == [False] * 6
    assert [parse_bool(text) for text in ("", "yes", "tRUE", " 1", "on", "2")] == [None] * 6
