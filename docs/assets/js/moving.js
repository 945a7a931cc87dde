// Figures that move: the panels, the controls and the sentence that says what is seen. Each figure is a module of its own in
// moving/, loaded when a reader comes near; what it computes it computes in a few lines, which a test holds equal to the kernels.
//
// A figure exports as default
//   values    what can be set, with what it begins
//   controls  how: { name, label, low, high, step } or { name, label, choices }; words(value) says a value; with `drag` alone no slider
//   handle    a point that can be dragged: { panel, label, x, y, at }; x and y name the values that a move across or up sets, of which
//             one may be missing; at(values) gives its place in the panel and may be missing where that is these two values
//   play      the name of the value that Play counts up
//   panels    makes the panels, a list of Panel
//   show      draws the values on the panels: show(values, panels)
//   follow    changes values that follow another: follow(values, before); may be missing
//   sentence  says in words what is seen

const NAMESPACE = "http://www.w3.org/2000/svg";
const REST = 400; // milliseconds without a change, after which the sentence is read out
const BEAT = 110; // milliseconds of a step under Play
const WIDTH = 334; // of a panel, in its own units, which are nearly pixels
const EDGE = { left: 46, right: 13, top: 22, bottom: 36 };
const still = matchMedia("(prefers-reduced-motion: reduce)");

