"""What readers take along holds all of the book: counted against its pages and files."""

from __future__ import annotations

import base64
import hashlib
import html
import posixpath
import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import yaml

from dlnotes import __main__ as commands
from dlnotes.book import (
    bibliography,
    bibtex,
    chapters,
    context,
    course,
    drawing,
    exports,
    forms,
    fragments,
    layout,
    ledger,
    markdown_pages,
    pages,
    plain_markdown,
    slides,
)

BOOK = layout.find(Path(__file__))
CLAIMS = ledger.load(BOOK.ledger)
NAMES = markdown_pages.names(BOOK)


@pytest.fixture(scope="module")
def texts():
    return markdown_pages.every(BOOK)


@pytest.fixture(scope="module")
def decks():
    return {stem: slides.of_chapter(BOOK, stem) for stem in BOOK.stems}


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$|(`+)[^`].*?\1", "", text, flags=re.MULTILINE | re.DOTALL)


# Markdown


def test_every_page_has_its_markdown(texts):
    written = {path.relative_to(BOOK.docs).as_posix() for path in BOOK.docs.rglob("*.md")}
    assert set(NAMES) == written
    assert list(texts) == [plain_markdown.beside(name) for name in NAMES]
    for name in NAMES:
        assert texts[plain_markdown.beside(name)].startswith("# "), name


def test_all_formulas_figures_claims_and_blocks_of_a_page_are_in_its_markdown(texts):
    for name in NAMES:
        page, text = pages.read(BOOK.docs / name), texts[plain_markdown.beside(name)]
        tight = "".join(text.split())
        for formula in page.formulas:
            assert "".join(formula.tex.split()) in tight, f"{name}:{formula.line}"
        prose = without_code(text)
        assert prose.count("$$\n") == 2 * sum(formula.display for formula in page.formulas), name
        figures = [part.argument.partition("/")[2] for part in page.named("figure")]
        assert len(re.findall(r"^\*\*Figure \d+\.\*\* .", text, re.M)) == len(figures), name
        assert re.findall(r"/([\w-]+)\.wide\.light\.svg\)$", text, re.M) == figures, name
        assert text.count("# Claim: ") == len(page.named("claim")), name
        for fence in page.blocks:
            assert fence.code.rstrip("\n") in text, f"{name}:{fence.line}"
            if fence.expected is not None and fence.within is None:
                assert f"It prints:\n\n```text\n{fence.expected.rstrip()}" in text, f"{name}:{fence.line}"


def test_nothing_of_the_books_own_markup_is_left_in_the_markdown(texts):
    for place, text in texts.items():
        found = re.findall(
            r"\\(?:eqref|figref|claimref|label)\b|^ *///.*|\[@[^\]]*\]|<!--.*|^:::.*", without_code(text), re.M
        )
        assert not found, place


def test_every_link_of_the_markdown_lands(texts):
    anchors = {place: set(re.findall(r'<a id="([^"]+)"></a>', text)) for place, text in texts.items()}
    for place, text in texts.items():
        for target in re.findall(r"\]\(([^()\s]+)\)", without_code(text)):
            if target.startswith("https://"):
                continue
            path, _, anchor = target.partition("#")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(place), path)) if path else place
            if path.startswith("assets/"):
                assert (BOOK.docs / path).is_file(), f"{place}: {target}"
            else:
                assert path in texts, f"{place}: {target}"
                assert not anchor or anchor in anchors[path], f"{place}: {target}"


def test_the_lists_of_the_book_are_written_out(texts):
    claims = texts["claims/index.html.md"]
    assert claims.count("Verdict: *") == len(CLAIMS)
    references = texts["references/index.html.md"]
    entries = bibliography.load(BOOK.bibliography)
    assert len(re.findall(r"^- .+\(\d{4}\)\. \[", references, re.M)) == len(entries)
    cards = sum(len(list(chapters.read(BOOK, stem).named("flashcard"))) for stem in BOOK.stems)
    assert texts["flashcards/index.html.md"].count("<summary>Answer</summary>") == cards
    assert "| Beside | Ratio |" in texts["benchmarks/index.html.md"]
    momentum = texts["api/momentum/index.html.md"]
    assert "dlnotes.numpy.momentum.Nesterov(learning_rate, beta=0.9)" in momentum
    assert "update = -learning_rate * (g + beta v)" in momentum


