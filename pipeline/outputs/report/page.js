"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = new Map(data.recordings.map((recording) => [recording.id, recording]));
const colourOf = new Map(
  Object.values(data.groups).flatMap((types, group) => types.map((type) => [type, `g${group % 7}`])),
);
const $ = (id) => document.getElementById(id);
const SMALLEST_SECOND = 25; // px: a longer recording scrolls
const LETTER = 7; // px of a type's name on the timeline

let shown = []; // the recordings of the list, in its order
let current = null; // the recording on the right
let at = 0; // the cursor, in seconds
let audio = null;

// ---- Elements. Whatever comes from the data becomes text or an attribute, never markup.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "style") for (const [key, each] of Object.entries(value)) made.style.setProperty(key, each);
    else if (name === "onclick") made.onclick = value;
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const several = (number, one, more) => (number === 1 ? `1 ${one}` : `${number || "no"} ${more}`);
const languageTag = (language) => ({ zh: "zh-Hant", en: "en" })[language];

// ---- What is wrong with a recording

const ofReference = (recording) => recording.reference?.entities ?? [];

function differences(recording) {
  const count = (entities, state) => entities.filter((entity) => entity.state === state).length;
  return {
    missed: count(ofReference(recording), "missed"),
    "wrong type": count(recording.entities, "wrong type"),
    spurious: count(recording.entities, "spurious"),
  };
}

const numberOf = (found) => Object.values(found).reduce((sum, number) => sum + number, 0);

function inWords(found) {
  return Object.entries(found).filter(([, number]) => number).map(([what, number]) => `${number} ${what}`).join(", ");
}

// ---- The list, its filters and its order

const leaked = (recording) => recording.reference?.leaked_s ?? -1;
const edits = (recording) => recording.reference?.edits ?? -1;
const has = (test) => data.recordings.some(test);

const FILTERS = {
  "with differences": (recording) => numberOf(differences(recording)) > 0,
  "with entities": (recording) => recording.entities.some((entity) => entity.kept) || ofReference(recording).length > 0,
  "with dropped entities": (recording) => recording.entities.some((entity) => !entity.kept),
  "without speech": (recording) => recording.in_run && !recording.failure && !recording.speech,
  "without sound": (recording) => data.show_text && !recording.sound,
  failed: (recording) => recording.failure !== null,
  "with a note": (recording) => Boolean(recording.note),
  "not in the run": (recording) => !recording.in_run,
};

const ORDERS = {
  id: () => 0,
  "longest first": (one, other) => other.seconds - one.seconds,
  "most transcript errors": (one, other) => edits(other) - edits(one),
  "most entity errors": (one, other) =>
    leaked(other) - leaked(one) || numberOf(differences(other)) - numberOf(differences(one)),
};

function fillFilters() {
  const option = (value) => element("option", { value }, value);
  const languages = new Set(data.recordings.map((recording) => recording.language).filter(Boolean));
  $("type").append(...Object.values(data.groups).flat().sort().map(option));
  $("language").append(...[...languages].sort().map(option));
  $("only").append(...Object.keys(FILTERS).filter((name) => has(FILTERS[name])).map(option));
  const judged = (name) =>
    (name !== "most transcript errors" || has((recording) => edits(recording) >= 0)) &&
    (name !== "most entity errors" || has((recording) => leaked(recording) >= 0));
  $("order").append(...Object.keys(ORDERS).filter(judged).map(option));
}

function list() {
  const wanted = $("search").value.trim().toLowerCase();
  const [type, language, only] = ["type", "language", "only"].map((id) => $(id).value);
  const visible = (entity) => entity.type === type && (entity.kept || $("dropped").checked);
  shown = data.recordings.filter(
    (recording) =>
      recording.id.toLowerCase().includes(wanted) &&
      (!language || recording.language === language) &&
      (!type || [...recording.entities, ...ofReference(recording)].some(visible)) &&
      (!only || FILTERS[only](recording)),
  );
  shown.sort(ORDERS[$("order").value]);
  $("shown").textContent = `${shown.length} of ${data.recordings.length}`;
  $("list").replaceChildren(...shown.map(row));
  markCurrent();
}

