"""The magics and their settings."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from IPython.core.magic import (
    line_cell_magic,
    line_magic,
    magics_class,
    no_var_expand,
)
from traitlets import Bool, Enum, Float, Int, Unicode

from nomad_magic.errors import UsageError
from nomad_magic.line.flag_table import help_text
from nomad_magic.line.flags import HelpRequested
from nomad_magic.nomad.options import Options
from nomad_magic.notebook.agent_command import AgentCommand
from nomad_magic.notebook.completion_hook import CompletionHook
from nomad_magic.notebook.kernel import host
from nomad_magic.notebook.kernel.displayhook import QuietDisplay
from nomad_magic.notebook.listing_command import ListingMagics
from nomad_magic.notebook.pattern_trait import Patterns, check
from nomad_magic.notebook.runs_magic import RunsMagic
from nomad_magic.notebook.typed import Typed, read
from nomad_magic.running import leaving
from nomad_magic.running.leaving import sealed

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.notebook.background import BackgroundRecords
    from nomad_magic.notebook.kernel.host import Host
    from nomad_magic.notebook.views.base import View
    from nomad_magic.notebook.views.widget import WidgetView
    from nomad_magic.record.fleet_result import FleetResult
    from nomad_magic.record.plan import Plan
    from nomad_magic.record.result import ActionResult
    from nomad_magic.running.fleet import Fleet
    from nomad_magic.running.session import Session

    OneRun: TypeAlias = ActionResult | Session | Plan | None
    ManyRuns: TypeAlias = FleetResult | Fleet | Plan | None

H = TypeVar("H", "Session", "Fleet")

DEFAULTS = Options()


@magics_class
class NomadMagics(RunsMagic, ListingMagics):
    """Run Nomad's actions from a notebook; see `%nomad_action -help`."""

    raise_on_error = Bool(
        True,  # noqa: FBT003 - traitlets takes its default so
        help="Raise when an action leaves with a non-zero exit code, so that the cell fails and "
        "*Run All* stops.",
    ).tag(config=True)
    view = Enum(
        ["auto", "widget", "text"],
        "auto",
        help="How a running action is shown: in a `widget` with a Stop button, or as `text` on the "
        "cell's stdout and stderr; `auto` takes the widget where a person sits at a notebook.",
    ).tag(config=True)
    connect_timeout = Float(
        DEFAULTS.connect_timeout,
        min=0,
        help="Seconds to connect to an agent, the name's lookup included; then for TLS; then for "
        "the answer to the request that starts an action.",
    ).tag(config=True)
    answer_timeout = Float(
        DEFAULTS.answer_timeout, min=0, help="Seconds to wait for each answer of an agent."
    ).tag(config=True)
    timeout = Float(
        None,
        allow_none=True,
        min=0,
        help="Seconds an action may run before it is interrupted; None for as long as it likes.",
    ).tag(config=True)
    grace = Float(
        DEFAULTS.grace,
        min=0,
        help="Seconds an action may clean up after a timeout, or an interrupt in a headless run.",
    ).tag(config=True)
    link_timeout = Float(
        DEFAULTS.link_timeout,
        min=0,
        help="Seconds an agent may show no sign of life in mid-run before the run counts as lost; "
        "a silent action is none, for the agent is asked.",
    ).tag(config=True)
    max_answer_bytes = Int(
        DEFAULTS.max_answer_bytes,
        min=1,
        help="How large an agent's answer may be, unpacked, in bytes.",
    ).tag(config=True)
    max_frame_bytes = Int(
        DEFAULTS.max_frame_bytes,
        min=1,
        help="How large a message of a running action's session may be, in bytes.",
    ).tag(config=True)
    reach = Bool(
        DEFAULTS.reach,
        help="Look for the action's process by a second session in its task, to stop it where it "
        "has no terminal, and to know after a lost connection what became of it.",
    ).tag(config=True)
    direct = Bool(
        DEFAULTS.direct,
        help="Try the allocation's own node before the configured address, as the CLI does.",
    ).tag(config=True)
    log_dir = Unicode(
        None,
        allow_none=True,
        help="The folder of a log: each run has a folder in it, with its record and its output, "
        "masked, as they come; None for no log.",
    ).tag(config=True)

    dry_run = Bool(
        False,  # noqa: FBT003 - as above
        help="Show what would run, where and what Stop could do there, and run nothing.",
    ).tag(config=True)
    confirm = Patterns(
        help="Patterns such as `namespace=prod*` or `job=cache action=flush*`: what they hold for "
        "runs only once the action's name was typed.",
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.display = QuietDisplay(shell)
        self.agent = AgentCommand()
        self.completion = CompletionHook(shell, self._options)
        self.background: BackgroundRecords | None = None

    @no_var_expand
    @line_cell_magic
    @sealed
    def nomad_action(self, line: str, cell: str | None = None) -> OneRun:
        """Run an action of a Nomad job, as `nomad job action` does.

        Usage: %nomad_action [flags] <action>

        Examples::

            %nomad_action -job=cache -group=redis -task=server health-check
            r = %nomad_action -job=cache -alloc=8b5c6a3e -t=false health-check
            %nomad_action -job=cache -group=redis -task=server flush &

        The first shows the action while it runs, the second keeps its result (r.ok, r.exit_code,
        r.text), the third runs it in the background.  %%nomad_action passes the cell's body as
        stdin.

        Help: %nomad_action -help explains every flag, %config NomadMagics the settings.
        """
        return self._run(self._split(line, cell))

    @no_var_expand
    @line_cell_magic
    @sealed
    def nomad_action_all(self, line: str, cell: str | None = None) -> ManyRuns:
        """Run an action of a Nomad job in every running allocation that has it.

        Usage: %nomad_action_all [-parallel=N] [-fail-fast] [flags] <action>

        Examples::

            %nomad_action_all -job=cache health-check
            r = %nomad_action_all -job=cache -group=redis -parallel=8 -fail-fast flush
            %nomad_action_all -job=cache flush &

        Equal endings are shown once, and a smaller group by how it differs from the largest.  The
        value has each result by its allocation's id (r.ok, r.failed, r.groups, r.rerun_failed()).
        %%nomad_action_all passes the cell's body as stdin to each.

        Help: %nomad_action_all -help explains every flag, %config NomadMagics the settings.
        """
        return self._run_all(self._split(line, cell))

    @no_var_expand
    @line_cell_magic
    @sealed
    def nomad(self, line: str, cell: str | None = None) -> OneRun:
        """Run a line that was copied from a terminal, with a % before it.

        Usage: %nomad job action [flags] <action>

        Examples::

            %nomad job action -job=cache -group=redis -task=server health-check
            r = %nomad action -job=cache -alloc=8b5c6a3e -t=false health-check
            %nomad job action -job=cache -group=redis -task=server flush &

        It is %nomad_action by another name; no other command of nomad runs here.

        Help: %nomad job action -help explains every flag, %config NomadMagics the settings.
        """
        typed = self._split(line, cell)
        argv = typed.argv
        if argv[:2] == ["job", "action"]:
            typed = replace(typed, argv=argv[2:])
        elif argv[:1] == ["action"]:
            typed = replace(typed, argv=argv[1:])
        else:
            said = " ".join(["nomad", *argv[:2]])
            with leaving.settling(argv, os.environ):
                raise UsageError(
                    f"{said!r} does not run here: only `nomad job action` and its alias "
                    "`nomad action` do",
                    hint="For anything else write !nomad … if the nomad program is installed here.",
                )
        return self._run(typed)

    @no_var_expand
    @line_magic
    @sealed
    def nomad_agent(self, line: str) -> None:
        """Start and stop an embedded agent: it runs Nomad job files as processes of this machine.

        Usage: %nomad_agent [start [options] [job files] | stop | status]; the options are
        -var NAME=VALUE, -var-file FILE and --lenient.

        Examples::

            %nomad_agent start
            %nomad_agent start jobs/cache.nomad.hcl
            %nomad_agent stop

        The first runs a demo job.  NOMAD_ADDR and NOMAD_TOKEN of this kernel are set to the agent,
        and are as before once it is stopped.

        Help: the project's page docs/agent.md says what it can and cannot do.
        """
        argv = self._split(line, None).argv
        with leaving.settling(argv, os.environ):
            self.agent.run(argv)

    def _split(self, line: str, cell: str | None) -> Typed:
        """Read a line and a cell's body."""
        return read(self._shell, line, cell)

    def _run(self, typed: Typed) -> OneRun:
        # With the first action: `%load_ext` needs none of the client's libraries.
        from nomad_magic.notebook.views.text import TextView  # noqa: PLC0415 - see above
        from nomad_magic.running import api  # noqa: PLC0415 - see above

        around = host.look(self._shell)
        body, background = typed.body, typed.background
        attended = around.attended and body is None
        widget = self._live_view(around)
        if widget is not None or background:
            typing = api.Typing.KEYS
        elif attended and not around.kernel:
            typing = api.Typing.LINES
        else:
            typing = api.Typing.NOTHING
        try:
            session = api.prepare(
                typed.argv,
                stdin=body,
                environ=os.environ,
                stdin_is_tty=attended,
                options=self._options(),
                typing=typing,
                size=around.size,
            )
        except HelpRequested:
            print(help_text())  # noqa: T201 - the CLI's -help writes to stdout
            return None
        if plan := self._before(session, around):
            return plan
        if background and widget is not None:
            made = widget(session, around, self._shell, background=True, literal=typed.literal)
            made.run_in_background()
            return session
        if background:
            return self._begin(session, around, typed)
        view: View[Session]
        result = session.result
        if widget is None:
            view = TextView(session, around)
            view.run()
            self._show_record(result, around)
        else:
            view = widget(session, around, self._shell, literal=typed.literal)
            view.run()
        if view.interrupts:
            raise session.interrupted()
        if self.raise_on_error or session.unfinished:
            session.check()
        self.display.already_shown(result)
        return result

    def _begin(self, handle: H, around: Host, typed: Typed) -> H:
        """Begin in the background where there is no live view."""
        if around.kernel:
            from nomad_magic.notebook.background import BackgroundRecords  # noqa: PLC0415 - as above

            self.background = self.background or BackgroundRecords(self._shell)
            self.background.begin(handle, literal=typed.literal)
        return handle.start()

    def _show_record(self, result: ActionResult, around: Host) -> None:
        """Show the record of a run whose output stands above, in a notebook."""
        from nomad_magic.record import card  # noqa: PLC0415 - as for the run
        from nomad_magic.record.record import Record  # noqa: PLC0415 - the same

        if around.kernel and result.started is not None:
            record = Record(result)
            # Of what was drawn on a screen the stream above shows anything but that.
            data, metadata = card.bundle(record, output=record.drawn)
            self._shell.display_pub.publish(data, metadata)

    def _run_all(self, typed: Typed) -> ManyRuns:
        from nomad_magic.notebook.views.fleet import FleetView  # noqa: PLC0415 - as for one run
        from nomad_magic.running import fleet_api  # noqa: PLC0415 - as for one run

        around = host.look(self._shell)
        try:
            fleet = fleet_api.prepare(
                typed.argv,
                stdin=typed.body,
                environ=os.environ,
                stdin_is_tty=around.attended and typed.body is None,
                options=self._options(),
                size=around.size,
            )
        except HelpRequested as help_requested:
            print(help_requested.text)  # noqa: T201 - as for one run
            return None
        if plan := self._before(fleet, around):
            return plan
        view: View[Fleet]
        live = self._live_wanted(around)
        if typed.background and not live and around.kernel:
            return self._begin(fleet, around, typed)
        if live:
            from nomad_magic.notebook.views.fleet_widget import (  # noqa: PLC0415 - as for one run
                FleetWidgetView,
            )

            view = FleetWidgetView(
                fleet,
                around,
                self._shell,
                background=typed.background,
                literal=typed.literal,
            )
        else:
            view = FleetView(fleet, around, self._shell)
        if typed.background:
            view.run_in_background()
            return fleet
        view.run()
        if view.interrupts:
            raise fleet.interrupted()
        if self.raise_on_error or fleet.unfinished:
            fleet.check()
        self.display.already_shown(fleet.result)
        return fleet.result

    def _before(self, handle: Session | Fleet, around: Host) -> Plan | None:
        """Have it confirmed where that is asked for; with `dry_run` return what would run."""
        if not (self.dry_run or self.confirm):
            return None
        from nomad_magic.notebook import confirm  # noqa: PLC0415 - most have neither

        if not self.dry_run:
            confirm.settle(handle, around, self._shell)
            return None
        plan = confirm.planned(handle, around, self._shell)
        self.display.already_shown(plan)
        return plan

    def _live_view(self, around: Host) -> type[WidgetView] | None:
        """Return the live view where it is wanted and can be had; None for the text view."""
        if not self._live_wanted(around):
            return None
        from nomad_magic.notebook.views.widget import WidgetView  # noqa: PLC0415 - slow to load

        return WidgetView

    def _live_wanted(self, around: Host) -> bool:
        """Whether a live view is wanted, and can be had."""
        if not around.kernel or self.view == "text":
            return False
        if self.view == "auto" and not around.attended:
            return False
        from nomad_magic.notebook.live import widget  # noqa: PLC0415 - ipywidgets loads slowly

        return widget.built()

    def _options(self) -> Options:
        check(self)
        # Each is a setting of the same name.
        return Options(**{option.name: getattr(self, option.name) for option in fields(Options)})

    @property
    def _shell(self) -> InteractiveShell:
        return cast("InteractiveShell", self.shell)
