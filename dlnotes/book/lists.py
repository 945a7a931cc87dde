"""What the press gathers from the whole book: the ledger, the cards, the references, a claim shown on the home page."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterable

from dlnotes.book import (
    benchmark_tables,
    benchmarks,
    bibliography,
    context,
    directives,
    elements,
    ledger,
    page_times,
    pages,
    study,
)


def expanded(page: context.Context, lines: list[str]) -> list[str]:
    """Put the source of cards and blocks in place of the directives that show them, so that Markdown reads it."""
    if not any(line.lstrip().startswith("///") for line in lines):
        return lines
    made = list(lines)
    for directive in reversed(pages.parse("\n".join(lines)).directives):
        if directive.name == "flashcards-list":
            made[directive.line - 1 : directive.end] = _cards(page)
        elif directive.name == "claim-showcase":
            made[directive.end - 1 : directive.end - 1] = ["", *_evidence(page, directive.argument or ""), ""]
    return made


def _cards(page: context.Context) -> list[str]:
    """Give the source of every card of the book, by chapter."""
    made: list[str] = []
    topics = []
    for stem in page.layout.stems:
        chapter = page.chapter(stem)
        cards = tuple(chapter.named("flashcard"))
        if cards:
            topics.append((stem, chapter.title))
            made += ["", f"## {chapter.title} {{ #{stem} }}", ""]
        for name, card in cards:
            made += [*elsewhere(page, name, _lines(chapter.pages[name], card.line, card.end)), ""]
    return [study.deck(page.source or ""), "", study.source(page.source or "", topics), *made]


def _evidence(page: context.Context, claim: str) -> list[str]:
    """Give the source of the first block that settles a claim, with what it prints."""
    for stem in page.layout.stems:
        chapter = page.chapter(stem)
        for name, fence in chapter.blocks():
            around = fence.inside("claim")
            if around is not None and around.argument == claim:
                end = fence.end
                if fence.expected is not None and fence.expected_line is not None:
                    end = fence.expected_line + fence.expected.count("\n") + 1
                return _lines(chapter.pages[name], fence.line, end)
    raise page.error(f"claim-showcase: no chapter settles {claim}", page.directive_line("claim-showcase", claim))


def _lines(page: pages.Page, first: int, last: int) -> list[str]:
    return page.text.split("\n")[first - 1 : last]


def elsewhere(page: context.Context, name: str, lines: Iterable[str]) -> list[str]:
    """Make the source of a chapter's page say the same on this one: references name the chapter, links start here."""
    stem = page.layout.stem(name)
    made = []
    ticks = ""
    for line in lines:
        opening = re.match(r"\s*(`{3,})", line)
        if opening and (not ticks or opening[1] == ticks):
            ticks = "" if ticks else opening[1]
        elif not ticks:
            line = re.sub(r"\\(eqref|figref)\{([^{}/]*)\}", rf"\\\1{{{stem}/\2}}", line)
            line = re.sub(r"\]\(([^()\s]+)\)", lambda found: f"]({_rebased(page, name, found[1])})", line)
        made.append(line)
    return made


def _rebased(page: context.Context, name: str, target: str) -> str:
    """Give a link of another page as it is written on this one."""
    if re.match(r"[a-z]+:", target):
        return target
    path, _, anchor = target.partition("#")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
    return page.href(path, anchor)


def settled(page: context.Context) -> dict[str, str]:
    """Give the page that settles each claim, by the blocks on it."""
    return {
        directive.argument or "": name
        for stem in page.layout.stems
        for name, directive in page.chapter(stem).named("claim")
    }


