"""Texts cut into tokens."""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from yoorec.errors import PluginError

__all__ = ["Tokenise", "spellings", "tokeniser"]

Tokenise = Callable[[str], list[str]]

_SAYS_SOMETHING = re.compile(r"[^\W_]")
_OUTSIDE = re.compile(r"^#+|'s$")


def tokeniser(way: str, hashtags: bool) -> Tokenise:
    """The function that cuts a text: `way` is "words", "spaces" or "chinese".

    Unicode's compatible spellings of a character count as one (NFKC). What holds no letter and no digit is no token.
    A hashtag is a # before letters, digits and _, a letter among them; without `hashtags` the # is punctuation.
    Raises PluginError with the command that installs it where "chinese" lacks jieba.
    """
    if way == "spaces":
        return lambda text: _spaces(text, hashtags)
    tag, word = _patterns()
    if way == "words":
        found = re.compile(f"{tag}|{word}" if hashtags else word).findall
        return lambda text: [token for token in found(_folded(text)) if _SAYS_SOMETHING.search(token)]
    segment = _jieba()
    pieces = re.compile(f"({tag})")

    def chinese(text: str) -> list[str]:
        tokens: list[str] = []
        # Split by one group, hashtags stand at the odd places.
        for place, piece in enumerate(pieces.split(_folded(text)) if hashtags else [_folded(text)]):
            tokens.extend([piece] if place % 2 else segment(piece))
        return [token for token in tokens if _SAYS_SOMETHING.search(token)]

    return chinese


def spellings(token: str) -> list[str]:
    """How a public list may spell a token, likeliest first: as it is, lower, Capitalised, UPPER; bare of # and 's."""
    bare = _OUTSIDE.sub("", token)
    return list(
        dict.fromkeys(each for form in (token, bare) for each in (form, form.lower(), form.capitalize(), form.upper()))
    )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("\u2019", "'").lower()


def _spaces(text: str, hashtags: bool) -> list[str]:
    tokens = unicodedata.normalize("NFKC", text).split()
    if not hashtags:
        tokens = [token.lstrip("#") for token in tokens]
    return [token for token in tokens if _SAYS_SOMETHING.search(token)]


@lru_cache(maxsize=1)
def _patterns() -> tuple[str, str]:
    """Regular expressions of a hashtag and of a word; joiners and the marks of vowels and accents are part of it."""
    # Of the basic plane alone: beyond it are marks of rare scripts, which `re` would try one after the other.
    marks = "".join(chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    letter = rf"[\w\u200c\u200d{marks}]"
    return rf"(?<!{letter})#(?={letter}*[^\W\d_]){letter}+", rf"{letter}+(?:'{letter}+)*"


def _jieba() -> Tokenise:
    try:
        jieba = importlib.import_module("jieba")
    except ImportError as error:
        raise PluginError(f"tokens: chinese needs jieba: pip install 'yoorec-text[chinese]' ({error})") from error
    segmenter = jieba.Tokenizer()
    # What `initialize` does, but for its log lines and for the cache that it keeps in, and trusts from, the shared
    # temporary folder.
    segmenter.FREQ, segmenter.total = segmenter.gen_pfdict(segmenter.get_dict_file())
    segmenter.initialized = True
    cut: Tokenise = segmenter.lcut
    return cut
