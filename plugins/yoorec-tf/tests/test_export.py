"""The SavedModel, called by its signature in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from yoorec_tf.export import export, inputs_of, served
from yoorec_tf.processes import export_apart
from yoorec_tf.scoring import Scorer, blend

from .conftest import SHAPES, random_weights, world

_ASKS = """
import json, sys
from pathlib import Path
import numpy as np
import tensorflow as tf
folder = Path(sys.argv[1])
asked = np.load(folder / "asked.npz")
for name in json.loads(sys.argv[2]):
    serve = tf.saved_model.load(str(folder / name)).signatures["serving_default"]
    kinds = serve.structured_input_signature[1]
    told = {key: [kind.dtype.name, kind.shape.as_list()] for key, kind in kinds.items()}
    (folder / f"{name}.json").write_text(json.dumps(told))
    for b in range(int(asked["requests"])):
        given = {key: asked[f"{b} {key}"] for key in kinds}
        given["beside"] = given["beside"][:, : kinds["beside"].shape[1]]
        found = serve(**{key: tf.constant(each) for key, each in given.items()})
        np.savez(folder / f"{name} {b}.npz", **{key: each.numpy() for key, each in found.items()})
"""


def test_a_fresh_process_serves_the_same_scores(tmp_path: Path) -> None:
    networks = {"lr": (1.0,), "dnn": (1.0,), "wide_deep": (1.0,), "two objectives": (1.0, 0.5)}
    expected = {}
    for name, objectives in networks.items():
        write = export_apart if name == "lr" else export
        shape = SHAPES[name]
        layout, samples = world(requests=6, outputs=shape.outputs)
        weights = random_weights(layout, shape)
        scale, shift = np.array([1.5, 0.5], np.float32)[: shape.outputs], np.array([-1, 2], np.float32)[: shape.outputs]
        write(tmp_path / name, layout, shape, weights, samples.encoded.item, objectives, scale, shift)
        plain = Scorer.of(weights, layout, samples.encoded.item).score(samples.encoded)
        beside = np.random.default_rng(4).normal(0, 0.5, (len(samples.label), 2)).astype(np.float32)
        expected[name] = plain * scale + beside[:, : shape.outputs] + shift
    encoded = samples.encoded
    asked = {f"{b} {key}": each for b in range(6) for key, each in inputs_of(encoded, b).items()}
    asked |= {f"{b} beside": beside[encoded.offsets[b] : encoded.offsets[b + 1]] for b in range(6)}
    np.savez(tmp_path / "asked.npz", requests=6, **asked)
    found = subprocess.run(
        [sys.executable, "-c", _ASKS, str(tmp_path), json.dumps(list(networks))],
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    for name, objectives in networks.items():
        told = json.loads((tmp_path / f"{name}.json").read_text())
        asked_for = served(layout, SHAPES[name].outputs)
        kinds = {key: [np.dtype(kind).name, list(size)] for key, (kind, size) in asked_for.items()}
        assert told == kinds
        for b in range(6):
            rows = slice(encoded.offsets[b], encoded.offsets[b + 1])
            answer = np.load(tmp_path / f"{name} {b}.npz")
            np.testing.assert_allclose(answer["logit"], expected[name][rows], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(answer["score"], blend(expected[name][rows], objectives), rtol=1e-5, atol=1e-5)
