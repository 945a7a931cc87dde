"""Rules of what points elsewhere: formulas, labels, citations, links and images."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from dlnotes.book import api as code_reference
from dlnotes.book import katex, layout, ledger, numbering, pages, prose, source
from dlnotes.book.rules import breach, code, directives

_LABEL = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def formulas(book: breach.Book) -> Iterator[breach.Breach]:
    """Check that KaTeX takes every formula; all pages go through it together."""
    wanted = {(formula.tex, formula.display) for page in book.pages.values() for formula in page.formulas}
    refused = katex.refusals(sorted(wanted), book.layout.cache / "katex.json")
    for name, page in book.pages.items():
        for formula in page.formulas:
            reason = refused.get((formula.tex, formula.display))
            if not formula.tex:
                reason = "it is empty"
            if reason:
                yield breach.Breach(book.shown(name), formula.line, "formula", reason)


def labels(book: breach.Book, name: str, page: pages.Page) -> Iterator[breach.Breach]:
    """Check the labels of equations, and what refers to equations and figures."""
    path = book.shown(name)
    stem = book.stem(name)
    chapter = book.chapter(stem) if stem else None
    first: dict[str, int] = {}
    for formula in page.formulas:
        if formula.label is None:
            continue
        if not _LABEL.fullmatch(formula.label):
            message = f"{formula.label!r} must be of small letters, digits and hyphens"
            yield breach.Breach(path, formula.line, "label", message)
        home = chapter.home("equation", formula.label) if chapter else name
        if home != name:
            yield breach.Breach(path, formula.line, "label", f"{formula.label} stands already on {home}")
        if formula.label in first:
            message = f"{formula.label} stands already in line {first[formula.label]}"
            yield breach.Breach(path, formula.line, "label", message)
        first.setdefault(formula.label, formula.line)
    for equation in page.equation_references:
        if message := _reference(book, name, equation.label, "equation"):
            yield breach.Breach(path, equation.line, "eqref", message)
    for claim in page.claim_references:
        if book.claims and claim.id not in book.claims:
            message = f"the ledger has no claim {claim.id}{breach.meant(claim.id, book.claims)}"
            yield breach.Breach(path, claim.line, "claimref", message)
    for figure in page.figure_references:
        if message := _reference(book, name, figure.name, "figure"):
            yield breach.Breach(path, figure.line, "figref", message)


def _reference(book: breach.Book, name: str, target: str, kind: str) -> str | None:
    """Say why `label` or `stem/label` leads nowhere; `label` alone is sought on all pages of the chapter."""
    stem, slash, label = target.rpartition("/")
    stem = stem if slash else book.layout.stem(name)
    chapter = book.chapter(stem) if stem else None
    if stem and chapter is None:
        return f"there is no chapter {stem}{breach.meant(stem, book.layout.stems)}"
    numbers = chapter.numbers if chapter else numbering.Numbers((book.pages[name],))
    known = numbers.equations if kind == "equation" else numbers.figures
    if label in known:
        return None
    where = f"chapter {stem}" if slash or (chapter and len(chapter.pages) > 1) else "page"
    return f"the {where} has no {kind} {label}{breach.meant(label, known)}"


def citations(book: breach.Book) -> Iterator[breach.Breach]:
    """Check that every citation has an entry, and every entry a citation, on a page or in the source of a function."""
    cited = {key for line in code.source_lines(book) for key in code.works(book, line)}
    for name, page in book.pages.items():
        for citation in page.citations:
            cited.add(citation.key)
            if citation.key not in book.entries:
                message = f"the bibliography has no {citation.key}{breach.meant(citation.key, book.entries)}"
                yield breach.Breach(book.shown(name), citation.line, "citation", message)
    path = book.layout.relative(book.layout.bibliography)
    for entry in book.entries.values():
        if entry.key not in cited:
            yield breach.Breach(path, entry.line, "bibliography", f"no page cites {entry.key}, and no function")


def anchors(book: breach.Book, name: str) -> set[str]:
    """Give every anchor of a page."""
    page = book.pages[name]
    found = {heading.anchor for heading in page.headings} | set(page.ids)
    found |= {f"eq-{formula.label}" for formula in page.formulas if formula.label}
    for directive in page.directives:
        argument = directive.argument or ""
        if directive.name == "figure":
            found.add(f"figure-{numbering.figure_name(argument)}")
        elif directive.name in ("claim", "exercise", "flashcard"):
            found.add(f"{directive.name}-{argument}")
        elif directive.name == "claim-showcase":
            found.add(f"claim-{argument}")
        elif directive.name == "claim-rows":
            found |= {f"claim-{claim.id}" for claim in book.claims.values() if claim.chapter == book.stem(name)}
        elif directive.name == "proof":
            found.add(f"proof-{prose.slug(prose.plain(argument))}")
        elif directive.name == "kernel":
            found.add(f"kernel-{argument.replace('.', '-')}")
        else:
            found |= _listed(book, directive.name)
    for block in page.api:
        found |= set(api(book, block))
    return found


def _listed(book: breach.Book, name: str) -> set[str]:
    """Give the anchors that a list of the press brings."""
    if name == "references-list":
        return set(book.entries)
    if name == "corrected-list":
        return {f"claim-{claim.id}" for claim in book.claims.values() if claim.verdict == "corrected"}
    if name == "claims-list":
        return set(book.claims) | {claim.chapter for claim in book.claims.values()}
    if name == "notes-list":
        return {note.lower() for note in ledger.NOTES}
    if name == "flashcards-list":
        cards = (card for page in book.pages.values() for card in page.named("flashcard"))
        return {f"flashcard-{card.argument}" for card in cards} | set(book.layout.stems)
    return set()


def api(book: breach.Book, block: pages.Api) -> Iterator[str]:
    """Give the names that a reference of a module documents, in both backends: module, functions, classes, methods."""
    yield from _names(book, block, block.identifier)
    if twin := code_reference.twin(book.layout, block.identifier):
        yield from _names(book, block, twin)


def _names(book: breach.Book, block: pages.Api, identifier: str) -> Iterator[str]:
    """Give the names that the reference of one module documents."""
    path, rest = _module(book, identifier)
    if path is None:
        return
    module = source.read(path)
    chosen = [rest] if rest else _members(block, source.public(path))
    prefix = identifier.removesuffix(f".{rest}") if rest else identifier
    if not rest or rest in module.definitions:
        yield identifier
    for name in chosen:
        definition = module.definitions.get(name)
        if definition is None:
            continue
        yield f"{prefix}.{name}"
        for part in definition.body:
            inner = getattr(part, "name", None) or getattr(getattr(part, "target", None), "id", None)
            if type(definition).__name__ == "ClassDef" and inner and not inner.startswith("_"):
                yield f"{prefix}.{name}.{inner}"


def documented_once(book: breach.Book) -> Iterator[breach.Breach]:
    """Check that a module is documented in one place: a link to it could not choose between two."""
    first: dict[str, str] = {}
    for name, page in book.pages.items():
        for block in page.api:
            names = {block.identifier, code_reference.twin(book.layout, block.identifier)} - {None}
            if taken := sorted(names & set(first)):
                message = f"{taken[0]} is documented already in {first[taken[0]]}"
                yield breach.Breach(book.shown(name), block.line, "api", message)
            first |= dict.fromkeys(names - set(first), f"{book.shown(name)}:{block.line}")


def kernels(book: breach.Book) -> Iterator[breach.Breach]:
    """Check that every kernel shown is documented, since its block links to the reference."""
    known = _documented(book)
    for name, page in book.pages.items():
        for directive in page.named("kernel"):
            argument, package = directive.argument or "", book.layout.package
            backends = [backend for backend in layout.BACKENDS if source.exists(argument, backend, package)]
            for identifier in dict.fromkeys(source.identifier(argument, backend, package) for backend in backends):
                if code_reference.described(identifier) not in known:
                    message = f"no page documents {identifier}, with ::: {identifier.rpartition('.')[0]}"
                    yield breach.Breach(book.shown(name), directive.line, "kernel", message)


def _documented(book: breach.Book) -> set[str]:
    """Give every name of the code that a page documents."""
    return {name for page in book.pages.values() for block in page.api for name in api(book, block)}


def _members(block: pages.Api, public: tuple[str, ...]) -> tuple[str, ...]:
    """Give the members shown: all that are public, unless the options choose."""
    members = block.options.get("members")
    if isinstance(members, list):
        return tuple(str(member) for member in members)
    return () if members is False else public


def _module(book: breach.Book, identifier: str) -> tuple[object, str]:
    """Find the file of a dotted name, and what of the name lies in it."""
    parts = identifier.split(".")
    for length in range(len(parts), 0, -1):
        base = book.layout.root.joinpath(*parts[:length])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path, ".".join(parts[length:])
    return None, identifier


def links(book: breach.Book, name: str, page: pages.Page) -> Iterator[breach.Breach]:
    """Check that every link leads somewhere, and that every image says what it shows."""
    path = book.shown(name)
    for link in page.links:
        if message := _link(book, name, link):
            yield breach.Breach(path, link.line, "link", message)
        if link.image and (message := directives.alt_text(link.text)):
            yield breach.Breach(path, link.line, "image", message)
    for block in page.api:
        if block.identifier not in set(api(book, block)):
            yield breach.Breach(path, block.line, "api", f"there is no {block.identifier}")


def _link(book: breach.Book, name: str, link: pages.Link) -> str | None:
    """Say why a link leads nowhere."""
    if not link.defined:
        return _cross_reference(book, link)
    try:
        parts = urlsplit(link.target)
    except ValueError:
        return f"{link.target} is no address"
    if parts.scheme in ("http", "https", "mailto"):
        return None
    if parts.scheme or parts.netloc or link.target.startswith("/"):
        return f"{link.target} must be a full https address, or relative to the page"
    if not link.target:
        return "the link has no target"
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path))) if parts.path else name
    if target.startswith("../"):
        return f"{link.target} lies outside the site; link to it in the repository"
    if not (book.layout.docs / target).is_file():
        return f"there is no file {target}{breach.meant(target, book.pages)}"
    if parts.fragment and target in book.pages:
        known = anchors(book, target)
        anchor = unquote(parts.fragment)
        return None if anchor in known else f"{target} has no anchor {anchor}{breach.meant(anchor, known)}"
    return None


def _cross_reference(book: breach.Book, link: pages.Link) -> str | None:
    """Check `[text][dlnotes.numpy.initialization.he_normal]`, which the reference of the code resolves."""
    known = _documented(book)
    name = link.target.strip("` ")
    if name in known:
        return None
    if name.startswith("dlnotes"):
        return f"no page documents {name}{breach.meant(name, known)}"
    return f"[{name}] is defined nowhere; brackets that are no link are written as code or as math"
