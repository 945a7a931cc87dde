// When a card comes back: FSRS-6, the Free Spaced Repetition Scheduler, with its default weights. What is remembered of a card is
// two numbers: its stability s, the days after which it is recalled with probability 0.9, and its difficulty d, from 1 to 10.
// Grades: 1 again, 2 hard, 3 good, 4 easy. Source: the equations of py-fsrs 6 and fsrs-rs (model_v6), which Anki uses.

const w = [
  0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666, 0.796, 1.4835, 0.0614, 0.2629, 1.6483, 0.6014, 1.8729,
  0.5425, 0.0912, 0.0658, 0.1542,
];
const recalled = 0.9; // wanted when a card comes back
const longest = 36_500; // days
const within = (low, high, value) => Math.min(high, Math.max(low, value));
const stable = (s) => within(0.001, longest, s);

const decay = -w[20];
const factor = recalled ** (1 / decay) - 1;
export const retrievability = (s, days) => (1 + (factor * days) / s) ** decay;

const difficulty = (grade) => w[4] - Math.exp(w[5] * (grade - 1)) + 1;
function harder(d, grade) {
  const moved = d - (w[6] * (grade - 3) * (10 - d)) / 9;
  return within(1, 10, w[7] * difficulty(4) + (1 - w[7]) * moved);
}

function onTheSameDay(s, grade) {
  const growth = Math.exp(w[17] * (grade - 3 + w[18])) * s ** -w[19];
  return s * (grade >= 2 ? Math.max(1, growth) : growth);
}

function forgotten(s, d, r) {
  const left = w[11] * d ** -w[12] * ((s + 1) ** w[13] - 1) * Math.exp(w[14] * (1 - r));
  return Math.min(left, s / Math.exp(w[17] * w[18]));
}

function kept(s, d, r, grade) {
  const weight = grade === 2 ? w[15] : grade === 4 ? w[16] : 1;
  return s * (1 + Math.exp(w[8]) * (11 - d) * s ** -w[9] * (Math.exp(w[10] * (1 - r)) - 1) * weight);
}

// What is remembered of a card after an answer, `days` after the last one; null before the first. On one day, or on a clock that was
// put back, the card was still in mind, and less is learned of it.
export function remembered(memory, grade, days) {
  if (!memory) return { s: w[grade - 1], d: within(1, 10, difficulty(grade)) };
  const { s, d } = memory;
  const r = retrievability(s, days);
  const next = days < 1 ? onTheSameDay(s, grade) : grade === 1 ? forgotten(s, d, r) : kept(s, d, r, grade);
  return { s: stable(next), d: harder(d, grade) };
}

// Days until it is recalled with the wanted probability, which is what stability means.
export const interval = ({ s }) => within(1, longest, Math.round(s));
