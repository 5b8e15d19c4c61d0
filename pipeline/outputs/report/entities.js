// ---- Entities: on the timeline, in the texts and in the table. One key names an entity in all three.

let chosen = []; // the keys of the chosen entity: its own, and that of its counterpart

const visible = (entity) => entity.kept || entity.decision || entity.gaveWay || $("dropped").checked;
const stateOf = (entity) => (entity.kept ? (entity.state ?? "") : "dropped");

function lookOf(entity) {
  return `${colourOf.get(entity.type)} ${stateOf(entity).replace(" ", "-")}`;
}

/** Return the entities of the reference, and the visible ones of the run, both as pairs of key and entity. */
function withKeys(recording) {
  const keyed = (side, entities) => entities.map((entity, place) => [`${side}-${place}`, entity]);
  const predicted = keyed("predicted", entitiesOf(recording)).filter(([, entity]) => visible(entity));
  return [keyed("reference", ofReference(recording)), predicted];
}

function describe(entity) {
  const time = entity.start_s === null ? "no time" : `${entity.start_s.toFixed(2)}–${entity.end_s.toFixed(2)} s`;
  const sure = entity.confidence === null ? null : `${Math.round(100 * entity.confidence)} %`;
  return [time, sure, entity.source === "gold" ? null : entity.source].filter(Boolean).join(" · ");
}

function jump(tag, key, entity, attributes, ...children) {
  const state = [stateOf(entity), entity.kept ? null : entity.cause, DECIDED[entity.decision?.decision]];
  const title = [entity.type, describe(entity), ...state].filter(Boolean);
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
  const part = (title, id, said, entities, words, nothing) => {
    const look = { id, class: "text", lang: languageTag(said.language), dir: "auto" };
    const text = said.text ? element("p", look, ...pieces(said.text, entities, words)) : element("p", {}, nothing);
    return element("section", {}, element("h4", {}, title), text);
  };
  const nothing = recording.text === "" ? "No speech was found." : "There is no transcript.";
  const words = wordsOf(recording.words, recording.differs);
  const parts = [part(reference ? "Predicted" : "Transcript", "transcript", recording, predicted, words, nothing)];
  if (reference) {
    const theirs = wordsOf([], reference.differs);
    parts.unshift(part("Reference", null, reference, wanted, theirs, "The reference has no words of it."));
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
  if (!wanted.length && !predicted.length) return element("p", { id: "entities", class: "missing" }, "No entities.");
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
    const decision = entity.decision?.decision;
    const mark = entity.kept ? MARKS[state] : decision ? null : `dropped: ${entity.cause ?? ""}`;
    const decided = decision ? element("b", { class: "decided" }, DECIDED[decision]) : null;
    const look = state === "found" ? "found-mark" : entity.kept ? "bad" : "soft";
    const columns = [cell(predicted, recording.language)];
    if (compared) columns.unshift(cell(reference, recording.reference.language));
    return element("tr", {}, ...columns, element("td", { class: `state ${look}` }, mark, decided));
  };
  const head = compared ? ["reference", "predicted", ""] : ["entities", ""];
  return element(
    "table", { id: "entities", class: "entities" },
    element("tr", {}, ...head.map((name) => element("th", {}, name))),
    ...lines.map(line),
  );
}

function choose(key, entity) {
  chosen = [key, `${key.startsWith("reference") ? "predicted" : "reference"}-${entity.other}`];
  markChosen();
  showTools();
  if (entity.start_s !== null) goTo(entity.start_s);
}

function markChosen() {
  for (const each of $("recording").querySelectorAll("[data-entity]")) {
    const isChosen = chosen.includes(each.dataset.entity);
    (each.closest("tr") ?? each).classList.toggle("chosen", isChosen);
    each.setAttribute("aria-current", isChosen);
  }
}

function stepEntity(by) {
  const starts = [...$("timeline")?.querySelectorAll("[data-at]") ?? []];
  const ahead = starts.filter((button) => by * (Number(button.dataset.at) - at) > 0.005);
  ahead.sort((one, other) => by * (Number(one.dataset.at) - Number(other.dataset.at)));
  ahead[0]?.click();
}
