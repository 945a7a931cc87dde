// What pages need besides the theme, and what the theme's script does at the price of a page set anew for each block: the palette,
// copy buttons, tabs, folds, words searched for. (So the theme is not told which part is the text; see overrides/main.html.)
"use strict";

// --- The palette: of the system, light, dark. What the page begins with is set before it is shown. ---
(function () {
  const choices = [...document.querySelectorAll(".md-header__option .md-option")];
  if (!choices.length) return;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const of = (choice, name) => choice.getAttribute(`data-md-color-${name}`);
  const follows = (choice) => of(choice, "media") === "(prefers-color-scheme)";
  const stored = __md_get("__palette")?.index;
  let chosen = Math.max(0, choices.indexOf(choices[stored]));

  function set() {
    const choice = choices[chosen];
    const scheme = follows(choice) ? (system.matches ? "slate" : "default") : of(choice, "scheme");
    if (document.body.dataset.mdColorScheme !== scheme) document.body.dataset.mdColorScheme = scheme;
    const stated = document.querySelector("meta[name=color-scheme]");
    const content = follows(choice) ? "light dark" : scheme === "slate" ? "dark" : "light";
    if (stated.content !== content) stated.content = content;
    for (const other of choices) other.nextElementSibling.hidden = other !== choice;
  }

  function choose(index) {
    chosen = index;
    const [media, scheme, primary, accent] = ["media", "scheme", "primary", "accent"].map((name) => of(choices[index], name));
    __md_set("__palette", { index, color: { media, scheme, primary, accent } });
    set();
  }

  choices.forEach((choice, index) => choice.addEventListener("change", () => choose(index)));
  choices[0].form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const next = choices[(chosen + 1) % choices.length];
    next.click();
    next.focus();
  });
  system.addEventListener("change", set);
  choices[chosen].checked = true;
  set();
})();

// --- Copy buttons: all put in at once, since a size asked for between two of them would set the page anew. ---
(function () {
  const said = document.createElement("p");
  said.className = "said";
  said.setAttribute("role", "status");
  document.body.append(said);

  async function put(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.createElement("textarea"); // without https
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }

  function say(words, from) {
    said.textContent = words;
    from.classList.add("copied");
    setTimeout(() => {
      said.textContent = "";
      from.classList.remove("copied");
    }, 2000);
  }

  async function copy(button) {
    const block = button.closest("pre");
    const whole = block.closest("[data-copy]")?.dataset.copy;
    await put((whole ?? block.querySelector("code").textContent).trimEnd());
    say("Copied", button);
  }

  // The sign beside a heading or a claim, the number of an equation or a figure: its link goes to the address bar and is copied.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(".headerlink, .equation__number, .figure__number");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const was_focused = document.activeElement === link;
    put(link.href).then(
      () => say("Link copied", link),
      () => say("The link is in the address bar", link), // the browser forbids copying
    );
    if (was_focused) setTimeout(() => link.focus({ preventScroll: true })); // the way on goes from here
  });

  for (const code of document.querySelectorAll("pre > code")) {
    if (code.closest(".no-copy")) continue;
    const button = document.createElement("button");
    button.className = "md-code__button";
    button.dataset.mdType = "copy";
    button.title = "Copy to clipboard";
    button.type = "button";
    button.addEventListener("click", () => copy(button));
    const bar = document.createElement("div");
    bar.className = "md-code__nav";
    bar.append(button);
    code.before(bar);
  }
})();

// --- Tabs: the backend chosen at one kernel is chosen at all, and on the next page. What was clicked stays where it is. ---
(function () {
  const word = (choice) => document.querySelector(`label[for="${choice.id}"]`).textContent.trim();
  document.addEventListener("change", (event) => {
    const set = event.target.closest(".tabbed-set");
    if (!set || !event.target.matches(".tabbed-set > input")) return;
    const chosen = word(event.target);
    const before = set.getBoundingClientRect().top;
    for (const choice of document.querySelectorAll(".tabbed-set > input")) if (word(choice) === chosen) choice.checked = true;
    window.scrollBy({ top: set.getBoundingClientRect().top - before, behavior: "instant" });
    const stored = __md_get("__tabs");
    __md_set("__tabs", [...new Set([chosen, ...(Array.isArray(stored) ? stored : [])])]);
  });
})();

// --- Search: the book is spelled the American way, and what is asked for in British spelling is looked up in that. ---
(function () {
  const stems =
    "categor|character|discret|equal|factor|general|initial|linear|local|maxim|memor|minim|normal|optim|organ|orthogonal|" +
    "parameter|penal|quant|random|real|regular|standard|summar|symmetr|util|vector|visual";
  const american = [
    [new RegExp(`(${stems})is(?=e|i|a|$)`, "gi"), "$1iz"],
    [/\b(behavi|col|neighb)our/gi, "$1or"],
    [/\bcentr(?:e\b|(?=ed|ing))/gi, "center"],
    [/\b(label|model)l(?=ed|ing)/gi, "$1"],
  ];
  const QUERY = 2; // the theme's word for it
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...others) {
    if (message?.type === QUERY && typeof message.data === "string") {
      const data = american.reduce((text, [from, to]) => text.replace(from, to), message.data);
      return post.call(this, { ...message, data }, ...others);
    }
    return post.call(this, message, ...others);
  };
})();

