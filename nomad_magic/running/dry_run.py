"""`dry_run`: what a line would do and where, without doing it: no exec session is opened."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from nomad_magic.errors import NomadMagicError, Unreachable
from nomad_magic.line import patterns
from nomad_magic.nomad import cache
from nomad_magic.nomad.resolve import Resolver
from nomad_magic.nomad.survey import survey
from nomad_magic.running import api, fleet_api, leaving, loop, outcome, planning
from nomad_magic.running.leaving import sealed
from nomad_magic.running.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nomad_magic.nomad.models import AllocationStub
    from nomad_magic.nomad.options import Options
    from nomad_magic.record.facts import Place
    from nomad_magic.record.plan import Plan
    from nomad_magic.running.fleet import Fleet


@sealed
def dry_run(
    args: str | Sequence[str],
    stdin: str | bytes | None = None,
    *,
    env: Mapping[str, str] | None = None,
    options: Options | None = None,
) -> Plan:
    """Return what `run` would do and where; nothing is run.

    Where the line names no allocation each run takes one at random: the plan has one of them.

    Args:
        args: As for `start`.
        stdin: As for `start`.
        env: As for `start`.
        options: As for `start`.

    Raises:
        UsageError: The line.
        SettingsError: The address, a certificate, or a pattern of `Options.confirm`.
        LocateError: There is no such job, group, task, allocation or action.
        RequestError: No usable answer.
    """
    argv, data, environ = api.read_call(args, stdin, env)
    return plan(api.prepare(argv, stdin=data, environ=environ, options=options))


@sealed
def dry_run_all(
    args: str | Sequence[str],
    stdin: str | bytes | None = None,
    *,
    env: Mapping[str, str] | None = None,
    options: Options | None = None,
) -> Plan:
    """Return what `run_all` would do and where; nothing is run.

    Args:
        args: As for `start_all`.
        stdin: As for `start_all`.
        env: As for `start_all`.
        options: As for `start_all`.

    Raises:
        NomadMagicError: As by `dry_run`.
    """
    argv, data, environ = api.read_call(args, stdin, env)
    return plan(fleet_api.prepare(argv, stdin=data, environ=environ, options=options))


def plan(handle: Session | Fleet) -> Plan:
    """Return what something would do that was not started, and is not started by this.

    Raises:
        LocateError: It leads nowhere.
        RequestError: No usable answer.
    """
    asking = loop.submit(_of_one(handle) if isinstance(handle, Session) else _of_many(handle))
    try:
        return asking.result()
    except NomadMagicError as error:
        if isinstance(error, Unreachable) and not handle.target.given:
            error.hint = outcome.NO_ADDRESS
        leaving.settle(error, handle.result.masker.shown)
        raise
    finally:
        asking.cancel()


async def _of_one(session: Session) -> Plan:
    args, target, options = session.args, session.target, session.options
    client = cache.client(target, options)
    masker = session.result.masker
    result = replace(session.result, notices=list(session.result.notices))
    chosen_from = 0

    def choose(stubs: Sequence[AllocationStub]) -> AllocationStub:
        nonlocal chosen_from
        chosen_from = len(stubs)
        return random.SystemRandom().choice(stubs)

    def located(place: Place, command: tuple[str, ...] | None) -> None:
        result.place = place.shown(masker)
        result.command = command and tuple(map(masker.shown, command))

    resolver = Resolver(
        args,
        client,
        choose=choose,
        located=located,
        notice=lambda text: result.notices.append(masker.shown(text)),
    )
    await resolver.find()
    resolved = await resolver.look()
    await planning.check(args, resolved, client)
    made = planning.of_one(result, args, options, resolved, chosen_from=chosen_from)
    return _asked(made, options, planning.values_of_one(target, args, resolved))


async def _of_many(fleet: Fleet) -> Plan:
    line, options = fleet.line, fleet.options
    found = await survey(line.args, cache.client(fleet.target, options))
    spots = await fleet.take(found)
    made = planning.of_many(fleet.result, line, options, spots, fleet.stdin)
    return _asked(made, options, planning.values_of_many(fleet.target, line, found))


def _asked(made: Plan, options: Options, values: Mapping[str, set[str]]) -> Plan:
    """Return a plan with the pattern that would ask for it to be confirmed."""
    match = patterns.first_match(patterns.parse(options.confirm or ()), values)
    return made if match is None else replace(made, asks=match.text)
