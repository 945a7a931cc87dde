"""Rules of the directives: each is known, complete, and names something that exists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from dlnotes.book import benchmarks, blocks, ledger, page_times, pages, prose, source
from dlnotes.book.rules import breach

Finding = tuple[int, str]
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

# What the theme's own blocks add, when mkdocs.yml turns them on.
_THEME_BLOCKS = {
    "admonition": ("admonition", "note", "attention", "caution", "danger", "error", "tip", "hint", "warning"),
    "details": ("details",),
    "tab": ("tab",),
    "html": ("html",),
    "definition": ("define",),
    "caption": ("caption", "figure-caption", "table-caption"),
}
SHORTEST_ALT = 20


def check(book: breach.Book, name: str, page: pages.Page) -> Iterator[breach.Breach]:
    """Check the directives of a page."""
    path = book.shown(name)
    foreign = _foreign(book.layout.settings)
    for directive in page.directives:
        rule = RULES.get(directive.name)
        if rule is not None:
            for line, message in (*_options(directive), *rule(book, name, page, directive)):
                yield breach.Breach(path, line, directive.name, message)
        elif directive.name not in foreign:
            message = f"there is no directive {directive.name}{breach.meant(directive.name, [*RULES, *foreign])}"
            yield breach.Breach(path, directive.line, "directive", message)


def check_book(book: breach.Book) -> Iterator[breach.Breach]:
    """Check what must be there once in the whole book."""
    first: dict[tuple[str, str], str] = {}
    for name, page in book.pages.items():
        for directive in page.directives:
            key = _once(name, book.stem(name) or name, directive)
            if key is None:
                continue
            place = f"{book.shown(name)}:{directive.line}"
            if key in first:
                message = f"{key[1].rpartition(':')[2]} stands already in {first[key]}"
                yield breach.Breach(book.shown(name), directive.line, directive.name, message)
            first.setdefault(key, place)


def _once(name: str, chapter: str, directive: pages.Directive) -> tuple[str, str] | None:
    """Give what may not come twice: ids over the book, figures over a chapter, other anchors over a page."""
    if directive.name in ("claim", "exercise", "flashcard"):
        return directive.name, directive.argument or ""
    if directive.name == "figure":  # its anchor is the name alone
        return directive.name, f"{chapter}:{(directive.argument or '').rpartition('/')[2]}"
    if directive.name in RULES and directive.name != "solution":
        return directive.name, f"{name}:{directive.argument or directive.name}"
    return None


def _foreign(settings: dict[str, Any]) -> set[str]:
    """Give the names of the theme's blocks that mkdocs.yml turns on."""
    names: set[str] = set()
    for entry in settings.get("markdown_extensions") or []:
        extension = next(iter(entry)) if isinstance(entry, dict) else entry
        if extension.startswith("pymdownx.blocks."):
            names.update(_THEME_BLOCKS.get(extension.rpartition(".")[2], ()))
    return names


_ALLOWED_OPTIONS = {"figure": {"alt"}, "flashcard": {"notes"}, "moving": {"title"}}


def _options(directive: pages.Directive) -> Iterator[Finding]:
    """Check that the options can be read, and that there are no others."""
    if directive.options_error:
        yield directive.line + 1, f"its options cannot be read: {directive.options_error}"
    allowed = _ALLOWED_OPTIONS.get(directive.name, set())
    for option in directive.options:
        if option not in allowed:
            yield directive.line + 1, f"it has no option {option}{breach.meant(str(option), allowed)}"


