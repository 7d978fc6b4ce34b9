"""Vectors of items against slow, literal code; notes; hostile texts; real vectors; a scenario."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import TypeAdapter, ValidationError
from yoorec_text.config import TextConfig
from yoorec_text.model import Text
from yoorec_text.pooling import without_common

from yoorec.components import FitContext
from yoorec.config.walk import references_of
from yoorec.data.catalogue import Catalogue
from yoorec.data.vocabulary import Vocabulary
from yoorec.errors import DataError
from yoorec.testing import worlds

ROOT = Path(__file__).resolve().parents[3]
TITLES = ["Red cat and red dog", "the dog", "The cat", None, "zebra", "the the fish", "dog fish", "and the"]
TAGS = [["pets", "red"], None, [], ["cat"], None, ["sea", "fish"], ["pets"], None]
WORDS = ["the", "red", "cat", "Dog", "FISH", "pets", "sea"]
VECTORS = np.random.default_rng(3).standard_normal((7, 6)).astype(np.float32)


def catalogue_of(**columns: Any) -> Catalogue:
    items = len(next(iter(columns.values())))
    return Catalogue(
        Vocabulary([f"i{number}" for number in range(items)]),
        Vocabulary([]),
        pa.table(columns),
        pa.table({}),
        np.zeros(items, np.int64),
    )


@pytest.fixture
def public(tmp_path: Path) -> Path:
    path = tmp_path / "public.txt"
    rows = [" ".join([word, *map(repr, row.tolist())]) for word, row in zip(WORDS, VECTORS, strict=True)]
    path.write_text("\n".join([f"{len(WORDS)} 6", *rows, ""]), "utf-8")
    return path


def fitted(config: TextConfig, catalogue: Catalogue, **context: Any) -> tuple[Text, dict[str, Any]]:
    notes: dict[str, Any] = {}
    model = Text(config, catalogue)
    model.fit(worlds.small_log(), FitContext(note=notes.__setitem__, **context))
    return model, notes


def literal(fields: dict[str, float], weight: str, a: float, common: int) -> dict[int, np.ndarray]:
    """Item to unit vector, by the formulas, one word after the other."""
    known = {word.lower(): row.astype(np.float64) for word, row in zip(WORDS, VECTORS, strict=True)}
    columns = {"title": [(each or "").lower().split() for each in TITLES], "tags": [each or [] for each in TAGS]}
    whole = [[word for name in fields for word in columns[name][item]] for item in range(len(TITLES))]
    count = Counter(word for words in whole for word in words)
    filled = sum(bool(words) for words in whole)

    def weigh(word: str) -> float:
        if weight == "idf":
            return math.log((1 + filled) / (1 + sum(word in words for words in whole))) + 1
        return a / (a + count[word] / sum(count.values())) if weight == "sif" else 1.0

    vectors: dict[int, np.ndarray] = {}
    for item in range(len(TITLES)):
        total = np.zeros(6)
        for name, share in fields.items():
            words = [word for word in columns[name][item] if word in known]
            if words:
                mean = sum(weigh(word) * known[word] for word in words) / len(words)
                total = total + share * mean / np.linalg.norm(mean)
        if total.any():
            vectors[item] = total
    if common:
        main = np.linalg.svd(np.stack([*vectors.values()]), full_matrices=False)[2][:common]
        for item, vector in vectors.items():
            vectors[item] = vector - sum((vector @ each) * each for each in main)
    return {item: vector / np.linalg.norm(vector) for item, vector in vectors.items()}


@pytest.mark.parametrize("common", [0, 1, 2])
@pytest.mark.parametrize("weight", ["idf", "sif", "none"])
@pytest.mark.parametrize("fields", [{"title": 1.0}, {"tags": 1.0}, {"title": 1.0, "tags": 0.3}], ids=str)
def test_vectors_of_items(fields: dict[str, float], weight: Any, common: int, public: Path) -> None:
    config = TextConfig(field=fields, vectors=public, weight=weight, sif_a=0.05, common=common)
    model, notes = fitted(config, catalogue_of(title=TITLES, tags=pa.array(TAGS, pa.list_(pa.string()))))
    expected = literal(fields, weight, 0.05, common)
    assert model.vectors.item.tolist() == sorted(expected)
    assert notes["vectors"] == len(expected)
    np.testing.assert_allclose(
        model.vectors.vectors, np.stack([expected[item] for item in sorted(expected)]), atol=1e-6
    )


def test_without_common_against_the_singular_vectors() -> None:
    vectors = np.random.default_rng(0).standard_normal((40, 7)) + 2.0
    for components in range(7):
        main = np.linalg.svd(vectors)[2][:components]
        np.testing.assert_allclose(without_common(vectors, components), vectors - vectors @ main.T @ main, atol=1e-5)
    assert not without_common(vectors, 7).any()
    assert not without_common(np.tile(vectors[:1], (5, 1)), 1).any()
    assert without_common(np.empty((0, 3)), 1).shape == (0, 3)


def test_what_a_fit_says(public: Path) -> None:
    """Titles hold 17 words; of 8 distinct ones and, zebra are unknown; item 3 has no title."""
    _, notes = fitted(TextConfig(vectors=public, common=0), catalogue_of(title=TITLES))
    words = [word.lower() for title in TITLES if title for word in title.split()]
    assert notes == {
        "words": 7,
        "unknown_words": round(2 / 7, 4),
        "unknown_tokens": round(sum(word in ("and", "zebra") for word in words) / len(words), 4),
        "items_without_known_words": 1,
        "vectors": 6,
        "index": "exact",
        "index_recall@100": 1.0,
    }


def test_texts_that_are_too_long_are_counted_and_named(public: Path) -> None:
    titles = ["the cat", *["dog " * 2_500_000] * 5, "fish"]
    model, notes = fitted(TextConfig(vectors=public, common=0), catalogue_of(title=titles))
    assert notes["items_with_too_long_texts"] == "5: i1, i2, i3, ..."
    assert notes["words"] == 3
    assert model.vectors.item.tolist() == [0, 6]
    _, notes = fitted(TextConfig(vectors=public, common=0, max_chars=6), catalogue_of(title=["the cat", "red", "red"]))
    assert notes["items_with_too_long_texts"] == "1: i0"


def test_own_vectors_bring_together_what_is_said_alike() -> None:
    """Items of one topic share words of that topic, in any order, beside words of all."""
    rng = np.random.default_rng(0)
    titles = [
        " ".join(rng.permutation([*(f"t{n % 4}w{word}" for word in rng.integers(0, 8, 4)), f"all{rng.integers(5)}"]))
        for n in range(200)
    ]
    model, notes = fitted(TextConfig(dim=16), catalogue_of(title=titles))
    assert notes["unknown_tokens"] == 0
    score = model.vectors.vectors @ model.vectors.vectors.T
    np.fill_diagonal(score, -1)
    nearest = np.argsort(-score, axis=1)[:, :10]
    assert (nearest % 4 == np.arange(200)[:, None] % 4).mean() > 0.8, "by chance it would be 0.25"


def test_rare_words_have_no_vector_of_their_own() -> None:
    titles = ["a b", "a b", "a b c", "c d"]
    _, notes = fitted(TextConfig(dim=4, min_count=3, common=0), catalogue_of(title=titles))
    assert (notes["unknown_words"], notes["unknown_tokens"]) == (0.5, round(3 / 9, 4))
    assert (notes["vectors"], notes["items_without_known_words"]) == (3, 1)


def test_no_texts_no_vectors(public: Path) -> None:
    for config in (TextConfig(), TextConfig(vectors=public)):
        model, notes = fitted(config, catalogue_of(title=["...", "", None]))
        assert (notes["words"], notes["unknown_words"], notes["unknown_tokens"], notes["vectors"]) == (0, 0, 0, 0)
        assert len(model.vectors) == 0


def test_columns_that_no_item_has() -> None:
    catalogue = catalogue_of(title=["a b", "b c"], tags=pa.nulls(2, pa.list_(pa.string())))
    with pytest.raises(DataError) as caught:
        Text(TextConfig(field="titel"), catalogue)
    assert str(caught.value) == "items: no column 'titel'; nearest: title; there are: title, tags"
    with pytest.raises(DataError, match="items: no item has a value of 'tags'; there are: title"):
        Text(TextConfig(field={"title": 1.0, "tags": 1.0}), catalogue)
    assert Text(TextConfig(field={"title": 1.0, "tags": 0.0}), catalogue).note == ""
    config = TextConfig(field={"title": 1.0, "tags": 1.0, "plot": 2.0}, optional=True, dim=3)
    some, _ = fitted(config, catalogue)
    assert some.note == "by title alone: no item has 'plot' or 'tags'"
    alone, _ = fitted(TextConfig(dim=3), catalogue)
    np.testing.assert_array_equal(some.vectors.vectors, alone.vectors.vectors)
    none, notes = fitted(TextConfig(field="tags", optional=True), catalogue)
    assert none.note == "left out: no item has 'tags'"
    assert notes["vectors"] == 0


def test_columns_of_numbers_are_refused_before_a_fit() -> None:
    catalogue = catalogue_of(title=["a"], duration_s=[3.5])
    for optional in (True, False):
        with pytest.raises(DataError) as caught:
            Text(TextConfig(field={"title": 1.0, "duration_s": 1.0}, optional=optional), catalogue)
        message = "text: field: items: column 'duration_s' holds double; accepted: texts or lists of texts"
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"field": {}}, "field: no column has a weight above 0, accepted: one or more that do"),
        ({"field": {"title": 0.0}}, "field: no column has a weight above 0, accepted: one or more that do"),
        ({"field": {"title": -1.0}}, "greater than or equal to 0"),
        ({"field": 3}, "valid string"),
        ({"weight": "tfidf"}, "'idf', 'sif' or 'none'"),
        ({"sif_a": 0.0}, "greater than 0"),
    ],
)
def test_what_is_no_config(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(TextConfig).validate_python(keys)
    assert message in str(caught.value)


def test_the_order_of_columns_in_a_config_makes_no_difference() -> None:
    catalogue = catalogue_of(title=["a b", "b c", "c a"], plot=["x y", "y z", "z x"])
    one, _ = fitted(TextConfig(field={"title": 1.0, "plot": 0.5}, dim=4, sample=0.0), catalogue)
    other, _ = fitted(TextConfig(field={"plot": 0.5, "title": 1.0}, dim=4, sample=0.0), catalogue)
    np.testing.assert_array_equal(one.vectors.vectors, other.vectors.vectors)


def test_the_columns_that_a_config_names_are_known_to_the_framework() -> None:
    """They decide whether an artifact is fitted anew."""
    assert references_of(TextConfig(), "item_column") == ("title",)
    assert references_of(TextConfig(field={"tags": 1.0, "plot": 0.5}), "item_column") == ("tags", "plot")


_SAVED = """
import hashlib, pathlib, sys, tempfile
import numpy as np, pyarrow as pa
from yoorec.components import FitContext
from yoorec.data.catalogue import Catalogue
from yoorec.data.vocabulary import Vocabulary
from yoorec_text.config import TextConfig
from yoorec_text.model import Text
rng = np.random.default_rng(0)
titles = [" ".join(f"w{word}" for word in rng.zipf(1.3, 12) % 5000) for _ in range(3000)]
catalogue = Catalogue(
    Vocabulary([f"i{n:04d}" for n in range(3000)]),
    Vocabulary([]),
    pa.table({"title": titles}),
    pa.table({}),
    np.zeros(3000, int),
)
model = Text(TextConfig(dim=48, epochs=2, common=2), catalogue)
model.fit(None, FitContext(seed=4, threads=int(sys.argv[1])))
with tempfile.TemporaryDirectory() as folder:
    model.save(pathlib.Path(folder))
    for path in sorted(pathlib.Path(folder).iterdir()):
        print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_the_same_bytes_in_another_process_and_on_other_threads() -> None:
    def saved(threads: int, hash_seed: int) -> str:
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
            "PYTHONHASHSEED": str(hash_seed),
        }
        run = [sys.executable, "-c", _SAVED, str(threads)]
        return subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout

    assert saved(1, 1) == saved(4, 2) != ""


