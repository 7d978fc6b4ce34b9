import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from yoorec.artifacts.manifest import MANIFEST, Manifest, canonical, digest
from yoorec.artifacts.release import Release, Slot
from yoorec.artifacts.store import Artifact, Store
from yoorec.errors import ArtifactError


def publish(store: Store, fingerprint: str = "f" * 16, text: str = "hello", created: float = 1.0) -> Artifact:
    def write(folder: Path) -> dict[str, int]:
        (folder / "deep").mkdir()
        (folder / "deep" / "words.txt").write_text(text)
        return {"words": len(text.split())}

    return store.publish(
        slot="triggers.a",
        component="trigger-a",
        fingerprint=fingerprint,
        cut=7,
        inputs={"component": "trigger-a", "seed": 0},
        write=write,
        clock=lambda: created,
    )


def release(store: Store, *artifacts: Artifact, scene: str = "page") -> Release:
    return Release(
        scene=scene,
        scenario_hash="0" * 16,
        data="d" * 16,
        rank_cut=5,
        replay_cut=7,
        end=9,
        production=False,
        slots={f"triggers.{place}": artifact.slot for place, artifact in enumerate(artifacts)},
        created=1.0,
    )


def test_published_artifact_is_found_with_its_manifest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    written = publish(store)
    found = store.find("trigger-a", "f" * 16)
    assert found == written
    assert found is not None
    assert found.manifest.cut == 7
    assert found.manifest.notes == {"words": 1}
    assert found.manifest.bytes == 5
    assert (found.folder / "deep" / "words.txt").read_text() == "hello"
    found.manifest.verify(found.folder)


def test_nothing_is_left_aside_when_writing_fails(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def write(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        store.publish(slot="s", component="trigger-a", fingerprint="a" * 16, cut=None, inputs={}, write=write)
    assert store.find("trigger-a", "a" * 16) is None
    assert list((tmp_path / "artifacts" / "trigger-a").iterdir()) == []


def test_second_publication_of_one_fingerprint_keeps_the_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = publish(store, text="hello", created=1.0)
    second = publish(store, text="hello", created=2.0)
    assert second.folder == first.folder
    assert second.manifest.created == 1.0


@pytest.mark.parametrize("damage", ["changed", "missing", "added", "same size"])
def test_damaged_file_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    artifact = publish(store)
    slot = artifact.slot
    path = artifact.folder / "deep" / "words.txt"
    if damage == "changed":
        path.write_text("hello!")
    elif damage == "same size":
        path.write_text("jello")
    elif damage == "missing":
        path.unlink()
    else:
        path = artifact.folder / "stranger.py"
        path.write_text("")
    with pytest.raises(ArtifactError) as caught:
        store.open(slot, "triggers.a")
    assert str(caught.value).startswith(f"{path}: ")


def test_checksum_error_says_found_and_expected(tmp_path: Path) -> None:
    artifact = publish(Store(tmp_path))
    path = artifact.folder / "deep" / "words.txt"
    path.write_text("jello")
    with pytest.raises(ArtifactError) as caught:
        artifact.manifest.verify(artifact.folder)
    assert str(caught.value) == (
        f"{path}: is not what was published: 5 bytes with checksum 187c9bceeb91, expected 5 with 2cf24dba5fb0"
    )


def test_tampered_manifest_is_refused_though_its_files_agree(tmp_path: Path) -> None:
    store = Store(tmp_path)
    artifact = publish(store)
    slot = artifact.slot
    (artifact.folder / "deep" / "words.txt").write_text("jello")
    body = json.loads((artifact.folder / MANIFEST).read_text())
    from yoorec.artifacts.manifest import file_sum

    body["files"]["deep/words.txt"]["sha256"] = file_sum(artifact.folder / "deep" / "words.txt").sha256
    (artifact.folder / MANIFEST).write_text(json.dumps(body))
    Manifest.read(artifact.folder).verify(artifact.folder)
    with pytest.raises(ArtifactError, match=r"manifest\.json: is not the manifest that was released for triggers\.a"):
        store.open(slot, "triggers.a")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"format": 9}', '{"format": 1, "slot": "x"}', '{"format": 1, "files": 3}']
)
def test_broken_manifest_names_the_file(tmp_path: Path, text: str) -> None:
    artifact = publish(Store(tmp_path))
    (artifact.folder / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match=r"manifest\.json: "):
        Manifest.read(artifact.folder)