def _kernel(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    argument = directive.argument or ""
    package = book.layout.package
    if source.exists(argument, "torch", package):  # some functions teach on a device only
        return
    try:
        source.displayed(argument, "numpy", package)
    except source.SourceError as error:
        yield directive.line, str(error)


def _claim(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    claim = book.claims.get(directive.argument or "")
    if claim is None:
        yield (
            directive.line,
            f"the ledger has no claim {directive.argument}{breach.meant(directive.argument or '', book.claims)}",
        )
    elif claim.chapter != book.stem(name):
        yield directive.line, f"{claim.id} is settled in the chapter {claim.chapter}"
    elif book.layout.is_split(claim.chapter):
        yield from _evidence_of_row(name, claim, directive)
    settling = [fence for fence in page.blocks if fence.inside("claim") is directive]
    if not settling:
        yield directive.line, f"{directive.argument} has no python block inside that settles it"
    elif all(blocks.CUDA in fence.marks for fence in settling):
        yield directive.line, f"{directive.argument} is settled on a GPU alone: one block must run on every machine"


def _evidence_of_row(name: str, claim: ledger.Claim, directive: pages.Directive) -> Iterator[Finding]:
    """Check what a claim needs whose row stands on the main page."""
    if name != f"chapters/{claim.chapter}/claims.md":
        yield directive.line, f"the evidence belongs on chapters/{claim.chapter}/claims.md"
    if len(re.findall(rf"^{pages.OTHERWISE} \S", directive.body, re.MULTILINE)) != 1:
        yield (
            directive.line,
            f"{claim.id} must say in one paragraph what else would have come out: {pages.OTHERWISE} ...",
        )
    if not claim.because:
        yield directive.line, f"the ledger gives {claim.id} no reason in one sentence, `because:`"


def _claim_showcase(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    claim = book.claims.get(directive.argument or "")
    if claim is None:
        yield (
            directive.line,
            f"the ledger has no claim {directive.argument}{breach.meant(directive.argument or '', book.claims)}",
        )
        return
    chapter = book.chapter(claim.chapter)
    if chapter is None or all(found.argument != claim.id for _, found in chapter.named("claim")):
        yield directive.line, f"no chapter settles {claim.id} yet"


def _figure(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    stem, slash, figure = (directive.argument or "").partition("/")
    if not (slash and stem.isidentifier() and _ID.fullmatch(figure)):
        yield directive.line, f"{directive.argument} must be a chapter and a name, as in initialization/tanh-histograms"
        return
    path, files = book.layout.figures(stem), book.layout.figure_files(stem)
    if not files:
        yield directive.line, f"there is no {book.layout.relative(path)}"
    else:
        known = [name for file in files for name in source.public(file)]
        for function in (figure.replace("-", "_"), f"draw_{figure.replace('-', '_')}"):
            if function not in known:
                yield (
                    directive.line,
                    f"{book.layout.relative(path)} has no function {function}{breach.meant(function, known)}",
                )
    caption = " ".join(directive.body.split())
    if not caption:
        yield directive.line, "it has no caption"
    if message := alt_text(directive.options.get("alt"), caption):
        yield directive.line, message


def _moving(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    argument = directive.argument or ""
    path = book.layout.moving(argument)
    if not argument.isidentifier() or not path.is_file():
        yield directive.line, f"there is no {book.layout.relative(path)}"
    if not directive.options.get("title"):
        yield directive.line, "it has no title"
    inside = [part for part in page.directives if directive.line < part.line < directive.end]
    if [part.name for part in inside] != ["figure"]:
        yield directive.line, "it must stand around one figure, which is seen without script, and around nothing else"
        return
    lines = page.text.split("\n")
    words = lines[directive.body_line - 1 : inside[0].line - 1] + lines[inside[0].end : directive.end - 1]
    if not "".join(words).strip():
        yield directive.line, "it does not say what to try"


def alt_text(alt: Any, caption: str = "") -> str | None:
    """Say what is wrong with an alt text."""
    words = " ".join(alt.split()) if isinstance(alt, str) else ""
    if not words:
        return "it has no alt text: say what is to be seen"
    if len(words) < SHORTEST_ALT:
        return f"its alt text of {len(words)} characters says too little; {SHORTEST_ALT} are the least"
    if words.rstrip(".").casefold() == caption.rstrip(".").casefold():
        return "its alt text repeats the caption: say what is to be seen"
    return None


def _exercise(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    stem, identity = book.stem(name), directive.argument or ""
    if not _ID.fullmatch(identity):
        yield directive.line, f"the id {identity!r} must be of small letters, digits and hyphens"
        return
    if not _first_line(directive):
        yield directive.line, f"{identity} has no title: its first line"
    inside = [fence for fence in page.blocks if fence.inside("exercise") is directive]
    solutions = [part for part in page.named("solution") if part.parent is directive]
    starters = [fence for fence in inside if fence.inside("solution") is None]
    solving = [fence for fence in inside if fence.inside("solution") is not None]
    checker = f"check_{identity.replace('-', '_')}"
    if len(solutions) != 1:
        yield directive.line, f"{identity} has {len(solutions)} solutions and must have one"
    for what, parts in (("starter", starters), ("solution", solving)):
        if not parts:
            yield directive.line, f"{identity} has no python block as {what}"
        elif not any(re.search(rf"\b{checker}\s*\(", part.code) for part in parts):
            yield parts[0].line, f"the {what} does not call {checker}"
    if starters and blocks.STARTER not in starters[0].marks:
        yield starters[0].line, f"the starter needs <!--{blocks.STARTER}--> above it"
    if stem is None:
        yield directive.line, "an exercise stands in a chapter"
        return
    path = book.layout.exercises(stem)
    known = source.public(path) if path.is_file() else ()
    if checker not in known:
        yield directive.line, f"{book.layout.relative(path)} has no function {checker}{breach.meant(checker, known)}"


def _solution(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    if directive.argument:
        yield directive.line, "it takes no argument"
    if directive.parent is None or directive.parent.name != "exercise":
        yield directive.line, "it stands inside an exercise"


def _flashcard(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    identity = directive.argument or ""
    if not _ID.fullmatch(identity):
        yield directive.line, f"the id {identity!r} must be of small letters, digits and hyphens"
    if book.stem(name) is None:
        yield directive.line, "a flashcard stands in a chapter"
    question = _first_line(directive)
    if not question.rstrip("*_` ").endswith("?"):
        yield directive.line, f"{identity} has no question: its first line, with a question mark at its end"
    if not directive.body.strip().removeprefix(question).strip():
        yield directive.line, f"{identity} has no answer"
    notes = directive.options.get("notes")
    given = notes.split(",") if isinstance(notes, str) else []
    if not given or any(note.strip() not in ledger.NOTES for note in given):
        yield directive.line, f"{identity} must say which notes ask it, as `notes: N1, N4`, got {notes!r}"


def _first_line(directive: pages.Directive) -> str:
    """Give the first line of the body, unless something else than a line of text stands there."""
    first = next((line.strip() for line in directive.body.split("\n") if line.strip()), "")
    return "" if first.startswith(("```", "///", "<!--", "#", "$$")) else first


def _proof(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    if not prose.slug(prose.plain(directive.argument or "")):
        yield directive.line, "it has no title: /// proof | What is proved"
    if not directive.body.strip():
        yield directive.line, "it is empty"


def _claim_rows(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    stem = book.stem(name)
    if stem is None or name != f"chapters/{stem}.md":
        yield directive.line, "the rows stand on the main page of a chapter"
    elif page.named("claim"):
        yield directive.line, f"the evidence of the claims belongs on chapters/{stem}/claims.md"
    yield from _list(book, name, page, directive)


def _list(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    if directive.argument:
        yield directive.line, "it takes no argument"
    if directive.body.strip():
        yield directive.line, "it takes no text: the press fills it"


def _benchmarks(book: breach.Book, name: str, page: pages.Page, directive: pages.Directive) -> Iterator[Finding]:
    if directive.body.strip():
        yield directive.line, "it takes no text: the press fills it"
    try:
        results = benchmarks.load(book.layout.benchmarks)
        if directive.argument == "page":
            page_times.load(book.layout.page_times)
    except benchmarks.ResultsError as error:
        yield directive.line, str(error)
        return
    known = ["goals", "page", *results, *benchmarks.tables(results)]
    if directive.argument not in known:
        yield directive.line, f"there is no {directive.argument}{breach.meant(directive.argument or '', known)}"


RULES: dict[str, Callable[[breach.Book, str, pages.Page, pages.Directive], Iterator[Finding]]] = {
    "kernel": _kernel,
    "claim": _claim,
    "figure": _figure,
    "moving": _moving,
    "exercise": _exercise,
    "solution": _solution,
    "flashcard": _flashcard,
    "claim-rows": _claim_rows,
    "claim-showcase": _claim_showcase,
    "proof": _proof,
    "benchmarks": _benchmarks,
    "chapters-list": _list,
    "claims-list": _list,
    "claims-tally": _list,
    "corrected-list": _list,
    "exports-list": _list,
    "flashcards-list": _list,
    "notes-list": _list,
    "references-list": _list,
    "sources-list": _list,
}
