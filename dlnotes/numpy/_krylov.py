"""The space that Lanczos' method spans, from one vector after the other; what `conditioning` searches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from dlnotes.numpy import gradient_clipping

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

Product = Callable[[np.ndarray], np.ndarray]
_BLOCK = 4096  # products that are added up before the sum is taken to float64
_PIECE = 1 << 17  # entries of a vector worked on at a time: they stay in the cache from the first operation to the last
_GOLDEN = 2654435769  # the golden ratio's fraction times 2^32


def inner(a: Float[Array, "*runs size"], b: Float[Array, "*runs size"]) -> Float[Array, "*runs"]:
    """Give inner products to the precision of their numbers: a sum of a million products in float32 has five digits."""
    blocks = a.shape[-1] // _BLOCK
    whole = blocks * _BLOCK
    parts = np.vecdot(*(x[..., :whole].reshape(*x.shape[:-1], blocks, _BLOCK) for x in (a, b)))
    return (parts.sum(-1, dtype=np.float64) + np.vecdot(a[..., whole:], b[..., whole:])).astype(a.dtype)


def length(vector: Float[Array, "*runs size"]) -> Float[Array, "*runs"]:
    """Give the Euclidean length: by the plain squares, or by the scaled ones where these over- or underflow."""
    limits = np.finfo(vector.dtype)
    with np.errstate(over="ignore"):
        square = inner(vector, vector)
    if np.all((square >= vector.shape[-1] * (limits.tiny / limits.eps)) & (square <= limits.max)):
        return np.sqrt(square)
    return np.asarray(gradient_clipping.norm(vector, vector.ndim - 1))


def divided(vector: Array, length: Array, out: np.ndarray | None = None) -> Array:
    """Divide a vector by its length; what has none stays 0."""
    return np.multiply(vector, np.where(length > 0, 1 / np.where(length > 0, length, 1), 0)[..., None], out=out)


def unit(vector: Array) -> Array:
    vector = vector / np.abs(vector).max(axis=-1, keepdims=True)
    return vector / np.sqrt(inner(vector, vector))[..., None]


def another(start: Array, number: int) -> Array:
    """Give a vector that is as random as the start: the start's entries at other places and with other signs."""
    size = start.shape[-1]
    fraction = np.arange(size, dtype=np.uint32)
    fraction += np.uint32(number * size % 2**32)
    # Minus where the fraction of place^2 times the golden ratio is at least 1/2; what wraps in 32 bits is whole.
    fraction *= fraction
    fraction *= np.uint32(_GOLDEN)
    fraction >>= 31
    signs = fraction.astype(start.dtype)
    signs *= -2
    signs += 1
    signs = signs * np.roll(start, max(1, round(0.382 * size)), axis=-1)
    return unit(signs)