function row(recording) {
  const { reference } = recording;
  const kept = recording.entities.filter((entity) => entity.kept).length;
  const wrong = recording.failure ? "failed" : recording.in_run ? inWords(differences(recording)) : "not in the run";
  return element(
    "li", {},
    element(
      "button", { type: "button", "data-recording": recording.id, onclick: () => show(recording) },
      element("b", {}, element("bdi", {}, recording.id)),
      element("small", {}, [recording.language, clock(recording.seconds)].filter(Boolean).join(" · ")),
      element("small", { class: wrong ? "bad" : null }, wrong || several(kept, "entity", "entities")),
      element("small", {}, reference?.tokens ? `${percent(reference.edits / reference.tokens)} wrong` : ""),
    ),
  );
}

function markCurrent() {
  for (const button of $("list").querySelectorAll("button")) {
    const here = button.dataset.recording === current?.id;
    button.setAttribute("aria-current", here);
    if (here) scrollInList(button);
  }
}

// scrollIntoView would scroll the page too, which is to open at its top.
function scrollInList(button) {
  const row = button.getBoundingClientRect();
  const pane = $("list").getBoundingClientRect();
  $("list").scrollTop += Math.min(row.top - pane.top, 0) + Math.max(row.bottom - pane.bottom, 0);
}

function step(by) {
  const place = shown.indexOf(current);
  const next = shown[place < 0 ? 0 : Math.min(Math.max(place + by, 0), shown.length - 1)];
  if (next) show(next);
}

// ---- One recording

function show(recording) {
  current = recording;
  at = 0;
  load(recording.sound);
  const { failure, reference } = recording;
  const errors = several(reference?.edits, "error", "errors");
  const about = [
    !recording.in_run && "not in the run",
    recording.language && `${recording.language}, transcribed by ${recording.recognizer}`,
    recording.seconds && clock(recording.seconds),
    edits(recording) >= 0 && `${errors} in ${reference.tokens} words and characters`,
    reference?.leaked_s && `${reference.leaked_s.toFixed(2)} s of entities not covered`,
    inWords(differences(recording)),
  ];
  $("recording").replaceChildren(
    element(
      "div", { class: "title" },
      element("h3", {}, element("bdi", {}, recording.id)),
      element("span", {}, about.filter(Boolean).join(" · ")),
    ),
    ...(failure ? [element("p", { class: "bad" }, `Failed in ${failure.stage}: ${failure.error}`)] : []),
    ...(recording.note ? [element("p", { class: "bad" }, `Note: ${recording.note}.`)] : []),
    ...(recording.seconds ? [player(recording), timeline(recording)] : []),
    ...(data.show_text ? [texts(recording)] : []),
    table(recording),
  );
  $("recording").scrollTop = 0;
  moveTo(0);
  markCurrent();
  history.replaceState(null, "", `#r=${encodeURIComponent(recording.id)}`);
}

function load(sound) {
  if (audio) {
    audio.ontimeupdate = audio.onseeked = audio.onplay = audio.onpause = null;
    audio.pause();
  }
  audio = sound ? new Audio(`data:audio/ogg;base64,${sound}`) : null;
  if (!audio) return;
  audio.ontimeupdate = audio.onseeked = () => moveTo(audio.currentTime);
  audio.onplay = () => {
    $("play").textContent = "❚❚ Pause";
    follow();
  };
  audio.onpause = () => { $("play").textContent = "▶ Play"; };
}

function player(recording) {
  const time = element("span", { id: "clock" });
  if (!audio) {
    const without = recording.no_audio ?? (data.show_text ? "its sound is not in this page" : "");
    return element("div", { class: "player" }, time, element("span", { class: "soft" }, without));
  }
  const speed = (value) => element("option", { value, selected: value === 1 }, `${value}×`);
  const rate = element("select", { id: "rate", "aria-label": "Speed" }, ...[0.5, 0.75, 1, 1.5, 2].map(speed));
  rate.onchange = () => { audio.playbackRate = Number(rate.value); };
  const play = element("button", { id: "play", type: "button", onclick: toggle }, "▶ Play");
  return element("div", { class: "player" }, play, time, rate);
}

function timeline(recording) {
  const seconds = recording.seconds;
  const track = element("div", { class: "track", style: { width: `max(100%, ${SMALLEST_SECOND * seconds}px)` } });
  const slider = element("div", {
    id: "position", class: "slider", role: "slider", tabindex: 0, "aria-label": "Position",
    "aria-valuemin": 0, "aria-valuemax": seconds,
    onclick: (event) => {
      const box = track.getBoundingClientRect();
      goTo((seconds * (event.clientX - box.left)) / box.width);
    },
  }, waveform(recording.envelope, seconds), ticks(seconds));
  track.append(slider, ...lanes(recording), element("div", { id: "cursor", class: "cursor" }));
  return element("div", { id: "timeline", class: "timeline" }, track);
}

