"""What a config says about its own fields: the string literal under each of them."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from functools import lru_cache

from yoorec.config.describe import plain_key

__all__ = ["field_docs", "summary"]


@lru_cache(maxsize=256)
def field_docs(config: type) -> dict[str, str]:
    """YAML key to the text under the field, base classes first; a field without text is missing here."""
    found: dict[str, str] = {}
    for base in reversed(config.__mro__):
        if base is object:
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue  # made at run time, or shipped without its source: there is nothing to quote
        body = tree.body[0].body if tree.body and isinstance(tree.body[0], ast.ClassDef) else []
        for field, text in itertools.pairwise(body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                found[plain_key(field.target.id)] = " ".join(text.value.value.split())
    return found


def summary(config: type) -> str:
    """First paragraph of a config's own docstring."""
    text = inspect.cleandoc(config.__doc__ or "")
    return "" if text.startswith(f"{config.__name__}(") else " ".join(text.split("\n\n")[0].split())
