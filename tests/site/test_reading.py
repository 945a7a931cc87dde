"""What a reader meets: pages that load, links that land, code that can be copied, lists that filter."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dlnotes.book import chapters, layout, ledger, source
from tests.site.conftest import NARROW, ROOT, WIDE, click

BOOK = layout.Layout(ROOT)
CHAPTER = "chapters/initialization/"
PRACTICE = f"{CHAPTER}practice/"


def test_home_shows_a_claim_its_verdict_and_the_code_that_settles_it_at_first_sight(visit):
    page = visit("")
    claim = page.locator(".claim--showcase")
    for part in (".claim__words", ".verdict", "pre code >> nth=0", ".output"):
        box = claim.locator(part).bounding_box()
        assert box["y"] + 20 < 900, part
    assert claim.locator(".verdict").inner_text() == "wrong as written"


def test_home_counts_the_ledger(visit):
    claims = ledger.load(BOOK.ledger)
    words = {"holds": "holds", "limits": "holds under conditions", "corrected": "wrong as written"}
    settled = {part.argument for stem in BOOK.stems for _, part in chapters.read(BOOK, stem).named("claim")}
    found = [" ".join(text.split()) for text in visit("").locator(".tally__counts > li").all_inner_texts()]
    assert found == [
        f"{len(claims)} claims",
        *(f"{sum(c.verdict == name and c.id in settled for c in claims)} {word}" for name, word in words.items()),
        *([f"{len(claims) - len(settled)} not settled yet"] if len(settled) < len(claims) else []),
    ]


@pytest.mark.parametrize(("width", "form"), [(WIDE, "wide"), (NARROW, "narrow")])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_form_of_each_figure_is_shown_and_really_loads(visit, width, form, scheme):
    page = visit(CHAPTER, width, scheme)
    figures = page.locator("figure").all()
    assert len(figures) == len(BOOK.page("initialization").read_text("utf-8").split("/// figure |")) - 1
    for figure in figures:
        figure.scroll_into_view_if_needed()
        image = figure.locator("img")
        page.wait_for_function("image => image.complete", arg=image.element_handle())
        source = image.evaluate("image => image.currentSrc")
        assert source.endswith(f".{form}.{scheme}.svg")
        natural = image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
        if form == "narrow":
            name = source.rpartition("/")[2]
            sizes = figure.locator(f"source[srcset$='{name}']").first
        else:
            sizes = image
        stated = [int(sizes.get_attribute(side)) for side in ("width", "height")]
        assert natural[0] > 0
        assert natural == pytest.approx(stated, abs=1)
        assert image.get_attribute("alt")


def test_forms_that_are_not_shown_are_not_fetched(visit):
    page = visit(CHAPTER)
    page.locator("figure").nth(0).scroll_into_view_if_needed()
    loaded = page.evaluate("performance.getEntriesByType('resource').map(e => e.name).filter(n => n.endsWith('.svg'))")
    drawn = [name for name in loaded if "/figures/" in name]
    assert drawn
    assert all(name.endswith(".wide.light.svg") for name in drawn)


FONTS = {
    ("Source Serif 4", "normal"): "source-serif-4",
    ("Source Serif 4", "italic"): "source-serif-4-italic",
    ("Instrument Sans", "normal"): "instrument-sans",
    ("JetBrains Mono", "normal"): "jetbrains-mono",
    ("STIX Two Math", "normal"): "stix-two-math",
}


@pytest.mark.parametrize(
    "path", ["", CHAPTER, PRACTICE, f"{CHAPTER}claims/", "claims/", "flashcards/", "api/initialization/", "notation/"]
)
def test_a_page_asks_in_its_head_for_the_fonts_that_it_shows_and_for_no_other(visit, path):
    page = visit(path, NARROW)
    asked = page.locator("link[rel=preload][as=font]").evaluate_all("all => all.map(link => link.href)")
    loaded = "() => [...document.fonts].filter(f => f.status === 'loaded').map(f => [f.family, f.style])"
    faces = [(family.strip('"'), style) for family, style in page.evaluate(loaded)]
    shown = {FONTS[face] for face in faces if "fallback" not in face[0]}
    assert {address.rpartition("/")[2].removesuffix(".woff2") for address in asked} == shown


def test_references_to_equations_and_figures_land(visit):
    page = visit(CHAPTER)
    links = [page.locator(f"a.reference--{kind}") for kind in ("eqref", "figref")]
    assert links[0].count() > 5
    for link in [found.last for found in links if found.count()]:
        target = link.get_attribute("href")
        assert target.startswith("#")
        click(link)
        page.wait_for_function("id => location.hash === id", arg=target)
        page.wait_for_timeout(400)
        top = page.locator(f'[id="{target[1:]}"]').bounding_box()["y"]
        header = page.locator(".md-header").bounding_box()["height"]
        assert header - 1 <= top < 880


@pytest.mark.parametrize("kind", ["here", "elsewhere"])
def test_a_link_to_an_equation_shows_it(visit, kind):
    page = visit(f"{CHAPTER}derivation/")
    begins = "#" if kind == "here" else "../"
    links = page.locator(f'a.reference--eqref[href^="{begins}"]')
    target = links.last.get_attribute("href")
    links.last.scroll_into_view_if_needed()
    box = page.locator("#preview")
    assert not box.is_visible()
    links.last.hover()
    box.wait_for()
    assert box.locator("math").count() > 0
    assert links.last.get_attribute("aria-describedby") == "preview"
    shown = box.text_content()
    assert box.bounding_box()["width"] <= WIDE
    page.keyboard.press("Escape")
    assert not box.is_visible()
    page.goto(page.url.split("#")[0] + target)
    place = page.locator(f"[id='{target.partition('#')[2]}'] .equation__formula")
    assert place.text_content() == shown


def test_the_keyboard_sees_an_equation_too_and_one_in_sight_is_not_shown_twice(visit):
    page = visit(f"{CHAPTER}derivation/")
    box = page.locator("#preview")
    for link in page.locator('a.reference--eqref[href^="#"]').all():
        target = page.locator(f"[id='{link.get_attribute('href')[1:]}']")
        link.scroll_into_view_if_needed()
        page.keyboard.press("Shift")  # from here on the keyboard is what is used
        link.focus()
        page.wait_for_timeout(250)
        edge = target.bounding_box()
        in_sight = edge["y"] >= 0 and edge["y"] + edge["height"] <= 900
        assert box.is_visible() != in_sight
        page.evaluate("document.activeElement.blur()")
        assert not box.is_visible()


def test_what_is_closed_opens(visit):
    for kind, path in (("solution", PRACTICE), ("flashcard", PRACTICE), ("figure__details", CHAPTER)):
        page = visit(path)
        details = page.locator(f"details.{kind}").first
        inside = details.locator(":scope > :not(summary)").first
        assert not inside.is_visible()
        click(details.locator("summary"))
        assert inside.is_visible()


def test_an_address_of_a_flashcard_opens_it(visit):
    page = visit(PRACTICE)
    name = page.locator("details.flashcard h5").nth(2).get_attribute("id")
    again = visit(f"{PRACTICE}#{name}")
    again.wait_for_function("id => document.getElementById(id).closest('details').open", arg=name)


def test_tabs_switch_together_and_by_keyboard(visit):
    page = visit(CHAPTER)
    kernels = page.locator(".kernel:has(.tabbed-set)")
    first, second = kernels.nth(0), kernels.nth(1)
    assert first.locator(".tabbed-block").nth(0).is_visible()
    click(first.get_by_text("PyTorch", exact=True))
    for kernel in (first, second):
        assert kernel.locator(".tabbed-block").nth(1).is_visible()
        assert not kernel.locator(".tabbed-block").nth(0).is_visible()
    first.locator("input").nth(1).focus()
    page.keyboard.press("ArrowLeft")
    assert first.locator(".tabbed-block").nth(0).is_visible()


def copy(page, button) -> str:
    """Press a copy button and give what it copies; what a test before has copied is cleared first."""
    page.evaluate("navigator.clipboard.writeText('')")
    click(button)
    page.wait_for_function("async () => (await navigator.clipboard.readText()).length > 0")
    return page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize(("backend", "tab"), [("numpy", 0), ("torch", 1)])
def test_the_copy_button_of_a_kernel_gives_code_that_runs_alone(visit, tmp_path, backend, tab):
    page = visit(CHAPTER, permissions=["clipboard-read", "clipboard-write"])
    kernel = page.locator('[id="kernel-initialization-he_normal"]')
    click(kernel.locator("label").nth(tab))
    copied = copy(page, kernel.locator(".tabbed-block").nth(tab).locator(".md-code__button"))
    assert copied.rstrip() == source.standalone("initialization.he_normal", backend, BOOK.package).rstrip()
    script = tmp_path / "alone.py"
    script.write_text(copied, "utf-8")
    done = subprocess.run([sys.executable, str(script)], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# A section, a claim, an exercise, an equation, a figure: where each stands, and its address.
LINKS = {
    "chapters/momentum/": [
        ("#the-idea > .headerlink", "the-idea"),
        (".claim--limits, .row >> .headerlink >> nth=0", "claim-momentum-average"),
        ("#eq-momentum .equation__number", "eq-momentum"),
        ("#figure-ravine .figure__number", "figure-ravine"),
    ],
    "chapters/momentum/practice/": [("#exercise-beta-for > .headerlink", "exercise-beta-for")],
    "api/momentum/": [("[id='dlnotes.numpy.momentum.Nesterov'] > .headerlink", "dlnotes.numpy.momentum.Nesterov")],
}


@pytest.mark.parametrize("path", LINKS)
def test_the_link_to_a_place_is_copied_by_mouse_and_keyboard_and_says_so(visit, address, path):
    page = visit(path, permissions=["clipboard-read", "clipboard-write"])
    for selector, anchor in LINKS[path]:
        for press in (click, lambda link: link.press("Enter")):
            page.evaluate("navigator.clipboard.writeText('')")
            link = page.locator(selector).first
            press(link)
            page.get_by_role("status").filter(has_text="Link copied").wait_for()
            copied, shown = page.evaluate("async () => [await navigator.clipboard.readText(), location.href]")
            assert copied == shown == f"{address}{path}#{anchor}"
            page.wait_for_function("() => !document.querySelector('.said').textContent")
        assert link.evaluate("link => document.activeElement === link"), selector


def test_where_the_browser_forbids_copying_the_address_bar_is_named(visit):
    page = visit("chapters/momentum/")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    page.locator("#eq-momentum .equation__number").click()
    page.get_by_role("status").filter(has_text="The link is in the address bar").wait_for()
    assert page.url.endswith("#eq-momentum")


def test_the_copy_button_of_a_block_gives_its_code(visit):
    page = visit("", permissions=["clipboard-read", "clipboard-write"])
    block = page.locator(".claim--showcase .highlight")
    assert copy(page, block.locator(".md-code__button")).rstrip() == block.locator("code").inner_text().rstrip()


def test_the_copy_button_of_a_solution_gives_the_solution_and_not_the_starter(visit):
    page = visit(PRACTICE, permissions=["clipboard-read", "clipboard-write"])
    exercise = page.locator(".exercise").first
    click(exercise.locator(".solution summary"))
    blocks = exercise.locator(".highlight")
    for number in range(blocks.count()):
        code = blocks.nth(number).locator("code").inner_text()
        assert copy(page, blocks.nth(number).locator(".md-code__button")).rstrip() == code.rstrip()


def test_output_has_a_name_and_no_copy_button(visit):
    page = visit(f"{CHAPTER}claims/")
    outputs = page.locator(".output")
    assert outputs.count() > 5
    assert outputs.first.get_attribute("aria-label") == "Output"
    assert page.locator(".output button").count() == 0


def test_search_finds_a_chapter_and_no_formulas(visit):
    page = visit("")
    page.locator("[data-md-component=search-query]").click()
    page.keyboard.type("leaky relu", delay=20)
    results = page.locator(".md-search-result__link")
    results.first.wait_for()
    assert any("chapters/activations" in link.get_attribute("href") for link in results.all())
    index = page.request.get(page.url + "search/search_index.json").text()
    assert r"n_\\text" not in index
    assert "activations" in index


def test_the_palette_goes_from_system_to_light_to_dark_and_is_remembered(visit):
    page = visit("", scheme="dark")
    scheme = "document.body.getAttribute('data-md-color-scheme')"
    assert page.evaluate(scheme) == "slate"  # the system's
    page.locator("label.md-header__button[title]:visible").first.click()
    assert page.evaluate(scheme) == "default"
    page.goto(page.url + CHAPTER)
    assert page.evaluate(scheme) == "default"
    page.locator("label.md-header__button[title]:visible").first.click()
    assert page.evaluate(scheme) == "slate"


def test_a_dark_page_is_dark_before_the_large_script_runs(visit):
    page = visit("", scheme="dark")
    page.route("**/bundle*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.reload()
    assert page.evaluate("document.body.getAttribute('data-md-color-scheme')") == "slate"


def test_the_ledger_filters_says_how_many_and_keeps_its_state_in_the_address(visit):
    claims = ledger.load(BOOK.ledger)
    page = visit("claims/")
    rows, status = page.locator(".ledger__row:visible"), page.locator(".filter__count")
    assert rows.count() == len(claims)
    page.select_option("#filter-verdict", "corrected")
    page.select_option("#filter-note", "N3")
    expected = sum(claim.verdict == "corrected" and "N3" in claim.notes for claim in claims)
    assert 0 < expected < len(claims)
    assert rows.count() == expected
    assert status.inner_text() == f"{expected} of {len(claims)} claims shown."
    assert page.url.endswith("#verdict=corrected&note=N3")
    chapters = {claim.chapter for claim in claims if claim.verdict == "corrected" and "N3" in claim.notes}
    assert page.locator(".ledger__chapter:visible").count() == len(chapters)
    page.reload()
    assert rows.count() == expected
    page.get_by_role("button", name="Show all").click()
    page.wait_for_function("!location.hash")
    assert rows.count() == len(claims)


def test_the_ledger_filters_by_words_of_the_claim_or_its_reason(visit):
    claims = ledger.load(BOOK.ledger)
    page = visit("claims/")
    page.locator("#filter-words").press_sequentially("Relu half")
    expected = [c for c in claims if all(word in f"{c.claim} {c.because}".lower() for word in ("relu", "half"))]
    assert 0 < len(expected) < len(claims)
    shown = set(page.locator(".ledger__row:visible").evaluate_all("all => all.map(row => row.id)"))
    assert {claim.id for claim in expected} <= shown
    assert len(shown) < len(claims) / 2
    assert page.url.endswith("#words=Relu+half")
    page.reload()
    assert page.locator("#filter-words").input_value() == "Relu half"
    assert page.locator(".ledger__row:visible").count() == len(shown)


def test_each_claim_of_a_written_chapter_says_why_in_one_line(visit):
    page = visit("claims/#state=settled")
    rows = page.locator(".ledger__row:visible")
    assert rows.count() == page.locator(".ledger__row:visible .ledger__because").count() > 0


def test_the_ledger_filters_by_chapter_and_by_what_is_settled(visit):
    claims = ledger.load(BOOK.ledger)
    page = visit("claims/#chapter=initialization&state=settled&verdict=nonsense")
    settled = {part.argument for _, part in chapters.read(BOOK, "initialization").named("claim")}
    expected = sum(claim.id in settled for claim in claims if claim.chapter == "initialization")
    assert page.locator(".ledger__row:visible").count() == expected


def test_without_script_the_claims_can_be_read_and_no_dead_form_is_shown(visit):
    page = visit("claims/", java_script_enabled=False)
    assert page.locator(".ledger__row:visible").count() == len(ledger.load(BOOK.ledger))
    assert not page.locator("#ledger-filter").is_visible()
    page = visit(CHAPTER, java_script_enabled=False)
    kernel = page.locator(".kernel:has(.tabbed-set)").first
    kernel.get_by_text("PyTorch", exact=True).click()
    assert kernel.locator(".tabbed-block").nth(1).is_visible()
    assert page.locator("math").count() > 20


def test_print_opens_everything_in_light_colors_without_the_frame(visit):
    page = visit(CHAPTER, scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("img[loading=lazy]").count() == 0
    page.emulate_media(media="print")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator(".figure__details").count() == page.locator(".figure__details[open]").count() > 0
    assert page.evaluate("getComputedStyle(document.body).getPropertyValue('--dl-ink')").strip() == "#1d2127"
    for hidden in (".md-header", ".md-sidebar--primary", ".md-footer", ".md-code__nav"):
        assert not page.locator(hidden).first.is_visible()
    image = page.locator("figure").nth(1).locator("img")
    page.wait_for_function("image => image.currentSrc.endsWith('.wide.light.svg')", arg=image.element_handle())
    kernel = page.locator(".kernel:has(.tabbed-set)").first
    assert [block.is_visible() for block in kernel.locator(".tabbed-block").all()] == [True, False]  # one backend
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_reduced_motion_is_respected(visit):
    page = visit(CHAPTER, reduced_motion="reduce")
    slow = page.evaluate(
        """() => [...document.querySelectorAll('*')].filter(e => [null, '::before', '::after'].some(part => {
            const style = getComputedStyle(e, part);
            return [...style.transitionDuration.split(','), ...style.animationDuration.split(',')]
              .some(time => parseFloat(time) > 0.01);
        })).map(e => e.className)"""
    )
    assert not slow


@pytest.mark.parametrize("path", ["", CHAPTER])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nothing_moves_while_a_page_loads(visit, path, width):
    page = visit(path, width)
    moved = page.evaluate(
        """() => new Promise(done => {
            let sum = 0;
            new PerformanceObserver(list => list.getEntries().forEach(e => sum += e.hadRecentInput ? 0 : e.value))
              .observe({type: 'layout-shift', buffered: true});
            setTimeout(() => done(sum), 500);
        })"""
    )
    assert moved < 0.05


def test_a_formula_too_wide_for_a_phone_scrolls_and_takes_the_focus(visit):
    page = visit("chapters/objective/derivation/", 320)
    wide = page.locator(".equation__formula[tabindex]")
    assert wide.count() > 0
    box = wide.first
    assert box.evaluate("e => e.scrollWidth > e.clientWidth")
    box.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("e => e.scrollLeft > 0", arg=box.element_handle())
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