function waveform(envelope, seconds) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "wave");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  if (!envelope) return svg;
  const peaks = Array.from(atob(envelope), (character) => character.charCodeAt(0));
  svg.setAttribute("viewBox", `0 -270 ${seconds * data.envelope_hz} 540`);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const above = peaks.map((peak, place) => `${place + 0.5} ${-peak - 2}`);
  const below = peaks.map((peak, place) => `${place + 0.5} ${peak + 2}`).reverse();
  path.setAttribute("d", `M0 0L${above.join("L")}L${peaks.length} 0L${below.join("L")}Z`);
  svg.append(path);
  return svg;
}

function ticks(seconds) {
  const every = [0.25, 0.5, 1, 2].find((each) => seconds / each <= 12) ?? 5;
  const marks = [];
  for (let second = 0; second < seconds * 0.96; second += every) {
    marks.push(element("span", { style: { left: `${(100 * second) / seconds}%` } }, `${second}`));
  }
  return element("div", { class: "ticks", "aria-hidden": "true" }, ...marks);
}

// ---- Entities: on the timeline, in the texts and in the table. One key names an entity in all three.

const visible = (entity) => entity.kept || $("dropped").checked;
const stateOf = (entity) => (entity.kept ? (entity.state ?? "") : "dropped");

function lookOf(entity) {
  return `${colourOf.get(entity.type)} ${stateOf(entity).replace(" ", "-")}`;
}

/** Return the entities of the reference, and the visible ones of the run, both as pairs of key and entity. */
function withKeys(recording) {
  const keyed = (side, entities) => entities.map((entity, place) => [`${side}-${place}`, entity]);
  const predicted = keyed("predicted", recording.entities).filter(([, entity]) => visible(entity));
  return [keyed("reference", ofReference(recording)), predicted];
}

function describe(entity) {
  const time = entity.start_s === null ? "no time" : `${entity.start_s.toFixed(2)}–${entity.end_s.toFixed(2)} s`;
  const sure = entity.confidence === null ? null : `${Math.round(100 * entity.confidence)} %`;
  return [time, sure, entity.source === "gold" ? null : entity.source].filter(Boolean).join(" · ");
}

function jump(tag, key, entity, attributes, ...children) {
  const title = [entity.type, describe(entity), stateOf(entity), entity.kept ? null : entity.cause].filter(Boolean);
  const onclick = () => choose(key, entity);
  const own = { "data-entity": key, "data-at": entity.start_s, title: title.join("\n"), onclick };
  return element(tag, { ...own, ...attributes }, ...children);
}

/** Put entities with their names on lanes, so that none covers another. */
function lanes(recording) {
  const wide = Math.max($("recording").clientWidth - 48, SMALLEST_SECOND * recording.seconds);
  const share = (seconds) => `${(100 * seconds) / recording.seconds}%`;
  const [wanted, predicted] = withKeys(recording);
  const sides = recording.reference?.entities ? { reference: wanted, predicted } : { entities: predicted };
  const made = [];
  for (const [title, entities] of Object.entries(sides)) {
    const rows = [];
    for (const [key, entity] of entities.filter(([, entity]) => entity.start_s !== null)) {
      const named = ((entity.type.length + 1) * LETTER * recording.seconds) / wide;
      const late = entity.start_s + named > recording.seconds;
      const start = late ? Math.min(entity.start_s, entity.end_s - named) : entity.start_s;
      let row = rows.find((each) => each.end <= start);
      if (!row) rows.push((row = { end: 0, buttons: [] }));
      row.end = late ? entity.end_s : Math.max(entity.end_s, entity.start_s + named);
      const style = { left: share(entity.start_s), width: share(entity.end_s - entity.start_s) };
      const look = `${lookOf(entity)}${late ? " late" : ""}`;
      const name = element("span", {}, entity.type);
      row.buttons.push(jump("button", key, entity, { class: look, style, tabindex: -1 }, name));
    }
    made.push(element("div", { class: "lane-name" }, rows.length ? title : `${title}: none`));
    made.push(...rows.map((row) => element("div", { class: "lane" }, ...row.buttons)));
  }
  return made;
}