// --- Scroll regions: what is wider than its place can be focused, and so scrolled with the keyboard. ---
(function () {
  const selector = ".equation__formula, .md-typeset__scrollwrap, .formula, pre > code";

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

  // What is far below the screen has not been set yet, and to ask for its width would set it: that waits for idle moments.
  const is_set = (region) => (region.firstElementChild ?? region).checkVisibility?.({ contentVisibilityAuto: true }) ?? true;
  const regions = () => [...document.querySelectorAll(selector)];
  const sizes = new ResizeObserver((entries) => entries.forEach((entry) => is_set(entry.target) && mark(entry.target)));
  regions().forEach((region) => sizes.observe(region));
  const waiting = [];
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50, { timeRemaining: () => 10 }));
  function some(deadline) {
    const end = performance.now() + Math.min(10, deadline.timeRemaining());
    do mark(waiting.shift());
    while (waiting.length && performance.now() < end);
    if (waiting.length) idle(some);
  }
  document.fonts.ready.then(() => {
    waiting.push(...regions());
    if (waiting.length) idle(some);
  });
})();

// --- The ledger's filter: its state is in the address, so that a view can be linked. ---
(function () {
  const form = document.getElementById("ledger-filter");
  if (!form) return;
  const rows = [...document.querySelectorAll(".ledger__row")];
  const chapters = [...document.querySelectorAll(".ledger__chapter")];
  const status = form.querySelector(".filter__count");
  const fields = [...form.querySelectorAll("select, input")];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const matches = {
    words: (row, value) => value.toLowerCase().split(/\s+/).every((word) => texts.get(row).includes(word)),
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
      field.value = !field.options || [...field.options].some((option) => option.value === value) ? value : "";
    }
    apply();
  }

  function write() {
    const state = new URLSearchParams(apply().map((field) => [field.name, field.value])).toString();
    history.replaceState(null, "", state ? `#${state}` : location.pathname + location.search);
  }

  form.addEventListener("input", write);
  form.addEventListener("reset", () => setTimeout(write));
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => location.hash.includes("=") && read());
  form.hidden = false;
  read();
})();

// --- A link to an equation shows it, while it is pointed at or has the focus: here, or on another page of the book. ---
(function () {
  const places = new Map(); // address of a page -> its document, once it is here
  const box = document.createElement("div");
  box.className = "preview md-typeset";
  box.id = "preview";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  document.body.append(box);
  let wanted = null;
  let opening = 0;
  let closing = 0;

  async function find(link) {
    const address = link.href.split("#")[0];
    if (address === location.href.split("#")[0]) places.set(address, document);
    if (!places.has(address)) {
      const text = await (await fetch(address)).text();
      places.set(address, new DOMParser().parseFromString(text, "text/html"));
    }
    return places.get(address).getElementById(decodeURIComponent(link.hash.slice(1)));
  }

  async function show(link) {
    const equation = await find(link).catch(() => null); // the other page cannot be had
    const edge = equation?.isConnected && equation.ownerDocument === document && equation.getBoundingClientRect();
    const seen = edge && edge.top >= 0 && edge.bottom <= innerHeight;
    if (wanted !== link || !equation || seen) return;
    box.replaceChildren(...[...equation.querySelector(".equation__formula").childNodes].map((part) => document.importNode(part, true)));
    box.hidden = false;
    const at = link.getBoundingClientRect();
    const side = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - box.offsetWidth - 8));
    const below = at.bottom + 6 + box.offsetHeight <= innerHeight;
    box.style.left = `${side + scrollX}px`;
    box.style.top = `${(below ? at.bottom + 6 : at.top - 6 - box.offsetHeight) + scrollY}px`;
    link.setAttribute("aria-describedby", box.id);
  }

  function stay() {
    clearTimeout(closing);
    closing = 0;
  }

  function hide() {
    clearTimeout(opening);
    stay();
    wanted?.removeAttribute("aria-describedby");
    wanted = null;
    box.hidden = true;
  }

  function want(link) {
    stay();
    if (link === wanted) return;
    hide();
    wanted = link;
    opening = setTimeout(show, 150, link);
  }

  const link = (event) => event.target.closest?.(".reference--eqref");
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    if (link(event)) want(link(event));
    else if (box.contains(event.target)) stay(); // it can be pointed at, and scrolled
    else if (wanted && !wanted.matches(":focus-visible")) closing ||= setTimeout(hide, 200);
  });
  document.addEventListener("focusin", (event) => link(event)?.matches(":focus-visible") && want(link(event)));
  document.addEventListener("focusout", (event) => link(event) && hide());
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
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

// --- Folds: one opens when it holds what the address names, and on paper all are open. Pictures not yet seen are fetched then. ---
(function () {
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    let opened = false;
    for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      opened ||= !fold.open;
      fold.open = true;
    }
    if (opened) target.scrollIntoView();
  }

  const unfolded = new Set();
  function print(begins) {
    for (const fold of begins ? document.querySelectorAll("details:not([open])") : unfolded) {
      fold.open = begins;
      unfolded.add(fold);
    }
    if (!begins) unfolded.clear();
    for (const image of document.querySelectorAll("img[loading=lazy]")) if (begins) image.loading = "eager";
  }

  reveal();
  window.addEventListener("hashchange", reveal);
  matchMedia("print").addEventListener("change", (event) => print(event.matches));
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
})();

// --- Words that were searched for are marked on the page that was found, without a change of the page. ---
(function () {
  const wanted = new URLSearchParams(location.search).get("h")?.match(/[\p{L}\p{N}]+/gu);
  if (!wanted || !window.Highlight) return;
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${wanted.join("|")})`, "giu");
  const found = new Highlight();
  const texts = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    for (const match of texts.currentNode.data.matchAll(pattern)) {
      const range = new Range();
      range.setStart(texts.currentNode, match.index);
      range.setEnd(texts.currentNode, match.index + match[0].length);
      found.add(range);
    }
  }
  CSS.highlights.set("searched", found);
})();

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
