"""A setting that is a list of patterns; one that is none is refused when it is set."""

from __future__ import annotations

from typing import Any

from traitlets import TraitError, TraitType

from nomad_magic.errors import NomadMagicError


class Patterns(TraitType[tuple[str, ...], Any]):
    """The patterns of `confirm`; they cannot be changed but by setting others."""

    info_text = "a list of patterns"
    default_value = ()

    def validate(self, obj: Any, value: Any) -> tuple[str, ...]:
        """Return the patterns.

        Raises:
            TraitError: One is none.
        """
        from nomad_magic.line import patterns  # noqa: PLC0415 - most set none

        if not isinstance(value, list | tuple | str):
            self.error(obj, value)
        try:
            return tuple(pattern.text for pattern in patterns.parse(value))
        except NomadMagicError as error:
            raise TraitError(str(error)) from None
