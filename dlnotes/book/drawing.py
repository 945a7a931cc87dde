"""Computes and draws the figures of the chapters, and does again only what has changed.

For a figure `tanh-histograms`, `dlnotes/figures/<stem>.py` holds `tanh_histograms()`, which gives a NamedTuple of
arrays, and `draw_tanh_histograms(numbers, paper)`, which draws them. The numbers are kept under `.cache/figures`
together with a hash of all code that they come from, the drawings with a hash of the numbers and of all code that
draws. Every file is written whole or not at all, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import io
import itertools
import os
import re
import sys
import time
import traceback
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from dlnotes.book import figure_keys, source, workers
from dlnotes.book import layout as layouts
from dlnotes.figures import paper as papers

WIDTHS = ("wide", "narrow")
# A caption names its panels as they stand on a wide page, at the beginning of a sentence; on a narrow one they stack.
PLACES = {"Left": "Top", "Middle": "Middle", "Right": "Bottom"}
PLACE = re.compile(rf"(?<![^\s(])({'|'.join(PLACES)}):")
FORMS = tuple(itertools.product(WIDTHS, papers.THEMES))
PROCESSES = 2
DRAW = "draw_"
_UNITS = {"pt": 4 / 3, "px": 1.0, "": 1.0}  # in CSS pixels
_KEY, _SECONDS = "__key__", "__seconds__"


class FigureError(Exception):
    """A figure could not be computed or drawn."""


class UnknownFigure(FigureError):
    """A chapter has no figure of that name."""


class Figure(NamedTuple):
    """One figure of one chapter."""

    stem: str
    name: str

    @property
    def function(self) -> str:
        """Name of the function that gives the numbers."""
        return self.name.replace("-", "_")

    def __str__(self) -> str:
        return f"{self.stem}/{self.name}"


class Done(NamedTuple):
    """What was done for a figure; seconds are those of the last time, `computed` and `drawn` say if that was now."""

    figure: Figure
    computed: bool
    computing_seconds: float
    drawn: bool
    drawing_seconds: float


def files(layout: layouts.Layout, stem: str) -> tuple[Path, ...]:
    """Give the files of a chapter's figures."""
    found = layout.figure_files(stem)
    if not found:
        raise UnknownFigure(f"{stem} has no figures: {layout.relative(layout.figures(stem))} is missing")
    return found


def _drawn_in(layout: layouts.Layout, path: Path) -> tuple[str, ...]:
    """Give the names of the figures that a file draws."""
    try:
        functions = figure_keys.function_names(path)
    except source.SourceError as error:
        raise FigureError(f"{layout.relative(path)}: {error}") from None
    found = tuple(name.removeprefix(DRAW) for name in functions if name.startswith(DRAW))
    for name in found:
        if name not in functions:
            raise FigureError(f"{layout.relative(path)} has {DRAW}{name} but no {name}, which would give its numbers")
    return tuple(name.replace("_", "-") for name in found)


def names(layout: layouts.Layout, stem: str) -> tuple[str, ...]:
    """Give the names of the chapter's figures, in the order of the files."""
    return tuple(name for path in files(layout, stem) for name in _drawn_in(layout, path))


def path_of(layout: layouts.Layout, figure: Figure) -> Path:
    """Give the file that holds the code of a figure."""
    for path in files(layout, figure.stem):
        if figure.name in _drawn_in(layout, path):
            return path
    known = names(layout, figure.stem)
    near = difflib.get_close_matches(figure.name, known, n=1)
    hint = f"did you mean {figure.stem}/{near[0]}?" if near else f"there are {', '.join(known)}"
    raise UnknownFigure(f"there is no figure {figure}; {hint}")


def find(layout: layouts.Layout, words: Iterable[str] | None = None) -> tuple[Figure, ...]:
    """Give the figures named, each once: a word is a chapter or one figure of it, `chapter/figure`; None is all."""
    if words is None:
        words = [stem for stem in layout.stems if layout.figures(stem).is_file()]
    found = [figure for word in words for figure in _named(layout, word)]
    return tuple(dict.fromkeys(found))


def _named(layout: layouts.Layout, word: str) -> list[Figure]:
    """Give the figures that a word names."""
    stem, slash, name = word.partition("/")
    if not slash:
        return [Figure(stem, name) for name in names(layout, stem)]
    figure = Figure(stem, name)
    path_of(layout, figure)
    return [figure]


