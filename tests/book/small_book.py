"""A small book on disk that breaks no rule; tests break one at a time."""

from __future__ import annotations

from pathlib import Path

from dlnotes.book.layout import Layout

CHAPTER = """\
---
title: Initialization
description: How large the first weights should be.
---

# Initialization

How large should the first weights be?
{ .question }

/// figure | initialization/relu-depth
    alt: Mean square of the activations against the layer, flat for He and falling for Xavier.

He keeps the signal, and $q$ stays at 1.
///

## The idea

A beer costs \\$5, a shell says `$HOME`, and `/// claim` opens a claim.

- A list with a block:

    ```python
    print(1 + 1)
    ```
    <!--pytest-codeblocks:expected-output-->
    ```
    2
    ```

- and math $x_1$ in it.

=== "A tab"

    ```python
    assert sum([1, 1]) == 2
    ```

```md
/// claim | not-a-claim
$ and [nowhere](nowhere.md) and \\eqref{nothing} and [@nobody1999]
///
```

## The derivation

By \\eqref{forward} in [@glorot2010, eq. 12], see \\figref{relu-depth}, [the idea](#the-idea),
[the list](../references.md#glorot2010), [an answer](#claim-he-variance) and
[the code][dlnotes.numpy.initialization.he_variance]:

$$
q = \\sigma^2 n \\label{forward}
$$

## The code

/// kernel | initialization.he_variance
///

## Experiments

<!--pytest-codeblocks:importorskip(torch)-->
```python
import torch

assert torch.ones(2).sum() == 2
```

## What the notes say

/// claim | he-variance
Here it is:

```python
from dlnotes.numpy import initialization

assert initialization.he_variance(2) == 1
```
///

## Since the notes

Nothing.

## Exercises

//// exercise | leaky-gain
The gain of a leaky ReLU

Write it.

<!--pytest.mark.xfail(strict=True, raises=AssertionError)-->
```python
from dlnotes.exercises import initialization as exercises

exercises.check_leaky_gain(None)
```

/// solution
```python
from dlnotes.exercises import initialization as exercises

exercises.check_leaky_gain(1)
```
///
////

## Flashcards

/// flashcard | he-for-relu
    notes: N1, N4

Which variance does He take?

It takes $2/n$.
///

## Reference

::: dlnotes.numpy.initialization
"""

FILES = {
    "mkdocs.yml": """\
site_name: small
site_url: !ENV [SMALL_BOOK_URL, "https://example.org/"]
extra:
  repository: https://example.org/source
nav:
  - Home: index.md
  - Part I:
      - chapters/initialization.md
  - References: references.md
  - Elsewhere: https://example.org
markdown_extensions:
  - toc:
      slugify: !!python/object/apply:pymdownx.slugs.slugify {}
  - pymdownx.emoji:
      emoji_index: !!python/name:material.extensions.emoji.twemoji
  - pymdownx.blocks.details
""",
    "docs/assets/js/moving/initialization.js": "",
    "docs/index.md": """\
# Home

/// claim-showcase | he-variance
///

/// details | More
The first chapter is [here](chapters/initialization.md#eq-forward),
[its card](chapters/initialization.md#flashcard-he-for-relu),
[its kernel](chapters/initialization.md#dlnotes.numpy.initialization.Cache.mean). Compare
\\eqref{initialization/forward} and \\figref{initialization/relu-depth}.
///
""",
    "docs/references.md": "# References\n\n/// references-list\n///\n",
    "docs/chapters/initialization.md": CHAPTER,
    "docs/claims.yaml": """\
- id: he-variance
  notes: [N1, N4]
  chapter: initialization
  verdict: holds
  claim: "He draws with variance 2/fan_in."
  evidence: "sample variance"
- id: batch-norm-map
  notes: [N3]
  chapter: batch_normalization
  verdict: holds
  claim: "Batch norm sets mean and variance."
  evidence: "output moments"
""",
    "docs/references.yaml": """\
- key: glorot2010
  authors: ["Glorot, Xavier", "Bengio, Yoshua"]
  year: 2010
  title: Understanding
  where: AISTATS
  url: https://example.org/glorot
  confirmed: "no"
""",
    "README.md": "# Small\n\n```console\npip install dlnotes-book\npip install -e .\n```\n",
    "dlnotes/__init__.py": "",
    "dlnotes/numpy/__init__.py": "",
    "dlnotes/numpy/initialization.py": """\
from typing import NamedTuple


class Cache(NamedTuple):
    mean: float


def he_variance(fan_in):
    return 2 / fan_in
""",
    "dlnotes/torch/initialization.py": "def he_normal_(weight):\n    return weight\n",
    "dlnotes/figures/initialization.py": "def relu_depth(): ...\n\n\ndef draw_relu_depth(numbers, paper): ...\n",
    "dlnotes/exercises/initialization.py": "def check_leaky_gain(gain):\n    assert gain == 1\n",
}


def write(root: Path, **changed: str) -> Layout:
    """Write the small book, files in `changed` with another text ("docs/index.md" is given as `docs_index_md`)."""
    names = {name.replace("/", "_").replace(".", "_"): name for name in FILES}
    unknown = set(changed) - set(names)
    assert not unknown, f"no such file in the small book: {unknown}"
    texts = {**FILES, **{names[key]: text for key, text in changed.items()}}
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Layout(root)
