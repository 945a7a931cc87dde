// A recurrent unit by its cliff: two descents from one start, of which one is clipped.

import { Panel, draw, linear, logarithmic, short } from "../moving.js";

export const RATE = 0.1;
export const LENGTH = 50; // times that the unit runs
export const STEPS = 300;
export const LEVELS = [0.001, 0.01, 0.03, 0.1, 0.3]; // losses where the shade of the map changes
const TARGET = 0.7;
const SOLVED = 0.001;
const CELLS = [44, 60]; // of the map, in b and in w
const WEIGHTS = linear(4, 5.2);
const BIASES = linear(-2.7, -1.6);
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// x <- w s(x) + b, over and over, and with each x its derivatives in w and in b; the loss is (s(x) - 0.7)^2 at the end.
export function unit([w, b]) {
  let [x, in_w, in_b] = [0, 0, 0];
  for (let time = 0; time < LENGTH; time++) {
    const s = sigmoid(x);
    const factor = w * s * (1 - s);
    [x, in_w, in_b] = [w * s + b, s + factor * in_w, 1 + factor * in_b];
  }
  const s = sigmoid(x);
  const outer = 2 * (s - TARGET) * s * (1 - s);
  return { loss: (s - TARGET) ** 2, gradient: [outer * in_w, outer * in_b] };
}

// g <- g max_norm / max(|g|, max_norm)
export function clipped(g, max_norm) {
  const factor = max_norm / Math.max(Math.hypot(...g), max_norm);
  return g.map((g_i) => g_i * factor);
}

// place <- place - rate g
export function descent(start, max_norm) {
  const places = [start];
  const losses = [];
  for (let step = 0; step < STEPS; step++) {
    const { loss, gradient } = unit(places.at(-1));
    const g = max_norm === null ? gradient : clipped(gradient, max_norm);
    places.push(places.at(-1).map((one, i) => one - RATE * g[i]));
    losses.push(loss);
  }
  return { places, losses: [...losses, unit(places.at(-1)).loss] };
}

export function shade(place) {
  const { loss } = unit(place);
  return LEVELS.filter((level) => loss >= level).length;
}

function told({ places, losses }) {
  const lengths = places.slice(1).map(([w, b], at) => Math.hypot(w - places[at][0], b - places[at][1]));
  const solved = losses.findLastIndex((loss) => loss >= SOLVED) + 1; // for good, as far as is seen
  return `${solved > STEPS ? `not solved in ${STEPS} steps` : `solved in ${solved} steps`}, the longest ${Math.max(...lengths).toFixed(2)}`;
}

export function sentence({ w, b, threshold }) {
  return `Start ${short(w)}, ${short(b)}. Clipped at ${threshold}: ${told(descent([w, b], threshold))}. Not clipped: ${told(descent([w, b], null))}.`;
}

function panels() {
  const map = new Panel({
    title: "Loss, and two descents",
    x: { scale: WEIGHTS, ticks: [4, 4.4, 4.8, 5.2], label: "weight w" },
    y: { scale: BIASES, ticks: [-2.6, -2.2, -1.8], label: "bias b" },
  });
  const losses = new Panel({
    title: "Loss",
    x: { scale: linear(0, STEPS), ticks: [0, 100, 200, 300], label: "step" },
    y: { scale: logarithmic(1e-6, 1), ticks: [1e-4, 1e-2, 1], words: (value) => String(+value.toFixed(4)) },
  });
  const [rows, columns] = CELLS;
  const cell = (row, column) => shade([WEIGHTS.value((column + 0.5) / columns), BIASES.value((row + 0.5) / rows)]);
  const wall = [4, 5.2].map((w) => [w, -w / 2]);
  map.back.append(
    map.map(Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) => cell(row, column)))),
    map.line(wall, "halo"),
    map.line(wall, "limit"),
  );
  losses.labels.append(losses.label(0, 1e-6, "not clipped", { dx: 6, dy: -26, kind: "orange" }), losses.label(0, 1e-6, "clipped", { dx: 6, dy: -11, kind: "green" }));
  return [map, losses];
}

function show({ w, b, threshold, step }, [map, losses]) {
  const plain = descent([w, b], null);
  const cut = descent([w, b], threshold);
  const off = plain.places.findIndex(([x, y]) => x < WEIGHTS.low || x > WEIGHTS.high || y < BIASES.low || y > BIASES.high);
  const end = off < 0 ? step : Math.min(step, off);
  const seen = { orange: plain.places.slice(0, end + 1), green: cut.places.slice(0, step + 1) };
  const line = (color, kind) => [map.line(seen[color], `halo wide`), map.line(seen[color], `${color} ${kind}`)];
  map.front.replaceChildren(...line("green", "wide"), ...line("orange", ""), draw("circle", { cx: map.x(w), cy: map.y(b), r: 5.5, class: "moving__point ink" }));
  const curve = (all) => all.slice(0, step + 1).map((loss, at) => [at, Math.max(loss, 1e-12)]);
  losses.front.replaceChildren(losses.line(curve(plain.losses), "orange dashed"), losses.line(curve(cut.losses), "green"));
}

export default {
  values: { w: 4.8, b: -1.8, threshold: 3, step: STEPS },
  controls: [
    { name: "threshold", label: "Threshold", choices: [0.3, 1, 3, 10, 30, 100, 300] },
    { name: "step", label: "Steps shown", low: 0, high: STEPS, step: 5 },
    { name: "w", label: "Weight", low: 4.02, high: 5.18, step: 0.02, drag: true },
    { name: "b", label: "Bias", low: -2.68, high: -1.62, step: 0.02, drag: true },
  ],
  handle: { panel: 0, label: "Start", x: "w", y: "b" },
  play: "step",
  panels,
  show,
  sentence,
};
