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
  "with entities": (recording) => entitiesOf(recording).some((entity) => entity.kept) || ofReference(recording).length > 0,
  "with dropped entities": (recording) => entitiesOf(recording).some((entity) => !entity.kept),
  "without speech": (recording) => recording.in_run && !recording.failure && !recording.speech,
  "without sound": (recording) => data.show_text && !recording.sound,
  failed: (recording) => recording.failure !== null,
  "with a note": (recording) => Boolean(recording.note),
  "not in the run": (recording) => !recording.in_run,
};

const REVIEW_FILTERS = {
  "to be checked": (recording) => isReviewable(recording) && !reviewOf(recording).checked,
  checked: (recording) => reviewOf(recording).checked,
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
  if (data.run) $("only").append(...Object.keys(REVIEW_FILTERS).map(option));
  const judged = (name) =>
    (name !== "most transcript errors" || has((recording) => edits(recording) >= 0)) &&
    (name !== "most entity errors" || has((recording) => leaked(recording) >= 0));
  $("order").append(...Object.keys(ORDERS).filter(judged).map(option));
}

function list() {
  const wanted = $("search").value.trim().toLowerCase();
  const [type, language, only] = ["type", "language", "only"].map((id) => $(id).value);
  const wantedType = (entity) => entity.type === type && visible(entity);
  const test = FILTERS[only] ?? REVIEW_FILTERS[only] ?? (() => true);
  shown = data.recordings.filter(
    (recording) =>
      recording.id.toLowerCase().includes(wanted) &&
      (!language || recording.language === language) &&
      (!type || [...entitiesOf(recording), ...ofReference(recording)].some(wantedType)) &&
      test(recording),
  );
  shown.sort(ORDERS[$("order").value]);
  $("shown").textContent = `${shown.length} of ${data.recordings.length}`;
  $("list").replaceChildren(...shown.map(row));
  markCurrent();
}

function row(recording) {
  const { reference } = recording;
  const kept = entitiesOf(recording).filter((entity) => entity.kept).length;
  const wrong = recording.failure ? "failed" : recording.in_run ? inWords(differences(recording)) : "not in the run";
  return element(
    "li", {},
    element(
      "button", { type: "button", "data-recording": recording.id, onclick: () => show(recording) },
      element("b", {}, element("bdi", {}, recording.id)),
      element("small", {}, [recording.language, clock(recording.seconds)].filter(Boolean).join(" · ")),
      element("small", { class: wrong ? "bad" : null }, wrong || several(kept, "entity", "entities")),
      element("small", {}, reference?.tokens ? `${percent(reference.edits / reference.tokens)} wrong` : ""),
      element("small", { class: "found-mark" }, reviewInWords(recording)),
    ),
  );
}

/** Show in the list what has changed of the current recording. */
function listAgain() {
  const hadFocus = $("list").contains(document.activeElement);
  if (REVIEW_FILTERS[$("only").value]) list();
  else if (shown.includes(current)) $("list").children[shown.indexOf(current)].replaceWith(row(current));
  markCurrent();
  if (hadFocus) $("list").querySelector("[aria-current=true]")?.focus();
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
