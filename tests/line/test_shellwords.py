r"""Lines of a magic: what splits, what expands, what is refused and how that reads."""

from __future__ import annotations

import shlex
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomad_magic.errors import LineError
from nomad_magic.line.shellwords import Line, join_continuation, split

NAMES: dict[str, object] = {
    "JOB": "cache",
    "EMPTY": "",
    "SPACED": "a  b",
    "NUMBER": 7,
    "SECRET": "hunter2",
    "TRICKY": "$JOB {JOB} `x` | & 'q",
    "HOME": "/home/me",
    "größe": "L",
    "d": {"k": "v", "it's": "w", "}": "x"},
}


def words_of(text: str) -> Line:
    return split(text, variables=NAMES.__getitem__, evaluate=lambda source: eval(source, {**NAMES}))


def error_of(text: str) -> LineError:
    with pytest.raises(LineError) as caught:
        words_of(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \t ", []),
        ("a b\tc", ["a", "b", "c"]),
        ("  -job=x   hello  ", ["-job=x", "hello"]),
        ("''", [""]),
        ('a "" b', ["a", "", "b"]),
        ("a'b c'd\"e f\"g", ["ab cde fg"]),
        (r"'a\n$JOB{JOB}`'", [r"a\n$JOB{JOB}`"]),
        (r'"\$JOB \` \" \\ \n \{x\}"', [r'$JOB ` " \ \n {x}']),
        (
            r"\$JOB \{JOB\} \| \& \; \> \# \~/ \( \' \a",
            ["$JOB", *["{JOB}", "|", "&", ";", ">", "#", "~/", "(", "'", "a"]],
        ),
        (r"a\ b", ["a b"]),
        ("a\n", ["a"]),
        ("a \r\n \n\t", ["a"]),
        ("a \\\n  b", ["a", "b"]),
        ("a\\\nb", ["ab"]),
        ("a\\\r\nb", ["ab"]),
        ('"a\\\nb"', ["ab"]),
        ("'a\nb'", ["a\nb"]),
        ("a # b 'c", ["a"]),
        ("# all of it", []),
        ("a # b\n # c\n", ["a"]),
        ("a#b c", ["a#b", "c"]),
        ("''#b", ["#b"]),
        ("-namespace=* a? [b]", ["-namespace=*", "a?", "[b]"]),
        ("naïve 日本 \u00a0", ["naïve", "日本", "\u00a0"]),
    ],
)
def test_a_line_splits_as_in_a_shell(text: str, words: list[str]) -> None:
    """Blanks, quotes, backslashes, continuations and comments are a POSIX shell's."""
    assert words_of(text) == Line(tuple(words), background=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$JOB", ["cache"]),
        ("-job=$JOB", ["-job=cache"]),
        ("${JOB}s $JOB-1 $JOB.x", ["caches", "cache-1", "cache.x"]),
        ('"a $JOB b"', ["a cache b"]),
        ("$SPACED", ["a  b"]),
        ("$EMPTY", [""]),
        ("a $EMPTY b", ["a", "", "b"]),
        ("$NUMBER", ["7"]),
        ("$größe", ["L"]),
        ("$TRICKY", ["$JOB {JOB} `x` | & 'q"]),
        ('"{TRICKY}"', ["$JOB {JOB} `x` | & 'q"]),
        ("$ $, a$ \"$\" '$'x", ["$", "$,", "a$", "$", "$x"]),
        ("~/x ~ a~/x '~'/x -e=~ ~x", ["/home/me/x", "~", "a~/x", "~/x", "-e=~", "~x"]),
        ('"~/x"', ["~/x"]),
    ],
)
def test_names_expand_to_one_word(text: str, words: list[str]) -> None:
    """A variable is one word whatever it holds, and what it holds is not read again."""
    assert list(words_of(text).words) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{JOB}", ["cache"]),
        ("{ JOB }", ["cache"]),
        ("-x={NUMBER + 1}", ["-x=8"]),
        ("{d['k']}", ["v"]),
        ('"{d["k"]}"', ["v"]),
        ('"{d["it\'s"]}"', ["w"]),
        ("{d['}']}", ["x"]),
        ("{ {'a': 1}['a'] }", ["1"]),
        ("{NUMBER > 3 and 'a b' or 'c|d'}", ["a b"]),
        ('{f"{JOB:>7}"}', ["  cache"]),
        ("{sorted({3, 1})}", ["[1, 3]"]),
        ("{''}", [""]),
        ("a{JOB}b{NUMBER}c", ["acacheb7c"]),
        ("{{JOB}}", ["{JOB}"]),
        ('"{{}}"', ["{}"]),
        ("{{{JOB}}}", ["{cache}"]),
        ("a}b", ["a}b"]),
        ("'{}'", ["{}"]),
        ('"\\{\\"a\\": 1\\}"', ['{"a": 1}']),
        ("{(1 +\\\n 1)}", ["2"]),
    ],
)
def test_braces_are_python(text: str, words: list[str]) -> None:
    """An expression ends at the first brace with which it is one."""
    assert list(words_of(text).words) == words


