"""Feature work in a TensorFlow graph, from raw strings and numbers: what ids made outside of it are compared with.

The same features as an encoder's, in the same three sides, so that both can feed one network. Three ways: by hand, as
few and as cheap operations as there are, which gives the very ids of the encoder; by Keras' preprocessing layers, the
same but for crosses, which are hashed; and by `tf.feature_column` in a graph of TensorFlow 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from yoorec_tf.config import Shape
from yoorec_tf.network import Network
from yoorec_tf.weights import Weights, widths

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.features.codes import MISSING, NO_CODES, UNKNOWN, Known
from yoorec.features.columns import text_of
from yoorec.features.declared import Declared
from yoorec.features.encoded import Encoded, Layout
from yoorec.features.encoder import Encoder
from yoorec.features.places import PARTS, Places
from yoorec.features.readers import Around, item_codes, item_lists, item_numbers
from yoorec.features.requests import RequestLists, RequestValues
from yoorec.features.rows import RowValues

__all__ = ["BINS", "ByHand", "ByKeras", "FeatureColumns", "Raw", "RawReader", "described", "examples_of", "parsed"]

BINS = 8192
"""Ids of a hashed cross: enough for hardly two pairs to share one."""


class Raw(NamedTuple):
    """Raw columns of B requests and their N candidates, by side in the order of the encoder's features.

    names:   bytes [R, .], b"" where missing. codes: int32 [R, .], names that are whole numbers already. numbers:
             float32 [R, .], NaN where missing. lengths: int32 [R, M], of the lists. lists: bytes [K], all of the first
             list feature, then all of the next.
    owner:   int32 [N], each candidate's request.
    """

    request_names: np.ndarray
    request_codes: np.ndarray
    request_numbers: np.ndarray
    request_lengths: np.ndarray
    request_lists: np.ndarray
    item_names: np.ndarray
    item_numbers: np.ndarray
    item_lengths: np.ndarray
    item_lists: np.ndarray
    row_codes: np.ndarray
    row_numbers: np.ndarray
    owner: np.ndarray

    def flat(self) -> Raw:
        """Every candidate with its request's columns, as if each had a request of its own."""
        lists, at = [], 0
        for length in self.request_lengths.T:
            ends = at + np.append(0, np.cumsum(length))
            lists += [self.request_lists[ends[b] : ends[b + 1]] for b in self.owner]
            at = ends[-1]
        return self._replace(
            request_names=self.request_names[self.owner],
            request_codes=self.request_codes[self.owner],
            request_numbers=self.request_numbers[self.owner],
            request_lengths=self.request_lengths[self.owner],
            request_lists=np.concatenate(lists),
            owner=np.arange(len(self.owner), dtype=np.int32),
        )


class _Texts:
    """Codes of whatever texts are met, which can be turned back."""

    def __init__(self) -> None:
        self._code: dict[str, int] = {}

    def encode(self, values: Any) -> np.ndarray:
        texts = map(text_of, values)
        found = [MISSING if text is None else self._code.setdefault(text, len(self._code)) for text in texts]
        return np.array(found, np.int64)

    def texts(self, code: np.ndarray) -> np.ndarray:
        """bytes; of missing ones none, since MISSING counts from the end."""
        return np.array([*(text.encode() for text in self._code), b"", b""], object)[code]


def is_text(feature: Declared) -> bool:
    """Whether a feature of names holds texts, not whole numbers."""
    return feature.of.table not in ("context", "trigger")


