// The heavy ball on a quadratic with curvatures 1 / condition and 1: where a setting lies in the plane, and its path.

import { Panel, draw, linear, short } from "../moving.js";

export const START = [-10, 2];
export const STEPS = 60;
export const LEVELS = [6, 12, 25, 50, 100]; // steps for a factor of ten, where the shade of the map changes
const CELLS = [50, 80]; // of the map, in beta and in the rate
const PATIENCE = 2000; // steps that are counted

// v <- beta v + g,  w <- w - rate v,  with the gradient g = curvature w
export function path(rate, beta, curvatures, start, steps) {
  const points = [start];
  let [w, v] = [start, start.map(() => 0)];
  for (let step = 0; step < steps; step++) {
    const g = w.map((w_i, i) => curvatures[i] * w_i);
    v = v.map((v_i, i) => beta * v_i + g[i]);
    w = w.map((w_i, i) => w_i - rate * v[i]);
    points.push(w);
  }
  return points;
}

// The larger modulus of the roots of z^2 - p z + beta,  p = 1 - rate curvature + beta
export function contraction(curvature, rate, beta) {
  const p = 1 - rate * curvature + beta;
  const discriminant = p * p - 4 * beta;
  return discriminant >= 0 ? (Math.abs(p) + Math.sqrt(discriminant)) / 2 : Math.sqrt(beta);
}

// rate = 4 / (sqrt(L) + sqrt(m))^2,  beta = ((sqrt(L) - sqrt(m)) / (sqrt(L) + sqrt(m)))^2
export function best([m, L]) {
  const [low, high] = [Math.sqrt(m), Math.sqrt(L)];
  return { rate: 4 / (high + low) ** 2, beta: ((high - low) / (high + low)) ** 2 };
}

export const curvatures = (condition) => [1 / condition, 1];
export const radius = (rate, beta, condition) => Math.max(...curvatures(condition).map((h) => contraction(h, rate, beta)));

// From 5, at most 6 steps for a factor of ten, to 0, above 100; null where the error grows.
export function shade(rate, beta, condition) {
  const slowest = radius(rate, beta, condition);
  if (slowest >= 1) return null;
  const tenfold = -1 / Math.log10(slowest);
  return LEVELS.filter((level) => tenfold <= level).length;
}

// The first step from which on the distance stays below a thousandth of that at the start; null if it takes too long.
export function arrival(rate, beta, condition) {
  const far = path(rate, beta, curvatures(condition), START, PATIENCE).findLastIndex((w) => Math.hypot(...w) > Math.hypot(...START) / 1000);
  return far < PATIENCE ? far + 1 : null;
}

export function sentence({ rate, beta, condition }) {
  const setting = `Rate ${short(rate)}, beta ${short(beta)}, condition ${condition}`;
  const factor = radius(rate, beta, condition);
  if (factor > 1 + 1e-9) return `${setting}: diverges, each step multiplies the error by ${factor.toFixed(2)}.`;
  if (factor > 1 - 1e-9) return `${setting}: on the edge, where the error does not die out.`;
  const steps = arrival(rate, beta, condition);
  return `${setting}: converges, ${steps ?? `more than ${PATIENCE}`} steps to a thousandth.`;
}

function panels() {
  const tenths = (value) => value.toFixed(1);
  const plane = new Panel({
    title: "Learning rate and beta",
    x: { scale: linear(0, 4), ticks: [0, 1, 2, 3, 4], label: "learning rate" },
    y: { scale: linear(0, 1), ticks: [0.2, 0.4, 0.6, 0.8, 1], label: "beta", words: tenths },
  });
  const bowl = new Panel({
    title: "The path",
    x: { scale: linear(-12, 12), ticks: [-10, -5, 0, 5, 10], label: "flat axis" },
    y: { scale: linear(-4, 4), ticks: [-4, -2, 0, 2, 4], label: "steep axis" },
  });
  return [plane, bowl];
}

function show({ rate, beta, condition, step }, [plane, bowl]) {
  if (plane.condition !== condition) background(plane, bowl, condition);
  plane.front.replaceChildren(draw("circle", { cx: plane.x(rate), cy: plane.y(beta), r: 6.5, class: "moving__point orange" }));
  const points = path(rate, beta, curvatures(condition), START, step);
  const [here] = bowl.seen(points.slice(-1));
  bowl.front.replaceChildren(bowl.line(points, "orange"), bowl.dots(points, "orange"));
  if (here) bowl.front.append(draw("circle", { cx: here[0], cy: here[1], r: 5, class: "moving__point orange" }));
}

// What only the condition number changes: the map, and the lines of equal loss.
function background(plane, bowl, condition) {
  plane.condition = condition;
  const [rows, columns] = CELLS;
  const row = (at) => Array.from({ length: columns }, (_, column) => shade((4 * (column + 0.5)) / columns, (at + 0.5) / rows, condition));
  const edge = [[2, 0], [4, 1]]; // from rate 2 (1 + beta) on the error grows
  const grows = [[4, 0], ...edge].map(([x, y]) => [plane.x(x), plane.y(y)]);
  plane.back.replaceChildren(
    plane.map(Array.from({ length: rows }, (_, at) => row(at))),
    draw("polygon", { points: grows.join(" "), fill: `url(#${plane.hatch})` }),
    plane.line(edge, "halo"),
    plane.line(edge, "limit"),
  );
  const polyak = best(curvatures(condition));
  plane.labels.replaceChildren(
    draw("circle", { cx: plane.x(polyak.rate), cy: plane.y(polyak.beta), r: 4, class: "moving__ring" }),
    plane.label(polyak.rate, polyak.beta, "best", { dx: -8, anchor: "end" }),
  );
  const ellipses = [0.2, 1, 3, 6].map((loss) =>
    draw("ellipse", {
      cx: bowl.x(0),
      cy: bowl.y(0),
      rx: bowl.x(Math.sqrt(2 * loss * condition)) - bowl.x(0),
      ry: bowl.y(0) - bowl.y(Math.sqrt(2 * loss)),
      class: "moving__level",
    }),
  );
  bowl.back.replaceChildren(...ellipses);
}

export default {
  values: { rate: 1, beta: 0.5, condition: 30, step: STEPS },
  controls: [
    { name: "rate", label: "Learning rate", low: 0.05, high: 4, step: 0.05 },
    { name: "beta", label: "Beta", low: 0, high: 0.99, step: 0.01 },
    { name: "condition", label: "Condition number", choices: [1, 3, 10, 30, 100, 300] },
    { name: "step", label: "Steps shown", low: 0, high: STEPS, step: 1 },
  ],
  handle: { panel: 0, label: "Setting", x: "rate", y: "beta" },
  play: "step",
  panels,
  show,
  sentence,
};
