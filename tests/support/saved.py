"""What stands in a saved notebook."""

from __future__ import annotations

from typing import Any


def shown(saved: Any, index: int) -> str:
    return "\n".join(
        output.get("data", {}).get("text/plain", "") + output.get("text", "")
        for output in saved.cells[index].outputs
    )


def check_saved(saved: Any) -> None:
    """No widget is left in a saved notebook."""
    for cell in saved.cells:
        for output in cell.outputs:
            assert not any("widget" in kind for kind in output.get("data", {}))
    assert "widgets" not in saved.metadata
