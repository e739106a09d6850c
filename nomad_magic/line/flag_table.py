"""The table of the flags of `nomad job action`, and the help that is made from it.  Pure.

`FLAGS` is the one table: the parser, the help and the documentation's test read it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Flag(NamedTuple):
    """One flag of the command line.

    Attributes:
        name: Without its dash.
        group: What it is about.
        value: What the help calls its value; empty for a boolean.
        environment: The variable that stands in for it; empty where there is none.
        default: What holds without it, in words.
        summary: What it does, without a full stop.
        synonyms: Other names of the same flag.
    """

    name: str
    group: Literal["action", "fleet", "connection"]
    value: str
    environment: str
    default: str
    summary: str
    synonyms: tuple[str, ...] = ()

    @property
    def field(self) -> str:
        """The attribute of `ActionArgs` that holds it."""
        return {"i": "stdin", "t": "tty", "e": "escape"}.get(self.name, self.name.replace("-", "_"))

    @property
    def kind(self) -> Literal["string", "boolean"]:
        """Whether it takes a value."""
        return "string" if self.value else "boolean"


# fmt: off
# A table reads by its rows: the facts of a flag, and below them what it does.
FLAGS: tuple[Flag, ...] = (
    Flag("job", "action", "id", "", "none, it is required",
         "The job that defines the action: its id, or the beginning of it"),
    Flag("group", "action", "name", "", "none, it is required without -alloc",
         "The task group; one of its running allocations is taken"),
    Flag("task", "action", "name", "", "none, it is required without -alloc",
         "The task that the action runs in"),
    Flag("alloc", "action", "id", "", "one of the group's",
         "The allocation: its id, or the beginning of it; -group then has no effect"),
    Flag("i", "action", "", "", "true",
         "Pass stdin to the action"),
    Flag("t", "action", "", "", "true when stdin is a terminal",
         "Run the action in a terminal (a pty); needs -i"),
    Flag("e", "action", "char", "", "~",
         "The escape character, one byte, or none: at the start of a line, with a dot after it,"
         " it ends the session"),
    Flag("address", "connection", "url", "NOMAD_ADDR", "http://127.0.0.1:4646",
         "The agent to ask: http://, https:// or unix:///path"),
    Flag("region", "connection", "name", "NOMAD_REGION", "the agent's own",
         "The region that requests are sent on to"),
    Flag("namespace", "connection", "name", "NOMAD_NAMESPACE", "default",
         "The job's namespace; * looks in all of them"),
    Flag("token", "connection", "secret", "NOMAD_TOKEN", "none",
         "The ACL token; the variable keeps it out of the notebook"),
    Flag("ca-cert", "connection", "file", "NOMAD_CACERT", "the system's roots",
         "PEM file with the roots that may vouch for the agent"),
    Flag("ca-path", "connection", "folder", "NOMAD_CAPATH", "the system's roots",
         "Folder of such files; without effect beside -ca-cert"),
    Flag("client-cert", "connection", "file", "NOMAD_CLIENT_CERT", "none",
         "PEM file of our own certificate; goes with -client-key"),
    Flag("client-key", "connection", "file", "NOMAD_CLIENT_KEY", "none",
         "PEM file of its key, not encrypted"),
    Flag("tls-server-name", "connection", "name", "NOMAD_TLS_SERVER_NAME", "the address's host",
         "The name that the agent's certificate must bear"),
    Flag("tls-skip-verify", "connection", "", "NOMAD_SKIP_VERIFY", "false",
         "Accept any certificate; -insecure is the same", ("insecure",)),
    Flag("no-color", "connection", "", "NOMAD_CLI_NO_COLOR", "false",
         "Keep our own messages plain; wins over -force-color"),
    Flag("force-color", "connection", "", "NOMAD_CLI_FORCE_COLOR", "false",
         "Colour our own messages even where there is no terminal"),
)
"""Every flag of `nomad job action`, in the order of the help."""


FLEET_FLAGS: tuple[Flag, ...] = (
    Flag("parallel", "fleet", "n", "", "32",
         "How many allocations it runs in at the same time"),
    Flag("fail-fast", "fleet", "", "", "false",
         "Begin no more once one has failed"),
)
"""Those of `%nomad_action_all` that the CLI does not have."""


VARIABLES: tuple[tuple[str, str], ...] = (
    ("NOMAD_HTTP_AUTH",
     ("`user:password` for basic auth, with the agent and with the nodes; a user and password in"
      " the address are for that address alone")),
    ("HTTP_PROXY",
     ("The proxy for `http://` addresses, for the websocket too; never for loopback. As the next"
      " two also in lower case; a SOCKS proxy is refused")),
    ("HTTPS_PROXY",
     "The proxy for `https://` addresses, likewise"),
    ("NO_PROXY",
     ("Where no proxy is used: hosts, `.suffixes`, addresses, networks such as `10.0.0.0/8`, each"
      " with or without a port, or `*`")),
    ("NOMAD_CLI_SHOW_HINTS",
     "Nothing here; a value that is neither true nor false gets the CLI's warning"),
)
"""What is read from the environment and has no flag: each with what it does, as Markdown."""
# fmt: on


LISTING_FLAGS: tuple[Flag, ...] = tuple(
    flag for flag in FLAGS if flag.group == "connection" or flag.name in {"job", "group", "task"}
)
"""Those of `%nomad_actions`: they narrow, or say which agent is asked."""


BY_NAME = {name: flag for flag in FLAGS for name in (flag.name, *flag.synonyms)}
FLEET_BY_NAME = {flag.name: flag for flag in FLEET_FLAGS}


def help_text() -> str:
    """Return the help: every flag, its variable and its default, at most 80 columns wide."""
    parts = [_HELP_HEAD]
    for group, title in (("action", "The action"), ("connection", "The connection")):
        parts.append(f"{title}:")
        parts.extend(_help_of(flag) for flag in FLAGS if flag.group == group)
    parts.append(_HELP_NOTEBOOK)
    return "\n\n".join(parts)


def fleet_help_text() -> str:
    """Return the help of `%nomad_action_all`, in the same form."""
    flags = [flag for flag in FLAGS if flag.name != "alloc"]
    needed = {"group": "every group that has the action", "task": "the one that has the action"}
    parts = [_FLEET_HELP_HEAD]
    groups = (("fleet", "Many at once"), ("action", "The action"), ("connection", "The connection"))
    for group, title in groups:
        parts.append(f"{title}:")
        parts += [
            _help_of(flag._replace(default=needed.get(flag.name, flag.default)))
            for flag in (*FLEET_FLAGS, *flags)
            if flag.group == group
        ]
    return "\n\n".join(parts)


def listing_help_text() -> str:
    """Return the help of `%nomad_actions`, in the same form."""
    narrowed = {
        "job": "every job that the token can read",
        "group": "every group",
        "task": "every task",
        "namespace": "all of them, unless -job or NOMAD_NAMESPACE is there",
    }
    parts = [_LISTING_HELP_HEAD]
    for group, title in (("action", "Which of them"), ("connection", "The connection")):
        parts.append(f"{title}:")
        parts += [
            _help_of(flag._replace(default=narrowed.get(flag.name, flag.default)))
            for flag in LISTING_FLAGS
            if flag.group == group
        ]
    return "\n\n".join(parts)


_HELP_HEAD = """\
Usage: nomad job action [options] <action>