@pytest.mark.parametrize("text", ["hello &", "hello&", "hello & ", "hello &\n", "hello & # why"])
def test_an_ampersand_at_the_end_is_the_background(text: str) -> None:
    """A single unquoted `&` ends the line, glued or not, with a comment after it or not."""
    assert words_of(text) == Line(("hello",), background=True)


@pytest.mark.parametrize("text", ["'&'", r"hello\&", '"a &"', "# &"])
def test_a_quoted_ampersand_is_none(text: str) -> None:
    """A quoted `&` asks for nothing."""
    assert not words_of(text).background


@pytest.mark.parametrize(
    ("text", "shown", "column", "advice"),
    [
        ("hello | grep x", "|", 7, "r.lines"),
        ("hello|grep", "|", 6, "r.lines"),
        ("hello |& cat", "|&", 7, "r.lines"),
        ("hello > f", ">", 7, "r.save(path)"),
        ("hello>f", ">", 6, "r.save(path)"),
        ("hello >> f", ">>", 7, "r.save(path)"),
        ("hello 2> f", "2>", 7, "r.save(path)"),
        ("hello 2>&1", "2>&", 7, "r.save(path)"),
        ("v2>f", ">", 3, "r.save(path)"),
        ("hello &> f", "&>", 7, "r.save(path)"),
        ("hello < f", "<", 7, "%%nomad_action"),
        ("hello << EOF", "<<", 7, "%%nomad_action"),
        ("hello <<< x", "<<<", 7, "%%nomad_action"),
        ("a ; b", ";", 3, "stops Run All"),
        ("a;", ";", 2, "stops Run All"),
        ("a && b", "&&", 3, "stops Run All"),
        ("a || b", "||", 3, "stops Run All"),
        ("a & b", "&", 3, "at the end of the line"),
        ("a &x", "&", 3, "at the end of the line"),
        ("(a)", "(", 1, "no subshell"),
        ("a)", ")", 2, "no subshell"),
    ],
)
def test_what_only_a_shell_can_do_is_refused(
    text: str, shown: str, column: int, advice: str
) -> None:
    """An operator is never taken for an argument; the error says what to write instead."""
    error = error_of(text)
    assert error.message == f"{shown} at column {column} means nothing here"
    assert advice in error.hint
    assert "single quotes" in error.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 'b", "the quote ' opened at column 3 is not closed"),
        ('-job="b c', 'the quote " opened at column 6 is not closed'),
        ("a \\\n 'b", "the quote ' opened at line 2, column 2 is not closed"),
        ("a\\", "the \\ at column 2 is the last character"),
        ('"a\\', "the \\ at column 3 is the last character"),
        ("a\nb", "the line ends at column 2, and something follows it"),
        ("$JBO", "$JBO: no Python variable and no environment variable has this name"),
        ('"${JBO}"', "${JBO}: no Python variable and no environment variable has this name"),
        ("$(date)", "$( at column 1 means nothing here"),
        ("a $1", "$1 at column 3 means nothing here"),
        ('"$?"', "$? at column 2 means nothing here"),
        ("$@", "$@ at column 1 means nothing here"),
        ("$*", "$* at column 1 means nothing here"),
        ("$#", "$# at column 1 means nothing here"),
        ("$!", "$! at column 1 means nothing here"),
        ("$$", "$$ at column 1 means nothing here"),
        ("$-", "$- at column 1 means nothing here"),
        ("${JOB:-x}", "${JOB:-x} at column 1 means nothing here"),
        ("${}", "${} at column 1 means nothing here"),
        ("${JOB", "${ at column 1 means nothing here"),
        ("`date`", "` at column 1: no command is run inside a line"),
        ('"`"', "` at column 2: no command is run inside a line"),
        ("a {}", "{} at column 3 holds no expression"),
        ("{ }", "{} at column 1 holds no expression"),
        ("{JOB", "{ at column 1 has no } after it"),
        ("{JOB:>9}", "{JOB:>9} at column 1 is not a Python expression: invalid syntax"),
        ('{"a": 1}', '{"a": 1} at column 1 is not a Python expression: invalid syntax'),
        ("{f({}) x}", "{f({}) x} at column 1 is not a Python expression: invalid syntax"),
        ("{x = 1}", None),
        ("{jbo}", "{jbo}: NameError: name 'jbo' is not defined"),
        ("{d['x']}", "{d['x']}: KeyError: 'x'"),
        ("{1 / 0}", "{1 / 0}: ZeroDivisionError: division by zero"),
    ],
)
def test_an_error_names_what_and_where(text: str, message: str | None) -> None:
    """Each refusal says which character, name or expression it is about."""
    error = error_of(text)
    if message is not None:
        assert error.message == message
    assert error.exit_code == 1


def test_a_missing_home_is_named() -> None:
    """`~/` without a HOME says what it looked for."""
    with pytest.raises(LineError, match=r"^~/: no Python .* has the name HOME"):
        split("~/x", variables={}.__getitem__, evaluate=eval)


def test_a_failed_expression_keeps_its_cause() -> None:
    """The user's own exception stays at hand."""
    assert isinstance(error_of("{jbo}").__cause__, NameError)


