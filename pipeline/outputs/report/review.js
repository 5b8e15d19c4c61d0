// ---- The review: what a person decides on the entities, as the corrections file has it. Only that is kept, no text.

const DECIDED = { accept: "accepted", reject: "rejected", change: "changed", add: "added" };
const KEYS_OF_DECISION = ["entity", "decision", "type", "char_start", "char_end"];
const TYPES = Object.values(data.types ?? {}).flat(); // that an entity may have
const STORE = `shi-speech review of ${data.run}`;

const reviews = new Map(); // by recording id: whether it is checked, and the decisions on its entities

const isReviewable = (recording) => Boolean(data.run) && typeof recording.text === "string";
const reviewOf = (recording) => reviews.get(recording.id) ?? { checked: false, entities: [] };
const overlap = (one, other) => one[0] < other[1] && other[0] < one[1];

function reviewInWords(recording) {
  const { checked, entities } = reviewOf(recording);
  const number = entities.length ? several(entities.length, "correction", "corrections") : null;
  return [number, checked ? "checked" : null].filter(Boolean).join(", ");
}

// ---- Entities as they are after the review

/** Return the entities of a recording as decided, in their order, and those that were added. */
function entitiesOf(recording) {
  const decisions = reviewOf(recording).entities;
  if (!decisions.length) return recording.entities;
  const decided = recording.entities.map((entity) => {
    const decision = decisions.find((each) => each.entity === entity.number);
    return decision ? { ...entity, ...outcome(recording, decision), decision } : entity;
  });
  const added = decisions.filter((each) => each.decision === "add").map((decision) => (
    { ...outcome(recording, decision), state: null, other: null, decision }
  ));
  const taken = decisions.map((each) => placeOf(recording, each)).filter(Boolean);
  const left = recording.entities.filter((_, place) => ["reject", "change"].includes(decided[place].decision?.decision));
  return [...decided.map((entity) => beside(entity, taken, left)), ...added];
}

function outcome(recording, decision) {
  if (decision.decision === "accept") return { kept: true, cause: null };
  if (decision.decision === "reject") return { kept: false, cause: "review" };
  const made = { type: decision.type, kept: true, cause: null, source: "review", confidence: null };
  if (decision.char_start === undefined) return made;
  const { char_start, char_end } = decision;
  const text = Array.from(recording.text).slice(char_start, char_end).join("");
  const words = recording.words.filter((word) => overlap(word, [char_start, char_end]));
  const start_s = words.length ? Math.min(...words.map((word) => word[2])) : null;
  const end_s = words.length ? Math.max(...words.map((word) => word[3])) : null;
  return { ...made, char_start, char_end, text, start_s, end_s };
}

/** Return what becomes of an entity beside the places that decisions took and left. */
function beside(entity, taken, left) {
  if (entity.decision || entity.char_start === null) return entity;
  const place = [entity.char_start, entity.char_end];
  if (entity.kept && taken.some((other) => overlap(place, other))) {
    return { ...entity, kept: false, cause: "overlap", gaveWay: true };
  }
  const isWithin = left.some((other) => other.char_start <= place[0] && place[1] <= other.char_end);
  return entity.cause === "overlap" && isWithin ? { ...entity, cause: "review" } : entity;
}

/** Return where in the text a decision keeps an entity; null if it keeps none, or one without a place. */
function placeOf(recording, { decision, entity, char_start, char_end }) {
  if (decision === "reject") return null;
  if (decision !== "accept") return char_start === undefined ? null : [char_start, char_end];
  const accepted = recording.entities.find((each) => each.number === entity);
  return accepted.char_start === null ? null : [accepted.char_start, accepted.char_end];
}

function clashes(recording, decision, others) {
  const place = placeOf(recording, decision);
  const takes = (other) => other && overlap(place, other);
  return Boolean(place) && others.some((other) => takes(placeOf(recording, other)));
}

// ---- Decisions

/** Put a decision in the place of another, or at the end; return false if it would overlap a further one. */
function decide(recording, before, after) {
  const { checked, entities } = reviewOf(recording);
  const others = entities.filter((each) => each !== before);
  if (after && clashes(recording, after, others)) return false;
  const isThere = entities.includes(before);
  const replaced = entities.map((each) => (each === before ? after : each)).filter(Boolean);
  setReview(recording, { checked, entities: after && !isThere ? [...entities, after] : replaced });
  return true;
}

