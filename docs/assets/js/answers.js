// The reader's answers to exercises: {id: {code, solved}}. Kept in the browser where it lets us, else until the page is left;
// as a file they go to another browser.

const key = `${globalThis.__md_scope?.pathname ?? "/"}.dlnotes.answers`;
const format = "dlnotes answers";
const most = 50_000; // characters of one answer

function sound(given) {
  const answers = {};
  for (const [id, answer] of Object.entries(given ?? {})) {
    const whole = /^[a-z0-9-]{1,80}$/.test(id) && typeof answer?.code === "string" && answer.code.length <= most;
    if (whole) answers[id] = { code: answer.code, solved: answer.solved === true };
  }
  return answers;
}

function kept() {
  try {
    return sound(JSON.parse(localStorage.getItem(key)));
  } catch {
    return {}; // no storage, or what lies there is damaged
  }
}

let answers = kept();

function keep() {
  try {
    localStorage.setItem(key, JSON.stringify(answers));
    return true;
  } catch {
    return false;
  }
}

export const lasting = keep();
export const answer = (id) => (Object.hasOwn(answers, id) ? answers[id] : null);

// Keeps an answer; null forgets it. What another page has kept meanwhile stays.
export function set(id, given) {
  answers = { ...answers, ...kept() };
  if (given === null) delete answers[id];
  else answers[id] = { code: given.code.slice(0, most), solved: given.solved };
  keep();
}

export const saved = () => JSON.stringify({ format, version: 1, answers: { ...answers, ...kept() } }, null, 1);

// Takes the answers of a file and gives their number; raises an error with words for the reader.
export function load(text) {
  let read;
  try {
    read = JSON.parse(text);
  } catch {
    throw new Error("This file holds no answers: it is not JSON.");
  }
  if (read?.format !== format || read.version !== 1) throw new Error("This file holds no answers to exercises of this book.");
  const found = sound(read.answers);
  answers = { ...answers, ...kept(), ...found };
  keep();
  return Object.keys(found).length;
}