def test_llms_txt_has_the_form_of_the_convention_and_every_page_once(texts):
    text = markdown_pages.index(BOOK)
    title, quote, words, *sections = text.split("\n\n")
    assert title.startswith("# dlnotes: ")
    assert quote.startswith("> ")
    assert not words.startswith("#")
    heads = re.findall(r"^## (.*)", text, re.M)
    assert heads[: len(BOOK.parts)] == list(BOOK.parts)
    assert heads[-1] == "Optional"
    rows = [row for section in sections if not section.startswith("## ") for row in section.split("\n") if row]
    found = [re.fullmatch(r"- \[.+?\]\((\S+)\)(?:: .+)?", row) for row in rows]
    assert all(found)
    assert sorted(one[1] for one in found) == sorted(texts)


def test_with_an_address_llms_txt_names_whole_addresses(monkeypatch):
    monkeypatch.setenv("SITE_URL", "https://book.example/dl/")
    text = markdown_pages.index(layout.Layout(BOOK.root))
    assert "(https://book.example/dl/chapters/momentum/index.html.md): What momentum" in text


# BibTeX


def test_the_bibliography_has_every_source_with_its_authors():
    entries, text = bibliography.load(BOOK.bibliography), bibtex.bibliography_file(BOOK)
    assert re.findall(r"^@\w+\{([\w-]+),$", text, re.M) == [entry.key for entry in entries]
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    for entry, record in zip(entries, text.split("\n\n"), strict=True):
        assert record.count(" and ") >= len(entry.authors) - 1
        for field in ("author", "title", "year", "url"):
            assert f"  {field} = {{" in record, entry.key
        assert not set(re.findall(r"\d+", entry.where)) - set(re.findall(r"\d+", record)), entry.key


@pytest.mark.parametrize(
    ("where", "kind", "fields"),
    [
        ("Vision Research 37 (23), pages 3327-3338", "article",
         ["journal = {Vision Research}", "number = {23}", "pages = {3327--3338}"]),
        ("SIAM Review 40(1), 110-112", "article", ["volume = {40}", "pages = {110--112}"]),
        ("Proceedings of the National Academy of Sciences 116(32)", "article", ["volume = {116}", "number = {32}"]),
        ("European Conference on Computer Vision (ECCV)", "inproceedings", ["booktitle = {European Conference on"]),
        ("arXiv preprint", "misc", ["howpublished = {arXiv preprint}"]),
        ("web page, 25 April 2019", "misc", ["howpublished = {web page, 25 April 2019}"]),
        ("source of Keras 3", "misc", ["howpublished = {source of Keras 3}"]),
        ("Weights & Biases report", "misc", [r"howpublished = {Weights \& Biases report}"]),
    ],
)  # fmt: skip
def test_a_source_is_of_the_kind_that_its_place_says(where, kind, fields):
    entry = bibliography.Entry(
        "ann1999", ("Alone, Ann", "PyTorch"), 1999, "100% of $x_1$", where, "https://a.example/", "no", 1
    )
    text = bibtex.entry(entry)
    assert text.startswith(f"@{kind}{{ann1999,\n  author = {{Alone, Ann and {{PyTorch}}}},\n")
    assert r"title = {{100\% of \$x\_1\$}}" in text
    assert all(f"  {field}" in text for field in fields)


def test_the_book_is_cited_as_its_file_says():
    cited = yaml.safe_load((BOOK.root / "CITATION.cff").read_text("utf-8"))
    text = bibtex.book(BOOK)
    assert f"title = {{{{{cited['title']}}}}}" in text
    assert f"Version {cited['version']}" in text
    assert cited["authors"][0]["name"] in text


# Slides


def test_the_slides_show_every_figure_equation_claim_and_rule(decks):
    for stem, deck in decks.items():
        chapter = chapters.read(BOOK, stem)
        ids = [slide.id for slide in deck]
        assert len(ids) == len(set(ids)), stem
        kinds = Counter(slide.kind for slide in deck)
        assert {name.removeprefix("figure-") for name in ids if name.startswith("figure-")} == set(
            chapter.numbers.figures
        )
        labels = {name.removeprefix("eq-") for name in ids if name.startswith("eq-")}
        assert labels == set(chapter.numbers.equations), stem
        displayed = sum(formula.display for page in chapter.pages.values() for formula in page.formulas)
        assert kinds["equation"] == displayed, stem
        claims = [f"claim-{claim.id}" for claim in ledger.of_chapter(CLAIMS, stem)]
        assert [name for name in ids if name.startswith("claim-")] == claims
        rules = re.search(r"^## In short\n(.*?)^## ", chapter.main.text, re.M | re.S)[1]
        assert kinds["rule"] == len(re.findall(r"^- ", rules, re.M)) > 2, stem
        assert deck[0].kind == "title"
        assert deck[1].id == f"figure-{next(iter(chapter.numbers.figures))}"


