"""The space that Lanczos' method spans, on any device; see `dlnotes.numpy._krylov`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlnotes.torch import gradient_clipping

Product = Callable[[Tensor], Tensor]
_GOLDEN = 2654435769  # the golden ratio's fraction times 2^32


def divided(vector: Tensor, length: Tensor) -> Tensor:
    """Divide a vector by its length; what has none stays 0."""
    return vector * torch.where(length > 0, 1 / torch.where(length > 0, length, 1), 0)[..., None]


def unit(vector: Tensor) -> Tensor:
    vector = vector / vector.abs().amax(-1, keepdim=True)
    return vector / torch.linalg.vector_norm(vector, dim=-1, keepdim=True)


def another(start: Tensor, number: int) -> Tensor:
    """Give a vector that is as random as the start: the start's entries at other places and with other signs."""
    size = start.shape[-1]
    place = torch.arange(number * size, (number + 1) * size, device=start.device)
    # Minus where the fraction of place^2 times the golden ratio is at least 1/2; what wraps in int64 is whole.
    signs = torch.where((place * place * _GOLDEN & 2**31) != 0, -1, 1).to(start)
    return unit(start.roll(max(1, round(0.382 * size)), dims=-1) * signs)


def eigenpairs(matrix: Tensor, alive: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Eigenvalues and eigenvectors (columns) of a matrix in a basis, and which are made of vectors that are there.

    The matrix is small, and the host's solver is quicker on it than a GPU's.
    """
    values, vectors = torch.linalg.eigh(matrix.to("cpu", torch.float64))
    vectors *= torch.where(vectors[..., :1, :] < 0, -1, 1)  # so that no eigenvector points away from the start
    return values, vectors, (vectors.square() * alive[..., None].to(vectors)).sum(-2) > 0.5


class Space:
    """An orthonormal basis that grows by Lanczos' method, and the matrix H in it.

    The chain of Lanczos vectors may be left for another one, which starts at right angles to those Ritz vectors that
    are kept. H takes each kept vector y to theta y plus its share of one vector, the rest of the chain that was left.
    The parts of the rest along the new vectors are entries of the matrix; what is left of it goes into the residuals.
    """

    def __init__(self, product: Product, start: Tensor, steps: int):
        *runs, size = start.shape
        self.product, self.start, self.products, self.taken, self.first = product, start, 0, 0, 0
        self.basis = start.new_zeros((*runs, steps, size))
        self.matrix = start.new_zeros((*runs, steps, steps))
        self.alive = start.new_zeros((*runs, steps), dtype=torch.bool)
        self.scale, self.length = start.new_zeros(runs), start.new_zeros(runs)
        self.left, self.left_length, self.left_shares = torch.zeros_like(start), start.new_zeros(runs), None
        self.towards = self.vector = unit(start)

    def step(self) -> None:
        """Take the next vector into the basis, and H times it apart."""
        step, vector = self.taken, self.vector
        self.basis[..., step, :] = vector
        self.alive[..., step] = (vector != 0).any(-1)
        known = self.basis[..., : step + 1, :]
        image = self.product(vector)
        along = torch.linalg.vecdot(image, vector)
        image = image - along[..., None] * vector
        if step > self.first:
            image -= self.length[..., None] * known[..., -2, :]
            self.matrix[..., step, step - 1] = self.matrix[..., step - 1, step] = self.length
        parts = (image[..., None, :] @ known.mT)[..., 0, :]
        image -= (parts[..., None, :] @ known)[..., 0, :]
        self.matrix[..., step, step] = along
        self.matrix[..., step, : self.first] = self.matrix[..., : self.first, step] = parts[..., : self.first]
        length = gradient_clipping.norm(image, image.ndim - 1)
        self.scale = torch.maximum(self.scale, torch.maximum(along.abs(), length))
        self.length = torch.where(length > 10 * torch.finfo(image.dtype).eps * self.scale, length, 0)
        self.vector = divided(image, self.length)
        if self.first:
            rest = self.left - torch.linalg.vecdot(self.left, vector)[..., None] * vector
            shrunk = torch.linalg.vector_norm(rest, dim=-1)
            self.left, self.left_length = divided(rest, shrunk), self.left_length * shrunk
        self.taken, self.products = self.taken + 1, self.products + 1

    def keep(self, values: Tensor, vectors: Tensor) -> None:
        """Keep these Ritz pairs alone, and begin another chain at right angles to their vectors."""
        count = values.shape[-1]
        kept = vectors.mT.to(self.start) @ self.basis[..., : self.taken, :]
        self.left, self.left_length, self.left_shares = self.vector, self.length, vectors[..., -1, :]
        self.basis[..., :count, :] = kept
        self.matrix[...] = 0
        place = torch.arange(count)
        self.matrix[..., place, place] = values.to(self.matrix.dtype)  # which torch does not do by itself
        self.alive[..., :count], self.alive[..., count:] = True, False
        self.taken = self.first = count
        self.restart(torch.ones_like(self.length, dtype=torch.bool))

    def restart(self, where: Tensor) -> None:
        """Begin another chain in these runs, whose chain has ended or is left."""
        fresh, known = another(self.start, self.taken), self.basis[..., : self.taken, :]
        for _ in range(2):
            fresh = fresh - ((fresh[..., None, :] @ known.mT) @ known)[..., 0, :]
        length = torch.linalg.vector_norm(fresh, dim=-1)
        found = torch.where(length > 1e3 * torch.finfo(fresh.dtype).eps, length, 0)
        self.vector = torch.where(where[..., None], divided(fresh, found), self.vector)
        self.length = torch.where(where, 0, self.length)

    def residuals(self, vectors: Tensor) -> Tensor:
        """Give |H v - theta v| for Ritz vectors, the columns of an array in the basis."""
        length, left_length = (array.to(vectors) for array in (self.length, self.left_length))
        now = length[..., None] * vectors[..., -1, :]
        if not self.first:
            return now.abs()
        cosine = torch.linalg.vecdot(self.left, self.vector).clamp(-1, 1).to(vectors)[..., None]
        before = left_length[..., None] * (self.left_shares[..., None, :] @ vectors[..., : self.first, :])[..., 0, :]
        return torch.hypot(before + now * cosine, now * (1 - cosine * cosine).sqrt())
