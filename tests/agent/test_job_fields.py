"""The table of fields, and what its page says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nomad_magic.agent.job_fields import FIELDS, HCL_NAMES, Use, kind_of

PAGE = Path(__file__).parents[2] / "docs" / "agent.md"


@pytest.mark.parametrize("use", [use for use in Use if use is not Use.EFFECT])
def test_the_page_has_them_all(use: Use) -> None:
    """Each that is harmless, left out or refused stands in the page's row of its kind."""
    rows = dict(
        re.findall(r"^\| (.+?) \| (`.+`) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    )
    said = set(re.findall(r"`([^`]+)`", rows[use.value]))
    names = {row.hcl for level in FIELDS.values() for row in level.values() if row.use is use}
    assert said == names - {""}


def test_a_name_stands_once_at_a_level() -> None:
    """No field has two rows; each level can be named in a sentence."""
    for level, rows in FIELDS.items():
        assert kind_of(level)
        assert len(HCL_NAMES[level]) == len([row for row in rows.values() if row.hcl])
