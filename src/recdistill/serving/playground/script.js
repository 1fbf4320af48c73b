"use strict";
// What is asked lies in `asked`; every change asks again. The key lies in `key` and nowhere else.

const at = id => document.getElementById(id);
const asked = { history: [], exclude: [], rules: new Set(), context: {} };
let key = "", version = null, teacher = false, asking = null, timer = 0;

function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const named = one => one.title || String(one.item);

async function ask(method, path, body, signal) {
  const began = performance.now();
  const answer = await fetch(path, {
    method, signal, cache: "no-store", credentials: "omit", redirect: "error",
    headers: { authorization: `Bearer ${key}`, ...(body && { "content-type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error([said.title, said.detail, said.hint].filter(Boolean).join(" "));
  return { ...said, took: performance.now() - began };
}

function complain(error) {
  if (error && error.name === "AbortError") return;
  at("trouble").hidden = !error;
  at("trouble").textContent = error ? error.message : "";
}

// The door

at("door").addEventListener("submit", async event => {
  event.preventDefault();
  key = at("key").value.trim();
  try {
    version = await ask("GET", "/version");
    const stored = await ask("GET", "/v1/examples");
    at("key").value = "";
    enter(stored);
  } catch (error) {
    key = "";
    complain(error);
  }
});

function enter(stored) {
  complain(null);
  at("door").hidden = true;
  at("room").hidden = false;
  const { model, dataset, items, bundle } = version;
  at("about").textContent = `${model} · ${dataset} · ${items.toLocaleString("en")} items · ${bundle.slice(0, 8)}`;
  teacher = Boolean(stored.teacher);
  at("teacher-card").hidden = !teacher;
  at("teacher-name").textContent = teacher ? `Teacher: ${stored.teacher}` : "";
  at("student-name").textContent = `Student: ${model}`;
  offerExamples(stored.examples);
  offerRules();
  at("search").focus();
  changed();
}

function offerExamples(examples) {
  const select = at("examples");
  select.hidden = !examples.length;
  select.append(made("option", { value: "", textContent: "Take an example…" }));
  examples.forEach((one, number) =>
    select.append(made("option", { value: number, textContent: one.history.map(named).reverse().join(" ← ") })));
  select.addEventListener("change", () => {
    if (select.value === "") return;
    asked.history = [...examples[select.value].history];
    select.value = "";
    changed();
  });
}

function offerRules() {
  at("rules").hidden = !version.rules.length;
  for (const name of version.rules) {
    const box = made("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      asked.rules[box.checked ? "add" : "delete"](name);
      changed();
    });
    at("rules").append(made("label", { className: "check" }, box, name));
  }
  at("context").hidden = !version.context.length;
  for (const name of version.context) {
    const input = made("input", { id: `context-${name}`, maxLength: 256 });
    input.addEventListener("input", () => {
      asked.context[name] = input.value;
      if (!input.value) delete asked.context[name];
      changed();
    });
    at("context").append(made("div", { className: "line" }, made("label", { htmlFor: input.id, textContent: name }), input));
  }
}

// Finding items

let finding = null;
at("search").addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(find, 120);
});

async function find() {
  if (finding) finding.abort();
  finding = new AbortController();
  const text = at("search").value.trim();
  if (!text) return at("found").replaceChildren();
  try {
    const found = await ask("POST", "/v1/items/search", { text, k: 8 }, finding.signal);
    at("found").replaceChildren(...found.items.map(one => {
      const button = made("button", { type: "button", textContent: named(one) });
      button.addEventListener("click", () => add(one));
      return made("li", {}, button);
    }));
    if (!found.items.length) at("found").append(made("li", { className: "hint", textContent: "Nothing is called that." }));
  } catch (error) {
    complain(error);
  }
}

function add(one) {
  asked.history.push({ item: one.item, title: one.title });
  at("search").value = "";
  at("found").replaceChildren();
  at("search").focus();
  changed();
}

at("asking").addEventListener("keydown", event => {
  const choices = [at("search"), ...at("found").querySelectorAll("button")];
  const place = choices.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (place < 0) return;
  if (step && choices[place + step]) {
    choices[place + step].focus();
    event.preventDefault();
  } else if (event.key === "Escape") {
    at("found").replaceChildren();
    at("search").focus();
  } else if (event.key === "Enter" && !place && choices[1]) {
    choices[1].click();
    event.preventDefault();
  }
});

// Changing what is asked

at("clear").addEventListener("click", () => {
  asked.history = [];
  asked.exclude = [];
  changed();
});
for (const id of ["k", "seen"]) at(id).addEventListener("input", () => changed());

function shown(list, name) {
  return list.map((one, place) => {
    const button = made("button", { type: "button", textContent: "✕", title: "Remove" });
    button.setAttribute("aria-label", `Remove ${named(one)} from the ${name}`);
    button.addEventListener("click", () => {
      list.splice(place, 1);
      changed();
    });
    return made("li", {}, made("span", { textContent: named(one) }), button);
  });
}

function changed() {
  at("history").replaceChildren(...shown(asked.history, "history"));
  at("empty").hidden = asked.history.length > 0;
  at("exclusions").replaceChildren(...shown(asked.exclude, "items left out"));
  at("excluded").hidden = !asked.exclude.length;
  recommend();
}

// What comes back

async function recommend() {
  if (asking) asking.abort();
  const mine = asking = new AbortController();
  const k = Math.min(Math.max(Math.trunc(Number(at("k").value)) || 1, 1), 50);
  const body = {
    history: asked.history.map(one => one.item), k, filter_seen: at("seen").checked,
    exclude: asked.exclude.map(one => one.item),
  };
  const rules = { rules: [...asked.rules], context: asked.context };
  at("answers").classList.add("busy");
  try {
    const [student, stored] = await Promise.all([
      ask("POST", "/v1/recommend", { ...body, ...rules, explain: true }, mine.signal),
      teacher ? ask("POST", "/v1/teacher", body, mine.signal) : null,
    ]);
    complain(null);
    show(student, stored);
  } catch (error) {
    complain(error);
  } finally {
    if (asking === mine) at("answers").classList.remove("busy");
  }
}

const CAUSES = {
  "unknown-history": "The bundle knows nothing of this history: this is what is popular.",
  deadline: "The model took too long: this is what is popular.",
  model: "The model failed: this is what is popular.",
  history: "The history could not be read: this is what somebody new is given.",
};

function show(student, stored) {
  const others = new Set((stored ? stored.items : []).map(one => String(one.item)));
  const own = new Set(student.items.map(one => String(one.item)));
  list("student", student, others, CAUSES[student.cause] || (student.items.length ? "" : "Nothing is left to give."));
  if (stored) list("teacher", stored, own, stored.asked ? "" : "The teacher was not asked about this history. Take an example, or one of its beginnings.");
  at("student-note").classList.toggle("warn", student.degraded);
}

const written = { student: score => score.toPrecision(4), teacher: score => `${(100 * score).toPrecision(2)} %` };

function list(id, told, others, note) {
  at(`${id}-time`).textContent = `${told.took.toFixed(told.took < 10 ? 1 : 0)} ms`;
  at(`${id}-note`).textContent = note;
  const scores = told.items.map(one => one.score);
  const low = Math.min(0, ...scores), high = Math.max(...scores, low + 1e-9);
  at(id).replaceChildren(...told.items.map((one, place) =>
    row(one, place + 1, bar(written[id](one.score), (one.score - low) / (high - low)), others.has(String(one.item)))));
}

function row(one, rank, drawn, both) {
  const more = made("button", { type: "button", textContent: "+", title: "Add to the history" });
  more.setAttribute("aria-label", `Add ${named(one)} to the history`);
  more.addEventListener("click", () => add(one));
  const less = made("button", { type: "button", textContent: "✕", title: "Leave out" });
  less.setAttribute("aria-label", `Leave out ${named(one)}`);
  less.addEventListener("click", () => {
    asked.exclude.push({ item: one.item, title: one.title });
    changed();
  });
  const what = made("div", {}, made("span", { className: "title", textContent: named(one) }), drawn);
  const item = made("li", { className: both ? "both" : "" }, made("span", { className: "rank", textContent: rank }), what, more, less);
  if (both) item.title = "In both lists";
  const why = reasons(one);
  if (why) item.append(why);
  return item;
}

function bar(text, share) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg"), filled = document.createElementNS(space, "rect");
  filled.setAttribute("width", `${(100 * share).toFixed(1)}%`);
  filled.setAttribute("height", "100%");
  filled.setAttribute("rx", "3");
  drawing.setAttribute("aria-hidden", "true");
  drawing.append(filled);
  return made("span", { className: "score" }, drawing, made("b", { textContent: text }));
}

function reasons(one) {
  const because = (one.because || []).map(reason => `${named(reason)} (+${reason.gain.toPrecision(2)})`);
  if (!because.length && !one.said) return null;
  const line = made("p", { className: "why" });
  if (because.length) line.append(`because of ${because.join(", ")}`);
  if (one.said) line.append(because.length ? ". " : "", "The teacher: ", made("q", { textContent: one.said }));
  return line;
}