def eigenpairs(matrix: Array, alive: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues and eigenvectors (columns) of a matrix in a basis, and which are made of vectors that are there."""
    values, vectors = np.linalg.eigh(matrix)
    vectors *= np.where(vectors[..., :1, :] < 0, -1, 1)  # so that no eigenvector points away from the start
    return values, vectors, np.sum(np.square(vectors) * alive[..., None], axis=-2) > 0.5


class Space:
    """An orthonormal basis that grows by Lanczos' method, and the matrix H in it.

    The chain of Lanczos vectors may be left for another one, which starts at right angles to those Ritz vectors that
    are kept. H takes each kept vector y to theta y plus its share of one vector, the rest of the chain that was left.
    The parts of the rest along the new vectors are entries of the matrix; what is left of it goes into the residuals.
    """

    def __init__(self, product: Product, start: Array, steps: int):
        *runs, size = start.shape
        self.product, self.start, self.products, self.taken, self.first = product, start, 0, 0, 0
        self.basis = np.empty((*runs, steps + 1, size), start.dtype)  # mostly larger than what is taken
        self.matrix = np.zeros((*runs, steps, steps))
        self.alive = np.zeros((*runs, steps), bool)
        self.scale, self.length = np.zeros(runs, start.dtype), np.zeros(runs, start.dtype)
        self.left, self.left_length, self.left_shares = np.zeros_like(start), np.zeros(runs, start.dtype), None
        self.towards, self.rest = unit(start), np.empty_like(start)
        self.basis[..., 0, :] = self.towards
        self.pieces = [slice(at, at + _PIECE) for at in range(0, size, _PIECE)]

    @property
    def vector(self) -> Array:
        """The vector that comes next, which stands in the basis behind those that are taken."""
        return self.basis[..., self.taken, :]

    def step(self) -> None:
        """Take the next vector into the basis, and H times it apart."""
        step, vector = self.taken, self.vector
        self.alive[..., step] = vector.any(-1)
        image = self.product(vector)
        along = inner(image, vector)
        parts = self._apart(image, along)
        self.matrix[..., step, step] = along
        if step > self.first:
            self.matrix[..., step, step - 1] = self.matrix[..., step - 1, step] = self.length
        self.matrix[..., step, : self.first] = self.matrix[..., : self.first, step] = parts[..., : self.first]
        rest = length(self.rest)
        self.scale = np.maximum(self.scale, np.maximum(np.abs(along), rest))
        self.length = np.where(rest > 10 * np.finfo(rest.dtype).eps * self.scale, rest, 0)
        self.taken, self.products = self.taken + 1, self.products + 1
        divided(self.rest, self.length, out=self.vector)
        if self.first:
            self.left -= inner(self.left, vector)[..., None] * vector
            shrunk = np.sqrt(inner(self.left, self.left))
            divided(self.left, shrunk, out=self.left)
            self.left_length = self.left_length * shrunk

    def _apart(self, image: Array, along: Array) -> Array:
        """Write to `rest` what is left of an image beside the basis; give its parts along the basis before that.

        rest = H q_j - a_j q_j - b_(j-1) q_(j-1),    parts = Q rest,    rest <- rest - Q^T parts
        """
        known = self.basis[..., : self.taken + 1, :]
        parts = np.zeros(known.shape[:-1])  # sums of the pieces, in float64
        for at in self.pieces:
            rest = np.multiply(known[..., -1, at], -along[..., None], out=self.rest[..., at])
            rest += image[..., at]
            if self.taken > self.first:
                rest -= self.length[..., None] * known[..., -2, at]
            parts += (rest[..., None, :] @ known[..., at].mT)[..., 0, :]
        shares = parts.astype(image.dtype)[..., None, :]
        for at in self.pieces:
            self.rest[..., at] -= (shares @ known[..., at])[..., 0, :]
        return parts

    def combined(self, shares: Array, out: Array) -> None:
        """Write sums of the vectors of the basis, each by its column of shares."""
        shares = shares.mT.astype(self.start.dtype)
        for at in self.pieces:
            out[..., at] = shares @ self.basis[..., : self.taken, at]

    def keep(self, values: Array, vectors: Array) -> None:
        """Keep these Ritz pairs alone, and begin another chain at right angles to their vectors."""
        count = values.shape[-1]
        self.left, self.left_length, self.left_shares = self.vector.copy(), self.length, vectors[..., -1, :]
        self.combined(vectors, out=self.basis[..., :count, :])
        self.matrix[...] = 0
        place = np.arange(count)
        self.matrix[..., place, place] = values
        self.alive[..., :count], self.alive[..., count:] = True, False
        self.taken = self.first = count
        self.restart(np.ones_like(self.length, bool))

    def restart(self, where: Array) -> None:
        """Begin another chain in these runs, whose chain has ended or is left."""
        fresh, known = another(self.start, self.taken), self.basis[..., : self.taken, :]
        for _ in range(2):
            fresh -= ((fresh[..., None, :] @ known.mT) @ known)[..., 0, :]
        left = np.sqrt(inner(fresh, fresh))
        found = np.where(left > 1e3 * np.finfo(fresh.dtype).eps, left, 0)
        self.vector[...] = np.where(where[..., None], divided(fresh, found), self.vector)
        self.length = np.where(where, 0, self.length)

    def residuals(self, vectors: Array) -> Array:
        """Give |H v - theta v| for Ritz vectors, the columns of an array in the basis."""
        now = self.length[..., None] * vectors[..., -1, :]
        if not self.first:
            return np.abs(now)
        cosine = np.clip(inner(self.left, self.vector), -1, 1)[..., None]
        before = (
            self.left_length[..., None] * (self.left_shares[..., None, :] @ vectors[..., : self.first, :])[..., 0, :]
        )
        return np.hypot(before + now * cosine, now * np.sqrt(1 - cosine * cosine))
