"""yoorec: one YAML scenario that replays and serves a whole recommendation chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yoorec.scene import load

__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `load` when it is first asked for, so that ``import yoorec`` stays light."""
    if name == "load":
        from yoorec.scene import load

        return load
    raise AttributeError(f"module 'yoorec' has no attribute '{name}'")
