// The page of flashcards: what is due, the filter by topic, and the sitting, in which one card after the other is asked.

import { Schedule, answered, dayOf, wanted } from "./schedule.js";

const study = document.getElementById("study");
const part = (name) => study.querySelector(`.study__${name}`);
const names = ["form", "due", "sitting", "question", "answer", "show", "grades", "said", "shelf"];
const [form, due, sitting, question, answer, show, grades, said, shelf] = names.map(part);
const topic = form.elements.topic;
const fresh = form.elements.fresh;
const GRADES = ["Again", "Hard", "Good", "Easy"];
const cards_in = (count) => (count === 1 ? "1 card" : `${count} cards`);
function days_in(count) {
  if (count === 1) return "tomorrow";
  if (count < 60) return `in ${count} days`;
  return count < 730 ? `in ${Math.round(count / 30.44)} months` : `in ${Math.round(count / 365.25)} years`;
}

// --- The cards of the page, by chapter

const sections = [];
const cards = new Map();
for (const heading of document.querySelectorAll("article h2[id]")) {
  const option = topic.querySelector(`[value="${heading.id}"]`);
  if (!option) continue;
  const mark = document.createElement("span");
  mark.className = "study__mark";
  heading.append(mark);
  const section = { id: heading.id, option, title: option.textContent, chapter: option.dataset.chapter, mark, parts: [heading], ids: [] };
  for (let next = heading.nextElementSibling; next?.matches(".flashcard"); next = next.nextElementSibling) {
    const id = next.querySelector("h5").id;
    section.parts.push(next);
    section.ids.push(id);
    cards.set(id, { element: next, section });
  }
  sections.push(section);
}
const all = [...cards.keys()];
const schedule = new Schedule(all);
const today = () => dayOf(new Date());
const chosen = () => sections.filter((section) => !topic.value || section.id === topic.value);
const ids = () => chosen().flatMap((section) => section.ids);

// --- What is due

function count() {
  const day = today();
  for (const section of sections) {
    const { repeat, unseen } = wanted(section.ids, schedule, day);
    section.mark.textContent = repeat.length ? `${repeat.length} due` : "";
    section.option.textContent = `${section.title}: ${repeat.length} due, ${unseen.length} new`;
  }
  const { repeat, unseen, fresh: begin } = wanted(ids(), schedule, day);
  due.textContent = repeat.length + begin.length ? `Today: ${repeat.length} due, ${begin.length} new.` : `Nothing is left for today. ${later(unseen, day)}`;
  part("go").disabled = !(repeat.length + begin.length);
  fresh.value = schedule.fresh;
}

// What comes after today.
function later(unseen, day) {
  const next = Math.min(...ids().map((id) => schedule.cards[id]?.due ?? Infinity));
  const known = Number.isFinite(next) ? `The next card that you know comes ${days_in(next - day)}.` : "";
  return unseen.length ? `${known} ${unseen.length} new wait: raise their number to go on today.`.trim() : known;
}

function filter() {
  for (const section of sections) for (const element of section.parts) element.hidden = !sitting.hidden || !chosen().includes(section);
  count();
}

// --- The sitting

let line = []; // ids of the cards that are still asked
let done = []; // what was answered: {id, before}, for Undo
let failed = new Set();

// What a card shows, without the names and buttons of the one on the page.
function shown(nodes) {
  const copy = document.createElement("div");
  copy.append(...[...nodes].map((node) => node.cloneNode(true)));
  for (const element of copy.querySelectorAll(".headerlink, .md-code__nav")) element.remove();
  for (const element of copy.querySelectorAll("[id]")) element.removeAttribute("id");
  return copy.childNodes;
}

function ask() {
  const id = line[0];
  if (!id) return finish();
  const { element, section } = cards.get(id);
  part("chapter").textContent = section.title;
  part("chapter").href = section.chapter;
  part("left").textContent = `${cards_in(line.length)} left`;
  question.replaceChildren(...shown(element.querySelector("h5").childNodes));
  answer.replaceChildren();
  answer.hidden = grades.hidden = true;
  show.hidden = false;
  part("undo").hidden = !done.length;
  look(question);
}

function reveal() {
  const id = line[0];
  const card = schedule.cards[id];
  answer.replaceChildren(...shown([...cards.get(id).element.children].slice(1)));
  for (const [at, button] of [...grades.children].entries()) {
    const { last, due: comes } = answered(card ?? null, at + 1, today());
    button.querySelector(".study__when").textContent = at ? days_in(comes - last) : "today";
  }
  answer.hidden = grades.hidden = false;
  show.hidden = true;
  look(answer);
}

