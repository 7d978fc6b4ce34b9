"""Built-in sources of logged data, offered through the same hook as a stranger's."""

from __future__ import annotations

from yoorec.components import ComponentSpec
from yoorec.data.sources.config import (
    DemoConfig,
    KuaiRandConfig,
    MovieLensConfig,
    SessionsConfig,
    TablesConfig,
)
from yoorec.hookspecs import hookimpl

__all__ = ["yoorec_components"]


@hookimpl
def yoorec_components() -> list[ComponentSpec]:
    """The sources that ship with the core."""
    here = "yoorec.data.sources"
    return [
        ComponentSpec(
            "source",
            "demo",
            DemoConfig,
            f"{here}.demo:DemoSource",
            "a seeded world with planted structure, generated",
            "nothing",
        ),
        ComponentSpec(
            "source",
            "kuairand",
            KuaiRandConfig,
            f"{here}.kuairand:KuaiRandSource",
            "KuaiRand short-video exposures, CSV as published or Parquet",
            "nothing",
        ),
        ComponentSpec(
            "source",
            "movielens",
            MovieLensConfig,
            f"{here}.movielens:MovieLensSource",
            "MovieLens 100K, 1M, 10M, latest-small, 25M and the like, zip or folder",
            "nothing",
        ),
        ComponentSpec(
            "source",
            "sessions",
            SessionsConfig,
            f"{here}.sessions:SessionsSource",
            "pre-split session data: train sessions, and prefix -> target rows for protocol `given`",
            "nothing",
        ),
        ComponentSpec(
            "source",
            "tables",
            TablesConfig,
            f"{here}.tables:TablesSource",
            "your own tables in Parquet, CSV or JSON lines, with column mapping",
            "nothing",
        ),
    ]
