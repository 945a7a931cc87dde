from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import io
import re
import tarfile
import threading
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from dlnotes import datasets

SHIPPED = ["digits", "breast_cancer", "wine", "diabetes"]


@pytest.mark.parametrize("name", SHIPPED)
def test_equal_to_scikit_learns(name):
    theirs = pytest.importorskip("sklearn.datasets")
    expected = getattr(theirs, f"load_{name}")(**({"scaled": False} if name == "diabetes" else {}))
    ours = getattr(datasets, name)()
    np.testing.assert_array_equal(ours.inputs, expected.data, strict=True)
    np.testing.assert_array_equal(ours.targets, expected.target.astype(ours.targets.dtype), strict=True)
    assert ours.features == tuple(str(feature) for feature in expected.feature_names)
    assert ours.classes == tuple(str(label) for label in expected.get("target_names", ()))


@pytest.mark.parametrize(
    ("name", "shape", "counts"),
    [
        ("digits", (1797, 64), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
        ("breast_cancer", (569, 30), [212, 357]),
        ("wine", (178, 13), [59, 71, 48]),
    ],
)
def test_known_counts(name, shape, counts):
    # As the repository that they come from states them, without any other copy.
    ours = getattr(datasets, name)()
    assert ours.inputs.shape == shape
    assert np.bincount(ours.targets).tolist() == counts
    assert len(ours.features) == shape[1]
    assert len(ours.classes) == len(counts)


def test_known_numbers_of_the_diabetes_table():
    ours = datasets.diabetes()
    assert ours.inputs.shape == (442, 10)
    assert (ours.targets.min(), ours.targets.max()) == (25, 346)
    assert ours.classes == ()
    np.testing.assert_array_equal(ours.inputs[0], [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87])


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_and_fresh_arrays(name, dtype):
    load = getattr(datasets, name)
    ours = load(dtype)
    assert ours.inputs.dtype == dtype
    assert ours.targets.dtype == (dtype if name == "diabetes" else np.int64)
    ours.inputs[...] = -1  # the next caller must not see this
    ours.targets[...] = -1
    assert load().inputs.min() >= 0
    assert load().targets.min() >= 0


def test_small_and_described():
    files = {file.name: file for file in resources.files("dlnotes").joinpath("data").iterdir()}
    assert set(files) == {"README.md", *(f"{name}.npz" for name in SHIPPED)}
    assert sum(len(file.read_bytes()) for file in files.values()) < 250_000
    described = files["README.md"].read_text("utf-8")
    for name in SHIPPED:
        (row,) = [line for line in described.splitlines() if line.startswith(f"| `{name}.npz`")]
        assert re.search(r"CC BY 4\.0|BSD 3-Clause", row)
        assert "https://" in row


def test_split_deals_each_example_once():
    whole = datasets.wine()
    train, test, rest = datasets.split(whole, (100, 50), np.random.default_rng(0))
    assert [len(part.targets) for part in (train, test, rest)] == [100, 50, 28]
    joined = np.concatenate([np.c_[part.inputs, part.targets] for part in (train, test, rest)])
    expected = np.c_[whole.inputs, whole.targets]
    np.testing.assert_array_equal(joined[np.lexsort(joined.T)], expected[np.lexsort(expected.T)])
    assert (np.diff(train.targets) < 0).any()  # wine is sorted by class; the parts are not
    again = datasets.split(whole, (100, 50), np.random.default_rng(0))
    np.testing.assert_array_equal(again[0].inputs, train.inputs)
    assert [len(part.targets) for part in datasets.split(whole, (178,), np.random.default_rng(0))] == [178]
    assert [len(part.targets) for part in datasets.split(whole, (0, 8), np.random.default_rng(0))] == [0, 8, 170]
    assert train.features == whole.features


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ((100, 79), ValueError, "sum of sizes must be an integer at most 178, got 179"),
        ((-1,), ValueError, "sizes must be an integer at least 0, got -1"),
        ((0.5,), TypeError, "sizes must be an integer at least 0, got 0.5"),
    ],
)
def test_split_refuses(sizes, error, message):
    with pytest.raises(error, match=message):
        datasets.split(datasets.wine(), sizes, np.random.default_rng(0))


# Downloads, from a server on the loopback address.


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def cifar_archive(per_file):
    generator = np.random.default_rng(0)
    records = {}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as file:
        for member in [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]:
            images = generator.integers(0, 256, (per_file, 3, 32, 32), dtype=np.uint8)
            labels = generator.integers(0, 10, (per_file, 1), dtype=np.uint8)
            records[member] = images, labels[:, 0]
            content = np.hstack([labels, images.reshape(per_file, -1)]).tobytes()
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{member}")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return archive.getvalue(), records