# --- one figure -------------------------------------------------------------------------------------------------------


def load(layout: layouts.Layout, figure: Figure) -> ModuleType:
    """Import the module that holds a figure, from the book in `layout`."""
    path = path_of(layout, figure).resolve()
    name = f"dlnotes.figures.{path.stem}"
    with_name = importlib.util.find_spec(name)
    if with_name and with_name.origin and Path(with_name.origin).resolve() == path:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(f"figures_of_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compute(module: ModuleType, figure: Figure) -> Any:
    """Call the function that gives a figure's numbers, and check what it gives."""
    numbers = getattr(module, figure.function)()
    if not hasattr(numbers, "_fields"):
        raise FigureError(f"{figure.function} must give a NamedTuple of arrays, got a {type(numbers).__name__}")
    arrays = [np.asarray(value) for value in numbers]
    for name, array in zip(numbers._fields, arrays, strict=True):
        if array.dtype.kind not in "biufU":
            raise FigureError(f"{figure.function}: {name} must be an array of numbers or words, got {array.dtype}")
    return type(numbers)(*arrays)


def paint(module: ModuleType, figure: Figure, numbers: Any, width: str, theme: str) -> tuple[Any, papers.Paper]:
    """Draw one of the four forms of a figure; what renders it must do so inside `paper.style()`."""
    from matplotlib.figure import Figure as Picture

    paper = papers.Paper(theme=theme, wide=width == "wide")
    with paper.style():
        picture = getattr(module, DRAW + figure.function)(numbers, paper)
    if not isinstance(picture, Picture):
        kind = type(picture).__name__
        raise FigureError(f"{DRAW}{figure.function} must give a matplotlib Figure, got a {kind}")
    return picture, paper


def svg(module: ModuleType, figure: Figure, numbers: Any, width: str, theme: str) -> str:
    """Draw one of the four forms of a figure as SVG."""
    picture, paper = paint(module, figure, numbers, width, theme)
    text = io.StringIO(newline="\n")
    with paper.style():
        paper.write(picture, text)
    return text.getvalue()


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _try_to_write(folder: Path) -> None:
    """Raise OSError now if the folder cannot be written, and not after minutes of computing."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".probe.{os.getpid()}"
    probe.touch()
    probe.unlink()


def _numbers_path(layout: layouts.Layout, figure: Figure) -> Path:
    return layout.cache / "figures" / figure.stem / f"{figure.name}.npz"


def _stamp_path(layout: layouts.Layout, figure: Figure) -> Path:
    return layout.cache / "figures" / figure.stem / f"{figure.name}.drawn"


def _kept(layout: layouts.Layout, figure: Figure) -> dict[str, np.ndarray]:
    """Read the numbers kept, with their key and seconds; nothing if there are none or the file is damaged."""
    try:
        with np.load(io.BytesIO(_numbers_path(layout, figure).read_bytes()), allow_pickle=False) as file:
            kept = dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return {}
    return kept if {_KEY, _SECONDS} <= kept.keys() else {}


def _keep(layout: layouts.Layout, figure: Figure, numbers: Any, key: str, seconds: float) -> None:
    content = io.BytesIO()
    np.savez(content, **{_KEY: np.array(key), _SECONDS: np.array(seconds)}, **numbers._asdict())
    _replace(_numbers_path(layout, figure), content.getvalue())


class _Keys(NamedTuple):
    """What the code is of which a figure's numbers, and its drawing, are made.

    They are taken before any process imports the code. What changes on the way then leaves an old key behind, and is
    done again the next time.
    """

    numbers: str
    drawing: str


def _keys(layout: layouts.Layout, figure: Figure) -> _Keys:
    path = path_of(layout, figure)
    return _Keys(
        figure_keys.of_numbers(layout, path, figure.function),
        figure_keys.of_drawing(layout, path, DRAW + figure.function),
    )


def _fresh(layout: layouts.Layout, figure: Figure, keys: _Keys) -> dict[str, np.ndarray]:
    """Give the numbers kept if the code that they came from is still the same, else nothing."""
    kept = _kept(layout, figure)
    return kept if kept and str(kept[_KEY]) == keys.numbers else {}


def _digest(layout: layouts.Layout, figure: Figure, kept: dict[str, np.ndarray], keys: _Keys) -> str:
    """Hash what a drawing depends on, and the drawings themselves, so that a file lost or changed is drawn again."""
    digest = hashlib.sha256(keys.drawing.encode())
    for name in sorted(kept.keys() - {_KEY, _SECONDS}):
        array = kept[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    for width, theme in FORMS:
        path = layout.figure(figure.stem, figure.name, width, theme)
        digest.update(path.read_bytes() if path.is_file() else b"missing")
    return digest.hexdigest()


def _stamp(layout: layouts.Layout, figure: Figure) -> tuple[str, float]:
    try:
        digest, seconds = _stamp_path(layout, figure).read_text("ascii").split()
        return digest, float(seconds)
    except (OSError, ValueError):
        return "", 0.0


def _do(root: Path, figure: Figure, keys: _Keys) -> Done:
    """Compute and draw one figure, as far as something has changed; runs in a process of its own."""
    layout = layouts.Layout(root)
    module = load(layout, figure)
    kept, computed = _fresh(layout, figure, keys), False
    if not kept:
        start = time.perf_counter()
        numbers = compute(module, figure)
        _keep(layout, figure, numbers, keys.numbers, time.perf_counter() - start)
        kept, computed = _kept(layout, figure), True
    digest, seconds = _stamp(layout, figure)
    drawn = digest != _digest(layout, figure, kept, keys)
    if drawn:
        start = time.perf_counter()
        numbers = _restored(module, figure, kept)
        for width, theme in FORMS:
            drawing = svg(module, figure, numbers, width, theme)
            _replace(layout.figure(figure.stem, figure.name, width, theme), drawing.encode())
        seconds = time.perf_counter() - start
        _replace(_stamp_path(layout, figure), f"{_digest(layout, figure, kept, keys)} {seconds:.3f}\n".encode())
    return Done(figure, computed, float(kept[_SECONDS]), drawn, seconds)


def _restored(module: ModuleType, figure: Figure, kept: dict[str, np.ndarray]) -> Any:
    """Make the NamedTuple again, of the class that the function's annotation names."""
    function = getattr(module, figure.function)
    name = function.__annotations__.get("return")
    kind = getattr(module, name, None) if isinstance(name, str) else name
    if not hasattr(kind, "_fields"):
        raise FigureError(f"{figure.function} must be annotated with the NamedTuple that it returns, got {name!r}")
    return kind(**{field: kept[field] for field in kind._fields})


# --- all figures ------------------------------------------------------------------------------------------------------


def _attempt(root: Path, figure: Figure, keys: _Keys) -> Done | str:
    """Do one figure, or say what went wrong and where in the chapter's file."""
    try:
        return _do(root, figure, keys)
    except Exception as error:
        layout = layouts.Layout(root)
        path = path_of(layout, figure).resolve()
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).resolve() == path
        ]
        reason = str(error) if isinstance(error, FigureError) else f"{type(error).__name__}: {error}"
        if not frames:
            return f"{layout.relative(path)}: {figure}: {reason}"
        outer, inner = frames[0], frames[-1]
        within = "" if inner.name == outer.name else f", called from {outer.name} in line {outer.lineno}"
        return f"{layout.relative(path)}:{inner.lineno}: {figure}: {inner.name}{within}: {reason}"


