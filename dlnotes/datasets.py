"""Small real data sets that come with the package, and loaders for two larger ones.

`digits`, `breast_cancer`, `wine` and `diabetes` need no network. `mnist` and `cifar10` are downloaded once, checked
against a SHA-256 sum and kept in a cache. Where each comes from, and under which license, is told in
`dlnotes/data/README.md`.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks

if TYPE_CHECKING:
    from jaxtyping import Float, Num


class Dataset(NamedTuple):
    """Examples with what is to be predicted for each.

    Attributes:
        inputs: One row an example.
        targets: A class from 0 up as an integer, or a number to be predicted, one an example.
        features: The names of the columns of the inputs; empty for color images.
        classes: The names of the classes, in the order of their numbers; empty where a number is predicted.
    """

    inputs: Float[np.ndarray, "examples *shape"]
    targets: Num[np.ndarray, " examples"]
    features: tuple[str, ...]
    classes: tuple[str, ...]


class Split(NamedTuple):
    """A larger data set, which comes in two parts."""

    train: Dataset
    test: Dataset


class DownloadError(RuntimeError):
    """A data set could not be fetched, or what was fetched is not what was expected."""


MNIST_SOURCE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
CIFAR10_SOURCE = "https://www.cs.toronto.edu/~kriz/"
CIFAR10_SHA256 = {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def _shipped(name: str, dtype: np.typing.DTypeLike) -> Dataset:
    with resources.files("dlnotes").joinpath("data", f"{name}.npz").open("rb") as file, np.load(file) as arrays:
        targets = arrays["targets"]
        return Dataset(
            arrays["inputs"].astype(dtype),
            targets.astype(dtype) if targets.dtype.kind == "f" else targets,
            tuple(arrays["features"].tolist()),
            tuple(arrays["classes"].tolist()),
        )


def digits(dtype: np.typing.DTypeLike = np.float64) -> Dataset:
    """Load 1797 handwritten digits of 8 by 8 pixels, each pixel a whole number from 0 to 16.

    Args:
        dtype: Floating-point type of the inputs.

    Returns:
        Inputs of shape (1797, 64), targets from 0 to 9.
    """
    return _shipped("digits", dtype)


def breast_cancer(dtype: np.typing.DTypeLike = np.float64) -> Dataset:
    """Load 30 measurements of the cell nuclei in each of 569 breast masses, malignant (0) or benign (1).

    Args:
        dtype: Floating-point type of the inputs.

    Returns:
        Inputs of shape (569, 30), in the units in which they were measured; targets 0 or 1.
    """
    return _shipped("breast_cancer", dtype)


def wine(dtype: np.typing.DTypeLike = np.float64) -> Dataset:
    """Load the chemical analysis of 178 wines of three cultivars.

    Args:
        dtype: Floating-point type of the inputs.

    Returns:
        Inputs of shape (178, 13), in the units in which they were measured; targets from 0 to 2.
    """
    return _shipped("wine", dtype)


def diabetes(dtype: np.typing.DTypeLike = np.float64) -> Dataset:
    """Load ten measurements of 442 patients with diabetes, and how far the disease had gone a year later.

    Args:
        dtype: Floating-point type of the inputs and the targets.

    Returns:
        Inputs of shape (442, 10), as measured (not scaled); targets from 25 to 346.
    """
    return _shipped("diabetes", dtype)


def split(dataset: Dataset, sizes: Sequence[int], generator: np.random.Generator) -> tuple[Dataset, ...]:
    """Deal the examples at random into parts of the sizes given.

    Args:
        dataset: What to deal out.
        sizes: How many examples each part gets; together at most all of them. What is left over goes into a last part.
        generator: Draws the order.

    Returns:
        The parts, and one more with the rest if there is a rest.

    Raises:
        ValueError: If a size is negative or the sizes add up to more than there is.
    """
    sizes = [checks.integer("sizes", size, at_least=0) for size in sizes]
    count = len(dataset.targets)
    checks.integer("sum of sizes", sum(sizes), at_most=count)
    order = generator.permutation(count)
    parts = np.split(order, np.cumsum(sizes))
    if not len(parts[-1]):
        parts.pop()
    return tuple(dataset._replace(inputs=dataset.inputs[part], targets=dataset.targets[part]) for part in parts)


def cache_folder() -> Path:
    """Say where downloaded data sets are kept: `$DLNOTES_DATA`, else the user's cache folder."""
    chosen = os.environ.get("DLNOTES_DATA")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dlnotes"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(url: str, sha256: str, folder: Path | str | None = None) -> Path:
    """Fetch a file once, and accept it only if it is the one expected.

    The file is written beside its place and moved there when it is whole and its sum is right, so that what lies in
    the cache under that name is always good; if it is not, because somebody changed it, it is fetched anew.

    Args:
        url: Where the file is.
        sha256: Its SHA-256 sum, in hexadecimal digits.
        folder: Where to keep it; by default `cache_folder()`.

    Returns:
        The path of the file.

    Raises:
        DownloadError: If it cannot be reached, or has another sum.
    """
    folder = cache_folder() if folder is None else Path(folder)
    path = folder / url.rsplit("/", 1)[-1]
    if path.is_file() and _sha256(path) == sha256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="incomplete-") as scratch:
        fetched = Path(scratch) / "file"
        try:
            with urllib.request.urlopen(url, timeout=60) as response, fetched.open("wb") as file:
                while chunk := response.read(1 << 20):
                    file.write(chunk)
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            raise DownloadError(
                f"could not fetch {url}: {reason}. It is needed once; a copy put at {path} by hand does as well"
            ) from error
        given = _sha256(fetched)
        if given != sha256:
            raise DownloadError(f"{url} has SHA-256 {given}, expected {sha256}; it was thrown away")
        fetched.replace(path)
    return path


