// The page's side of Python: one worker, started by the first block that is run; blocks wait in line for it. Imported as
// "python.js?figures" it is a second line, whose worker draws figures.

const kind = new URL(import.meta.url).search.slice(1) || "python";

let worker = null;
let ready = false;
let progress = null; // {loading, of} of a worker that is being started
const line = []; // the jobs; the first one runs
let number = 0;

// By way of a blob the worker stands under the page's own policy, which lets nothing through but this site. A worker made
// of an address would stand under none.
function started() {
  const source = `import ${JSON.stringify(new URL("python-worker.js", import.meta.url).href)};`;
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const made = new Worker(address, { type: "module", name: kind });
  ready = false;
  progress = null;
  made.onmessage = ({ data }) => made === worker && heard(data);
  made.onerror = (event) => {
    event.preventDefault();
    if (made === worker) end(`Python cannot be started: ${event.message || "its files cannot be loaded"}.`);
  };
  return made;
}

function heard(said) {
  const job = line[0];
  if (said.ready) {
    ready = true;
    next();
  } else if (said.failed !== undefined) {
    end(`Python cannot be started: ${said.failed}.`);
  } else if (said.loading !== undefined) {
    progress = said;
    job?.state("loading", said);
  } else if (job && said.id === job.id) {
    if (said.text !== undefined) job.printed(String(said.text));
    else if (said.report) finish(said.report);
  }
}

// What was short of memory, or has crashed, keeps its memory: the next block gets a new worker.
function finish(report) {
  if (report.kind === "MemoryError" || report.kind === "Crash") drop();
  line.shift().done(report);
  next();
}

function drop() {
  worker?.terminate();
  worker = null;
  ready = false;
}

function end(words) {
  drop();
  for (const job of line.splice(0)) job.done({ seconds: 0, error: words, kind: "Missing", message: words, line: 0 });
}

function next() {
  const job = line[0];
  if (!job) return;
  worker ??= started();
  if (!ready) return job.state("loading", progress ?? { loading: 0, of: 1 });
  job.state("running");
  worker.postMessage({ id: job.id, code: job.code });
}

// Runs code. `state` hears "waiting", "loading" with {loading, of}, "running"; `printed` hears each piece of text. The
// promise gives {seconds, error, kind, message, line}; `kind` is "Stopped" for a block that was stopped.
export function run(code, { state = () => {}, printed = () => {} } = {}) {
  const job = { id: ++number, code, state, printed };
  const promise = new Promise((done) => (job.done = done));
  line.push(job);
  if (line.length === 1) next();
  else state("waiting");
  return { promise, stop: () => stop(job) };
}

function stop(job) {
  const place = line.indexOf(job);
  if (place < 0) return;
  line.splice(place, 1);
  job.done({ seconds: 0, error: "", kind: "Stopped", message: "", line: 0 });
  if (place > 0) return;
  if (ready) {
    drop();
    worker = started(); // for the next block
  }
  next();
}
