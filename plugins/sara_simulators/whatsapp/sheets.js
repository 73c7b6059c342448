// Menus that open at a button, and sheets that ask for something: a row of a list, a place, a card, a caption.

import { icon, make } from "./pieces.js";

const get = (id) => document.getElementById(id);

// ── menus ──

const menu = get("menu");

function entry({ text, picture, act, testid }) {
  const node = make("button", "entry", ...(picture ? [icon(picture)] : []), text);
  node.type = "button";
  node.setAttribute("role", "menuitem");
  if (testid) node.dataset.testid = testid;
  node.addEventListener("click", () => { menu.hidePopover(); act(); });
  return node;
}

// Open a menu at a button: a row of emoji, if any, above the entries.
export function openMenu(anchor, entries, emoji = []) {
  const row = emoji.map((item) => {
    const node = entry({ ...item, testid: `emoji-${item.text}` });
    node.className = item.chosen ? "emoji chosen" : "emoji";
    node.setAttribute("aria-label", item.label ?? item.text);
    return node;
  });
  menu.replaceChildren(...(row.length ? [make("div", "emojis", ...row)] : []), ...entries.map(entry));
  menu.showPopover();
  const at = anchor.getBoundingClientRect();
  const size = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  menu.style.top = `${at.bottom + size.height + 8 < innerHeight ? at.bottom + 4 : Math.max(8, at.top - size.height - 4)}px`;
  menu.querySelector("[role=menuitem]").focus();
  menu.addEventListener("toggle", (event) => { if (event.newState === "closed" && document.activeElement === document.body) anchor.focus(); }, { once: true });
}

menu.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const items = [...menu.querySelectorAll("[role=menuitem]")];
  items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
});

// ── sheets ──

const sheet = get("sheet");
let answer = () => {};

sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
get("sheet-cancel").addEventListener("click", () => sheet.close());
get("sheet-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await answer(new FormData(event.target))) sheet.close();
});
sheet.addEventListener("close", () => {
  for (const shown of sheet.querySelectorAll("[src^='blob:']")) URL.revokeObjectURL(shown.src);
  get("sheet-body").replaceChildren();
});

// Show a sheet; `act` gets what was filled in and says whether the sheet may close.
function ask(title, nodes, act, verb = "Send") {
  get("sheet-title").textContent = title;
  get("sheet-body").replaceChildren(...nodes);
  get("sheet-send").textContent = verb;
  answer = act;
  sheet.showModal();
}

function field(label, name, properties = {}) {
  const input = Object.assign(make("input"), { name, ...properties });
  input.dataset.testid = `field-${name}`;
  return make("label", "", label, input);
}

export function pickRow(bubble, act) {
  const { sections, button } = bubble.shown.list;
  const groups = sections.map((section, number) => {
    const rows = section.rows.map((row) => {
      const radio = Object.assign(make("input"), { type: "radio", name: "row", value: row.id, required: true });
      radio.dataset.testid = "row";
      const words = make("span", "", make("b", "", row.title));
      if (row.description) words.append(make("small", "", row.description));
      return make("label", "row-choice", words, radio);
    });
    return make("fieldset", "", make("legend", section.title ? "" : "hidden", section.title || `Section ${number + 1}`), ...rows);
  });
  ask(button, groups, (form) => act({ press: form.get("row"), reply_to: bubble.id }));
}

export function askPlace(act, reply_to) {
  ask("Send a location", [
    field("Latitude", "latitude", { value: "52.520008", required: true, inputMode: "decimal" }),
    field("Longitude", "longitude", { value: "13.404954", required: true, inputMode: "decimal" }),
    field("Name", "name", { value: "Sample Square", maxLength: 100 }),
    field("Address", "address", { maxLength: 200 }),
  ], (form) => act({ location: Object.fromEntries(form), reply_to }));
}

export function askCard(act, reply_to) {
  ask("Send a contact", [
    field("Name", "name", { value: "Invented Person", required: true, maxLength: 80 }),
    field("Phone number", "phone", { value: "+1 555 000 8888", inputMode: "tel" }),
  ], (form) => act({ contact: Object.fromEntries(form), reply_to }));
}

export function askNumber(act) {
  ask("Change the phone number", [
    field("New number", "phone", { placeholder: "Empty for a made-up one", inputMode: "tel" }),
  ], (form) => act(form.get("phone")), "Change");
}

function preview(file, kind) {
  if (kind === "document") return make("p", "chosen-file", icon("page"), file.name);
  const node = make(kind === "image" ? "img" : "video", "preview");
  node.src = URL.createObjectURL(file);
  if (kind === "image") node.alt = file.name;
  else node.controls = true;
  return node;
}

export function askCaption(file, kind, act) {
  const title = { image: "Send a photo", video: "Send a video", document: "Send a document" }[kind];
  ask(title, [preview(file, kind), field("Caption", "caption", { maxLength: 1024 })], (form) => act(form.get("caption")));
}