def read_idx(path: Path | str) -> np.ndarray:
    """Read a gzip-compressed IDX file of bytes, the form in which MNIST comes.

    The file starts with two zero bytes, the type (8 for bytes), the number of axes, and the length of each as a
    big-endian integer of 32 bits; the values follow, the last axis fastest.

    Args:
        path: The file.

    Returns:
        The values, of type uint8.

    Raises:
        ValueError: If it is not such a file.
    """
    with gzip.open(path, "rb") as file:
        content = file.read()
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(f"path must be an IDX file of bytes, got {path}, which begins with {content[:4]!r}")
    header = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:header], ">u4").astype(int)
    if len(content) != header + shape.prod():
        given = f"{path} with {len(content)} bytes for shape {tuple(shape.tolist())}"
        raise ValueError(f"path must be a whole IDX file, got {given}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def mnist(
    folder: Path | str | None = None, dtype: np.typing.DTypeLike = np.float32, *, source: str | None = None
) -> Split:
    """Load the MNIST digits, 60,000 to train on and 10,000 to test on, from the cache or the network (12 MB).

    Args:
        folder: Where the files are kept; by default `cache_folder()`.
        dtype: Floating-point type of the inputs.
        source: The address of the folder that holds the four files; by default `MNIST_SOURCE`.

    Returns:
        Inputs of shape (examples, 784), from 0 to 255; targets from 0 to 9.

    Raises:
        DownloadError: If a file is not in the cache and cannot be fetched.
    """
    names = [f"pixel_{row}_{column}" for row in range(28) for column in range(28)]

    def load(part: str) -> Dataset:
        images, labels = (
            read_idx(download((source or MNIST_SOURCE) + name, MNIST_SHA256[name], folder))
            for name in (f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz")
        )
        inputs = images.reshape(len(images), -1).astype(dtype)
        return Dataset(inputs, labels.astype(np.int64), tuple(names), tuple("0123456789"))

    return Split(load("train"), load("t10k"))


def cifar10(
    folder: Path | str | None = None, dtype: np.typing.DTypeLike = np.float32, *, source: str | None = None
) -> Split:
    """Load the CIFAR-10 photographs, 50,000 to train on and 10,000 to test on, from the cache or the network (170 MB).

    Args:
        folder: Where the file is kept; by default `cache_folder()`.
        dtype: Floating-point type of the inputs.
        source: The address of the folder that holds the archive; by default `CIFAR10_SOURCE`.

    Returns:
        Inputs of shape (examples, 3, 32, 32), from 0 to 255; targets from 0 to 9.

    Raises:
        DownloadError: If the file is not in the cache and cannot be fetched.
    """
    ((name, sha256),) = CIFAR10_SHA256.items()
    archive_path = download((source or CIFAR10_SOURCE) + name, sha256, folder)

    def load(archive: tarfile.TarFile, members: Sequence[str]) -> Dataset:
        content = b"".join(archive.extractfile(f"cifar-10-batches-bin/{member}").read() for member in members)
        # Each record is one byte for the class and 3072 for the image: all red, all green, all blue.
        records = np.frombuffer(content, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
        inputs = records[:, 1:].reshape(-1, 3, 32, 32).astype(dtype)
        return Dataset(inputs, records[:, 0].astype(np.int64), (), CIFAR10_CLASSES)

    with tarfile.open(archive_path) as archive:
        train = load(archive, [f"data_batch_{number}.bin" for number in range(1, 6)])
        return Split(train, load(archive, ["test_batch.bin"]))