class ClaimsTally(directives.Directive):
    """`/// claims-tally`: how many claims there are, and how many got which verdict."""

    NAME = "claims-tally"

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Count the ledger."""
        block = tally(tuple(self.context.claims.values()), settled(self.context))
        parent.append(block)
        return block


def tally(claims: tuple[ledger.Claim, ...], done: Collection[str]) -> elements.Element:
    """Build the counts and a bar in proportion; a verdict counts once code has settled it."""
    counts = Counter(claim.verdict for claim in claims if claim.id in done)
    bar = elements.element("div", class_="tally__bar", aria_hidden="true")
    rows = elements.element("ul", class_="tally__counts")
    rows.append(elements.element("li", elements.element("strong", str(len(claims))), " claims", class_="tally__all"))
    for verdict in elements.VERDICTS:
        bar.append(
            elements.element("span", class_=f"tally__part tally__part--{verdict}", style=f"flex-grow:{counts[verdict]}")
        )
        rows.append(
            elements.element("li", elements.element("strong", str(counts[verdict])), " ", elements.badge(verdict))
        )
    left = len(claims) - sum(counts.values())
    if left:
        bar.append(elements.element("span", class_="tally__part tally__part--open", style=f"flex-grow:{left}"))
        rows.append(elements.element("li", elements.element("strong", str(left)), " not settled yet"))
    return elements.element("div", bar, rows, class_="tally")


class ChaptersList(directives.Directive):
    """`/// chapters-list`: the chapters by part, each with the question that it asks."""

    NAME = "chapters-list"

    def on_create(self, parent: elements.Element) -> elements.Element:
        """List what the nav holds."""
        block = elements.element("div", class_="contents")
        for part, stems in self.context.layout.parts.items():
            rows = elements.element("ul", class_="contents__chapters")
            for stem in stems:
                link = elements.element(
                    "a",
                    context.chapter_title(self.context.layout, stem),
                    href=self.context.href(f"chapters/{stem}.md", ""),
                )
                question = elements.typographic(self.context.chapter(stem).question)
                asked = elements.element("span", question, class_="contents__question")
                rows.append(elements.element("li", link, " ", asked))
            block.extend([elements.element("p", part, class_="contents__part"), rows])
        claims = self.context.claims.values()
        unwritten = dict.fromkeys(claim.chapter for claim in claims if claim.chapter not in self.context.layout.stems)
        if unwritten:
            titles = "; ".join(context.chapter_title(self.context.layout, stem) for stem in unwritten)
            block.append(elements.element("p", "Not written yet", class_="contents__part"))
            block.append(elements.element("p", f"{titles}.", class_="contents__question"))
        parent.append(block)
        return block


class NotesList(directives.Directive):
    """`/// notes-list`: the five notes, by the short names that the pages use."""

    NAME = "notes-list"

    def on_create(self, parent: elements.Element) -> elements.Element:
        """List the notes."""
        block = elements.element("dl", class_="notes")
        for name, title in ledger.NOTES.items():
            block.extend([elements.element("dt", name, id=name.lower()), elements.element("dd", title)])
        parent.append(block)
        return block


class ClaimsList(directives.Directive):
    """`/// claims-list`: every claim by chapter, with its verdict and where it is settled."""

    NAME = "claims-list"

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Build the form that filters, and below it the claims of each chapter."""
        page = self.context
        claims = tuple(page.claims.values())
        where = settled(page)
        stems = tuple(dict.fromkeys([*page.layout.stems, *(claim.chapter for claim in claims)]))
        stems = tuple(stem for stem in stems if ledger.of_chapter(claims, stem))
        block = elements.element("div", _form(page, stems), class_="ledger", id="ledger")
        for stem in stems:
            block.append(_chapter(page, stem, ledger.of_chapter(claims, stem), where))
        parent.append(block)
        return block


class ClaimRows(directives.Directive):
    """`/// claim-rows`: the claims of the chapter, a row each, that leads to the evidence."""

    NAME = "claim-rows"

    def on_create(self, parent: elements.Element) -> elements.Element:
        """List the chapter's claims in the order of the ledger."""
        page = self.context
        claims = ledger.of_chapter(tuple(page.claims.values()), page.stem or "")
        where = settled(page)
        block = elements.element("div", *(_short_row(page, claim, where) for claim in claims), class_="rows")
        parent.append(block)
        return block


class CorrectedList(directives.Directive):
    """`/// corrected-list`: the settled claims that are wrong as written, by chapter, each with what is right."""

    NAME = "corrected-list"

    def on_create(self, parent: elements.Element) -> elements.Element:
        """List them in the order of the book; the claims page is where they are searched for."""
        page, claims = self.context, tuple(self.context.claims.values())
        where = settled(page)
        block = elements.element("div", class_="rows", data_search_exclude="")
        for stem in page.layout.stems:
            wrong = [one for one in ledger.of_chapter(claims, stem) if one.verdict == "corrected" and one.id in where]
            if wrong:
                title = context.chapter_title(page.layout, stem)
                block.append(elements.element("p", title, class_="contents__part"))
            block.extend(_short_row(page, claim, where, "p") for claim in wrong)
        parent.append(block)
        return block