def _run(layout: layouts.Layout, figures: dict[Figure, _Keys], bar: Any) -> Iterator[Done | str]:
    """Do the figures in separate processes, those that took longest last time first, and give each as it ends."""
    waiting = sorted(figures, key=lambda figure: float(_kept(layout, figure).get(_SECONDS, np.inf)))
    processes = min(PROCESSES, os.cpu_count() or 1, len(figures))
    running: dict[Future, Figure] = {}
    with workers.pool(processes) as submit:
        while waiting or running:
            while waiting and len(running) < processes:
                figure = waiting.pop()
                running[submit(_attempt, layout.root, figure, figures[figure])] = figure
            bar.set_postfix_str(", ".join(map(str, running.values())))
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                figure = running.pop(future)
                bar.update()
                try:
                    yield future.result()
                except BrokenProcessPool:
                    in_work = ", ".join(map(str, (figure, *running.values())))
                    raise FigureError(f"a process was ended from outside while it drew one of {in_work}") from None


def _settled(layout: layouts.Layout, figure: Figure, keys: _Keys) -> Done | None:
    """Say that nothing has to be done for a figure, or give None."""
    kept = _fresh(layout, figure, keys)
    digest, seconds = _stamp(layout, figure)
    if not kept or digest != _digest(layout, figure, kept, keys):
        return None
    return Done(figure, False, float(kept[_SECONDS]), False, seconds)