function setReview(recording, review) {
  if (review.checked || review.entities.length) reviews.set(recording.id, review);
  else reviews.delete(recording.id);
  keep();
  listAgain();
}

const corrections = () => ({ corrections_of: data.run, recordings: Object.fromEntries(reviews) });

/** Keep the review in this browser, and say so where it cannot be. */
function keep() {
  try {
    localStorage.setItem(STORE, JSON.stringify(corrections()));
    $("not-kept").hidden = true;
  } catch {
    $("not-kept").hidden = false;
  }
  showReviewed();
}

function showReviewed() {
  const all = data.recordings.filter(isReviewable);
  const number = all.reduce((sum, recording) => sum + reviewOf(recording).entities.length, 0);
  const checked = all.filter((recording) => reviewOf(recording).checked).length;
  const counted = several(number, "correction", "corrections");
  $("reviewed").textContent = `${counted}, ${checked} of ${several(all.length, "recording", "recordings")} checked`;
}

// ---- Corrections files

/** Say why something is no corrections file of this page, or nothing. */
function faultOf(content) {
  if (typeof content?.recordings !== "object" || content.recordings === null) return "is no corrections file";
  if (content.corrections_of !== data.run) return "is of another run, or the run has changed since";
  const areFine = Object.entries(content.recordings).every(([id, review]) => isReview(byId.get(id), review));
  return areFine ? "" : "has a decision that cannot be one on this page";
}

function isReview(recording, review) {
  if (!recording || !isReviewable(recording) || typeof review?.checked !== "boolean") return false;
  if (!Array.isArray(review.entities)) return false;
  const length = Array.from(recording.text).length;
  const numbers = review.entities.map((each) => each?.entity).filter((number) => number !== undefined);
  return (
    new Set(numbers).size === numbers.length &&
    review.entities.every((each) => isDecision(recording, each, length)) &&
    review.entities.every((each, place) => !clashes(recording, each, review.entities.slice(0, place)))
  );
}

function isDecision(recording, decision, length) {
  if (!decision || !Object.keys(decision).every((key) => KEYS_OF_DECISION.includes(key))) return false;
  const { entity, type, char_start, char_end } = decision;
  const of = recording.entities.find((each) => each.number === entity);
  const isPlaced = Number.isInteger(char_start) && Number.isInteger(char_end) &&
    0 <= char_start && char_start < char_end && char_end <= length;
  const hasPlace = isPlaced || (of?.char_start === null && char_start === undefined && char_end === undefined);
  if (decision.decision === "add") return entity === undefined && isPlaced && TYPES.includes(type);
  if (decision.decision === "change") return Boolean(of) && hasPlace && TYPES.includes(type);
  return ["accept", "reject"].includes(decision.decision) && Boolean(of) && type === undefined;
}

/** Take over the reviews of a file; those of other recordings stay. */
function take(content) {
  for (const [id, review] of Object.entries(content.recordings)) reviews.set(id, review);
}

function saveFile() {
  const file = new Blob([`${JSON.stringify(corrections(), null, 1)}\n`], { type: "application/json" });
  const address = URL.createObjectURL(file);
  element("a", { href: address, download: "corrections.json" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  $("loaded").textContent = "Saved as corrections.json.";
}

async function loadFile(file) {
  const content = await file.text().then(JSON.parse).catch(() => null);
  const fault = faultOf(content);
  $("loaded").textContent = `${file.name} ${fault || "is loaded"}.`;
  if (fault) return;
  take(content);
  keep();
  list();
  if (current) show(current);
}

function startReview() {
  try {
    const content = JSON.parse(localStorage.getItem(STORE));
    if (content && !faultOf(content)) take(content);
  } catch {
    $("not-kept").hidden = false;
  }
  showReviewed();
  $("save").onclick = saveFile;
  $("load").onclick = () => $("file").click();
  $("file").onchange = () => {
    if ($("file").files.length) loadFile($("file").files[0]);
    $("file").value = "";
  };
}

if (data.run) startReview();