def test_each_equation_slide_has_the_number_and_formula_of_the_page(decks):
    numbers = chapters.read(BOOK, "momentum").numbers.equations
    for slide in decks["momentum"]:
        if slide.id.startswith("eq-"):
            number = numbers[slide.id.removeprefix("eq-")]
            assert re.search(rf'<a [^>]*href="#{slide.id}"[^>]*>\({number}\)</a>', slide.body), slide.id
            assert '<math display="block">' in slide.body


def test_what_leads_to_an_equation_is_whole_sentences(decks):
    slide = next(slide for slide in decks["momentum"] if slide.id == "eq-recursion")
    words = re.sub(r"<math.*?</math>", "x", slide.body, flags=re.S)
    assert ">Two steps make a matrix.</strong> From" in words
    assert "What is left is</p>" in words
    assert "<p>a xx matrix applied to x.</p>" in re.sub(r"<[^p/][^>]*>|</[^p][^>]*>", "", words)


def test_a_file_of_slides_needs_nothing_else_and_its_links_land(decks):
    for stem in ("momentum", "initialization"):
        text = course.deck(BOOK, stem, decks[stem])
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
        script = re.search(r"<script>(.*?)</script>", text, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}';" in policy
        assert "default-src 'none'" in policy
        assert text.count("<script") == 1
        assert not re.search(r"\son\w+=|<link|<iframe|@import", text)
        loads = re.findall(r'\ssrc="([^"]{0,10})|url\("?([^")]{0,10})', text)
        # In a picture, # is written %23: it names a part of the picture itself.
        assert {(first or second)[:5] for first, second in loads if not second.startswith("%23")} == {"data:"}
        ids = set(re.findall(r'\sid="([^"]+)"', text))
        targets = re.findall(r'<a\b[^>]*?\shref="([^"]*)"', text)
        assert targets
        assert {target for target in targets if not target.startswith("https://")} <= {f"#{name}" for name in ids}


def test_a_picture_holds_the_figure_in_its_theme():
    figure = drawing.Figure("momentum", "hundred")
    for theme, color in (("light", "%23a83a0a"), ("dark", "%23e5733c")):
        address = slides.picture(BOOK, figure, theme)
        assert address.startswith("data:image/svg+xml,%3Csvg ")
        assert color in address.lower()
        assert not set('"#<>&') & set(address.removeprefix("data:image/svg+xml,"))


# Sheets


def test_a_sheet_has_every_exercise_with_its_starter_and_no_solution():
    for stem in BOOK.stems:
        chapter = chapters.read(BOOK, stem)
        as_html = html.unescape(re.sub(r"<[^>]*>", "", course.sheet(BOOK, stem)))
        as_markdown = course.sheet_as_markdown(BOOK, stem)
        for text in (as_html, as_markdown):
            numbers = re.findall(r"Exercise (\d+)(?:\.| ) ?\S", text)
            assert numbers == [str(number) for number in chapter.numbers.exercises.values()], stem
            for _, fence in chapter.blocks():
                if fence.inside("solution"):
                    own = [line for line in fence.code.split("\n") if line not in _starters(chapter)]
                    assert not [line for line in own if f"\n{line}\n" in text], stem
                elif fence.inside("exercise"):
                    assert fence.code.strip() in text, stem
            assert "Solution" not in text
        assert not re.findall(r"\]\((?!https://)", as_markdown)


def _starters(chapter: chapters.Chapter) -> set[str]:
    fences = [fence for _, fence in chapter.blocks() if fence.inside("exercise") and not fence.inside("solution")]
    return {line for fence in fences for line in fence.code.split("\n")}


def test_a_sheet_shows_the_equations_that_its_exercises_name():
    text = course.sheet_as_markdown(BOOK, "objective")
    assert r"\tag{6}" in text
    assert "By (6), how many" in text
    shown = course.sheet(BOOK, "objective")
    assert re.search(r'<div class="named">.*?>\(6\)<', shown, re.S)


# Fragments


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two follows.", ["One.", "Two follows."]),
        ("At $x. Y$ it ends. `a. B` too.", ["At $x. Y$ it ends.", "`a. B` too."]),
        ("As in [@key, eq. 3. Then] here. $x$ grows", ["As in [@key, eq. 3. Then] here.", "$x$ grows"]),
        ("**Bold.** Then", ["**Bold.**", "Then"]),
        ("Sums, e.g. Gauss sums", ["Sums, e.g. Gauss sums"]),
        ("about 1.5 Times", ["about 1.5 Times"]),
        ("", [""]),
    ],
)
def test_sentences_end_where_they_end(text, parts):
    assert fragments.sentences(text) == parts