def _short_row(page: context.Context, claim: ledger.Claim, where: dict[str, str], tag: str = "h3") -> elements.Element:
    """Build one row: the statement, the badge, the reason."""
    facts = elements.element("p", elements.badge(claim.verdict), " ", elements.typographic(claim.because), " ")
    if claim.id in where:
        href = page.href(where[claim.id], f"claim-{claim.id}")
        label = f"Evidence: {claim.claim}"
        facts.append(elements.element("a", "Evidence", href=href, class_="row__evidence", aria_label=label))
    facts.set("class", "row__facts")
    words = directives.claim_words(claim, tag, "row__words")
    return elements.element("div", words, facts, class_="row")


def _chapter(
    page: context.Context, stem: str, claims: tuple[ledger.Claim, ...], where: dict[str, str]
) -> elements.Element:
    """Build the claims of one chapter."""
    title = context.chapter_title(page.layout, stem)
    rows = elements.element("ul", class_="ledger__rows")
    rows.extend(_row(page, claim, where.get(claim.id)) for claim in claims)
    return elements.element(
        "section", elements.element("h2", title, id=stem), rows, class_="ledger__chapter", aria_labelledby=stem
    )


def _row(page: context.Context, claim: ledger.Claim, name: str | None) -> elements.Element:
    """Build one claim; `name` is the page that settles it."""
    if name:
        link = elements.element("a", "See it settled", href=page.href(name, f"claim-{claim.id}"))
        link.set("aria-describedby", f"{claim.id}-words")
    else:
        link = elements.element("span", "Not settled yet", class_="ledger__open")
    marks = elements.note_marks("Said", claim.notes, "")
    because = elements.element("p", elements.typographic(claim.because), class_="ledger__because")
    return elements.element(
        "li",
        elements.element("p", elements.typographic(claim.claim), class_="ledger__words", id=f"{claim.id}-words"),
        *([because] if claim.because else []),
        elements.element("p", elements.badge(claim.verdict), " ", marks, " ", link, class_="ledger__facts"),
        class_="ledger__row",
        id=claim.id,
        data_verdict=claim.verdict,
        data_notes=" ".join(claim.notes),
        data_chapter=claim.chapter,
        data_state="settled" if name else "open",
    )


def _form(page: context.Context, stems: tuple[str, ...]) -> elements.Element:
    """Build the form that filters; a script shows it, since without one it does nothing."""
    choices = {
        "verdict": ("Verdict", elements.VERDICTS),
        "note": ("Note", {name: f"{name}: {title}" for name, title in ledger.NOTES.items()}),
        "chapter": ("Chapter", {stem: context.chapter_title(page.layout, stem) for stem in stems}),
        "state": ("State", {"settled": "settled in a chapter", "open": "not settled yet"}),
    }
    form = elements.element("form", class_="filter", id="ledger-filter", hidden="hidden")
    label = elements.element("label", "Words", for_="filter-words")
    words = elements.element("input", type="search", name="words", id="filter-words", autocomplete="off")
    form.append(elements.element("div", label, words, class_="filter__field"))
    for name, (label, options) in choices.items():
        select = elements.element("select", elements.element("option", "all", value=""), name=name, id=f"filter-{name}")
        select.extend(elements.element("option", text, value=value) for value, text in options.items())
        form.append(
            elements.element(
                "div", elements.element("label", label, for_=f"filter-{name}"), select, class_="filter__field"
            )
        )
    form.append(elements.element("button", "Show all", type="reset", class_="filter__reset"))
    form.append(elements.element("p", class_="filter__count", role="status", aria_live="polite"))
    return form


class ReferencesList(directives.Directive):
    """`/// references-list`: the bibliography, each entry with the chapters that cite it."""

    NAME = "references-list"

    def on_create(self, parent: elements.Element) -> elements.Element:
        """List the sources by their first author."""
        page = self.context
        entries = sorted(page.references.values(), key=lambda entry: (entry.authors[0].casefold(), entry.year))
        cited = {stem: page.chapter(stem).cited for stem in page.layout.stems}
        block = elements.element(
            "ul",
            *(_entry(page, entry, cited, id=entry.key) for entry in entries),
            class_="references",
            data_search_exclude="",
        )
        parent.append(block)
        return block


