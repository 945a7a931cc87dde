// What pages need besides the theme: the filter of the ledger, scroll regions that a keyboard reaches, print.
"use strict";

// --- Scroll regions: what is wider than its place can be focused, and so scrolled with the keyboard. ---
(function () {
  const selector = ".equation__formula, .md-typeset__scrollwrap, .formula, .output pre > code, .figure__code pre > code";

  function mark(region) {
    const wide = region.scrollWidth > region.clientWidth + 1;
    if (wide && !region.hasAttribute("tabindex")) {
      region.tabIndex = 0;
      region.dataset.scrolls = "";
      if (region.matches(".equation__formula, .md-typeset__scrollwrap")) {
        region.setAttribute("role", "group");
        region.setAttribute("aria-label", region.matches(".equation__formula") ? "Formula, scrolls sideways" : "Table, scrolls sideways");
      }
    } else if (!wide && "scrolls" in region.dataset) {
      for (const name of ["tabindex", "role", "aria-label", "data-scrolls"]) region.removeAttribute(name);
    }
  }

  const sizes = new ResizeObserver((entries) => entries.forEach((entry) => mark(entry.target)));
  const watch = () => document.querySelectorAll(selector).forEach((region) => sizes.observe(region));
  watch();
  window.addEventListener("load", watch); // the theme wraps tables when it starts
  document.fonts?.ready.then(() => document.querySelectorAll(selector).forEach(mark));

  // The theme's bars of buttons are landmarks that all bear one name; they are no places to go to.
  const bars = new MutationObserver(() => {
    for (const bar of document.querySelectorAll("nav.md-code__nav:not([role])")) bar.setAttribute("role", "none");
  });
  bars.observe(document.body, { childList: true, subtree: true });
})();

// --- The ledger's filter: its state is in the address, so that a view can be linked. ---
(function () {
  const form = document.getElementById("ledger-filter");
  if (!form) return;
  const rows = [...document.querySelectorAll(".ledger__row")];
  const chapters = [...document.querySelectorAll(".ledger__chapter")];
  const status = form.querySelector(".filter__count");
  const fields = [...form.querySelectorAll("select")];
  const matches = {
    verdict: (row, value) => row.dataset.verdict === value,
    note: (row, value) => row.dataset.notes.split(" ").includes(value),
    chapter: (row, value) => row.dataset.chapter === value,
    state: (row, value) => row.dataset.state === value,
  };

  function apply() {
    const chosen = fields.filter((field) => field.value);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !chosen.every((field) => matches[field.name](row, field.value));
      shown += row.hidden ? 0 : 1;
    }
    for (const chapter of chapters) chapter.hidden = !chapter.querySelector(".ledger__row:not([hidden])");
    status.textContent = `${shown} of ${rows.length} claims shown.`;
    return chosen;
  }

  function read() {
    const wanted = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    for (const field of fields) {
      const value = wanted.get(field.name) || "";
      field.value = [...field.options].some((option) => option.value === value) ? value : "";
    }
    apply();
  }

  function write() {
    const state = new URLSearchParams(apply().map((field) => [field.name, field.value])).toString();
    history.replaceState(null, "", state ? `#${state}` : location.pathname + location.search);
  }

  form.addEventListener("change", write);
  form.addEventListener("reset", () => setTimeout(write));
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => location.hash.includes("=") && read());
  form.hidden = false;
  read();
})();

// --- Figures: a palette chosen by hand counts more than the system's. ---
(function () {
  const system = "(prefers-color-scheme: dark)";
  const sources = [...document.querySelectorAll("figure source")].filter((source) => source.media.includes(system));
  const stated = new Map(sources.map((source) => [source, source.media]));

  function choose() {
    const dark = document.body.dataset.mdColorScheme === "slate";
    const as_stated = dark === matchMedia(system).matches;
    for (const [source, media] of stated) {
      const width = media.replace(system, "").replace(/ and $/, "");
      source.media = as_stated ? media : dark ? width || "all" : "not all";
    }
  }
  new MutationObserver(choose).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  choose();
})();

// --- Print: pictures not yet seen are fetched. (What is closed, the theme opens.) ---
window.addEventListener("beforeprint", () => {
  for (const image of document.querySelectorAll("img[loading=lazy]")) image.loading = "eager";
});

// --- On a phone: the bar of contents says in which section one is, and closes when one is chosen. ---
(function () {
  const bar = document.querySelector(".place");
  if (!bar) return;
  const text = bar.querySelector(".place__text");
  const links = [...bar.querySelectorAll("a")];
  const sections = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1)))).filter(Boolean);
  const still = text.textContent;
  let shown = -2;
  let waiting = false;

  function say() {
    waiting = false;
    if (!bar.offsetParent) return;
    const edge = bar.getBoundingClientRect().bottom + 40;
    const here = sections.findLastIndex((section) => section.getBoundingClientRect().top <= edge);
    if (here === shown) return;
    shown = here;
    text.textContent = here < 0 ? still : `${here + 1} of ${sections.length}: ${links[here].textContent}`;
    links.forEach((link, at) => (at === here ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  }

  const later = () => {
    if (!waiting) requestAnimationFrame(say);
    waiting = true;
  };
  window.addEventListener("scroll", later, { passive: true });
  window.addEventListener("resize", later);
  bar.addEventListener("click", (event) => event.target.closest("a") && (bar.open = false));
  document.addEventListener("keydown", (event) => event.key === "Escape" && (bar.open = false));
  later();
})();

// --- On a phone: the rest of a long block of code. ---
for (const block of document.querySelectorAll(".highlight[data-lines]")) {
  const button = document.createElement("button");
  button.className = "whole";
  button.type = "button";
  button.textContent = `Show all ${block.dataset.lines} lines`;
  button.setAttribute("aria-label", `Show all ${block.dataset.lines} lines of this code`);
  button.addEventListener("click", () => {
    block.classList.add("highlight--whole");
    button.remove();
  });
  block.append(button);
}

// --- An address of something that has moved to another page of the chapter leads there. ---
(async function () {
  const id = decodeURIComponent(location.hash.slice(1));
  if (!/^(eq|figure|claim|proof|exercise|flashcard)-/.test(id) || document.getElementById(id)) return;
  for (const link of document.querySelectorAll(".parts__page:not([aria-current])")) {
    const text = await (await fetch(link.href)).text();
    if (text.includes(` id="${id}"`)) return location.replace(`${link.href}#${encodeURIComponent(id)}`);
  }
})();
