// An activation at one pre-activation: its value, its slope, and what is left of a gradient after several such slopes.

import { ACTIVATIONS } from "../activations.js";
import { Panel, draw, linear, logarithmic, short, size } from "../moving.js";

const NAMES = Object.keys(ACTIVATIONS);
const LIMIT = 4; // of the pre-activation, on both sides
const LEFT = [1e-15, 100]; // sizes of the gradient that are drawn

export const value = (name, z) => ACTIVATIONS[name].value(z);
export const slope = (name, z) => ACTIVATIONS[name].slope(z);
// Back through units that all have the same slope: gradient <- gradient f'(z)
export const left = (name, z, units) => slope(name, z) ** units;

export function sentence({ activation, z, units }) {
  const [here, steep] = [value(activation, z), slope(activation, z)].map((one) => size(one, 3));
  const behind = `${units} such slope${units > 1 ? "s" : ""}`;
  return `At ${short(z)} the value of ${ACTIVATIONS[activation].word} is ${here}, its slope ${steep}. After ${behind} a gradient of 1 is ${size(left(activation, z, units))}.`;
}

function panels() {
  const curve = new Panel({
    title: "Value and slope",
    height: 277,
    x: { scale: linear(-LIMIT, LIMIT), ticks: [-4, -2, 0, 2, 4], label: "pre-activation z" },
    y: { scale: linear(-2, 4.3), ticks: [-2, -1, 0, 1, 2, 3, 4] },
  });
  const back = new Panel({
    title: "Size of a gradient of 1 after these slopes",
    height: 277,
    left: 74,
    x: { scale: logarithmic(...LEFT), ticks: [1e-12, 1e-8, 1e-4, 1], words: size, label: "all units at this z" },
    y: { scale: linear(NAMES.length - 0.5, -0.5), ticks: NAMES.map((_, at) => at), words: (at) => ACTIVATIONS[NAMES[at]].word },
  });
  back.back.append(back.line([[1, -0.5], [1, NAMES.length - 0.5]], "limit"));
  curve.labels.append(curve.label(-LIMIT, 4, "value", { dx: 8, kind: "blue" }), curve.label(-LIMIT, 4, "slope", { dx: 8, dy: 15, kind: "orange" }));
  return [curve, back];
}

function show({ activation, z, units }, [curve, back]) {
  const all = Array.from({ length: 321 }, (_, i) => -LIMIT + i / 40);
  // A slope that jumps is drawn in two pieces.
  const pieces = slope(activation, 1e-9) - slope(activation, 0) > 1e-3 ? [all.filter((x) => x <= 0), all.filter((x) => x > 0)] : [all];
  const line = (f, kind) => curve.line(all.map((x) => [x, f(activation, x)]), kind);
  curve.back.replaceChildren(draw("path", { d: `M${curve.x(-LIMIT)} ${curve.y(0)}H${curve.x(LIMIT)}M${curve.x(z)} ${curve.box.top}V${curve.box.bottom}`, class: "moving__level" }));
  curve.front.replaceChildren(
    line(value, "blue wide"),
    ...pieces.map((piece) => curve.line(piece.map((x) => [x, slope(activation, x)]), "orange dashed")),
    draw("circle", { cx: curve.x(z), cy: curve.y(slope(activation, z)), r: 4, class: "moving__point orange" }),
    draw("circle", { cx: curve.x(z), cy: curve.y(value(activation, z)), r: 6.5, class: "moving__point blue" }),
  );
  const bars = NAMES.map((name, at) => {
    const shown = Math.max(LEFT[0], Math.abs(left(name, z, units)));
    const [from, to] = [back.x(Math.min(1, shown)), back.x(Math.max(1, shown))];
    return draw("rect", { x: from, y: back.y(at) - 8, width: Math.max(to - from, 1.5), height: 16, class: `moving__bar ${name === activation ? "blue" : ""}` });
  });
  back.front.replaceChildren(...bars);
}

export default {
  values: { activation: "sigmoid", z: 2, units: 10 },
  controls: [
    { name: "activation", label: "Activation", choices: NAMES, words: (name) => ACTIVATIONS[name].word },
    { name: "z", label: "Pre-activation", low: -LIMIT, high: LIMIT, step: 0.1 },
    { name: "units", label: "Units passed", low: 1, high: 20, step: 1 },
  ],
  handle: { panel: 0, label: "Point on the curve", x: "z", at: ({ activation, z }) => [z, value(activation, z)] },
  play: "z",
  panels,
  show,
  sentence,
};