@pytest.mark.parametrize(
    "text",
    [
        "{int(SECRET)}",
        "{d[SECRET]}",
        "$SECRET |",
        "$SECRET'",
        "{SECRET} $JBO",
        '"$SECRET {SECRET.nothing}"',
        "{NUMBER + SECRET}",
        "{exec('raise RuntimeError(SECRET)')}",
    ],
)
def test_an_error_holds_no_value(text: str) -> None:
    """Whatever fails, what a variable holds is not in the message."""
    assert "hunter2" not in str(error_of(text))


def test_a_value_that_cannot_be_text_is_an_error_of_the_line() -> None:
    """A `__str__` that raises is reported as an expression that raises."""

    class Bad:
        def __str__(self) -> str:
            raise ValueError("hunter2")

    with pytest.raises(LineError, match=r"^\$x: ValueError \(its message is left out"):
        split("$x", variables={"x": Bad()}.__getitem__, evaluate=eval)


def test_an_interrupt_in_an_expression_is_no_error_of_the_line() -> None:
    """Ctrl-C during an expression stays Ctrl-C."""

    def evaluate(_: str) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        split("{x}", variables=NAMES.__getitem__, evaluate=evaluate)


@pytest.mark.parametrize(
    ("line", "body", "whole", "rest"),
    [
        ("a b", "in\n", "a b", "in\n"),
        ("a \\", "b\nin\n", "a \\\nb", "in\n"),
        ("a \\", "b \\\nc\nin", "a \\\nb \\\nc", "in"),
        ("a \\", "b", "a \\\nb", ""),
        ("a \\", "\nin", "a \\\n", "in"),
        ("a \\", "b\r\nin\r\n", "a \\\nb", "in\r\n"),
        ("a \\\\", "in", "a \\\\", "in"),
        ("a \\\\\\", "b\nin", "a \\\\\\\nb", "in"),
        ("a '\\'", "in", "a '\\'", "in"),
        ("a '\\", "in", "a '\\", "in"),
        ('a "b\\', 'c"\nin', 'a "b\\\nc"', "in"),
        ("a # b \\", "in", "a # b \\", "in"),
        ("{d['it\\'s']} \\", "b\nin", "{d['it\\'s']} \\\nb", "in"),
        ('"{d["it\'s"]}" \\', "b\nin", '"{d["it\'s"]}" \\\nb', "in"),
        ("{max(1, \\", "2)} b\nin", "{max(1, \\\n2)} b", "in"),
        ("$nothing {nothing} \\", "b\nin", "$nothing {nothing} \\\nb", "in"),
        ("a | b \\", "c\nin", "a | b \\", "c\nin"),
    ],
)
def test_a_backslash_continues_the_first_line_of_a_cell(
    line: str, body: str, whole: str, rest: str
) -> None:
    """What the shell would read as one line is taken from the body, and nothing more."""
    assert join_continuation(line, body) == (whole, rest)


def test_a_continuation_needs_a_line() -> None:
    """A backslash at the end of the cell is an error that says so."""
    with pytest.raises(LineError, match="the cell has no further line"):
        join_continuation("a \\", "b \\")


@pytest.mark.parametrize(
    "text",
    ["a &" + " #" * 20_000 + "\nx", "a\n" + "# " * 20_000 + "\nx", "$" * 20_000],
    ids=["hashes", "comments", "dollars"],
)
def test_a_long_line_is_refused_as_a_short_one_is(text: str) -> None:
    """However long; that its time grows with its length alone is in `bench_lines.py`."""
    with pytest.raises(LineError):
        words_of(text)


@given(st.lists(st.text()))
def test_a_quoted_line_gives_its_words_back(words: list[str]) -> None:
    """What `shlex.join` writes is read back unchanged."""
    assert words_of(shlex.join(words)).words == tuple(words)


@given(st.text(alphabet="ab=-./ \t'\"\\é"))
def test_plain_lines_split_as_shlex_splits_them(text: str) -> None:
    """Without the characters that mean more here, the standard library's shell agrees."""
    try:
        expected = shlex.split(text, posix=True)
    except ValueError:
        error_of(text)
    else:
        assert list(words_of(text).words) == expected


ARBITRARY = st.text() | st.text(alphabet="ab1 \t\n\r'\"\\${}()|&;<>#~/`:=.")


@given(ARBITRARY)
def test_any_text_splits_or_is_an_error_of_the_line(text: str) -> None:
    """No text makes anything but a `LineError`."""

    def evaluate(source: str) -> object:
        raise RuntimeError(source)

    with suppress(LineError):
        split(text, variables=NAMES.__getitem__, evaluate=evaluate)


@given(ARBITRARY, ARBITRARY)
def test_continuations_lose_no_text(line: str, body: str) -> None:
    """Line and body together are what they were."""
    try:
        whole, rest = join_continuation(line, body)
    except LineError:
        return
    assert whole.startswith(line)
    taken = whole[len(line) :]
    if not taken:
        assert rest == body
    elif rest:
        assert body.replace("\r\n", "\n").endswith(rest.replace("\r\n", "\n"))