@pytest.mark.parametrize(
    ("name", "words", "dim", "pair", "other"),
    [
        ("googlenews_word2vec_300d_8k.bin.gz", 8000, 300, ("film", "movie"), "Tuesday"),
        ("glove_twitter_25d_12k.bin.gz", 11925, 25, ("film", "movie"), "tuesday"),
    ],
)
def test_real_vectors(name: str, words: int, dim: int, pair: tuple[str, str], other: str, tmp_path: Path) -> None:
    path = (ROOT / os.environ.get("YOOREC_DATA", "../shared/data") / "word_vectors" / name).resolve()
    if not path.exists():
        pytest.skip(f"no real data set word_vectors/{name}")
    catalogue = catalogue_of(title=[*pair, other.lower(), "qqqqq"])
    model, notes = fitted(TextConfig(vectors=path, common=0), catalogue, cache=tmp_path)
    assert (notes["unknown_words"], notes["vectors"]) == (0.25, 3)
    assert model.vectors.vectors.shape == (3, dim)
    first, second, third = model.vectors.vectors
    assert first @ second > 0.7 > first @ third
    (copy,) = tmp_path.iterdir()
    assert np.load(copy / "vectors.npy", mmap_mode="r").shape == (words, dim)


def test_in_a_scenario(yoorec_project: Any) -> None:
    project = yoorec_project(triggers={"title": {"use": "text", "field": {"title": 1, "author": 0.5}, "dim": 8}})
    assert project.replay()["variants"]["control"]["triggers"]["title"]["hit_rate@10"]["value"] > 0
    assert project.recommend(item_id="i07", k=3)["items"]
