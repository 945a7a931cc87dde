// A signal, a gradient and the correlation of two inputs on their way through wide layers of random weights.

import { ACTIVATIONS } from "../activations.js";
import { Panel, draw, linear, logarithmic, short, size } from "../moving.js";

export const DEPTH = 50;
const DECADES = [1e-8, 1e8];

// Gauss-Legendre's nodes and weights on each interval between two edges: zeros of the polynomial P_n, by Newton's method.
function rule(edges, order) {
  const unit = Array.from({ length: order }, (_, i) => {
    let x = Math.cos((Math.PI * (i + 0.75)) / (order + 0.5));
    for (let turn = 0; ; turn++) {
      let [before, p] = [1, x];
      for (let n = 2; n <= order; n++) [before, p] = [p, ((2 * n - 1) * x * p - (n - 1) * before) / n];
      const slope = (order * (before - x * p)) / (1 - x * x);
      if (turn === 6) return { x: (1 + x) / 2, weight: 1 / ((1 - x * x) * slope * slope) };
      x -= p / slope;
    }
  });
  return edges.slice(1).flatMap((end, i) => unit.map(({ x, weight }) => ({ x: edges[i] + (end - edges[i]) * x, weight: (end - edges[i]) * weight })));
}

const halving = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i));
// Intervals that halve towards 0, where functions have kinks or change fast; for places, towards both ends of 0 to 1.
const NORMAL = rule([0, ...halving(-30, 5)], 16).map(({ x, weight }) => ({ x, weight: (weight * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI) }));
const RADII = rule([0, ...halving(-3, 1), 3.5, 5.5, 8.5], 8).map(({ x, weight }) => ({ x, weight: (weight * x * Math.exp((-x * x) / 2)) / Math.PI }));
const PLACES = rule([0, ...halving(-10, -1), ...halving(-10, -2).reverse().map((x) => 1 - x), 1], 5);

// E[f(sqrt(q) z)^2] for a standard normal z
export function mean_square(f, q) {
  const deviation = Math.sqrt(q);
  return NORMAL.reduce((sum, { x, weight }) => sum + weight * (f(deviation * x) ** 2 + f(-deviation * x) ** 2), 0);
}

// E[f(u) f(v)] / E[f(u)^2] for normal u and v of variance q and correlation c = cos(a). In polar coordinates
// u = r cos(t + a/2) and v = r cos(t - a/2), and the half turn of t from 0 on is as much as the other.
export function correlation_map(f, c, q) {
  if (c >= 1 - 1e-14) return 1;
  const [deviation, half] = [Math.sqrt(q), Math.acos(c) / 2];
  const rays = [0, Math.PI / 2 - half, Math.PI / 2 + half, Math.PI]; // between them u and v keep their signs
  let total = 0;
  for (let arc = 0; arc < 3; arc++) {
    const width = rays[arc + 1] - rays[arc];
    for (const place of PLACES) {
      const t = rays[arc] + width * place.x;
      const [in_u, in_v] = [deviation * Math.cos(t + half), deviation * Math.cos(t - half)];
      let along = 0;
      for (const r of RADII) along += r.weight * f(r.x * in_u) * f(r.x * in_v);
      total += along * width * place.weight;
    }
  }
  return Math.min(1, total / mean_square(f, q));
}

// q <- v E[f(sqrt(q) z)^2],  c <- correlation_map(c, q), from q = 1; v is the variance of the weights times n.
// What is known of the first layers is taken as it is.
export function forward(name, v, c, layers, passed = [{ q: 1, c }]) {
  const { value } = ACTIVATIONS[name];
  while (passed.length <= layers) {
    const { q, c } = passed.at(-1);
    passed.push({ q: v * mean_square(value, q), c: correlation_map(value, c, q) });
  }
  return passed;
}

