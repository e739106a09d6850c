"""Values that do not change: what `@dataclass(frozen=True, kw_only=True)` makes, loaded sooner.

A dataclass is given six methods of its own, whose text is written and compiled as the module is
loaded: for the values of a short run a tenth of its whole time.  Here all share one of each.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Value:
    """The base of such values.

    A subclass lists its fields as a dataclass does.  `fields`, `replace` and `asdict` of
    `dataclasses` take it for one; equality, hash, repr and pickles are a dataclass's too.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    _defaults: ClassVar[dict[str, Any]]
    _makers: ClassVar[dict[str, Callable[[], Any]]]
    _compared: ClassVar[attrgetter[Any]]

    def __init_subclass__(cls) -> None:
        dataclass(init=False, repr=False, eq=False, kw_only=True)(cls)
        known = fields(cls)
        cls._defaults = {one.name: one.default for one in known if one.default is not MISSING}
        cls._makers = {
            one.name: one.default_factory for one in known if one.default_factory is not MISSING
        }
        cls._compared = attrgetter(*[one.name for one in known if one.compare])

    def __init__(self, **given: Any) -> None:
        own = self.__dict__
        own.update(self._defaults)
        for name, make in self._makers.items():
            if name not in given:
                own[name] = make()
        own.update(given)
        if odd := own.keys() ^ self.__dataclass_fields__.keys():
            raise TypeError(
                f"{type(self).__name__}() lacks, or does not know, {', '.join(sorted(odd))}"
            )
        self.__post_init__()

    def __post_init__(self) -> None:
        """Mend what was given, as a dataclass may."""

    def __repr__(self) -> str:
        shown = [f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self._compared(self) == self._compared(other))

    def __hash__(self) -> int:
        return hash(self._compared(self))

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")