function set(element, attributes, ...children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const make = (tag, attributes = {}, ...children) => set(document.createElement(tag), attributes, ...children);
export const draw = (tag, attributes = {}, ...children) => set(document.createElementNS(NAMESPACE, tag), attributes, ...children);

export const linear = (low, high) => ({ low, high, part: (value) => (value - low) / (high - low), value: (part) => low + part * (high - low) });
export const logarithmic = (low, high) => ({ low, high, part: (value) => Math.log(value / low) / Math.log(high / low), value: (part) => low * (high / low) ** part });

const near = (value, low, high) => Math.min(high, Math.max(low, value));
const minus = (text) => text.replaceAll("-", "\u2212");
export const short = (value) => minus(String(+value.toFixed(2)));
// A few digits, and a power of ten where the number is very small or large.
export function size(value, digits = 2) {
  const [front, power] = value.toExponential(digits - 1).split("e");
  return minus(value && (power < -3 || power > 3) ? `${+front}e${+power}` : String(+value.toPrecision(digits)));
}

let patterns = 0;

// Axes with ticks; what stays behind, and what is drawn anew by show(). Coordinates are those of the data.
export class Panel {
  constructor({ title, x, y, height = 230, left = EDGE.left }) {
    this.across = x.scale;
    this.up = y.scale;
    this.height = height;
    this.hatch = `moving-hatch-${++patterns}`;
    const clip = `moving-clip-${patterns}`;
    const [right, top, bottom] = [WIDTH - EDGE.right, EDGE.top, height - EDGE.bottom];
    this.box = { left, right, top, bottom };
    this.back = draw("g", { "clip-path": `url(#${clip})` });
    this.front = draw("g", { "clip-path": `url(#${clip})` });
    this.labels = draw("g");
    const hatched = draw("pattern", { id: this.hatch, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    hatched.append(draw("line", { x1: 0, y1: 0, x2: 0, y2: 7, class: "moving__hatch" }));
    const defs = draw("defs", {}, hatched);
    defs.append(draw("clipPath", { id: clip }, draw("rect", { x: left, y: top, width: right - left, height: bottom - top })));
    this.svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "moving__picture", "aria-hidden": "true" });
    this.svg.append(defs, this.back, this.axes(x, y, title), this.front, this.labels);
    this.place = make("div", { class: "moving__panel" }, this.svg);
  }

  axes(x, y, title) {
    const { left, right, top, bottom } = this.box;
    const made = draw("g", { class: "moving__axes" }, draw("path", { d: `M${left} ${top}V${bottom}H${right}` }));
    for (const tick of x.ticks) {
      made.append(draw("path", { d: `M${this.x(tick)} ${bottom}v3` }));
      made.append(draw("text", { x: this.x(tick), y: bottom + 15, "text-anchor": "middle" }, (x.words ?? short)(tick)));
    }
    for (const tick of y.ticks) made.append(draw("text", { x: left - 5, y: this.y(tick) + 4, "text-anchor": "end" }, (y.words ?? short)(tick)));
    made.append(draw("text", { x: (left + right) / 2, y: this.height - 5, "text-anchor": "middle" }, x.label));
    const middle = (top + bottom) / 2;
    if (y.label) made.append(draw("text", { x: 9, y: middle, "text-anchor": "middle", transform: `rotate(-90 9 ${middle})` }, y.label));
    made.append(draw("text", { x: left, y: 12, class: "moving__name" }, title));
    return made;
  }

  x(value) {
    return +(this.box.left + this.across.part(value) * (this.box.right - this.box.left)).toFixed(2);
  }

  y(value) {
    return +(this.box.bottom - this.up.part(value) * (this.box.bottom - this.box.top)).toFixed(2);
  }

  // Points up to the first that lies far outside, where a drawing would lose its sense.
  seen(points) {
    const far = ([x, y]) => !(Math.abs(this.across.part(x)) < 20 && Math.abs(this.up.part(y)) < 20);
    const end = points.findIndex(far);
    return (end < 0 ? points : points.slice(0, end)).map(([x, y]) => [this.x(x), this.y(y)]);
  }

  line(points, kind) {
    return draw("polyline", { points: this.seen(points).join(" "), class: `moving__line ${kind}` });
  }

  dots(points, kind, radius = 2) {
    return draw("g", { class: kind }, ...this.seen(points).map(([cx, cy]) => draw("circle", { cx, cy, r: radius })));
  }

  // A map of shades, row by row from below; neighbors of one shade are one rectangle. A shade of null stays blank.
  map(shades) {
    const rows = shades.length;
    const columns = shades[0].length;
    const { left, right, top, bottom } = this.box;
    const [width, height] = [(right - left) / columns, (bottom - top) / rows];
    const made = draw("g", { class: "moving__map" });
    shades.forEach((row, at) => {
      for (let from = 0, to = 1; to <= columns; to++) {
        if (to < columns && row[to] === row[from]) continue;
        const place = { x: left + from * width, y: bottom - (at + 1) * height, width: (to - from) * width, height: height + 0.3 };
        if (row[from] !== null) made.append(draw("rect", { ...place, class: `shade-${row[from]}` }));
        from = to;
      }
    });
    return made;
  }

  label(x, y, words, { dx = 0, dy = 0, anchor = "start", kind = "" } = {}) {
    return draw("text", { x: this.x(x) + dx, y: this.y(y) + dy + 4, "text-anchor": anchor, class: `moving__label ${kind}` }, words);
  }

  // Gives the place of a pointer in the data.
  under(event) {
    const frame = this.svg.getBoundingClientRect();
    const scale = WIDTH / frame.width;
    const { left, right, top, bottom } = this.box;
    const across = ((event.clientX - frame.left) * scale - left) / (right - left);
    const up = (bottom - (event.clientY - frame.top) * scale) / (bottom - top);
    return [this.across.value(near(across, 0, 1)), this.up.value(near(up, 0, 1))];
  }
}

class Stage {
  constructor(block, figure, number) {
    this.block = block;
    this.figure = figure;
    this.values = { ...figure.values };
    this.controls = new Map(figure.controls.map((control) => [control.name, { ...control }]));
    this.panels = figure.panels();
    const title = make("p", { class: "moving__title", id: `moving-${number}` }, block.dataset.title);
    this.said = make("p", { class: "moving__said", "aria-hidden": "true" }); // at once, for the eye
    this.heard = make("p", { class: "moving__heard", "aria-live": "polite" }); // at rest, for the ear
    const panels = make("div", { class: "moving__panels" }, ...this.panels.map((panel) => panel.place));
    const controls = make("div", { class: "moving__controls" });
    for (const control of this.controls.values()) if (!control.drag) controls.append(this.row(control, number));
    controls.append(this.buttons());
    this.stage = make("div", { class: "moving__stage", role: "group", "aria-labelledby": title.id }, panels, this.said, this.heard, controls);
    if (figure.handle) this.grip(figure.handle);
    block.prepend(title);
    block.querySelector("picture").before(this.stage);
    block.classList.add("moving--live");
    this.show();
    this.heard.textContent = figure.sentence(this.values);
  }

  row(control, number) {
    const { name, choices } = control;
    const range = choices ? { min: 0, max: choices.length - 1, step: 1 } : { min: control.low, max: control.high, step: control.step };
    const id = `moving-${number}-${name}`;
    control.input = make("input", { type: "range", id, ...range, autocomplete: "off" });
    control.output = make("output", { for: id, "aria-hidden": "true" });
    control.input.addEventListener("input", () => {
      this.pause();
      const value = control.input.valueAsNumber;
      this.change({ [name]: choices ? choices[value] : value });
    });
    const long = choices?.some((one) => control.words?.(one).length > 6);
    return make("div", { class: `moving__row ${long ? "moving__row--long" : ""}` }, make("label", { for: id }, control.label), control.input, control.output);
  }

  buttons() {
    const row = make("div", { class: "moving__buttons" });
    if (this.figure.play && !still.matches) {
      this.player = make("button", { type: "button", class: "moving__button moving__play" }, "Play");
      this.player.addEventListener("click", () => (this.timer ? this.rest() : this.play()));
      row.append(this.player);
    }
    const back = make("button", { type: "button", class: "moving__button" }, "Reset");
    back.addEventListener("click", () => {
      this.pause();
      Object.assign(this.values, this.figure.values);
      this.change({});
    });
    row.append(back);
    return row;
  }

  // A point that is dragged, or moved by the arrow keys. It names two values, or one, and is a slider of them.
  grip({ panel: at, label, x, y, at: place = (values) => [values[x], values[y]] }) {
    const panel = this.panels[at];
    const grip = make("div", { class: "moving__grip", role: "slider", tabindex: "0", "aria-label": label });
    const names = [x, y].filter(Boolean);
    this.gripped = { grip, panel, place, names };
    // A value that its control can take.
    const sound = (name, value) => {
      const { low, high, step } = this.controls.get(name);
      return +near(low + Math.round((value - low) / step) * step, low, high).toFixed(6);
    };
    const follow = (event) => {
      const under = panel.under(event);
      this.pause();
      this.change(Object.fromEntries([x, y].flatMap((name, i) => (name ? [[name, sound(name, under[i])]] : []))));
    };
    const begin = (event) => {
      if (event.button) return;
      event.preventDefault();
      grip.focus({ preventScroll: true });
      grip.setPointerCapture(event.pointerId);
      if (event.currentTarget !== grip) follow(event); // else the point would jump to the pointer
    };
    grip.addEventListener("pointerdown", begin);
    grip.addEventListener("pointermove", (event) => grip.hasPointerCapture(event.pointerId) && follow(event));
    panel.svg.addEventListener("pointerdown", (event) => event.pointerType === "mouse" && begin(event));
    panel.svg.addEventListener("click", follow); // a tap; a finger that moves scrolls the page
    // Of a single value all four arrows are keys, as of any slider.
    const keys = { ArrowLeft: [x ?? y, -1], ArrowRight: [x ?? y, 1], ArrowDown: [y ?? x, -1], ArrowUp: [y ?? x, 1] };
    grip.addEventListener("keydown", (event) => {
      const [name, sign] = keys[event.key] ?? [];
      if (!name || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.pause();
      this.change({ [name]: sound(name, this.values[name] + sign * this.controls.get(name).step * (event.shiftKey ? 5 : 1)) });
    });
    const { low, high } = this.controls.get(names[0]);
    set(grip, { "aria-valuemin": low, "aria-valuemax": high });
    if (names.length === 1 && !x) grip.setAttribute("aria-orientation", "vertical");
    panel.place.append(grip);
  }

  words(name) {
    return (this.controls.get(name).words ?? short)(this.values[name]);
  }

  change(values) {
    const before = { ...this.values };
    Object.assign(this.values, values);
    this.figure.follow?.(this.values, before);
    this.show();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => (this.heard.textContent = this.said.textContent), REST);
  }

  show() {
    for (const { name, input, output, choices } of this.controls.values()) {
      if (!input) continue;
      input.value = choices ? choices.indexOf(this.values[name]) : this.values[name];
      input.setAttribute("aria-valuetext", this.words(name));
      output.textContent = this.words(name);
    }
    this.figure.show(this.values, this.panels);
    this.said.textContent = this.figure.sentence(this.values);
    if (!this.gripped) return;
    const { grip, panel, place, names } = this.gripped;
    const [x, y] = place(this.values);
    const [across, up] = [panel.x(x) / WIDTH, panel.y(y) / panel.height];
    grip.style.left = `${100 * across}%`;
    grip.style.top = `${100 * up}%`;
    const said = names.map((name) => `${this.controls.get(name).label.toLowerCase()} ${this.words(name)}`);
    set(grip, { "aria-valuenow": this.values[names[0]], "aria-valuetext": said.join(", ") });
  }

  play() {
    const { name, low, high, step } = this.controls.get(this.figure.play);
    if (this.values[name] >= high) this.values[name] = low;
    this.player.textContent = "Pause";
    this.show();
    this.timer = setInterval(() => {
      this.values[name] = Math.min(high, this.values[name] + step);
      this.show();
      if (this.values[name] >= high) this.rest();
    }, BEAT);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = 0;
    if (this.player) this.player.textContent = "Play";
  }

  rest() {
    this.pause();
    this.heard.textContent = this.said.textContent;
  }
}

const blocks = [...document.querySelectorAll(".moving")];
const coming = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      coming.unobserve(target);
      import(`./moving/${target.dataset.moving}.js`).then(({ default: figure }) => new Stage(target, figure, blocks.indexOf(target)));
    }
  },
  { rootMargin: "1000px" },
);
for (const block of blocks) coming.observe(block);