function texts(recording) {
  const [wanted, predicted] = withKeys(recording);
  const { reference } = recording;
  const part = (title, said, entities, words, nothing) => {
    const look = { class: "text", lang: languageTag(said.language), dir: "auto" };
    const text = said.text ? element("p", look, ...pieces(said.text, entities, words)) : element("p", {}, nothing);
    return element("section", {}, element("h4", {}, title), text);
  };
  const nothing = recording.text === "" ? "No speech was found." : "There is no transcript.";
  const words = wordsOf(recording.words, recording.differs);
  const parts = [part(reference ? "Predicted" : "Transcript", recording, predicted, words, nothing)];
  if (reference) {
    const theirs = wordsOf([], reference.differs);
    parts.unshift(part("Reference", reference, wanted, theirs, "The reference has no words of it."));
  }
  return element("div", { class: "texts" }, ...parts);
}

/** Cut a text at the edges of its entities and words. Places count characters, of which an emoji is one. */
function pieces(text, entities, words) {
  const characters = Array.from(text);
  const made = [];
  let from = 0;
  for (const [key, entity] of placed(entities)) {
    made.push(...cut(characters, from, entity.char_start, words));
    const inside = element("bdi", {}, ...cut(characters, entity.char_start, entity.char_end, words));
    const look = { class: lookOf(entity), "data-type": entity.type };
    made.push(jump("span", key, entity, { role: "button", tabindex: 0, ...look }, inside)); // a button would not wrap
    from = entity.char_end;
  }
  return [...made, ...cut(characters, from, characters.length, words)];
}

/** Choose entities with a place in the text, the kept ones first, so that none overlaps another. */
function placed(entities) {
  const chosen = [];
  const apart = (one, other) => one.char_end <= other.char_start || other.char_end <= one.char_start;
  for (const entry of [...entities].sort(([, one], [, other]) => other.kept - one.kept)) {
    if (entry[1].char_start !== null && chosen.every(([, other]) => apart(entry[1], other))) chosen.push(entry);
  }
  return chosen.sort(([, one], [, other]) => one.char_start - other.char_start);
}

function cut(characters, start, end, words) {
  const said = (from, to) => characters.slice(from, to).join("");
  const made = [];
  let from = start;
  for (const word of words) {
    const [first, last] = [Math.max(word.start, start), Math.min(word.end, end)];
    if (first >= last) continue;
    const look = `${word.from === undefined ? "" : "word"} ${word.differs ? "differs" : ""}`;
    const times = { "data-start": word.from, "data-end": word.to };
    made.push(said(from, first), element("span", { class: look, ...times }, said(first, last)));
    from = last;
  }
  return [...made, said(from, end)];
}

/** Join the timed words with the places where the texts differ; the words of a reference have no times. */
function wordsOf(words, differs) {
  if (!words.length) return differs.map(([start, end]) => ({ start, end, differs: true }));
  return words.map(([start, end, from, to]) => (
    { start, end, from, to, differs: differs.some((place) => place[0] < end && start < place[1]) }
  ));
}

const MARKS = { found: "✓ found", missed: "✗ missed", spurious: "+ spurious", "wrong type": "≠ wrong type" };

function table(recording) {
  const [wanted, predicted] = withKeys(recording);
  const compared = Boolean(recording.reference?.entities);
  if (!wanted.length && !predicted.length) return element("p", { class: "missing" }, "No entities.");
  const lines = predicted.map((entry) => ({ predicted: entry, reference: wanted[entry[1].other ?? -1] }));
  const matched = new Set(lines.map((line) => line.reference));
  lines.push(...wanted.filter((entry) => !matched.has(entry)).map((reference) => ({ reference })));
  const start = (line) => (line.reference ?? line.predicted)[1].start_s ?? Infinity;
  lines.sort((one, other) => start(one) - start(other));

  const cell = (entry, language) => {
    if (!entry) return element("td", { class: "half" });
    const [key, entity] = entry;
    const text = data.show_text ? element("bdi", { lang: languageTag(language) }, ` ${entity.text}`) : null;
    const chip = element("span", { class: `chip ${colourOf.get(entity.type)}` }, entity.type);
    const about = element("small", {}, describe(entity));
    return element("td", { class: "half" }, jump("button", key, entity, { class: "go" }, chip, text, about));
  };
  const line = ({ reference, predicted }) => {
    const entity = (predicted ?? reference)[1];
    const state = stateOf(entity);
    const mark = entity.kept ? MARKS[state] : `dropped: ${entity.cause ?? ""}`;
    const look = state === "found" ? "found-mark" : entity.kept ? "bad" : "soft";
    const columns = [cell(predicted, recording.language)];
    if (compared) columns.unshift(cell(reference, recording.reference.language));
    return element("tr", {}, ...columns, element("td", { class: `state ${look}` }, mark ?? ""));
  };
  const head = compared ? ["reference", "predicted", ""] : ["entities", ""];
  return element(
    "table", { class: "entities" },
    element("tr", {}, ...head.map((name) => element("th", {}, name))),
    ...lines.map(line),
  );
}