def test_release_becomes_current_and_reads_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = release(store, publish(store))
    assert store.current("page") is None
    store.release(made)
    assert store.current("page") == made
    assert store.scenes() == ("page",)


def test_release_version_does_not_depend_on_when_it_was_made(tmp_path: Path) -> None:
    store = Store(tmp_path)
    from dataclasses import replace

    made = release(store, publish(store))
    assert replace(made, created=5.0).version == made.version
    assert replace(made, end=10).version != made.version


def test_tampered_release_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = release(store, publish(store))
    store.release(made)
    path = tmp_path / "releases" / "page" / f"{made.version}.json"
    path.write_text(path.read_text().replace('"replay_cut": 7', '"replay_cut": 8'))
    with pytest.raises(ArtifactError, match="is not what was released"):
        store.current("page")


@pytest.mark.parametrize("pointer", ["", "../../etc", "zzzz", "0" * 16])
def test_broken_pointer_is_refused(tmp_path: Path, pointer: str) -> None:
    store = Store(tmp_path)
    store.release(release(store, publish(store)))
    (tmp_path / "releases" / "page" / "CURRENT").write_text(pointer)
    with pytest.raises(ArtifactError):
        store.current("page")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden"])
def test_names_that_leave_the_store_are_refused(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    with pytest.raises(ArtifactError):
        store.find(name, "f" * 16)
    with pytest.raises(ArtifactError):
        store.release(release(store, scene=name))


def test_prune_keeps_what_a_current_release_uses(tmp_path: Path) -> None:
    store = Store(tmp_path)
    used, old = publish(store, "a" * 16), publish(store, "b" * 16, "other words")
    store.release(release(store, old))
    store.release(release(store, used))
    pruned = store.prune()
    assert pruned.folders == (old.folder,)
    assert pruned.bytes > 0
    assert list(store.artifacts()) == [used.folder]
    assert store.current("page") is not None
    assert len(list((tmp_path / "releases" / "page").glob("*.json"))) == 1


def test_prune_leaves_what_is_young(tmp_path: Path) -> None:
    store = Store(tmp_path)
    artifact = publish(store)
    assert store.prune(keep_s=3600).folders == ()
    assert store.find("trigger-a", "f" * 16) == artifact


def test_prune_removes_what_killed_fits_left_aside_once_it_is_stale(tmp_path: Path) -> None:
    store = Store(tmp_path)
    publish(store)
    aside = tmp_path / "artifacts" / "trigger-a" / ".aside-x"
    aside.mkdir()
    store.prune()
    assert aside.exists()
    os.utime(aside, (1, 1))
    store.prune()
    assert not aside.exists()


def test_kill_during_publication_leaves_the_old_release_in_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = release(store, publish(store))
    store.release(made)
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from yoorec.artifacts.store import Store

        def write(folder):
            (folder / "half.bin").write_bytes(b"x" * 1_000_000)
            print("writing", flush=True)
            time.sleep(60)

        Store(Path(sys.argv[1])).publish(
            slot="triggers.a", component="trigger-a", fingerprint="b" * 16, cut=None, inputs={}, write=write
        )
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert store.find("trigger-a", "b" * 16) is None
    assert store.current("page") == made
    assert [artifact.name for artifact in store.artifacts()] == ["f" * 16]
    store.open(next(iter(made.slots.values())), "triggers.a")


def test_canonical_json_ignores_key_order() -> None:
    assert canonical({"b": 1, "a": Path("x")}) == '{"a":"x","b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_slot_names_the_manifest_it_was_released_with(tmp_path: Path) -> None:
    artifact = publish(Store(tmp_path))
    assert artifact.slot == Slot("trigger-a", "f" * 16, artifact.slot.manifest)
    assert len(artifact.slot.manifest) == 64