// From the last layer back: gradient <- gradient v E[f'(sqrt(q) z)^2]
export function backward(name, v, passed) {
  const gradients = [1];
  for (const { q } of passed.slice(0, -1).reverse()) gradients.unshift(gradients[0] * v * mean_square(ACTIVATIONS[name].slope, q));
  return gradients;
}

let kept = { key: "" }; // the last setting: to show more of its layers, and to say it, computes none a second time

function passes({ activation, variance, correlation, layers }) {
  const key = `${activation} ${variance} ${correlation}`;
  kept = { key, passed: forward(activation, variance, correlation, layers, kept.key === key ? kept.passed : undefined) };
  return kept.passed.slice(0, layers + 1);
}

const per_input = (variance) => `${short(variance)}/n`;

export function sentence(values) {
  const { activation, variance, correlation, layers } = values;
  const passed = passes(values);
  const { q, c } = passed.at(-1);
  const [gradient] = backward(activation, variance, passed);
  const setting = `${layers} layer${layers > 1 ? "s" : ""} of ${ACTIVATIONS[activation].word}, variance ${per_input(variance)}`;
  return `${setting}: signal times ${size(q)}, gradient times ${size(gradient)}, correlation from ${short(correlation)} to ${short(c)}.`;
}

function panels() {
  const layer = { scale: linear(-1.5, DEPTH), ticks: [0, 10, 20, 30, 40, 50], label: "layer" };
  const sizes = new Panel({ title: "Mean squares", x: layer, y: { scale: logarithmic(...DECADES), ticks: [1e-8, 1e-4, 1, 1e4, 1e8], words: size } });
  const alike = new Panel({ title: "Correlation of two inputs", x: layer, y: { scale: linear(-0.04, 1.04), ticks: [0, 0.5, 1] } });
  sizes.back.append(sizes.line([[0, 1], [DEPTH, 1]], "limit"));
  alike.back.append(alike.line([[0, 1], [DEPTH, 1]], "limit"));
  sizes.labels.append(sizes.label(0, 1e-8, "signal", { dx: 6, dy: -26, kind: "blue" }), sizes.label(0, 1e-8, "gradient", { dx: 6, dy: -11, kind: "orange" }));
  return [sizes, alike];
}

function show(values, [sizes, alike]) {
  const passed = passes(values);
  const gradients = backward(values.activation, values.variance, passed);
  const end = passed.length - 1;
  const clear = (value) => Math.min(1e300, Math.max(value, 1e-300));
  sizes.front.replaceChildren(
    sizes.line(passed.map(({ q }, at) => [at, clear(q)]), "blue wide"),
    sizes.line(gradients.map((one, at) => [at, clear(one)]), "orange dashed"),
    sizes.dots([[end, clear(passed[end].q)]], "blue", 4),
    sizes.dots([[0, clear(gradients[0])]], "orange", 4),
  );
  alike.front.replaceChildren(
    alike.line(passed.map(({ c }, at) => [at, c]), "green wide"),
    alike.dots(passed.slice(1).map(({ c }, at) => [at + 1, c]), "green", 1.8),
    draw("circle", { cx: alike.x(0), cy: alike.y(values.correlation), r: 6.5, class: "moving__point green" }),
  );
}

const NAMES = ["sigmoid", "tanh", "relu", "elu", "selu", "gelu", "silu"];

export default {
  values: { activation: "relu", variance: 2, correlation: 0, layers: 30 },
  controls: [
    { name: "activation", label: "Activation", choices: NAMES, words: (name) => ACTIVATIONS[name].word },
    { name: "variance", label: "Variance", low: 0.2, high: 4, step: 0.1, words: per_input },
    { name: "correlation", label: "Correlation", low: 0, high: 0.98, step: 0.02, drag: true },
    { name: "layers", label: "Layers", low: 1, high: DEPTH, step: 1 },
  ],
  handle: { panel: 1, label: "Correlation of the inputs", y: "correlation", at: ({ correlation }) => [0, correlation] },
  play: "layers",
  panels,
  show,
  sentence,
};
