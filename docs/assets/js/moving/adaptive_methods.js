// Four optimizers in a ravine that can be turned, from a start that is turned with it.

import { Panel, draw, linear, logarithmic, short } from "../moving.js";

export const STEPS = 60;
const FARTHEST = 3.8; // of a start from the minimum: a circle, which every turn leaves in the panel
const PATIENCE = 300; // steps that are counted
const EPSILON = 1e-8;

// Each takes its state and the gradient of each weight, and gives what the learning rate is multiplied by.
export const METHODS = {
  SGD: { rate: 1.8, color: "orange", direction: (state, g) => g },
  momentum: { rate: 0.5, color: "blue", direction: heavy_ball },
  RMSprop: { rate: 0.1, color: "purple", direction: rmsprop },
  Adam: { rate: 0.3, color: "green", direction: adam },
};

const average = (beta, a, x) => x.map((x_i, i) => beta * (a?.[i] ?? 0) + (1 - beta) * x_i);
const square = (g) => g.map((g_i) => g_i * g_i);

// v <- beta v + g
function heavy_ball(state, g, beta = 0.8) {
  state.v = g.map((g_i, i) => beta * (state.v?.[i] ?? 0) + g_i);
  return state.v;
}

// v <- beta v + (1 - beta) g^2,  g / (sqrt(v) + epsilon)
function rmsprop(state, g, beta = 0.9) {
  state.v = average(beta, state.v, square(g));
  return g.map((g_i, i) => g_i / (Math.sqrt(state.v[i]) + EPSILON));
}

// m_hat / (sqrt(v_hat) + epsilon),  the averages m and v over 1 - beta^t
function adam(state, g, beta1 = 0.9, beta2 = 0.999) {
  state.t = (state.t ?? 0) + 1;
  state.m = average(beta1, state.m, g);
  state.v = average(beta2, state.v, square(g));
  return g.map((_, i) => state.m[i] / (1 - beta1 ** state.t) / (Math.sqrt(state.v[i] / (1 - beta2 ** state.t)) + EPSILON));
}

const turned = ([x, y], degrees) => {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return [c * x - s * y, s * x + c * y];
};

// Curvature 1 across the ravine, 1 / condition along it: H w, by turning back, scaling, and turning again.
export function gradient(w, degrees, condition) {
  const [along, across] = turned(w, -degrees);
  return turned([along / condition, across], degrees);
}

// w <- w - rate direction
export function path(name, start, degrees, condition, steps) {
  const { rate, direction } = METHODS[name];
  const state = {};
  const places = [start];
  for (let step = 0; step < steps; step++) {
    const w = places.at(-1);
    const d = direction(state, gradient(w, degrees, condition));
    places.push(w.map((w_i, i) => w_i - rate * d[i]));
  }
  return places;
}

// Twice the loss, w H w, over that at the start.
export function losses(places, degrees, condition) {
  const all = places.map((w) => gradient(w, degrees, condition).reduce((sum, g_i, i) => sum + g_i * w[i], 0));
  return all.map((loss) => loss / all[0]);
}

export function arrival(name, start, degrees, condition) {
  const found = losses(path(name, start, degrees, condition, PATIENCE), degrees, condition).findIndex((loss) => loss < 0.01);
  return found < 0 ? `over ${PATIENCE}` : found;
}

export function sentence({ x, y, degrees, condition }) {
  const counts = Object.keys(METHODS).map((name) => `${name} ${arrival(name, [x, y], degrees, condition)}`);
  return `Turned by ${degrees}\u00b0, condition ${condition}, start ${short(x)}, ${short(y)}. Steps to a hundredth of the loss: ${counts.join(", ")}.`;
}

function panels() {
  const ground = new Panel({
    title: "Four paths",
    height: 277,
    x: { scale: linear(-5.2, 5.2), ticks: [-4, -2, 0, 2, 4], label: "first weight" },
    y: { scale: linear(-4, 4), ticks: [-4, -2, 0, 2, 4], label: "second weight" },
  });
  const loss = new Panel({
    title: "Loss, over that at the start",
    height: 277,
    x: { scale: linear(0, STEPS), ticks: [0, 20, 40, 60], label: "step" },
    y: { scale: logarithmic(1e-5, 2), ticks: [1e-4, 1e-2, 1], words: (value) => String(+value.toFixed(4)) },
  });
  Object.entries(METHODS).forEach(([name, { color }], at) => loss.labels.append(loss.label(0, 1e-5, name, { dx: 6, dy: 15 * at - 56, kind: color })));
  return [ground, loss];
}

function show({ x, y, degrees, condition, step }, [ground, loss]) {
  const levels = [0.05, 0.2, 0.6, 1.5, 3.5].map((level) => {
    const [rx, ry] = [Math.sqrt(2 * level * condition), Math.sqrt(2 * level)];
    const center = [ground.x(0), ground.y(0)];
    const scale = { rx: ground.x(rx) - center[0], ry: center[1] - ground.y(ry) };
    return draw("ellipse", { cx: center[0], cy: center[1], ...scale, transform: `rotate(${-degrees} ${center})`, class: "moving__level" });
  });
  ground.back.replaceChildren(...levels);
  ground.front.replaceChildren();
  loss.front.replaceChildren();
  for (const [name, { color }] of Object.entries(METHODS)) {
    const places = path(name, [x, y], degrees, condition, step);
    const [here] = ground.seen(places.slice(-1));
    ground.front.append(ground.line(places, `${color} ${name}`));
    if (here) ground.front.append(draw("circle", { cx: here[0], cy: here[1], r: 4, class: `moving__point ${color}` }));
    loss.front.append(loss.line(losses(places, degrees, condition).map((one, at) => [at, Math.max(one, 1e-30)]), `${color} ${name}`));
  }
  ground.front.append(draw("circle", { cx: ground.x(x), cy: ground.y(y), r: 5.5, class: "moving__point ink" }));
}

export default {
  values: { x: -2.8, y: 1.1, degrees: 0, condition: 20, step: STEPS },
  controls: [
    { name: "degrees", label: "Turned by", low: 0, high: 45, step: 5, words: (value) => `${value}\u00b0` },
    { name: "condition", label: "Condition number", choices: [2, 5, 20, 100] },
    { name: "step", label: "Steps shown", low: 0, high: STEPS, step: 1 },
    { name: "x", label: "First weight", low: -FARTHEST, high: FARTHEST, step: 0.1, drag: true },
    { name: "y", label: "Second weight", low: -FARTHEST, high: FARTHEST, step: 0.1, drag: true },
  ],
  handle: { panel: 0, label: "Start", x: "x", y: "y" },
  play: "step",
  panels,
  show,
  sentence,
  // The start turns with the ravine, and stays in the circle.
  follow(values, before) {
    const start = turned([values.x, values.y], values.degrees - before.degrees);
    const [x, y] = start.map((w_i) => w_i * Math.min(1, FARTHEST / Math.hypot(...start)));
    Object.assign(values, { x, y });
  },
};
