// Run and Edit on the blocks of a page, Check on its exercises. Python comes with the first Run, the editor with the first Edit,
// and what a page does not need is not loaded: it would come before the page is seen.

const answers = document.querySelector(".exercise") && (await import("./answers.js"));
const settings = document.getElementById("run-script").dataset;
const runs_at_home = /^\s*(?:import|from)\s+(torch|dlnotes\.torch|optuna)\b/m;

function make(tag, words, attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = words;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function button(words, label, pressed) {
  const made = make("button", words, { type: "button", class: "run__button", "aria-label": label });
  made.addEventListener("click", pressed);
  return made;
}

const seconds = (time) => (time < 0.095 ? `${Math.max(1, Math.round(time * 1000))} ms` : `${time.toFixed(time < 10 ? 1 : 0)} s`);
const columns = (text) => Math.min(80, Math.max(20, ...text.split("\n").map((row) => row.length)));

// Runs code once the line of blocks is there; what is stopped before that never enters it.
function begin(code, hears) {
  let stopped = false;
  let job = null;
  const report = (kind, error) => ({ seconds: 0, error, kind, message: error, line: 0 });
  const promise = import("./python.js").then(
    ({ run }) => {
      if (stopped) return report("Stopped", "");
      job = run(code, hears);
      return job.promise;
    },
    () => report("Missing", "Python cannot be started: its files cannot be loaded."),
  );
  return { promise, stop: () => (job ? job.stop() : (stopped = true)) };
}

class Block {
  constructor(element) {
    this.element = element;
    this.pre = element.querySelector("pre");
    this.shown = this.pre.querySelector("code");
    this.first = { code: this.shown.textContent, html: this.shown.innerHTML };
    const exercise = element.closest(".solution") ? null : element.closest(".exercise");
    this.exercise = exercise?.querySelector(".block__label")?.textContent ? exercise : null;
    this.id = this.exercise?.querySelector(".exercise__title").id.replace(/^exercise-/, "");
    this.verb = this.exercise ? "Check" : "Run";
    const next = element.nextElementSibling;
    this.output = next?.matches(".output") ? next : null;
    this.expected = this.output ? this.output.querySelector("code").textContent : null;
    this.original = this.output?.cloneNode(true);
    this.bar = make("div", "", { class: "run", role: "group", "aria-label": this.exercise ? "Answer" : "Code" });
    this.go = button(this.verb, `${this.verb} this code`, () => (this.job ? this.job.stop() : this.run()));
    this.change = button("Edit", "Edit this code", () => this.edit().then((editor) => editor?.focus()));
    this.back = button("Reset", "Reset this code", () => this.reset());
    this.back.hidden = true;
    this.bar.append(this.go, this.change, this.back);
    element.append(this.bar);
    element.classList.add("runs");
  }

  get code() {
    return this.editor ? this.editor.text() : this.shown.textContent;
  }

  get changed() {
    return this.code.trimEnd() !== this.first.code.trimEnd();
  }

  // --- Output

  place() {
    if (!this.output) {
      this.output = make("div", "", { class: "output no-copy", role: "group", "aria-label": "Output" });
      this.output.append(make("p", "Output", { class: "output__label", "aria-hidden": "true" }), make("pre", ""));
      this.output.querySelector("pre").append(make("code", ""));
      this.element.after(this.output);
    }
    if (!this.state?.isConnected) {
      this.state = make("p", "", { class: "output__state", role: "status" });
      this.output.querySelector(".output__label").after(this.state);
    }
    return this.output;
  }

  say(words, kind = "") {
    this.place().dataset.state = kind;
    this.state.textContent = words;
  }

  write(text) {
    const code = this.place().querySelector("code");
    code.textContent = text.replace(/\n$/, "");
    this.output.style.setProperty("--columns", columns(text));
    code.parentElement.hidden = !text;
  }

  // --- Run

  run() {
    if (settings.python !== "yes") return this.say("This copy of the book was built without Python (RUN=0), so its blocks cannot run here.", "wrong");
    const code = this.code;
    let printed = "";
    this.editor?.point(0);
    this.go.textContent = "Stop";
    this.go.setAttribute("aria-label", "Stop this code");
    this.say(this.exercise ? "Checking" : "Running", "busy");
    this.job = begin(code, {
      state: (state, at) => this.say(this.waits(state, at), "busy"),
      printed: (text) => this.write((printed += text)),
    });
    this.job.promise.then((report) => {
      this.job = null;
      this.go.textContent = this.verb;
      this.go.setAttribute("aria-label", `${this.verb} this code`);
      this.ended(code, printed, report);
    });
  }

  waits(state, at) {
    if (state === "waiting") return "Waits for the block that runs";
    if (state === "running") return this.exercise ? "Checking" : "Running";
    const part = Math.min(99, Math.floor((100 * at.loading) / at.of));
    return `Loading Python, once on this page: ${part}%`;
  }

  ended(code, printed, report) {
    if (report.kind === "Stopped") {
      this.write(printed);
      return this.say("Stopped", "wrong");
    }
    if (report.kind === "Missing") {
      this.write(printed);
      return this.say(report.error, "wrong");
    }
    if (report.line) this.editor?.point(report.line);
    const answered = this.exercise && report.kind === "AssertionError" && report.message;
    this.write(printed + (answered ? report.message : report.error));
    const where = report.line ? ` in line ${report.line}` : "";
    if (this.exercise) return this.judged(code, printed, report, answered, where);
    if (report.kind === "MemoryError") return this.say(`Out of memory${where}: a block has a gigabyte in this page`, "wrong");
    if (report.kind === "Crash") return this.say("Python broke down; the next run starts it anew", "wrong");
    if (report.error) return this.say(`${report.kind}${where}`, "wrong");
    const took = seconds(report.seconds);
    if (this.expected === null) return this.say(printed ? took : `Done in ${took}; it prints nothing`, "done");
    if (printed.trimEnd() === this.expected.trimEnd()) return this.say(`As on the page, ${took}`, "same");
    this.say(`${this.changed ? "Yours, not as on the page" : "Not as on the page"}, ${took}`, "other");
  }

  // --- Exercises

  judged(code, printed, report, answered, where) {
    const solved = !report.error && /^Right: /m.test(printed);
    answers.set(this.id, { code, solved });
    this.solved(solved);
    if (solved) return this.say("Solved", "same");
    if (answered) return this.say("Not yet", "other");
    if (report.error) return this.say(report.kind === "MemoryError" ? `Out of memory${where}` : `${report.kind}${where}`, "wrong");
    this.say("Nothing was checked: the last line must call the checker, as in the beginning", "other");
  }

  solved(yes) {
    const head = this.exercise.querySelector(".exercise__head");
    head.querySelector(".exercise__solved")?.remove();
    if (yes) head.querySelector(".block__label").after(make("span", "solved", { class: "exercise__solved" }));
  }

  // Shows the answer that was kept.
  restore() {
    const kept = answers.answer(this.id);
    if (!kept) return;
    this.solved(kept.solved);
    if (kept.code.trimEnd() === this.first.code.trimEnd()) return;
    this.shown.textContent = kept.code;
    this.back.hidden = false;
    if (this.editor) {
      this.close();
      this.edit();
    }
  }

  // --- Edit

  async edit() {
    if (this.editor) return this.editor;
    this.opening ??= this.open().catch(() => this.say("The editor cannot be loaded", "wrong"));
    return this.opening;
  }

  async open() {
    const { open } = await import("../editor/editor.js");
    const parent = make("div", "", { class: "editor" });
    const code = this.shown.textContent.replace(/\n$/, "");
    this.pre.before(parent);
    this.pre.hidden = true;
    this.element.classList.add("highlight--whole");
    this.element.querySelector(".whole")?.remove();
    this.editor = open({
      parent,
      text: code,
      label: `${this.exercise ? "Your answer" : "Code"}. Escape, then Tab leaves the editor, Shift-Enter runs it.`,
      changed: (text) => this.typed(text),
      run: () => this.job || this.run(),
    });
    this.parent = parent;
    this.change.hidden = true;
    this.back.hidden = false;
    this.opening = null;
    return this.editor;
  }

  typed(text) {
    this.shown.textContent = `${text}\n`; // what is printed on paper
    if (this.exercise) answers.set(this.id, { code: text, solved: false });
    if (this.exercise) this.solved(false);
  }

  close() {
    this.editor?.close();
    this.parent?.remove();
    this.editor = this.parent = this.opening = null;
    this.pre.hidden = false;
    this.change.hidden = false;
  }

  reset() {
    this.job?.stop();
    this.close();
    this.shown.innerHTML = this.first.html;
    this.back.hidden = true;
    if (this.exercise) {
      answers.set(this.id, null);
      this.solved(false);
    }
    const fresh = this.original?.cloneNode(true) ?? null;
    if (fresh) this.output?.replaceWith(fresh);
    else this.output?.remove();
    this.output = fresh;
    this.state = null;
    this.change.focus();
  }
}

// --- The blocks of the page

const blocks = [];
for (const element of document.querySelectorAll(".md-content .language-python.highlight")) {
  if (element.closest(".kernel, .doc, figure")) continue;
  const needed = element.querySelector("code").textContent.match(runs_at_home)?.[1];
  if (!needed) {
    blocks.push(new Block(element));
    continue;
  }
  const named = needed === "optuna" ? "Needs Optuna" : "Needs PyTorch";
  const notebook = document.querySelector(".parts__notebook a");
  const link = make("a", notebook ? `${named}: notebook` : named, { class: "run__needs" });
  link.href = notebook?.href ?? settings.home;
  link.toggleAttribute("download", notebook !== null);
  const bar = make("div", "", { class: "run" });
  bar.append(link);
  element.append(bar);
  element.classList.add("runs");
}

// --- What belongs to exercises

const exercises = blocks.filter((block) => block.exercise);
for (const block of exercises) {
  const how = block.exercise.querySelector(".exercise__how");
  if (how) how.textContent = "Edit the block and check it: you are told what is wrong, with a hint, or that it is right. At home the file runs as it is.";
  block.restore();
}

function shelf() {
  const status = make("span", "", { class: "answers__status", role: "status" });
  const words = answers.lasting
    ? "Your answers stay in this browser."
    : "This browser keeps nothing: your answers last until you leave the page.";
  const save = button("Save to a file", "Save my answers to a file", () => {
    const link = make("a", "", { download: "dlnotes-answers.json" });
    link.href = URL.createObjectURL(new Blob([answers.saved()], { type: "application/json" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  const file = make("input", "", { type: "file", accept: ".json,application/json", hidden: "", "aria-label": "File of answers", tabindex: "-1" });
  file.addEventListener("change", async () => {
    try {
      const count = answers.load(await file.files[0].text());
      exercises.forEach((block) => block.restore());
      status.textContent = count === 1 ? "One answer loaded." : `${count} answers loaded.`;
    } catch (error) {
      status.textContent = error.message;
    }
    file.value = "";
  });
  const load = button("Load from a file", "Load my answers from a file", () => file.click());
  const row = make("div", "", { class: "answers", role: "group", "aria-label": "Your answers" });
  row.append(make("span", words), save, load, file, status);
  return row;
}

if (exercises.length) exercises[0].exercise.before(shelf());

// --- Figures that are drawn again

for (const opener of document.querySelectorAll(".figure__change")) {
  opener.addEventListener("click", async () => (await import("./redraw.js")).toggle(opener));
}
