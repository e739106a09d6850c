"""A setting that is a list of patterns: one that is none is refused, and nothing runs after it."""

from __future__ import annotations

from typing import Any

from traitlets import TraitError, TraitType

from nomad_magic.errors import SettingsError


class Patterns(TraitType[tuple[str, ...], Any]):
    """The patterns of `confirm`; they cannot be changed but by setting others.

    `%config` only logs what is wrong with a value, and the cells after it run on.  So it is kept,
    and raised by `check` until patterns were set that are some.
    """

    info_text = "a list of patterns"
    default_value = ()

    def validate(self, obj: Any, value: Any) -> tuple[str, ...]:
        """Return the patterns.

        Raises:
            TraitError: One is none.
        """
        from nomad_magic.line import patterns  # noqa: PLC0415 - most set none

        try:
            found = patterns.parse(value)
        except SettingsError as error:
            vars(obj)[_WRONG] = str(error)
            raise TraitError(str(error)) from None
        vars(obj).pop(_WRONG, None)
        return tuple(pattern.text for pattern in found)


_WRONG = "_wrong_patterns"


def check(obj: object) -> None:
    """Let nothing run where what was to be confirmed is not known.

    Raises:
        SettingsError: What was set last is no list of patterns.
    """
    if wrong := vars(obj).get(_WRONG):
        raise SettingsError(wrong, hint="Set NomadMagics.confirm anew: nothing runs before.")
