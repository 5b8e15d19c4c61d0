"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = new Map(data.recordings.map((recording) => [recording.id, recording]));
const coloured = (groups) => Object.values(groups).flatMap((types, group) => types.map((type) => [type, `g${group % 7}`]));
const colourOf = new Map([...coloured(data.types ?? {}), ...coloured(data.groups)]);
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
