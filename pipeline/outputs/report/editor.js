// ---- The editor of the chosen entity, and of the text that is selected

let typeToAdd = TYPES[0];
let picked = null; // the first and last place of the text that is selected in the transcript, in characters

const isSpace = (character) => /\s/u.test(character);
const isOfWord = (character) => /[\p{L}\p{M}\p{N}]/u.test(character);
const isIdeograph = (character) => /\p{Script=Han}/u.test(character);

function editor() {
  const said = element("p", { id: "said", role: "status" });
  return element("section", { id: "editor", "aria-label": "Review" }, element("div", { id: "tools" }), said);
}

function checkedBox(recording) {
  const box = element("input", { id: "checked", type: "checkbox", "aria-keyshortcuts": "c" });
  box.checked = reviewOf(recording).checked;
  box.onchange = () => setReview(recording, { ...reviewOf(recording), checked: box.checked });
  return element("label", { class: "check" }, box, "checked");
}

function chosenPlace() {
  const key = chosen.find((each) => each.startsWith("predicted-"));
  return key ? Number(key.slice("predicted-".length)) : NaN;
}

const chosenEntity = () => entitiesOf(current)[chosenPlace()] ?? null;
const say = (sentence) => { $("said").textContent = sentence; };

function showTools() {
  $("tools")?.replaceChildren(...(chosenEntity() ? toolsOf(chosenEntity()) : [hint()]), adding());
}

const hint = () => element("p", {}, "Choose an entity to review it, or select text to add one.");
const button = (id, name, onclick, label = null) =>
  element("button", { id, type: "button", onclick, "aria-label": label, title: label }, name);

function toolsOf(entity) {
  const state = DECIDED[entity.decision?.decision] ?? (entity.kept ? "not decided on" : `dropped: ${entity.cause ?? ""}`);
  const acts = { Accept: accept, Reject: reject, Undo: undo };
  const decisions = Object.entries(acts).map(([name, act]) => button(`do-${name.toLowerCase()}`, name, () => act()));
  const type = types("do-type", entity.type);
  type.onchange = () => change({ type: type.value });
  const edge = (name, which) => element(
    "span", { class: "edge", role: "group", "aria-label": name }, name,
    button(`do-${which}-back`, "◀", () => move(which, -1), `${name} a word earlier`),
    button(`do-${which}-on`, "▶", () => move(which, 1), `${name} a word later`),
  );
  const places = [edge("Start", "start"), edge("End", "end"), button("do-select", "Use the selected text", useSelection)];
  return [
    element(
      "p", { class: "what" },
      element("span", { class: `chip ${colourOf.get(entity.type)}` }, entity.type),
      element("bdi", { lang: languageTag(current.language) }, entity.text),
      element("small", {}, state),
    ),
    element("div", { class: "row" }, ...decisions, element("label", {}, "Type ", type)),
    ...(entity.char_start === null ? [] : [element("div", { class: "row" }, ...places)]),
  ];
}

function adding() {
  const type = types("do-add-type", typeToAdd);
  type.onchange = () => { typeToAdd = type.value; };
  return element("div", { class: "row adding" }, element("label", {}, "Add as ", type), button("do-add", addName(), add));
}

const addName = () => (picked ? `Add “${textOf(picked)}”` : "Add the word at the cursor");
const textOf = ([start, end]) => Array.from(current.text).slice(start, end).join("");

function types(id, value) {
  const option = (type) => element("option", { value: type, selected: type === value }, type);
  const groups = Object.entries(data.types).filter(([, some]) => some.length);
  return element("select", { id }, ...groups.map(([label, some]) => element("optgroup", { label }, ...some.map(option))));
}

// ---- What its buttons and keys do

const OVERLAPS = "It would overlap another decision: undo or move that one first.";

function settle(after, sentence) {
  const entity = chosenEntity();
  if (!decide(current, entity.decision, after)) return say(OVERLAPS);
  if (entity.decision?.decision === "add" && !after) chosen = [];
  refresh();
  say(sentence);
}

/** Let a function work on the chosen entity, where there is one. */
const onChosen = (act) => (...given) => {
  if (!current || !isReviewable(current)) return;
  const entity = chosenEntity();
  if (entity) act(entity, ...given);
  else say("Choose an entity first.");
};