function choose(key, entity) {
  const keys = [key, `${key.startsWith("reference") ? "predicted" : "reference"}-${entity.other}`];
  for (const each of $("recording").querySelectorAll("[data-entity]")) {
    (each.closest("tr") ?? each).classList.toggle("chosen", keys.includes(each.dataset.entity));
  }
  if (entity.start_s !== null) goTo(entity.start_s);
}

function stepEntity(by) {
  const starts = [...$("timeline")?.querySelectorAll("[data-at]") ?? []];
  const ahead = starts.filter((button) => by * (Number(button.dataset.at) - at) > 0.005);
  ahead.sort((one, other) => by * (Number(one.dataset.at) - Number(other.dataset.at)));
  ahead[0]?.click();
}

// ---- Time

function goTo(seconds) {
  const there = Math.min(Math.max(seconds, 0), current.seconds);
  if (audio) audio.currentTime = there;
  moveTo(there);
}

function moveTo(seconds) {
  if (!current.seconds) return;
  at = Math.min(seconds, current.seconds);
  $("clock").textContent = `${clock(at)} / ${clock(current.seconds)}`;
  $("position").setAttribute("aria-valuenow", at.toFixed(2));
  $("position").setAttribute("aria-valuetext", clock(at));
  $("cursor").style.left = `${(100 * at) / current.seconds}%`;
  for (const word of $("recording").querySelectorAll(".word")) {
    word.classList.toggle("now", at > 0 && at >= Number(word.dataset.start) && at < Number(word.dataset.end));
  }
  const view = $("timeline");
  const x = (view.scrollWidth * at) / current.seconds;
  if (x < view.scrollLeft || x > view.scrollLeft + view.clientWidth) view.scrollLeft = x - view.clientWidth / 4;
}

function follow() {
  if (!audio || audio.paused) return;
  moveTo(audio.currentTime);
  requestAnimationFrame(follow);
}

function toggle() {
  if (!audio?.paused) return audio?.pause();
  audio.play().catch((error) => {
    if (error.name === "NotSupportedError") $("play").textContent = "This browser cannot play Ogg Opus";
  }); // that a pause came first is no error
}

// ---- Keys

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  n: () => stepEntity(1),
  p: () => stepEntity(-1),
  ArrowRight: () => goTo(at + 1),
  ArrowLeft: () => goTo(at - 1),
  " ": toggle,
  "/": () => $("search").focus(),
  d: () => $("dropped").click(),
};

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (target === $("search") && key === "Escape") target.blur();
  if (target.closest("input, select, summary")) return;
  if (key === "Enter" && target.matches("[role=button]")) target.click();
  if (key === " " && (!audio || target.closest("button:not([data-entity], [data-recording]), a"))) return;
  const inList = target.closest("#list") && { ArrowDown: KEYS.j, ArrowUp: KEYS.k }[key];
  const act = inList || KEYS[key];
  if (!act || (key.startsWith("Arrow") && !inList && !current?.seconds)) return;
  event.preventDefault();
  act();
  if (inList) $("list").querySelector("[aria-current=true]")?.focus();
});

$("recording").addEventListener("click", (event) => {
  const word = event.target.closest(".word");
  if (word && !event.target.closest("[data-entity]")) goTo(Number(word.dataset.start));
});

function showLinked() {
  const linked = byId.get(decodeURIComponent(location.hash.replace(/^#r=/, "")));
  if (linked) show(linked);
  return Boolean(linked);
}

fillFilters();
for (const id of ["search", "type", "language", "only", "order"]) $(id).addEventListener("input", list);
$("dropped").addEventListener("input", () => {
  const before = at;
  list();
  if (!current) return;
  show(current);
  goTo(before);
});
$("filters").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", () => { if (showLinked()) $("browser").scrollIntoView(); });
list();
if (!showLinked() && shown.length) show(shown[0]);
