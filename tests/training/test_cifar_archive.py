"""CIFAR-100 from torchvision's archive, on a small one of the same form."""

import hashlib
import http.server
import io
import os
import pickle
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tuner.errors import SettingError
from tuner.training import cifar_archive
from tuner.training.cifar_archive import PACKED, UNPACKED, read_cifar100
from tuner.training.data import load_data, load_test

CLASSES = ("apple", "bear", "cup")


def images_of(split: str) -> tuple[np.ndarray[Any, Any], list[int]]:
    """Rows in channel, row, column order as the archive has them, and labels, classes mixed."""
    num_images = {"train": 60, "test": 12}[split]
    rows = np.random.default_rng(len(split)).integers(0, 256, (num_images, 3072), np.uint8)
    return rows, [i % 3 for i in range(num_images)]


def archive_bytes(**changes: Any) -> bytes:
    members: dict[str, Any] = {"meta": {"fine_label_names": list(CLASSES), "coarse_label_names": ["thing"]}}
    for split in ("train", "test"):
        rows, labels = images_of(split)
        members[split] = {"data": rows, "fine_labels": labels, "coarse_labels": labels, "filenames": ["x.png"]}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in {**members, **changes}.items():
            if content is not None:
                data = pickle.dumps(content, protocol=2)
                entry = tarfile.TarInfo(f"{UNPACKED}/{name}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def configuration(folder: Path) -> dict[str, Any]:
    return {"dataset": "cifar100", "data_dir": str(folder), "epochs": 1}


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    (tmp_path / PACKED).write_bytes(archive_bytes())
    return tmp_path


def by_class(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> list[set[bytes]]:
    return [{image.tobytes() for image in images[labels == k]} for k in range(3)]


def test_archive_packed_or_unpacked_and_class_folders_give_the_same_images(packed: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    with tarfile.open(packed / PACKED) as archive:
        archive.extractall(unpacked, filter="data")
    tree = tmp_path / "tree"
    for split in ("train", "test"):
        rows, labels = images_of(split)
        for number, (row, label) in enumerate(zip(rows, labels, strict=True)):
            file = tree / split / CLASSES[label] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(row.reshape(3, 32, 32).transpose(1, 2, 0)).save(file)
    for split in ("train", "test"):
        read = [read_cifar100(folder, split) for folder in (packed, unpacked, tree)]
        assert [images.class_names for images in read] == [CLASSES] * 3
        sets = [by_class(images.images_NHWC, images.labels_N) for images in read]
        assert sets[0] == sets[1] == sets[2]
    data = load_data(configuration(packed))
    assert (len(data.train), len(data.validation), len(load_test(configuration(packed)))) == (57, 3, 12)


class Boom:
    def __reduce__(self) -> Any:
        return os.system, ("touch boom",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": None}, "KeyError"),
        ({"meta": [1]}, "a list where a mapping belongs"),
        ({"train": {"data": np.zeros((2, 10), np.uint8), "fine_labels": [0, 1]}}, r"images of shape \(2, 10\) and 2 labels"),
        ({"train": {"data": np.zeros((2, 3072), np.uint8), "fine_labels": [0, 3]}}, "labels beyond its 3 classes"),
        ({"train": Boom()}, "it asks for posix.system"),
    ],
)  # fmt: skip
def test_a_damaged_archive_is_named_and_runs_nothing(
    changes: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / PACKED).write_bytes(archive_bytes(**changes))
    with pytest.raises(SettingError, match=f"{PACKED} is damaged or not CIFAR-100 .*{message}"):
        read_cifar100(tmp_path, "train")
    assert [path.name for path in tmp_path.iterdir()] == [PACKED]


def test_half_an_archive_is_damaged(packed: Path) -> None:
    whole = (packed / PACKED).read_bytes()
    (packed / PACKED).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SettingError, match="is damaged or not CIFAR-100"):
        read_cifar100(packed, "train")


Serve = Callable[[bytes, int], str]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serves one answer on a free port; returns its URL, which is then the archive's."""
    servers: list[http.server.HTTPServer] = []

    def start(content: bytes, status: int = 200) -> str:
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *words: Any) -> None: ...

        server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_port}/{PACKED}"
        monkeypatch.setenv("TUNER_CIFAR100_URL", url)
        return url

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_what_is_not_there_is_downloaded_once(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = archive_bytes()
    monkeypatch.setattr(cifar_archive, "MD5", hashlib.md5(content).hexdigest())
    serve(content, 200)
    folder = tmp_path / "data" / "cifar100"
    assert len(load_data(configuration(folder)).train) == 57
    assert [path.name for path in folder.iterdir()] == [PACKED]
    monkeypatch.setenv("TUNER_CIFAR100_URL", "http://127.0.0.1:9/")  # nobody there
    assert len(load_test(configuration(folder))) == 12


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [(b"sorry", 404, "Not Found"), (b"a page that asks for a password", 200, "another MD5 checksum")],
)
def test_a_failed_download_leaves_nothing(
    serve: Serve, tmp_path: Path, content: bytes, status: int, message: str
) -> None:
    url = serve(content, status)
    with pytest.raises(SettingError) as caught:
        load_data(configuration(tmp_path / "data" / "cifar100"))
    assert f"downloading {url} failed: " in str(caught.value)
    assert message in str(caught.value)
    assert "--set settings.data_dir=FOLDER" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar_archive, "TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("TUNER_CIFAR100_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/x")
        with pytest.raises(SettingError, match="failed: timed out"):
            load_data(configuration(tmp_path / "cifar100"))
    assert list(tmp_path.iterdir()) == []