class RawReader:
    """Reads the raw columns of an encoder's features: what a request would carry, were the graph to do the rest."""

    def __init__(self, encoder: Encoder, around: Around) -> None:
        self.places = places = Places(encoder.learned)
        catalogue = around.catalogue
        self._texts = _Texts()
        names, numbers, lists = places.names, places.numbers, places.lists
        known = [each for each in names["request"] if is_text(each)]
        codes = [each for each in names["request"] if not is_text(each)]
        self._request_names = len(known), RequestValues(known, [self._texts] * len(known), (), catalogue)
        self._request_codes = len(codes), RequestValues(codes, [Known(())] * len(codes), (), catalogue)
        self._request_numbers = RequestValues((), (), numbers["request"], catalogue)
        self._request_lists = [RequestLists([each], [self._texts], catalogue) for each in lists["request"]]
        self._item_names = np.stack([item_codes(each, self._texts, catalogue) for each in names["item"]], 1)
        self._item_numbers = np.stack([item_numbers(each, catalogue) for each in numbers["item"]], 1)
        self._item_lists = [item_lists(each, self._texts, catalogue) for each in lists["item"]]
        self._triggers = [each.of.trigger for each in names["row"]]
        unknown = np.full(len(numbers["row"]), np.nan, np.float32)
        self._row_numbers = RowValues((), numbers["row"], around, unknown)

    def read(self, requests: RequestBatch, candidates: CandidateBatch) -> Raw:
        """The raw columns of a batch."""
        owner = np.repeat(np.arange(len(candidates), dtype=np.int32), candidates.lengths)
        asked = [lists.read(requests) for lists in self._request_lists]
        items = []
        for offsets, code in self._item_lists:
            start, length = offsets[candidates.item], np.diff(offsets)[candidates.item]
            before = np.append(0, np.cumsum(length))
            at = np.arange(before[-1]) - np.repeat(before[:-1] - start, length)
            items.append((before, code[at]))
        assert candidates.source_rank is not None
        rank = candidates.source_rank[:, [candidates.sources.index(each) for each in self._triggers]]
        texts = self._texts.texts
        return Raw(
            texts(_names(*self._request_names, requests)),
            _names(*self._request_codes, requests).astype(np.int32),
            np.ascontiguousarray(self._request_numbers.read(requests, NO_CODES).T),
            _lengths(asked),
            texts(np.concatenate([code for _, code in asked])),
            texts(self._item_names[candidates.item]),
            self._item_numbers[candidates.item],
            _lengths(items),
            texts(np.concatenate([code for _, code in items])),
            (rank >= 0).astype(np.int32),
            np.ascontiguousarray(self._row_numbers.read(requests, candidates, NO_CODES).T),
            owner,
        )


def _names(count: int, names: RequestValues, requests: RequestBatch) -> np.ndarray:
    code = np.full((count, len(requests)), MISSING, np.int64)
    names.read(requests, code)
    return np.ascontiguousarray(code.T)


