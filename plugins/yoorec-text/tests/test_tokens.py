"""Tokens: what each way of cutting makes of a text, and how a public list may spell it."""

# ruff: noqa: RUF001 (letters of other scripts that look like Latin ones)
from __future__ import annotations

import re
import sys
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yoorec_text.tokens import spellings, tokeniser

from yoorec.errors import PluginError

# jieba 0.42 asks for its dictionary through pkg_resources, and writes regular expressions in plain strings.
of_jieba = [
    pytest.mark.filterwarnings(r"ignore:pkg_resources is deprecated:UserWarning:jieba"),
    pytest.mark.filterwarnings(r"ignore:pkg_resources is deprecated:DeprecationWarning:jieba"),
    pytest.mark.filterwarnings(r"ignore:.*invalid escape sequence:SyntaxWarning"),
    pytest.mark.filterwarnings(r"ignore:.*invalid escape sequence:DeprecationWarning"),
]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The Quick, brown FOX!", ["the", "quick", "brown", "fox"]),
        ("Don't; it\u2019s Andy's", ["don't", "it's", "andy's"]),
        ("'quoted' rock'n'roll", ["quoted", "rock'n'roll"]),
        ("Toy_Story 2 (1999)", ["toy_story", "2", "1999"]),
        ("Amélie ÉCOLE straße", ["amélie", "école", "straße"]),
        ("ame\u0301lie", ["amélie"]),
        ("\uff26\uff55\uff4c\uff4c \ufb01lm", ["full", "film"]),
        ("हिन्दी फ़िल्म", ["हिन्दी", unicodedata.normalize("NFKC", "फ़िल्म")]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("Привет, МИР", ["привет", "мир"]),
        ("watch #SuperCat_2 now", ["watch", "#supercat_2", "now"]),
        ("#1 of #10, C# and a#b ##twice", ["1", "of", "10", "c", "and", "a", "b", "#twice"]),
        ("__ - ... #", []),
        ("", []),
    ],
)
def test_words(text: str, tokens: list[str]) -> None:
    assert tokeniser("words", True)(text) == tokens


def test_words_without_hashtags() -> None:
    assert tokeniser("words", False)("watch #SuperCat now") == ["watch", "supercat", "now"]


@pytest.mark.parametrize(("hashtags", "tokens"), [(True, ["Toy", "Story,", "#Fun"]), (False, ["Toy", "Story,", "Fun"])])
def test_spaces(hashtags: bool, tokens: list[str]) -> None:
    assert tokeniser("spaces", hashtags)("  Toy Story,\t- #Fun\u3000\n") == tokens


@pytest.mark.parametrize("way", ["words", "spaces"])
@pytest.mark.parametrize("hashtags", [True, False])
@given(text=st.text(max_size=60))
def test_no_token_is_empty_or_holds_a_space(way: str, hashtags: bool, text: str) -> None:
    for token in tokeniser(way, hashtags)(text):
        assert re.search(r"[^\W_]", token)
        assert not re.search(r"\s", token)
        assert hashtags or not token.startswith("#")


@given(
    words=st.lists(st.text("abcxyzéжß0", min_size=1, max_size=6), max_size=8), between=st.sampled_from(", .;:!?/-()\n")
)
def test_words_are_what_stands_between_punctuation(words: list[str], between: str) -> None:
    assert tokeniser("words", True)(between.join(words)) == words


@given(tags=st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), max_size=6))
def test_hashtags_stay_whole(tags: list[str]) -> None:
    text = " ".join(f"x #{tag}," for tag in tags)
    assert tokeniser("words", True)(text) == [each for tag in tags for each in ("x", f"#{tag}")]


@pytest.mark.parametrize(
    ("token", "forms"),
    [
        ("new", ["new", "New", "NEW"]),
        ("New_York", ["New_York", "new_york", "New_york", "NEW_YORK"]),
        ("#fun", ["#fun", "#FUN", "fun", "Fun", "FUN"]),
        ("andy's", ["andy's", "Andy's", "ANDY'S", "andy", "Andy", "ANDY"]),
    ],
)
def test_spellings(token: str, forms: list[str]) -> None:
    assert spellings(token) == forms


class TestChinese:
    pytestmark = of_jieba

    def test_segments(self, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("jieba", reason="needs jieba: pip install 'yoorec-text[chinese]'")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        cut = tokeniser("chinese", True)
        assert cut("我来到北京清华大学，看 Toy Story") == ["我", "来到", "北京", "清华大学", "看", "toy", "story"]
        assert cut("#搞笑视频# 小明硕士毕业 #Fun！") == ["#搞笑视频", "小明", "硕士", "毕业", "#fun"]
        assert tokeniser("chinese", False)("看 #搞笑 视频") == ["看", "搞笑", "视频"]
        assert cut("！？ ——") == []
        assert capfd.readouterr() == ("", "")
        assert list(tmp_path.iterdir()) == []

    def test_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "jieba", None)
        with pytest.raises(PluginError) as caught:
            tokeniser("chinese", True)
        assert str(caught.value).startswith("tokens: chinese needs jieba: pip install 'yoorec-text[chinese]' (")
