"""New plugins: a package from templates, small but whole, that passes its own tests at once."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

from yoorec import __version__
from yoorec.errors import ConfigError, Problem, nearest
from yoorec.plugins import load_plugins

__all__ = ["KINDS", "new_plugin"]

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

KINDS = tuple(sorted(path.name for path in _TEMPLATES.iterdir() if path.is_dir()))
"""Kinds of component that there is a template for."""


def new_plugin(name: str, kind: str = "trigger", folder: Path = Path()) -> Path:
    """Write the package ``yoorec-<name>`` below `folder` and return its path.

    name: the component's name in scenarios: lower-case words joined by underscores.
    Raises ConfigError where the name can't be taken, is offered already, or the package's folder exists.
    """
    distribution = f"yoorec-{name.replace('_', '-')}"
    target = folder / distribution
    problem = _kind_problem(kind) or _name_problem(name, kind) or _target_problem(target)
    if problem is not None:
        raise ConfigError((problem,))
    major, minor = __version__.split(".")[:2]
    words = {
        "name": name,
        "distribution": distribution,
        "module": f"yoorec_{name}",
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "version": f"{major}.{minor}",
        "next_version": f"{major}.{int(minor) + 1}",
    }
    source = _TEMPLATES / kind
    for template in sorted(source.rglob("*.tmpl")):
        parts = template.relative_to(source).with_suffix("").parts
        path = target.joinpath(*(part.replace("module", words["module"]) for part in parts))
        path = path.with_name(path.name.replace("name.yaml", f"{name}.yaml"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(template.read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
    return target


def _kind_problem(kind: str) -> Problem | None:
    if kind in KINDS:
        return None
    return Problem(
        "", "kind", f"there is no template for '{kind}'", accepted=", ".join(KINDS), nearest=nearest(kind, KINDS)
    )


def _name_problem(name: str, kind: str) -> Problem | None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower())
        close = "_".join(words[1:] if words[:1] == ["yoorec"] else words)
        return Problem(
            "",
            "name",
            f"'{name}' can't name a plugin",
            accepted="lower-case words of letters and digits, joined by underscores, that begin with a letter",
            nearest=close if name.isascii() and _NAME.fullmatch(close) and not keyword.iskeyword(close) else None,
        )
    for offer in load_plugins():
        if (offer.spec.kind, offer.spec.name) == (kind, name):
            return Problem("", "name", f"{kind} '{name}' is already offered by {offer.plugin}", accepted="another name")
    return None


def _target_problem(target: Path) -> Problem | None:
    if target.exists():
        return Problem(
            str(target), "", "exists already, and nothing is overwritten", accepted="a folder that is not there"
        )
    return None