def _lengths(lists: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return np.stack([np.diff(offsets) for offsets, _ in lists], 1).astype(np.int32)


def described(encoded: Encoded) -> dict[str, np.ndarray]:
    """An encoded batch as the network takes it, each candidate with its item's features."""
    found = {"owner": encoded.owner, "item": np.arange(len(encoded.index), dtype=np.int32)}
    for name, side in (("request", encoded.request), ("item", encoded.item.take(encoded.index)), ("row", encoded.row)):
        length = np.diff(side.offsets).astype(np.int32).reshape(len(side), side.lists)
        found |= {f"{name}_id": side.id, f"{name}_value": side.value}
        found |= {f"{name}_length": length, f"{name}_many": side.many}
    return found


class _Graph:
    """Raw tensors to the network's inputs; how names, ranges and crosses become ids, its two kinds say.

    first: each feature's first place, from which its ids count: 0 is missing, 1 unknown, then come the codes.
    """

    def __init__(self, encoder: Encoder) -> None:
        import tensorflow as tf

        self._tf, self._learned, self.layout = tf, encoder.learned, encoder.layout
        self._places = places = Places(encoder.learned)
        self._edges = {side: [self._learned.edges[each.name] for each in places.numbers[side]] for side in PARTS}
        first, after = {}, 1
        for each in self._learned.features:
            assert not each.hidden, "features that are only crossed have no place in this comparison"
            first[each.name] = after
            after += 2 + self._count(each)
        for cross, keys in zip(self._learned.crosses, self._learned.cross_keys, strict=True):
            first[cross.name] = after
            after += 2 + len(keys)
        self.first = first
        assert after == self.layout.size
        singles = {side: [*places.names[side], *places.numbers[side]] for side in PARTS}
        self._base = {side: np.array([first[each.name] for each in singles[side]], np.int32) for side in PARTS}
        self._where = {each.name: (side, at) for side in PARTS for at, each in enumerate(singles[side])}
        self._lookups = {
            each.name: self._lookup(each)
            for each in self._learned.features
            if each.form == "lists" or (each.form == "names" and is_text(each))
        }

    def __call__(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """What `Network.call` takes, with candidates in the place of items."""
        tf, owner = self._tf, raw["owner"]
        found = {"owner": owner, "item": tf.range(tf.shape(owner)[0])}
        own: dict[str, Any] = {}
        for side in PARTS:
            columns, texts, codes = [], 0, 0
            for each in self._places.names[side]:
                if is_text(each):
                    columns.append(self._lookups[each.name](raw[f"{side}_names"][:, texts]))
                    texts += 1
                else:
                    columns.append(raw[f"{side}_codes"][:, codes] + 2)
                    codes += 1
            number = raw[f"{side}_numbers"]
            code = self._ranges(side, number)
            missing = tf.math.is_nan(number)
            parts = [tf.stack(columns, 1)] if columns else []
            own[side] = tf.concat([*parts, tf.where(missing, 0, code + 2)], 1)
            found[f"{side}_value"] = self._values(side, number, code, missing)
            found[f"{side}_id"] = own[side] + self._base[side]
            found |= self._lists(side, raw, tf.shape(number)[0])
        crossed = [self._crossed(x, raw, own, owner) for x in range(len(self._learned.crosses))]
        found["row_id"] = tf.concat([found["row_id"], tf.stack(crossed, 1)], 1)
        return found

    def _count(self, feature: Declared) -> int:
        if feature.form == "numbers":
            return len(self._learned.edges[feature.name]) + 1
        if feature.of.table in ("context", "trigger"):
            return {"hour": 24, "weekday": 7, "presence": 2}[feature.of.word]
        return len(self._learned.names[feature.name])

    def _values(self, side: str, number: Any, code: Any, missing: Any) -> Any:
        """float32 [R, V]: a number's place among its edges, -0.5 to 0.5, all features at once."""
        tf, edges = self._tf, self._edges[side]
        size = np.array([max(len(each), 1) for each in edges], np.int32)
        before = (np.cumsum(size) - size).astype(np.int32)
        flat = np.concatenate([each if len(each) else np.zeros(1, np.float32) for each in edges])
        last = size - 1
        low = tf.gather(flat, before + tf.clip_by_value(code - 1, 0, last))
        high = tf.gather(flat, before + tf.clip_by_value(code, 0, last))
        inner = (tf.cast(code - 1, tf.float32) + tf.math.divide_no_nan(number - low, high - low)) / np.maximum(
            last, 1
        ).astype(np.float32) - 0.5
        value = tf.where(code == 0, -0.5, tf.where(code > last, 0.5, inner))
        none = missing | np.array([not len(each) for each in edges])
        return tf.where(none, 0.0, value)

    def _lists(self, side: str, raw: Mapping[str, Any], rows: Any) -> dict[str, Any]:
        tf, features = self._tf, self._places.lists[side]
        if not features:
            none = tf.zeros((0,), tf.int32)
            return {f"{side}_length": tf.zeros((rows, 0), tf.int32), f"{side}_many": none}
        length = raw[f"{side}_lengths"]
        flat = tf.split(raw[f"{side}_lists"], tf.reduce_sum(length, 0), num=len(features))
        many = [
            self._lookups[each.name](part) + self.first[each.name] for each, part in zip(features, flat, strict=True)
        ]
        if len(features) == 1:
            joined = many[0]
        elif length.shape[0] == 1:
            joined = tf.concat(many, 0)
        else:
            ragged = [
                tf.RaggedTensor.from_row_lengths(part, length[:, m], validate=False) for m, part in enumerate(many)
            ]
            joined = tf.concat(ragged, 1).flat_values
        return {f"{side}_length": length, f"{side}_many": joined}

    def _lookup(self, feature: Declared) -> Callable[[Any], Any]:
        raise NotImplementedError

    def _ranges(self, side: str, number: Any) -> Any:
        raise NotImplementedError

    def _crossed(self, x: int, raw: Mapping[str, Any], own: Mapping[str, Any], owner: Any) -> Any:
        raise NotImplementedError


class ByHand(_Graph):
    """A hash table a feature, one comparison for all ranges, and a table of all pairs for each cross."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self._pairs = [self._tf.constant(self._table(x)) for x in range(len(self._learned.crosses))]

    def _lookup(self, feature: Declared) -> Callable[[Any], Any]:
        tf, names = self._tf, self._learned.names[feature.name]
        keys = tf.constant([*names, ""])
        values = tf.constant([*range(2, len(names) + 2), 0], tf.int32)
        table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), 1)
        found: Callable[[Any], Any] = table.lookup
        return found

    def _ranges(self, side: str, number: Any) -> Any:
        tf, edges = self._tf, self._edges[side]
        padded = np.full((len(edges), max(map(len, edges))), np.inf, np.float32)
        for v, each in enumerate(edges):
            padded[v, : len(each)] = each
        return tf.reduce_sum(tf.cast(number[:, :, None] >= padded, tf.int32), 2)

    def _crossed(self, x: int, raw: Mapping[str, Any], own: Mapping[str, Any], owner: Any) -> Any:
        tf = self._tf
        columns = []
        for part in self._learned.crosses[x].parts:
            side, at = self._where[part]
            columns.append(tf.gather(own[side][:, at], owner) if side == "request" else own[side][:, at])
        return tf.gather_nd(self._pairs[x], tf.stack(columns, 1))

    def _table(self, x: int) -> np.ndarray:
        """int32 [A, B]: the place of each pair of ids of cross x, by the encoder's own crossing."""
        cross, crossing = self._learned.crosses[x], self._places.crossing
        by_name = {each.name: each for each in self._learned.features}
        left, right = (np.arange(self._count(by_name[part])) for part in cross.parts)
        pair = np.stack(np.meshgrid(left, right, indexing="ij"), -1).reshape(-1, 2)
        code = {side: np.zeros((len(self._base[side]), len(pair)), np.int64) for side in PARTS}
        for p, part in enumerate(cross.parts):
            side, at = self._where[part]
            code[side][at] = pair[:, p]
        one = np.arange(len(pair), dtype=np.int32)
        key = crossing.keys(code["request"], code["item"], code["row"], np.arange(len(pair) + 1), one)[x]
        known = self._learned.cross_keys[x]
        place = np.searchsorted(known, key)
        there = np.append(known, -1)[place] == key
        found = np.where(there, place, UNKNOWN)
        table = np.full((len(left) + 2, len(right) + 2), self.first[cross.name], np.int32)
        table[2:, 2:] += (2 + found).reshape(len(left), len(right)).astype(np.int32)
        return table


class ByKeras(_Graph):
    """`StringLookup`, `Discretization` and `HashedCrossing`, one layer a feature.

    layout: the encoder's, but for the crosses, which are `BINS` ids each.
    """

    def __init__(self, encoder: Encoder) -> None:
        import keras

        self._layers = keras.layers
        super().__init__(encoder)
        self._cuts = {
            side: [keras.layers.Discretization(each.tolist()) if len(each) else None for each in self._edges[side]]
            for side in PARTS
        }
        crosses = len(self._learned.crosses)
        self._crossings = [keras.layers.HashedCrossing(BINS) for _ in range(crosses)]
        plain = self.layout
        self.layout = Layout(plain.request, plain.item, plain.row, plain.embedded + crosses * BINS, plain.embedded)

    def _lookup(self, feature: Declared) -> Callable[[Any], Any]:
        tf, names = self._tf, self._learned.names[feature.name]
        layer = self._layers.StringLookup(vocabulary=names, mask_token="", num_oov_indices=1)
        return lambda texts: tf.cast(layer(texts), tf.int32)

    def _ranges(self, side: str, number: Any) -> Any:
        tf, rows = self._tf, self._tf.shape(number)[0]
        columns = [
            tf.zeros((rows,), tf.int32) if layer is None else tf.cast(layer(number[:, v]), tf.int32)
            for v, layer in enumerate(self._cuts[side])
        ]
        return tf.stack(columns, 1)

    def _crossed(self, x: int, raw: Mapping[str, Any], own: Mapping[str, Any], owner: Any) -> Any:
        tf = self._tf
        columns = []
        for part in self._learned.crosses[x].parts:
            side, at = self._where[part]
            texts = sum(map(is_text, self._places.names[side]))
            column = raw[f"{side}_names"][:, at] if at < texts else own[side][:, at]
            columns.append(tf.gather(column, owner) if side == "request" else column)
        found = self._crossings[x](tuple(each[:, None] for each in columns))
        return tf.cast(tf.reshape(found, (-1,)), tf.int32) + (self.layout.embedded + x * BINS)


def examples_of(raw: Raw, places: Places) -> tuple[np.ndarray, np.ndarray]:
    """Serialised tf.Examples: one of each request, bytes [B], and one of each candidate, bytes [N]."""
    import tensorflow as tf

    train = tf.train

    def of(side: str, row: int, lists: Mapping[str, list[bytes]]) -> dict[str, Any]:
        texts = [each.name for each in places.names[side] if is_text(each)]  # type: ignore[index]
        codes = [each.name for each in places.names[side] if not is_text(each)]  # type: ignore[index]
        found = {name: train.Feature(bytes_list=train.BytesList(value=value)) for name, value in lists.items()}
        for at, name in enumerate(texts):
            value = getattr(raw, f"{side}_names")[row, at]
            found[name] = train.Feature(bytes_list=train.BytesList(value=[value]))
        for at, name in enumerate(codes):
            value = int(getattr(raw, f"{side}_codes")[row, at])
            found[name] = train.Feature(int64_list=train.Int64List(value=[value]))
        for at, each in enumerate(places.numbers[side]):  # type: ignore[index]
            value = float(getattr(raw, f"{side}_numbers")[row, at])
            found[each.name] = train.Feature(float_list=train.FloatList(value=[value]))
        return found

    def cut(side: str) -> list[dict[str, list[bytes]]]:
        length, flat, at = getattr(raw, f"{side}_lengths"), getattr(raw, f"{side}_lists").tolist(), 0
        rows: list[dict[str, list[bytes]]] = [{} for _ in length]
        for m, each in enumerate(places.lists[side]):  # type: ignore[index]
            for row, count in enumerate(length[:, m].tolist()):
                rows[row][each.name] = flat[at : at + count]
                at += count
        return rows

    def text(features: dict[str, Any]) -> bytes:
        found: bytes = train.Example(features=train.Features(feature=features)).SerializeToString()
        return found

    context = [text(of("request", b, lists)) for b, lists in enumerate(cut("request"))]
    rows = [text(of("item", n, lists) | of("row", n, {})) for n, lists in enumerate(cut("item"))]
    return np.array(context, object), np.array(rows, object)


def parsed(context: Any, rows: Any, owner: Any, places: Places) -> dict[str, Any]:
    """Raw tensors, as `Raw` has them, of serialised tf.Examples."""
    import tensorflow as tf

    def spec(sides: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for side in sides:
            for each in places.names[side]:  # type: ignore[index]
                found[each.name] = tf.io.FixedLenFeature((), tf.string if is_text(each) else tf.int64)
            found |= {each.name: tf.io.FixedLenFeature((), tf.float32) for each in places.numbers[side]}  # type: ignore[index]
            found |= {each.name: tf.io.RaggedFeature(tf.string) for each in places.lists[side]}  # type: ignore[index]
        return found

    found: dict[str, Any] = {"owner": owner}
    for sides, serialised in ((("request",), context), (("item", "row"), rows)):
        fields = tf.io.parse_example(serialised, spec(sides))
        for side in sides:
            names, numbers, lists = places.names[side], places.numbers[side], places.lists[side]  # type: ignore[index]
            texts = [fields[each.name] for each in names if is_text(each)]
            codes = [tf.cast(fields[each.name], tf.int32) for each in names if not is_text(each)]
            found |= {f"{side}_names": tf.stack(texts, 1)} if texts else {}
            found |= {f"{side}_codes": tf.stack(codes, 1)} if codes else {}
            found[f"{side}_numbers"] = tf.stack([fields[each.name] for each in numbers], 1)
            if lists:
                length = [tf.cast(fields[each.name].row_lengths(), tf.int32) for each in lists]
                found[f"{side}_lengths"] = tf.stack(length, 1)
                found[f"{side}_lists"] = tf.concat([fields[each.name].flat_values for each in lists], 0)
    return found


class FeatureColumns:
    """`tf.feature_column` under the same network, in a graph and a session of TensorFlow 1, the only way it still runs.

    features: does the feature work alone. score: logits float32 [N, O]. train: a step of Adam, of the same and labels
    float32 [N, O]. All take raw columns, `Raw`'s fields.
    """

    def __init__(self, encoder: Encoder, shape: Shape, weights: Weights, learning_rate: float) -> None:
        import tensorflow as tf
        from tensorflow.python.feature_column.feature_column_v2 import FeatureTransformationCache

        v1, fc = tf.compat.v1, tf.compat.v1.feature_column
        tf.get_logger().setLevel("ERROR")
        learned, layout, places = encoder.learned, encoder.layout, Places(encoder.learned)
        with tf.Graph().as_default() as graph, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`layer.add_variable` is deprecated")
            kinds = {"names": tf.string, "codes": tf.int32, "numbers": tf.float32, "lengths": tf.int32}
            fed = {
                name: v1.placeholder(
                    kinds.get(name.split("_")[-1], tf.string), (None,) if name.endswith("lists") else (None, None)
                )
                for name in Raw._fields[:-1]
            }
            owner, label = v1.placeholder(tf.int32, (None,)), v1.placeholder(tf.float32, (None, shape.outputs))
            values: dict[str, dict[str, Any]] = {side: {} for side in PARTS}
            columns: dict[str, list[Any]] = {side: [] for side in PARTS}
            plain: dict[str, list[Any]] = {side: [] for side in PARTS}
            cut: dict[str, Any] = {}
            for side in PARTS:
                at = {"names": 0, "codes": 0}
                for each in places.names[side]:
                    kind = "names" if is_text(each) else "codes"
                    values[side][each.name] = fed[f"{side}_{kind}"][:, at[kind]]
                    at[kind] += 1
                    if kind == "names":
                        names = learned.names[each.name]
                        found = fc.categorical_column_with_vocabulary_list(each.name, names, num_oov_buckets=1)
                    else:
                        count = {"hour": 24, "weekday": 7, "presence": 2}[each.of.word]
                        found = fc.categorical_column_with_identity(each.name, count)
                    columns[side].append(found)
                for v, each in enumerate(places.numbers[side]):
                    number = fed[f"{side}_numbers"][:, v]
                    values[side][each.name] = tf.where(tf.math.is_nan(number), tf.zeros_like(number), number)
                    plain[side].append(fc.numeric_column(each.name))
                    edges = learned.edges[each.name].tolist() or [0.0]
                    columns[side].append(fc.bucketized_column(plain[side][-1], edges))
                    cut[each.name] = columns[side][-1]
                if places.lists[side]:
                    length = fed[f"{side}_lengths"]
                    flat = tf.split(fed[f"{side}_lists"], tf.reduce_sum(length, 0), num=len(places.lists[side]))
                    for m, each in enumerate(places.lists[side]):
                        ragged = tf.RaggedTensor.from_row_lengths(flat[m], length[:, m], validate=False)
                        values[side][each.name] = ragged.to_sparse()
                        names = learned.names[each.name]
                        columns[side].append(
                            fc.categorical_column_with_vocabulary_list(each.name, names, num_oov_buckets=1)
                        )
            crosses = [
                fc.crossed_column([cut.get(part, part) for part in cross.parts], BINS) for cross in learned.crosses
            ]
            crossed = {part for cross in learned.crosses for part in cross.parts}
            for name in crossed & values["request"].keys():
                values["row"][name] = tf.gather(values["request"][name], owner)
            for name in crossed & values["item"].keys():
                values["row"][name] = values["item"][name]
            told, ids = [], []
            for side in PARTS:
                wide = [*columns[side], *(crosses if side == "row" else [])]
                deep = [fc.embedding_column(each, shape.dim) for each in columns[side]]
                x = fc.input_layer(values[side], [*deep, *plain[side]])
                told.append((x, fc.linear_model(values[side], [*wide, *plain[side]], units=shape.outputs)))
                cache = FeatureTransformationCache(values[side])
                ids += [each.get_sparse_tensors(cache, None).id_tensor.values for each in wide]
            network = _plain_network(layout, shape, weights)
            logit = Network.meet(network, *told, owner, tf.range(tf.shape(owner)[0]))
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=label, logits=logit))
            step = v1.train.AdamOptimizer(learning_rate).minimize(loss)
            one = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
            session = v1.Session(graph=graph, config=one)
            session.run([v1.global_variables_initializer(), v1.tables_initializer()])
            inputs = [*fed.values(), owner]
            with tf.control_dependencies(ids):
                self.features = session.make_callable(tf.no_op(), inputs)
            self.score = session.make_callable(logit, inputs)
            self.train = session.make_callable([loss, step], [*inputs, label])


def _plain_network(layout: Layout, shape: Shape, weights: Weights) -> Any:
    """What `Network.meet` reads, as variables of the graph there is."""
    import tensorflow as tf

    def variable(name: str, array: np.ndarray) -> Any:
        made = tf.compat.v1.get_variable(name, initializer=array, use_resource=True)
        return SimpleNamespace(value=made)

    later = list(weights.later())
    return SimpleNamespace(
        shape=shape,
        width=widths(layout, shape.dim),
        bias=variable("bias", weights.bias),
        deep=[
            variable("deep_0", weights.first),
            *(variable(f"deep_{n}", each) for n, (each, _) in enumerate(later, 1)),
        ],
        deep_bias=[
            variable("deep_bias_0", weights.first_bias),
            *(variable(f"deep_bias_{n}", each) for n, (_, each) in enumerate(later, 1)),
        ],
        logit=variable("logit", weights.logit),
        down=variable("down", weights.down),
        up=variable("up", weights.up),
        cross_bias=variable("cross_bias", weights.cross_bias),
        _thinned=lambda units, *_: units,
    )