const accept = onChosen((entity) => {
  const already = ["change", "add"].includes(entity.decision?.decision);
  if (already) return say(`It is ${DECIDED[entity.decision.decision]}, and so accepted.`);
  settle({ entity: entity.number, decision: "accept" }, "Accepted.");
});

const reject = onChosen((entity) => {
  if (entity.decision?.decision === "add") return settle(null, "Removed again.");
  settle({ entity: entity.number, decision: "reject" }, "Rejected.");
});

const undo = onChosen((entity) => {
  if (!entity.decision) return say("Nothing was decided on it.");
  settle(null, "Undone.");
});

const change = onChosen((entity, fields) => {
  const { type, char_start, char_end } = { ...entity, ...fields };
  const wanted = { type, ...(char_start === null ? {} : { char_start, char_end }) };
  if (entity.decision?.decision === "add") return settle({ decision: "add", ...wanted }, "Changed.");
  const before = current.entities[chosenPlace()];
  const isAsBefore = type === before.type && char_start === before.char_start && char_end === before.char_end;
  if (isAsBefore) return settle({ entity: entity.number, decision: "accept" }, "Accepted as it was.");
  settle({ entity: entity.number, decision: "change", ...wanted }, "Changed.");
});

const move = onChosen((entity, which, by) => {
  const places = wordsIn(current.text).map((word) => word[which === "start" ? 0 : 1]);
  const now = entity[`char_${which}`];
  const next = by < 0 ? places.findLast((place) => place < now) : places.find((place) => place > now);
  const isInside = which === "start" ? next < entity.char_end : next > entity.char_start;
  if (!isInside) return say("There is no word further on.");
  change({ [`char_${which}`]: next });
});

const useSelection = onChosen(() => {
  if (!picked) return say("Select text in the transcript first.");
  const [char_start, char_end] = picked;
  picked = null;
  change({ char_start, char_end });
});

function add() {
  const place = picked ?? wordAtCursor();
  if (!place) return say("There is no word to add.");
  const [char_start, char_end] = place;
  if (!decide(current, null, { decision: "add", type: typeToAdd, char_start, char_end })) return say(OVERLAPS);
  picked = null;
  chosen = [`predicted-${entitiesOf(current).length - 1}`];
  refresh();
  say("Added.");
}

const REVIEW_KEYS = { a: accept, x: reject, u: undo, c: () => $("checked")?.click() };

// ---- Words and selections, in characters of the transcript, of which an emoji is one or several

/** Return the first and last place of each word without the punctuation around it; an ideograph is a word. */
function wordsIn(text) {
  const words = [];
  let last = null;
  Array.from(text).forEach((character, place) => {
    if (isSpace(character)) last = null;
    else if (isIdeograph(character)) {
      words.push([place, place + 1]);
      last = null;
    } else if (isOfWord(character)) {
      if (!last) words.push((last = [place, place]));
      last[1] = place + 1;
    }
  });
  return words;
}

function wordAtCursor() {
  const said = current.words.findLast((word) => word[2] <= at) ?? [0, Infinity];
  const words = wordsIn(current.text);
  return words.find((word) => overlap(word, said)) ?? words.find((word) => word[0] >= said[0]) ?? null;
}

function readSelection() {
  const text = $("transcript");
  const selection = getSelection();
  if (!text?.contains(selection.anchorNode)) return; // what was selected stays while a button is pressed
  const range = selection.getRangeAt(0);
  const upTo = (node, offset) => {
    const before = document.createRange();
    before.selectNodeContents(text);
    if (text.contains(node)) before.setEnd(node, offset);
    return Array.from(before.toString()).length;
  };
  const characters = Array.from(current.text);
  let start = text.contains(range.startContainer) ? upTo(range.startContainer, range.startOffset) : 0;
  let end = upTo(range.endContainer, range.endOffset);
  while (start < end && isSpace(characters[start])) start += 1;
  while (start < end && isSpace(characters[end - 1])) end -= 1;
  picked = start < end ? [start, end] : null;
  if ($("do-add")) $("do-add").textContent = addName();
}

if (data.run) document.addEventListener("selectionchange", readSelection);