Runs an action of a job inside one of its running allocations: streams what it
writes, passes it what is typed, and ends as it ends, with its exit code.

An option is -name=value or -name value; -i and -t and the like are -name or
-name=false.  Options end at the action; words after it are ignored."""


_FLEET_HELP_HEAD = """\
Usage: %nomad_action_all [options] <action>

Runs an action of a job in every running allocation that has it, names those
that are left out, and shows equal endings once.  The value is a FleetResult:
r.ok, r.failed, r.groups, r.rerun_failed().

It takes the options of nomad job action but -alloc, and two of its own.
%%nomad_action_all passes the cell's body as stdin to each, and " &" at the end
runs all of it in the background."""


_LISTING_HELP_HEAD = """\
Usage: %nomad_actions [options] [<action>]

Lists the actions that there are: of a job, or of all jobs that the token can
read.  The value is the list: each with its job, group, task, command, how many
allocations run, and the line that runs it.

With an action's name it lists those of that name, and where there is just one
its line is put into the next cell."""


_HELP_NOTEBOOK = """\
In a notebook:

  %nomad_action takes this line and returns the result, %%nomad_action passes
  the cell's body as stdin, and " &" at the end runs it in the background."""


def _help_of(flag: Flag) -> str:
    head = f"  -{flag.name}=<{flag.value}>" if flag.value else f"  -{flag.name}"
    facts = [flag.summary + ".", f"Default: {flag.default}."]
    if flag.environment:
        facts.append(f"Environment: {flag.environment}.")
    import textwrap  # noqa: PLC0415 - most runs ask for no help

    text = textwrap.fill(" ".join(facts), width=74, break_on_hyphens=False)
    return f"{head}\n{textwrap.indent(text, ' ' * 6)}"