class SourcesList(directives.Directive):
    """`/// sources-list`: what the page cites, in full; in a chapter, what all its pages cite."""

    NAME = "sources-list"

    def on_create(self, parent: elements.Element) -> elements.Element:
        """List the page's sources by their first author."""
        page = self.context
        keys = page.chapter(page.stem).cited if page.stem else {citation.key for citation in page.page.citations}
        known = [
            page.references[key] for key in keys if key in page.references
        ]  # an unknown one fails where it is cited
        entries = sorted(known, key=lambda entry: (entry.authors[0].casefold(), entry.year))
        block = elements.element(
            "ul", *(_entry(page, entry, {}) for entry in entries), class_="references", data_search_exclude=""
        )
        if page.stem:  # long, and wanted by few: each citation leads to its entry in the list of all references
            summary = elements.element("summary", f"The {len(entries)} sources of this chapter")
            block = elements.element("details", summary, block, class_="sources", id="sources")
        parent.append(block)
        return block


def _entry(
    page: context.Context, entry: bibliography.Entry, cited: dict[str, set[str]], **attributes: str
) -> elements.Element:
    """Build one source."""
    row = elements.element(
        "li", f"{bibliography.authors(entry)} ({entry.year}). ", class_="references__entry", **attributes
    )
    row.append(elements.element("a", entry.title, href=entry.url, class_="references__title"))
    stop = "" if entry.title.endswith(("?", "!")) else "."
    row[-1].tail = f"{stop} {bibliography.place(entry)}."
    stems = [stem for stem, keys in cited.items() if entry.key in keys]
    if stems:
        said = elements.element("span", " Cited in ", class_="references__cited")
        for number, stem in enumerate(stems):
            if number:
                said[-1].tail = ", "
            title = context.chapter_title(page.layout, stem)
            said.append(elements.element("a", title, href=page.href(f"chapters/{stem}.md", "reference")))
        said[-1].tail = "."
        row.append(said)
    return row


class ClaimShowcase(directives.Directive):
    """`/// claim-showcase | id`: a claim, its verdict, and the block of its chapter that settles it."""

    NAME = "claim-showcase"
    ARGUMENT = True

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Show the claim; its block of code is put into the body before the page is read."""
        page = self.context
        claim = page.claims.get(self.argument)
        if claim is None:
            raise self.error(f"the ledger has no claim {self.argument}")
        block = directives.claim_block(page, claim)
        block.set("class", f"{block.get('class')} claim--showcase")
        parent.append(block)
        return block

    def on_add(self, block: elements.Element) -> elements.Element:
        """Put the code below the head."""
        return block[-1]

    def on_end(self, block: elements.Element) -> None:
        """Say where the whole argument is."""
        name = settled(self.context).get(self.argument)
        if name:
            href = self.context.href(name, f"claim-{self.argument}")
            title = context.chapter_title(self.context.layout, self.context.layout.stem(name) or "")
            block.append(
                elements.element(
                    "p", elements.element("a", f"The whole argument, in {title}", href=href), class_="claim__more"
                )
            )


class Benchmarks(directives.Directive):
    """`/// benchmarks | training`: a table of the results; `goals` tells them in short, a device's name its machine.

    `page` is a file of its own: how long a reader waits for a block that runs in the page.
    """

    NAME = "benchmarks"
    ARGUMENT = True

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Make it of the file of results."""
        try:
            results = benchmarks.load(self.context.layout.benchmarks)
            waits = page_times.load(self.context.layout.page_times) if self.argument == "page" else None
        except benchmarks.ResultsError as error:
            raise self.error(str(error)) from None
        if waits is not None:
            block = page_times.table(waits)
        elif self.argument == "goals":
            block = benchmark_tables.tally(results)
        elif self.argument in results:
            block = benchmark_tables.machine(results[self.argument])
        elif self.argument in benchmarks.tables(results):
            every = [row for device in results.values() for row in device.rows]
            block = benchmark_tables.table([row for row in every if row.table == self.argument])
        else:
            raise self.error(f"the results have no table {self.argument}")
        parent.append(block)
        return block


DIRECTIVES: tuple[type[directives.Directive], ...] = (
    Benchmarks,
    ClaimsTally,
    ChaptersList,
    NotesList,
    ClaimsList,
    ClaimRows,
    CorrectedList,
    ReferencesList,
    SourcesList,
    ClaimShowcase,
)
