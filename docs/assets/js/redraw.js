// "Change it" under a figure: a form with the arguments of its numbers. Draw computes and draws in a worker of its own, which
// has matplotlib besides what blocks have. Loaded with the first "Change it", the worker with the first Draw.

import * as python from "./python.js?figures"; // another instance of that module: a line and a worker of its own

const settings = document.getElementById("run-script").dataset;
const narrow = matchMedia("(max-width: 44.984375em)");
const forms = fetch(new URL("../python/figures.json", import.meta.url)).then((response) => {
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
});
forms.catch(() => {}); // said by each form that needs it

function make(tag, words, attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = words;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const theme = () => (document.body.dataset.mdColorScheme === "slate" ? "dark" : "light");
const written = (value) => [value].flat().join(", ");
const seconds = (time) => `${time.toFixed(time < 10 ? 1 : 0)} s`;
const count = ([least, most]) => (least === most ? `${least}` : `${least} to ${most}`);

// What a field may hold, in words: a number, or so many.
function rule({ low, high, whole, counts }) {
  const kind = whole ? "whole number" : "number";
  return counts ? `${count(counts)} ${kind}s from ${low} to ${high}, with commas between` : `a ${kind} from ${low} to ${high}`;
}

// Reads a field; null where it breaks its rule.
function read(text, { low, high, whole, counts }) {
  const parts = text.split(",").map((part) => part.trim());
  const numbers = parts.map(Number);
  const sound = (part, at) => part !== "" && numbers[at] >= low && numbers[at] <= high && (!whole || Number.isInteger(numbers[at]));
  const [least, most] = counts ?? [1, 1];
  if (!parts.every(sound) || parts.length < least || parts.length > most) return null;
  return counts ? numbers : numbers[0];
}

class Redrawing {
  constructor(opener, form) {
    this.opener = opener;
    this.figure = opener.closest("figure");
    this.picture = this.figure.querySelector("picture");
    this.number = this.figure.querySelector(".figure__number").textContent.replace(/\.$/, "");
    this.asks = form;
    this.build();
    narrow.addEventListener("change", () => this.again());
    new MutationObserver(() => this.again()).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  }

  build() {
    const id = this.figure.id;
    this.form = make("form", "", { class: "redraw", id: `${id}-change`, novalidate: "", autocomplete: "off", "aria-label": `Numbers of ${this.number}` });
    this.opener.setAttribute("aria-controls", this.form.id);
    const notes = [];
    if (this.asks.smaller) {
      const book = this.asks.fields.filter((field) => written(field.book) !== written(field.first));
      const words = book.map((field) => `${field.name} ${written(field.book)}`).join("; ");
      notes.push(`The book's own numbers take too long in a page, so this form begins smaller. In the book: ${words}.`);
    }
    if (this.asks.held.length) notes.push(`As in the book, because the drawing names it: ${this.asks.held.join(", ")}.`);
    if (notes.length) this.form.append(make("p", notes.join(" "), { class: "redraw__note" }));
    this.fields = this.asks.fields.map((field) => this.field(field, id));
    this.draw = make("button", "Draw", { type: "submit", class: "redraw__draw" });
    this.back = make("button", "Reset", { type: "button", class: "run__button", "aria-label": `Reset ${this.number}` });
    this.back.addEventListener("click", () => this.reset());
    this.status = make("p", "", { class: "redraw__status", role: "status" });
    const row = make("div", "", { class: "redraw__row" });
    row.append(this.draw, this.back, this.status);
    this.form.append(row);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.job) this.job.stop();
      else this.start();
    });
    this.figure.append(this.form);
  }

  field(field, id) {
    const input = make("input", "", { id: `${id}-${field.name}`, type: "text", spellcheck: "false", "aria-describedby": `${id}-${field.name}-rule` });
    if (!field.counts) input.inputMode = field.whole && field.low >= 0 ? "numeric" : "text";
    input.value = written(field.first);
    const place = make("div", "", { class: field.counts ? "redraw__field redraw__field--long" : "redraw__field" });
    place.append(make("label", field.name, { for: input.id }), input, make("p", `${field.words}: ${rule(field)}`, { id: `${id}-${field.name}-rule` }));
    this.form.append(place);
    return { ...field, input };
  }

  say(words, kind = "") {
    this.form.dataset.state = kind;
    this.status.textContent = words;
  }

  // The arguments of the form; null if one is wrong, which is then said.
  arguments() {
    const given = {};
    const wrong = [];
    for (const field of this.fields) {
      given[field.name] = read(field.input.value, field);
      const sound = given[field.name] !== null;
      field.input.setAttribute("aria-invalid", String(!sound));
      if (!sound) wrong.push(field);
    }
    if (!wrong.length) return given;
    wrong[0].input.focus();
    this.say(wrong.map((field) => `${field.name} must be ${rule(field)}, got ${field.input.value.trim() || "nothing"}`).join(". "), "wrong");
    return null;
  }

  start() {
    const given = this.arguments();
    if (given) this.ask(given);
  }

  ask(given) {
    const form = { theme: theme(), wide: !narrow.matches };
    this.draw.textContent = "Stop";
    this.say("Drawing", "busy");
    const request = { module: this.asks.module, function: this.asks.function, arguments: given, ...form };
    const job = python.run(JSON.stringify(request), { state: (state, at) => this.say(this.waits(state, at), "busy") });
    this.job = job;
    job.promise.then((report) => {
      if (this.job !== job) return; // reset meanwhile
      this.job = null;
      this.draw.textContent = "Draw";
      this.ended(given, form, report);
    });
  }

  waits(state, at) {
    if (state === "waiting") return "Waits for the figure that is being drawn";
    if (state === "running") return "Drawing";
    return `Loading Python and matplotlib, once on this page: ${Math.min(99, Math.floor((100 * at.loading) / at.of))}%`;
  }

  ended(given, form, report) {
    if (report.kind === "Stopped") return this.say("Stopped", "wrong");
    if (report.kind === "Missing") return this.say(report.error, "wrong");
    if (report.kind === "MemoryError") return this.say("Out of memory: a drawing has a gigabyte in this page", "wrong");
    if (report.kind === "Crash") return this.say("Python broke down; the next drawing starts it anew", "wrong");
    if (report.error) return this.say(`The figure cannot be drawn with these numbers. ${report.error}`, "wrong");
    this.drawn = { given, form };
    const changed = this.fields.filter((field) => written(field.book) !== written(given[field.name]));
    const words = changed.map((field) => `${field.name} ${written(given[field.name])}`).join("; ");
    this.show(report.svg, words);
    this.say(`Drawn in ${seconds(report.seconds)} with ${words ? `${words}. The caption speaks of the book's numbers` : "the book's numbers"}.`, "done");
    this.again();
  }

  // Puts the drawing into the place of the book's.
  show(svg, words) {
    const [, across, down] = svg.match(/<svg[^>]*viewBox="0 0 ([\d.]+) ([\d.]+)"/);
    const alt = `${this.number} drawn again with ${words || "the book's numbers"}. The book's shows: ${this.picture.querySelector("img").alt}`;
    const image = make("img", "", { class: "figure__image figure__image--again", alt });
    image.width = Math.round((across * 4) / 3);
    image.height = Math.round((down * 4) / 3);
    image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
    this.image?.remove();
    this.image = image;
    this.picture.hidden = true;
    this.picture.after(image);
  }

  // Draws anew, from the same numbers, what stands in another theme or width than the page.
  again() {
    if (!this.drawn || this.job) return;
    const { given, form } = this.drawn;
    if (form.theme !== theme() || form.wide === narrow.matches) this.ask(given);
  }

  reset() {
    this.job?.stop();
    this.image?.remove();
    this.job = this.image = this.drawn = null;
    this.draw.textContent = "Draw";
    this.picture.hidden = false;
    for (const field of this.fields) {
      field.input.value = written(field.first);
      field.input.removeAttribute("aria-invalid");
    }
    this.say("");
  }

  toggle() {
    this.form.hidden = !this.form.hidden;
    this.opener.setAttribute("aria-expanded", String(!this.form.hidden));
    if (!this.form.hidden) this.fields[0].input.focus();
  }
}

const made = new Map();

function told(opener, words) {
  const said = opener.parentElement.querySelector(":scope > .redraw__status") ?? make("p", "", { class: "redraw__status", role: "status" });
  opener.after(said);
  said.textContent = words;
}

// Opens the form of a figure, and closes it at the next press.
export async function toggle(opener) {
  if (settings.python !== "yes") return told(opener, "This copy of the book was built without Python (RUN=0), so its figures cannot be drawn here.");
  if (made.has(opener)) return made.get(opener).toggle();
  try {
    const form = (await forms)[opener.dataset.figure];
    if (made.has(opener)) return; // pressed twice meanwhile
    const redrawing = new Redrawing(opener, form);
    made.set(opener, redrawing);
    redrawing.form.hidden = true;
    redrawing.toggle();
  } catch {
    told(opener, "The form of this figure cannot be loaded.");
  }
}