class Server(http.server.SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        if self.path.startswith("/cut"):
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"only this")
            return
        super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    """Serve a folder on the loopback address; give its address, the folder and the list of what was asked for."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = type("Handler", (Server,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder)) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{found.server_address[1]}/", folder, handler.asked
        found.shutdown()
        thread.join()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_fetched_once(server, tmp_path):
    address, folder, asked = server
    (folder / "file.bin").write_bytes(b"what was expected")
    cache = tmp_path / "cache" / "inner"
    for _ in range(2):
        path = datasets.download(f"{address}file.bin", sha256(b"what was expected"), cache)
        assert path == cache / "file.bin"
        assert path.read_bytes() == b"what was expected"
    assert asked == ["/file.bin"]
    path.write_bytes(b"broken by hand")
    assert datasets.download(f"{address}file.bin", sha256(b"what was expected"), cache).read_bytes()[:4] == b"what"
    assert len(asked) == 2


def test_a_file_with_another_sum_is_thrown_away(server, tmp_path):
    address, folder, _ = server
    (folder / "file.bin").write_bytes(b"something else")
    with pytest.raises(datasets.DownloadError, match=f"SHA-256 {sha256(b'something else')}, expected {'0' * 64}"):
        datasets.download(f"{address}file.bin", "0" * 64, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "reason"), [("missing.bin", "File not found"), ("cut.bin", "IncompleteRead|expected 0000|bytes read")]
)
def test_what_cannot_be_fetched_gives_one_clear_error(server, tmp_path, name, reason):
    address, _, _ = server
    with pytest.raises(datasets.DownloadError, match=reason) as caught:
        datasets.download(f"{address}{name}", "0" * 64, tmp_path / "cache")
    assert f"{address}{name}" in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_a_network_the_error_says_what_to_do(tmp_path):
    closed = "http://127.0.0.1:9/"  # the discard port, where nobody listens
    with pytest.raises(datasets.DownloadError, match=r"could not fetch .*refused.*a copy put at .*does as well"):
        datasets.mnist(tmp_path, source=closed)
    with pytest.raises(datasets.DownloadError, match="could not fetch"):
        datasets.cifar10(tmp_path, source=closed)
    with pytest.raises(datasets.DownloadError, match="unknown url type"):
        datasets.download("no-address-at-all", "0" * 64, tmp_path)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mnist_from_a_server(server, tmp_path, monkeypatch, dtype):
    address, folder, asked = server
    generator = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", 12), ("t10k", 5)):
        images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = generator.integers(0, 10, count, dtype=np.uint8)
        parts[part] = images, labels
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    sums = {name: sha256((folder / name).read_bytes()) for name in datasets.MNIST_SHA256}
    monkeypatch.setattr(datasets, "MNIST_SHA256", sums)
    monkeypatch.setenv("DLNOTES_DATA", str(tmp_path / "cache"))
    for _ in range(2):
        found = datasets.mnist(dtype=dtype, source=address)
    assert len(asked) == 4
    for ours, (images, labels) in ((found.train, parts["train"]), (found.test, parts["t10k"])):
        np.testing.assert_array_equal(ours.inputs, images.reshape(-1, 784).astype(dtype), strict=True)
        np.testing.assert_array_equal(ours.targets, labels.astype(np.int64), strict=True)
    assert found.train.features[29] == "pixel_1_1"


def test_cifar_from_a_server(server, tmp_path, monkeypatch):
    address, folder, asked = server
    content, records = cifar_archive(3)
    (folder / "cifar-10-binary.tar.gz").write_bytes(content)
    monkeypatch.setattr(datasets, "CIFAR10_SHA256", {"cifar-10-binary.tar.gz": sha256(content)})
    found = datasets.cifar10(tmp_path / "cache", source=address)
    assert len(asked) == 1
    assert found.train.inputs.shape == (15, 3, 32, 32)
    train = [records[f"data_batch_{number}.bin"] for number in range(1, 6)]
    np.testing.assert_array_equal(found.train.inputs, np.concatenate([images for images, _ in train]))
    np.testing.assert_array_equal(found.train.targets, np.concatenate([labels for _, labels in train]))
    np.testing.assert_array_equal(found.test.inputs, records["test_batch.bin"][0])
    assert found.test.inputs.dtype == np.float32
    assert len(found.test.classes) == 10


def test_sums_are_sums():
    for sums in (datasets.MNIST_SHA256, datasets.CIFAR10_SHA256):
        assert all(re.fullmatch("[0-9a-f]{64}", value) for value in sums.values())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x00\x08",
        b"no such format",
        b"\x00\x00\x0d\x01\x00\x00\x00\x01a",
        b"\x00\x00\x08\x01\x00\x00\x00\x02a",
    ],
)
def test_what_is_no_idx_file_is_refused(tmp_path, content):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=r"^path must be .*, got .*file\.gz"):
        datasets.read_idx(path)


def test_where_the_cache_is(monkeypatch):
    monkeypatch.setenv("DLNOTES_DATA", "/somewhere")
    assert datasets.cache_folder() == Path("/somewhere")
    monkeypatch.delenv("DLNOTES_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert datasets.cache_folder() == Path("/caches/dlnotes")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert datasets.cache_folder() == Path.home() / ".cache" / "dlnotes"