def _forget(layout: layouts.Layout, stem: str) -> None:
    """Delete drawings of figures that the chapter no longer has."""
    present = {layout.figure(stem, name, *form).name for name in names(layout, stem) for form in FORMS}
    for path in (layout.figures_folder / stem).glob("*.svg"):
        if re.fullmatch(r".*\.(wide|narrow)\.(light|dark)\.svg", path.name) and path.name not in present:
            path.unlink()


def draw(layout: layouts.Layout, words: Iterable[str] | None = None, *, progress: bool = True) -> tuple[Done, ...]:
    """Bring figures up to date.

    Args:
        layout: The book.
        words: Chapters, or figures as `chapter/figure`; all figures when None.
        progress: Whether to show a bar that names the figures in work, and the times at the end.

    Returns:
        What was done for each figure, in the order of the book.

    Raises:
        FigureError: If figures fail; each is named with its function, file and line, and the others are done first.
    """
    from tqdm import tqdm

    figures = find(layout, words)
    keys = {figure: _keys(layout, figure) for figure in figures}
    done: dict[Figure, Done] = {}
    for figure in figures:
        if settled := _settled(layout, figure, keys[figure]):
            done[figure] = settled
    left = {figure: keys[figure] for figure in figures if figure not in done}
    failures = []
    for stem in {figure.stem for figure in left}:
        _try_to_write(layout.cache / "figures" / stem)
        _try_to_write(layout.figures_folder / stem)
    if left:
        with tqdm(total=len(left), desc="figures", unit="figure", disable=not progress, leave=False) as bar:
            for result in _run(layout, left, bar):
                if isinstance(result, Done):
                    done[result.figure] = result
                else:
                    failures.append(result)
    for stem in dict.fromkeys(figure.stem for figure in figures):
        _forget(layout, stem)
    in_order = tuple(done[figure] for figure in figures if figure in done)
    if progress:
        print(report(in_order), file=sys.stderr)
    if failures:
        raise FigureError("\n".join(sorted(failures)))
    return in_order


def report(done: Iterable[Done]) -> str:
    """Say how long each figure took to compute and to draw, and all together; times of earlier runs are in brackets."""

    def seconds(value: float, now: bool) -> str:
        return f"{value:7.1f} s " if now else f"({value:6.1f} s)"

    done = tuple(done)
    lines = [
        f"{seconds(item.computing_seconds, item.computed)}  {seconds(item.drawing_seconds, item.drawn)}  {item.figure}"
        for item in done
    ]
    computing = sum(item.computing_seconds for item in done)
    drawing = sum(item.drawing_seconds for item in done)
    return "\n".join([" numbers     drawing", *lines, f"{computing:7.1f} s   {drawing:7.1f} s   {len(lines)} figures"])


def numbers(layout: layouts.Layout, figure: Figure) -> Any:
    """Give a figure's numbers: those kept if its code has not changed, else computed now, and kept."""
    module = load(layout, figure)
    kept = _fresh(layout, figure, _keys(layout, figure))
    if not kept:
        draw(layout, [str(figure)], progress=False)
        kept = _kept(layout, figure)
    return _restored(module, figure, kept)


def size(path: Path) -> tuple[int, int]:
    """Read width and height of a drawn figure, in CSS pixels."""
    with path.open(encoding="utf-8") as file:
        head = file.read(1000)
    sides = []
    for side in ("width", "height"):
        found = re.search(rf'<svg [^>]*?\b{side}="([\d.]+)(pt|px|)"', head)
        if found is None:
            raise FigureError(f"{path.name} must say its {side} in pt or px")
        sides.append(round(float(found[1]) * _UNITS[found[2]]))
    return sides[0], sides[1]
