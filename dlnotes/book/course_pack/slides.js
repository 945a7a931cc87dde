// Shows the slides one at a time. Without it they stand one below the other, and everything can be read.
"use strict";

const root = document.documentElement;
const slides = [...document.querySelectorAll(".slide")];
const said = document.querySelector(".said");
const keys = document.querySelector("dialog");
let at = 0;

const steps = () => [...slides[at].querySelectorAll(".step:not(.seen)")];
const overview = () => root.classList.contains("overview");

function scale() {
  const whole = Math.min(innerWidth / 1280, innerHeight / 720);
  const across = Math.max(2, Math.floor(innerWidth / 300));
  root.style.setProperty("--scale", overview() ? (innerWidth - 30 - 14 * across) / across / 1280 : whole);
}

// `seen`: what waits for a key is shown at once, as when one comes back.
function show(number, seen = false) {
  at = Math.max(0, Math.min(slides.length - 1, number));
  slides.forEach((slide, index) => slide.classList.toggle("current", index === at));
  for (const step of slides[at].querySelectorAll(".step")) step.classList.toggle("seen", seen);
  history.replaceState(null, "", `#${slides[at].id}`);
  said.textContent = slides[at].getAttribute("aria-label");
  if (overview()) {
    slides[at].scrollIntoView({ block: "nearest" });
    slides[at].focus({ preventScroll: true });
  }
}

function next() {
  const [step] = overview() ? [] : steps();
  if (step) {
    step.classList.add("seen");
    said.textContent = step.textContent;
  } else if (at < slides.length - 1) show(at + 1);
}

function back() {
  if (at > 0) show(at - 1, true);
}

function toggle_overview() {
  root.classList.toggle("overview");
  for (const slide of slides) slide.tabIndex = overview() ? 0 : -1;
  scale();
  show(at, true);
}

function paint(scheme) {
  document.body.dataset.mdColorScheme = scheme;
}

function turn() {
  paint(document.body.dataset.mdColorScheme === "slate" ? "default" : "slate");
}

function fill() {
  if (document.fullscreenElement) document.exitFullscreen();
  else root.requestFullscreen?.();
}

function help() {
  if (keys.open) keys.close();
  else keys.showModal();
}

const actions = {
  ArrowRight: next, ArrowDown: next, PageDown: next, " ": next, Enter: next,
  ArrowLeft: back, ArrowUp: back, PageUp: back, Backspace: back,
  Home: () => show(0), End: () => show(slides.length - 1, true),
  o: toggle_overview, d: turn, f: fill, "?": help,
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  const on_control = event.target.closest("button, a");
  if (on_control && ["Enter", " "].includes(event.key)) return;
  if (overview() && ["Enter", "Escape", " "].includes(event.key)) {
    event.preventDefault();
    const focused = slides.indexOf(event.target);
    if (focused >= 0) at = focused;
    toggle_overview();
    return;
  }
  const key = event.key === " " && event.shiftKey ? "Backspace" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!actions[key]) return;
  event.preventDefault();
  actions[key]();
});

document.querySelector("main").addEventListener("click", (event) => {
  if (!overview()) return;
  const slide = event.target.closest(".slide");
  if (!slide) return;
  at = slides.indexOf(slide);
  toggle_overview();
});
for (const [name, action] of Object.entries({ back, next, overview: toggle_overview, help })) {
  document.querySelector(`[data-do=${name}]`).addEventListener("click", action);
}

let touched = null;
addEventListener("touchstart", (event) => (touched = event.touches.length === 1 ? event.touches[0].clientX : null), { passive: true });
addEventListener("touchend", (event) => {
  const moved = touched === null || overview() ? 0 : event.changedTouches[0].clientX - touched;
  if (moved < -50) next();
  if (moved > 50) back();
});

// A text that is longer than its slide is set smaller, but not below 60 percent.
function fit() {
  for (const slide of slides) {
    const content = slide.querySelector(".content");
    const formula = slide.querySelector(".formula-block math");
    if (formula) {
      const room = slide.querySelector(".equation__formula").clientWidth;
      const wide = formula.getBoundingClientRect().width / slide.getBoundingClientRect().width * 1280;
      if (wide > room) formula.style.fontSize = `${Math.max(0.6, room / wide) * 44}px`;
    }
    for (let size = 0.96; size >= 0.6 && content.scrollHeight > content.clientHeight + 1; size -= 0.04) {
      content.style.zoom = size;
    }
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)");
paint(dark.matches ? "slate" : "default");
dark.addEventListener("change", () => paint(dark.matches ? "slate" : "default"));
document.fonts.ready.then(() => {
  fit();
  root.classList.add("deck");
  scale();
  show(Math.max(0, slides.findIndex((slide) => `#${slide.id}` === decodeURIComponent(location.hash))));
  root.dataset.ready = "";
});
addEventListener("resize", scale);
addEventListener("hashchange", () => {
  const found = slides.findIndex((slide) => `#${slide.id}` === decodeURIComponent(location.hash));
  if (found >= 0 && found !== at) show(found, true);
});