def test_a_link_to_what_the_document_does_not_hold_is_its_text(monkeypatch):
    name = "chapters/momentum.md"
    page = context.Context(BOOK, name, pages.read(BOOK.docs / name))
    convert = fragments.Fragments(page, lambda _, anchor: "#here" if anchor == "eq-axes" else "")
    made = convert.line(r"See \eqref{axes}, [the derivation](momentum/derivation.md) and [this](https://a.example).")
    assert re.search(r'<a[^>]* href="#here"[^>]*>\(6\)</a>', made)
    assert "<span>the derivation</span>" in made
    assert '<a href="https://a.example">this</a>' in made
    monkeypatch.setenv("SITE_URL", "https://book.example/")
    page = context.Context(layout.Layout(BOOK.root), name, page.page)
    made = fragments.Fragments(page).line("[the derivation](momentum/derivation.md#noise)")
    assert made == '<a href="https://book.example/chapters/momentum/derivation/#noise">the derivation</a>'


# The command

PAGE = '<tr><td data-export="a.txt">by make exports</td></tr><tr><td data-export="b.txt">not made yet</td></tr>'


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    (folder / "take_along").mkdir(parents=True)
    (folder / "index.html").write_text("home")
    (folder / "take_along" / "index.html").write_text(PAGE)
    return folder


FORMS = (forms.Form("b.txt", "B", "Fails."), forms.Form("a.txt", "A", "For a test.", "a/index.html"))


def writing(book, site, path):
    path.write_text("a" * 1234)


def failing(book, site, path):
    path.write_text("half")
    raise ValueError("no\npandoc")


WRITERS = {"b.txt": failing, "a.txt": writing}


def test_a_form_that_fails_is_named_and_the_others_are_made(tmp_path, site):
    failures = exports.make(BOOK, site, tmp_path / "out", WRITERS, progress=False)
    assert failures == {"b.txt": "ValueError: no pandoc"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.txt"]
    exports.publish(site, tmp_path / "out", FORMS)
    assert (site / "exports" / "a.txt").stat().st_size == 1234
    text = (site / "take_along" / "index.html").read_text()
    link = '<a href="../exports/a.txt" download>a.txt</a> 1.2 kB, or <a href="../exports/a/index.html">open it here</a>'
    assert f'<td data-export="a.txt">{link}</td>' in text
    assert '<td data-export="b.txt">by make exports</td>' in text
    exports.publish(site, tmp_path / "out", FORMS)  # once more changes nothing
    assert (site / "take_along" / "index.html").read_text() == text


def test_a_site_that_is_older_than_the_table_is_told(tmp_path, site):
    newer = (forms.Form("new.txt", "New", "For a test."),)
    (tmp_path / "out").mkdir()
    with pytest.raises(exports.ExportError, match=r"no place for new\.txt: build the site again"):
        exports.publish(site, tmp_path / "out", newer)


def test_the_command_makes_the_table_and_gives_its_exit_code(tmp_path, site, monkeypatch, capsys):
    monkeypatch.setattr(exports, "WRITERS", WRITERS)
    monkeypatch.setattr(forms, "FORMS", FORMS)
    assert commands.main(["exports", str(tmp_path / "out"), "--site", str(site)]) == 1
    told = capsys.readouterr()
    assert "a.txt" in told.out
    assert "dlnotes: b.txt is not made: ValueError: no pandoc" in told.err
    assert commands.main(["exports", str(tmp_path / "out"), "--site", str(tmp_path)]) == 2
    assert "holds no site: run python -m dlnotes site first" in capsys.readouterr().err


def test_archives_of_the_same_files_are_the_same(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.txt").write_text("x")
    for name in ("one.zip", "two.zip"):
        exports.archive(tmp_path / "in", tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert zipfile.ZipFile(tmp_path / "one.zip").namelist() == ["in/x.txt"]


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (45_600, "46 kB"), (2_340_000, "2.3 MB")]
)
def test_sizes_have_two_digits(tmp_path, count, said):
    (tmp_path / "file").write_bytes(b"0" * count)
    assert exports.size(tmp_path / "file") == said


def test_each_form_of_the_page_has_its_writer_and_is_told_what_it_is_for():
    assert "/// exports-list" in (BOOK.docs / forms.PAGE).read_text("utf-8")
    assert [form.name for form in forms.FORMS] == list(exports.WRITERS)
    assert all(form.use.endswith(".") and form.title for form in forms.FORMS)