function grade(given) {
  const id = line.shift();
  const before = schedule.cards[id] ?? null;
  const card = answered(before, given, today());
  schedule.set(id, card);
  done.push({ id, before });
  if (given === 1) {
    failed.add(id);
    line.splice(Math.min(5, line.length), 0, id);
  }
  said.textContent = `${GRADES[given - 1]}: comes back ${given === 1 ? "in this sitting" : days_in(card.due - card.last)}.`;
  ask();
}

function undo() {
  const { id, before } = done.pop();
  schedule.set(id, before);
  line = [id, ...line.filter((other) => other !== id)];
  said.textContent = "The last answer is taken back.";
  ask();
}

function look(element) {
  element.focus({ preventScroll: true });
  const { top } = study.getBoundingClientRect();
  if (top < 60 || top > innerHeight / 2) study.scrollIntoView({ block: "start" });
}

function begin() {
  const { repeat, fresh: unseen } = wanted(ids(), schedule, today());
  line = [...repeat, ...unseen];
  if (!line.length) return;
  done = [];
  failed = new Set();
  said.textContent = "";
  form.hidden = shelf.hidden = true;
  sitting.hidden = false;
  filter();
  ask();
}

function stop() {
  sitting.hidden = true;
  form.hidden = shelf.hidden = false;
  filter();
}

function finish() {
  const answers = new Set(done.map(({ id }) => id)).size;
  stop();
  if (answers) due.textContent = `${cards_in(answers)} answered, ${answers - failed.size} known at once. ${due.textContent}`;
  (part("go").disabled ? due : part("go")).focus({ preventScroll: true }); // not a field, which the next space bar would open
}

// --- What the reader does

// Keys count while the sitting has the focus, and no others are taken.
study.addEventListener("keydown", (event) => {
  if (sitting.hidden || event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key;
  const on_button = event.target.closest("button, a, summary");
  if (key === "Escape") finish();
  else if (key === " " && !show.hidden && (!on_button || on_button === show)) reveal();
  else if (/^[1-4]$/.test(key) && !grades.hidden) grade(Number(key));
  else return;
  event.preventDefault();
  event.stopPropagation(); // the theme has keys of its own
});
show.addEventListener("click", reveal);
part("stop").addEventListener("click", finish);
part("undo").addEventListener("click", undo);
for (const [at, button] of [...grades.children].entries()) button.addEventListener("click", () => grade(at + 1));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});
topic.addEventListener("change", () => {
  history.replaceState(null, "", topic.value ? `#topic=${topic.value}` : location.pathname + location.search);
  filter();
});
fresh.addEventListener("change", () => {
  schedule.limit = fresh.valueAsNumber;
  count();
});

// --- The schedule as a file

const status = part("status");
const file = part("file");
part("keeps").textContent = schedule.lasting
  ? "Your schedule stays in this browser."
  : "This browser keeps nothing: your schedule lasts until you leave the page.";
part("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.download = "dlnotes-schedule.json";
  link.href = URL.createObjectURL(new Blob([schedule.saved()], { type: "application/json" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
part("load").addEventListener("click", () => file.click());
file.addEventListener("change", async () => {
  try {
    status.textContent = `Schedule of ${cards_in(schedule.load(await file.files[0].text()))} loaded.`;
  } catch (error) {
    status.textContent = error.message;
  }
  file.value = "";
  count();
});
const forget = part("forget");
const first = forget.textContent;
forget.addEventListener("click", () => {
  const sure = forget.textContent !== first;
  if (sure) schedule.clear();
  forget.textContent = sure ? first : "Forget every answer?";
  status.textContent = sure ? "All cards are new." : "";
  count();
});
forget.addEventListener("blur", () => (forget.textContent = first));

// --- The address: a topic, or a card that the filter or the sitting hides

function read() {
  const name = decodeURIComponent(location.hash.slice(1));
  const wish = name.startsWith("topic=") ? name.slice(6) : "";
  const target = document.getElementById(name);
  if (wish) topic.value = sections.some((section) => section.id === wish) ? wish : "";
  else if (target?.closest("[hidden]")) topic.value = "";
  else if (name) return count();
  if (!sitting.hidden) stop();
  else filter();
  if (!wish && name) target?.scrollIntoView();
}
window.addEventListener("hashchange", read);
function renew() {
  schedule.renew();
  count();
}
window.addEventListener("storage", renew); // another page of the book has changed it
document.addEventListener("visibilitychange", () => document.hidden || renew()); // perhaps on another day
read();
