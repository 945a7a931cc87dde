// Python in a thread of its own. It loads Pyodide, NumPy and the book's package from this site, gives up everything by which
// code could reach the network, the storage or other pages, and then runs blocks, one at a time.
//
// It asks: {id, code}. It says: {loading: bytes, of: bytes}, {ready: true}, {failed: words}, {id, text} for what is printed,
// {id, report} at the end of a block. A worker of the name "figures" has matplotlib too, and its code is a figure to draw.

const home = new URL("../python/", import.meta.url);
const most = 16384; // pages of 64 kB: a gigabyte for a block, so that what eats memory ends in an error and not in a dead page
const say = self.postMessage.bind(self);
const figures = self.name === "figures";
const [package_name, sizes_name] = figures ? ["figures.zip", "figures-sizes.json"] : ["dlnotes.zip", "sizes.json"];

// What code needs of a worker, besides the language itself. All else is taken away, and with it what browsers add one day.
const needed = [
  "console", "crypto", "performance", "setTimeout", "clearTimeout", "setInterval", "clearInterval", "queueMicrotask",
  "MessageChannel", "MessagePort", "MessageEvent", "Event", "EventTarget", "TextDecoder", "TextEncoder", "WebAssembly",
  "DOMException", "AbortController", "AbortSignal", "structuredClone", "URL", "URLSearchParams", "onmessage", "self",
];
const language = [
  "globalThis", "Infinity", "NaN", "undefined", "eval", "isFinite", "isNaN", "parseFloat", "parseInt", "decodeURI",
  "decodeURIComponent", "encodeURI", "encodeURIComponent", "escape", "unescape", "Object", "Function", "Boolean", "Symbol",
  "Error", "AggregateError", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError",
  "SuppressedError", "Number", "BigInt", "Math", "Date", "String", "RegExp", "Array", "Int8Array", "Uint8Array",
  "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "BigInt64Array", "BigUint64Array",
  "Float16Array", "Float32Array", "Float64Array", "Map", "Set", "WeakMap", "WeakSet", "WeakRef", "FinalizationRegistry",
  "ArrayBuffer", "SharedArrayBuffer", "DataView", "Atomics", "JSON", "Promise", "Proxy", "Reflect", "Iterator", "Intl",
  "DisposableStack", "AsyncDisposableStack", "constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty",
  "isPrototypeOf", "propertyIsEnumerable", "__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__",
  "__lookupSetter__",
];

function giveUp() {
  const kept = new Set([...needed, ...language]);
  const left = [];
  for (let object = self; object && object !== Object.prototype; object = Object.getPrototypeOf(object)) {
    for (const name of Object.getOwnPropertyNames(object)) {
      if (kept.has(name) || Reflect.deleteProperty(object, name)) continue;
      const { value } = Object.getOwnPropertyDescriptor(object, name);
      if (!["number", "string", "undefined"].includes(typeof value)) left.push(name);
    }
  }
  if (left.length || "fetch" in self || "indexedDB" in self) throw new Error(`it cannot be shut in: ${left.join(", ")}`);
  self.navigator = Object.freeze({ hardwareConcurrency: 1, language: "en", userAgent: "" });
}

// Counts what is loaded, so that a reader sees that something happens.
function counted(sizes) {
  const fetched = self.fetch.bind(self);
  const all = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  let had = 0;
  const add = (size) => say({ loading: (had += size), of: all });
  self.fetch = async (what, how) => {
    const response = await fetched(what, how);
    const name = new URL(what.url ?? what, home).pathname.split("/").pop();
    if (!response.ok) throw new Error(`${name} cannot be loaded (${response.status})`);
    if (name in sizes) {
      (async () => {
        for (const reader = response.clone().body.getReader(); ; ) {
          const { done, value } = await reader.read();
          if (done) return;
          add(value.length);
        }
      })();
    }
    return response;
  };
  return add;
}

async function start() {
  const [sizes, { loadPyodide }] = await Promise.all([
    fetch(new URL(sizes_name, home)).then((response) => response.json()),
    import(new URL("pyodide.mjs", home)),
  ]);
  const add = counted(sizes);
  const grow = WebAssembly.Memory.prototype.grow;
  WebAssembly.Memory.prototype.grow = function (pages) {
    if (this.buffer.byteLength / 65536 + pages > most) throw new RangeError("a gigabyte is the most");
    return grow.call(this, pages);
  };
  const bring = fetch(new URL(package_name, home)).then((response) => response.arrayBuffer());
  add(sizes["pyodide.mjs"]);
  const python = await loadPyodide({ indexURL: home.href, packages: figures ? ["numpy", "matplotlib"] : ["numpy"], env: { HOME: "/home/pyodide" } });
  add(sizes["pyodide.asm.mjs"]);
  python.unpackArchive(await bring, "zip", { extractDir: "/home/pyodide/book" });
  python.runPython("import sys; sys.path.insert(0, '/home/pyodide/book'); import numpy");
  if (figures) python.runPython("import matplotlib.backends.backend_svg, matplotlib.font_manager");
  const run = python.pyimport(figures ? "dlnotes.book.redrawing" : "dlnotes.book.in_page").run;
  giveUp();
  return run;
}

const starting = start();
starting.then(
  () => say({ ready: true }),
  (error) => say({ failed: String(error?.message ?? error) }),
);

self.onmessage = async ({ data: { id, code } }) => {
  let run;
  try {
    run = await starting;
  } catch {
    return; // it has been said
  }
  try {
    say({ id, report: JSON.parse(run(code, (text) => say({ id, text }))) });
  } catch (error) {
    say({ id, report: { seconds: 0, error: String(error?.message ?? error), kind: "Crash", message: "", line: 0 } });
  }
};
