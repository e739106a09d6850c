"""`%nomad_actions`: which actions there are, each with the line that runs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from IPython.core.magic import Magics, line_magic, no_var_expand

from nomad_magic.errors import UsageError
from nomad_magic.line.flags import HelpRequested
from nomad_magic.running import leaving
from nomad_magic.running.leaving import sealed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.line.flags import ActionArgs
    from nomad_magic.nomad.options import Options
    from nomad_magic.record.listing import ActionListing

    class _Line(Protocol):
        """What of a typed line is needed here."""

        @property
        def argv(self) -> Sequence[str]: ...

        @property
        def background(self) -> bool: ...


class ListingMagics(Magics):
    """The part of `NomadMagics` that lists; its line and its settings are those of the whole."""

    if TYPE_CHECKING:

        def _split(self, line: str, cell: str | None) -> _Line: ...

        def _options(self) -> Options: ...

        @property
        def _shell(self) -> InteractiveShell: ...

    @no_var_expand
    @line_magic
    @sealed
    def nomad_actions(self, line: str) -> ActionListing | None:
        """List the actions that there are, each with the line that runs it.

        Usage: %nomad_actions [flags] [<action>]

        Examples::

            %nomad_actions -job=cache
            r = %nomad_actions -group=redis
            %nomad_actions -job=cache flush

        The first lists the actions of a job, the second those of all jobs that the token can read
        and keeps the list (r[0].name, r[0].command, r[0].line); the third puts the line that runs
        the action into the next cell.

        Help: %nomad_actions -help explains every flag.
        """
        # With the first list: `%load_ext` needs none of this.
        from nomad_magic.line import listing_flags  # noqa: PLC0415 - see above

        typed = self._split(line, None)
        argv = typed.argv
        with leaving.settling(argv, os.environ):
            if typed.background:
                raise UsageError("%nomad_actions has no background: leave out the &")
            try:
                args = listing_flags.parse(argv)
            except HelpRequested as help_requested:
                print(help_requested.text)  # noqa: T201 - as for a run
                return None
            found = self._ask(args, argv)
        if args.action and len(found) == 1:
            self._shell.set_next_input(found[0].line)
        return found

    def _ask(self, args: ActionArgs, argv: Sequence[str]) -> ActionListing:
        from nomad_magic.nomad import cache, catalogue  # noqa: PLC0415 - see above
        from nomad_magic.nomad.target import read_target  # noqa: PLC0415 - see above
        from nomad_magic.running import loop  # noqa: PLC0415 - see above

        target = read_target(args, os.environ, argv)
        cache.check(target)
        options = self._options()

        async def ask() -> ActionListing:
            return await catalogue.listing(args, cache.client(target, options))

        asked = loop.submit(ask())
        try:
            # While the questions are on their way.
            from nomad_magic.running.api import line_notices  # noqa: PLC0415 - see above

            found = asked.result()
        finally:
            # Whatever interrupts the wait ends the questions too.
            asked.cancel()
        shown = target.masker().shown
        return found.noting(map(shown, (*line_notices(args), *target.notices)))
