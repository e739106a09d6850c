"""Whether a job could be placed on the one node that there is.

The rules are those of https://developer.hashicorp.com/nomad/docs/job-specification/constraint.
A constraint that the node does not meet would leave the job without an allocation for ever, so
that the file is refused.
"""

from __future__ import annotations

import fnmatch
import platform
import re
from typing import TYPE_CHECKING, Any, Final

from nomad_magic.agent.environ import DATACENTER
from nomad_magic.agent.fields import Fields, Report, scalar, shown

if TYPE_CHECKING:
    from collections.abc import Callable

NODE_POOLS: Final = ("", "default", "all")

_TARGET: Final = re.compile(r"\$\{([^}]*)\}")
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_SUGAR: Final = (
    "regexp",
    "version",
    "semver",
    "set_contains",
    "set_contains_all",
    "set_contains_any",
)
_HCL: Final = {"attribute", "operator", "value", "distinct_hosts", "distinct_property", *_SUGAR}


def attributes() -> dict[str, str]:
    """Return what constraints can ask of the node."""
    name = platform.node() or "localhost"
    machine = platform.machine()
    return {
        "attr.arch": machine,
        "attr.cpu.arch": _ARCHITECTURES.get(machine, machine),
        "attr.driver.exec": "1",
        "attr.driver.raw_exec": "1",
        "attr.kernel.arch": machine,
        "attr.kernel.name": platform.system().lower(),
        "attr.unique.hostname": name,
        "node.class": "",
        "node.datacenter": DATACENTER,
        "node.pool": "default",
        "node.region": "global",
        "node.unique.name": name,
    }


def check(fields: Fields, *, allocations: int = 1) -> None:
    """Refuse a level's constraints that the node does not meet.

    Args:
        fields: A job, a group or a task.
        allocations: How many of it are placed.
    """
    for source in fields.objects("Constraints"):
        found = _parts(source, fields)
        if found is None:
            continue
        left, operand, right = found
        words = f"{left} {operand} {right}".strip()
        met = _meets(left, operand, right, allocations)
        if met is None:
            fields.refuse(f"constraint {words}: no such operator here")
        elif not met:
            fields.report.leave_out(
                fields.where,
                f"constraint ({words})",
                f"constraint {words}: the one node of the embedded agent does not meet it",
            )


def check_place(fields: Fields, datacenters: tuple[str, ...]) -> None:
    """Refuse a job for another datacenter or another pool of nodes."""
    if not any(fnmatch.fnmatchcase(DATACENTER, pattern) for pattern in datacenters):
        names = ", ".join(datacenters)
        fields.report.leave_out(
            fields.where,
            f"datacenters ({names})",
            f"datacenters: {names}: the embedded agent's one node is in {DATACENTER}",
        )
    pool = fields.text("NodePool")
    if pool not in NODE_POOLS:
        fields.report.leave_out(
            fields.where,
            f"node_pool ({pool})",
            f"node_pool {shown(pool)}: the embedded agent's one node is in the pool default",
        )


def _parts(source: Any, fields: Fields) -> tuple[str, str, str] | None:
    """Return both sides of a constraint and its operator, from either syntax."""
    where, report = f"{fields.where}: constraint", fields.report
    if not isinstance(source, dict):
        report.refuse(where, f"expected a constraint, found {shown(source)}")
        return None
    if source.keys() & {"LTarget", "RTarget", "Operand"}:
        left, operand, right = (
            _text(source, name, where, report) for name in ("LTarget", "Operand", "RTarget")
        )
        return left, operand or "=", right
    for name in source.keys() - _HCL:
        report.refuse(where, f"{shown(name)} is not a field of a constraint")
        return None
    if "distinct_hosts" in source:
        wanted = _text(source, "distinct_hosts", where, report)
        return "", "distinct_hosts", wanted
    if "distinct_property" in source:
        most = _text(source, "value", where, report)
        return _text(source, "distinct_property", where, report), "distinct_property", most
    left = _text(source, "attribute", where, report)
    for operand in _SUGAR:
        if operand in source:
            return left, operand, _text(source, operand, where, report)
    return (
        left,
        _text(source, "operator", where, report) or "=",
        _text(source, "value", where, report),
    )


def _text(source: dict[str, Any], name: str, where: str, report: Report) -> str:
    value = source.get(name)
    return "" if value is None else scalar(value, where, report)


def _meets(left: str, operand: str, right: str, allocations: int) -> bool | None:
    """Whether the node meets a constraint; None for an operator that is not known."""
    known = attributes()
    if operand == "distinct_hosts":
        return allocations <= 1 or right == "false"
    ours, theirs = _filled(left, known), _filled(right, known)
    if operand == "distinct_property":
        return ours is not None and allocations <= int(right if right.isdecimal() else 1)
    if operand in ("is_set", "is_not_set"):
        return (ours is not None) is (operand == "is_set")
    if operand in ("!=", "not"):
        return ours != theirs
    comparison = _COMPARISONS.get(operand)
    if comparison is None:
        return None
    return ours is not None and theirs is not None and comparison(ours, theirs)


def _filled(target: str, known: dict[str, str]) -> str | None:
    """Return one side's value; None where it names what the node does not have."""
    match = _TARGET.fullmatch(target)
    return known.get(match[1]) if match is not None else target


def _matches(ours: str, pattern: str) -> bool:
    try:
        return re.search(pattern, ours) is not None
    except (re.error, RecursionError):
        return False


def _contains(ours: str, theirs: str) -> bool:
    return _set(theirs) <= _set(ours)


def _set(text: str) -> set[str]:
    return {one.strip() for one in text.split(",")}


_COMPARISONS: Final[dict[str, Callable[[str, str], bool]]] = {
    "=": str.__eq__,
    "==": str.__eq__,
    "is": str.__eq__,
    "<": str.__lt__,
    "<=": str.__le__,
    ">": str.__gt__,
    ">=": str.__ge__,
    "regexp": _matches,
    "set_contains": _contains,
    "set_contains_all": _contains,
    "set_contains_any": lambda ours, theirs: bool(_set(ours) & _set(theirs)),
    # No attribute of the node is a version.
    "version": lambda _ours, _theirs: False,
    "semver": lambda _ours, _theirs: False,
}
