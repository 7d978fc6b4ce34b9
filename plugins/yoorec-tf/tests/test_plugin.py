"""What the package offers, and what it costs to ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml
import yoorec_tf
from pydantic import TypeAdapter


def test_four_rankers_each_with_its_defaults() -> None:
    found = {spec.name: spec for spec in yoorec_tf.yoorec_components()}
    assert list(found) == ["lr", "dnn", "wide_deep", "wide_dcn"]
    folder = Path(yoorec_tf.__file__).parent / "conf" / "ranker"
    assert sorted(path.stem for path in folder.iterdir() if path.suffix == ".yaml") == sorted(found)
    for name, spec in found.items():
        keys = yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
        assert keys.pop("use") == name
        TypeAdapter(spec.config).validate_python(keys)


def test_tensorflow_stays_out_until_it_is_needed() -> None:
    words = "import sys, yoorec_tf, yoorec_tf.processes, yoorec_tf.scoring; print('tensorflow' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, env=environment, check=True)
    assert found.stdout.split() == ["False"]
