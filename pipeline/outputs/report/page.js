// ---- One recording

function show(recording) {
  current = recording;
  at = 0;
  chosen = [];
  picked = null;
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
      isReviewable(recording) ? checkedBox(recording) : null,
    ),
    ...(failure ? [element("p", { class: "bad" }, `Failed in ${failure.stage}: ${failure.error}`)] : []),
    ...(recording.note ? [element("p", { class: "bad" }, `Note: ${recording.note}.`)] : []),
    ...(recording.seconds ? [player(recording), timeline(recording)] : []),
    ...(data.show_text ? [texts(recording)] : []),
    ...(isReviewable(recording) ? [editor()] : []),
    table(recording),
  );
  $("recording").scrollTop = 0;
  showTools();
  moveTo(0);
  markCurrent();
  history.replaceState(null, "", `#r=${encodeURIComponent(recording.id)}`);
}

/** Show the entities of the current recording anew; sound, cursor and focus stay. */
function refresh() {
  const focusAgain = rememberFocus();
  const scrolled = $("timeline")?.scrollLeft;
  $("timeline")?.replaceWith(timeline(current));
  $("transcript")?.closest(".texts").replaceWith(texts(current));
  $("entities").replaceWith(table(current));
  if (scrolled) $("timeline").scrollLeft = scrolled;
  showTools();
  markChosen();
  moveTo(at);
  focusAgain();
}

/** Return a function that gives the focus to what has taken the place of the element that has it now. */
function rememberFocus() {
  const { activeElement } = document;
  const { id, dataset } = activeElement;
  const part = [".timeline", ".texts", ".entities"].find((each) => activeElement.closest(each));
  const ofEditor = activeElement.closest("#editor");
  const named = id ? `#${id}` : part && dataset.entity ? `${part} [data-entity="${dataset.entity}"]` : null;
  return () => {
    const again = (named && $("recording").querySelector(named)) ?? (ofEditor && $("do-add"));
    again?.focus({ preventScroll: true });
  };
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
  ...(data.run ? REVIEW_KEYS : {}),
};

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (target === $("search") && key === "Escape") target.blur();
  if (target.closest("input:not([type=checkbox]), select, summary") || (key === " " && target.closest("input"))) return;
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
  list();
  if (current) refresh();
});
$("filters").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", () => { if (showLinked()) $("browser").scrollIntoView(); });
list();
if (!showLinked() && shown.length) show(shown[0]);
