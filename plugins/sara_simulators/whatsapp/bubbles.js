// One message as it is drawn: its file, place, cards, text, buttons, ticks and reactions.

import { formatted, onlyEmoji, plainly } from "./format.js";
import { clock, icon, make, tick } from "./pieces.js";

const LABELS = { image: "Photo", video: "Video", audio: "Audio", document: "Document", sticker: "Sticker" };

function button(className, text, act, ...before) {
  const node = make("button", className, ...before, text);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

function outside(className, address, ...children) {
  const node = make("a", className, ...children);
  if (/^https?:/.test(address)) node.href = address;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  return node;
}

// ── what a message may hold ──

function player(name, file) {
  const node = make(name, "player");
  node.controls = true;
  node.preload = "metadata";
  node.src = file.src;
  node.setAttribute("aria-label", file.voice ? "Voice message" : LABELS[file.kind]);
  return node;
}

function fileOf(file) {
  const label = file.voice ? "Voice message" : LABELS[file.kind];
  let node;
  if (!file.src) {
    node = outside("document", file.link ?? "", icon("clip"), make("span", "", make("b", "", file.name || label), make("small", "", file.link ?? "not there any more")));
  } else if (file.kind === "image" || file.kind === "sticker") {
    const picture = make("img", file.kind === "sticker" ? "sticker" : "picture");
    picture.src = file.src;
    picture.alt = label;
    node = picture;
  } else if (file.kind === "audio") {
    node = make("div", "sound", icon(file.voice ? "mic" : "note"), player("audio", file));
  } else if (file.kind === "video") {
    node = player("video", file);
  } else {
    node = make("a", "document", icon("page"), make("span", "", make("b", "", file.name || label), make("small", "", "Save")));
    node.href = file.src;
    node.download = file.name || "document";
  }
  node.dataset.testid = `file-${file.kind}`;
  return node;
}

function placeOf(place) {
  const words = make("span", "", make("b", "", place.name || "Location"));
  if (place.address) words.append(make("small", "", place.address));
  words.append(make("small", "", `${Number(place.latitude).toFixed(4)}, ${Number(place.longitude).toFixed(4)}`));
  const node = make("div", "place", make("div", "map", icon("pin")), words);
  node.dataset.testid = "place";
  return node;
}

function cardOf(card) {
  const words = make("span", "", make("b", "", card.name), ...card.phones.map((phone) => make("small", "", phone)));
  const node = make("div", "card", make("span", "avatar face", icon("person")), words);
  node.dataset.testid = "card";
  return node;
}

function quoted(bubble, about) {
  const original = about.find(bubble.customer, bubble.reply_to);
  if (!original) return null;
  const name = original.side === "customer" ? "You" : about.business();
  return button("quoted", "", () => about.jump(original), make("b", "", name), make("span", "", plainly(original.text)));
}

function pressable(bubble, about) {
  const { shown } = bubble;
  const row = make("div", "choices");
  if (shown.list) row.append(button("choice", shown.list.button, () => about.pick(bubble), icon("list")));
  else for (const choice of bubble.choices) row.append(button("choice", choice.title, () => about.say({ press: choice.id, reply_to: bubble.id })));
  if (shown.link) row.append(outside("choice", shown.link.url, icon("out"), shown.link.title));
  if (shown.ask === "location") row.append(button("choice", "Send location", () => about.place(bubble), icon("pin")));
  if (shown.ask === "number") row.append(button("choice", "Share phone number", () => about.say({ number: true, reply_to: bubble.id }), icon("person")));
  if (shown.flow) row.append(Object.assign(button("choice", shown.flow, () => {}), { disabled: true, title: "Forms are not simulated" }));
  return row.childNodes.length ? row : null;
}

function textOf(bubble) {
  const { shown } = bubble;
  const text = shown.body ?? bubble.text;
  const node = make("div", text ? (onlyEmoji(text) ? "text big" : "text") : "text bare");
  if (shown.header) node.append(make("b", "heading", shown.header));
  if (text) node.append(formatted(text));
  if (shown.footer) node.append(make("p", "footer", shown.footer));
  node.append(make("span", "meta", make("time", "", clock(bubble.at)), tick(bubble)));
  return node;
}

function reactions(bubble) {
  const both = [bubble.own_reaction, bubble.reaction].filter(Boolean);
  if (!both.length) return null;
  const node = make("span", "reaction", both.join(" "));
  node.dataset.testid = "reaction";
  return node;
}

// ── the whole ──

function note(bubble) {
  const node = make("article", "told", make("span", "", bubble.text));
  node.dataset.testid = "note";
  return node;
}

export function draw(bubble, about) {
  const own = bubble.side === "customer";
  const { shown } = bubble;
  const node = bubble.kind === "system" ? note(bubble) : make("article", `bubble ${own ? "out" : "in"}`);
  node.id = `b-${bubble.id}`;
  if (bubble.kind === "system") return node;
  node.dataset.testid = own ? "bubble-out" : "bubble-in";
  node.dataset.state = bubble.state;
  node.dataset.kind = bubble.kind;
  const parts = [make("span", "hidden", own ? "You: " : `${about.business()}: `)];
  if (shown.template) parts.push(make("span", "label", icon("page"), "Template"));
  if (bubble.forwarded) parts.push(make("span", "label", icon("forward"), bubble.forwarded === "often" ? "Forwarded many times" : "Forwarded"));
  parts.push(quoted(bubble, about));
  if (shown.file) parts.push(fileOf(shown.file));
  if (shown.place) parts.push(placeOf(shown.place));
  for (const card of shown.cards ?? []) parts.push(cardOf(card));
  parts.push(textOf(bubble), reactions(bubble), pressable(bubble, about));
  const more = button("more", "", () => about.menu(bubble, more), icon("down"));
  more.setAttribute("aria-label", "React, reply or forward");
  more.setAttribute("aria-haspopup", "menu");
  more.dataset.testid = "bubble-menu";
  node.append(...parts.filter(Boolean), more);
  return node;
}

// What changes while a message travels is its tick alone; a film that plays must not start anew for that.
const lasting = ({ state, seen, ...rest }) => JSON.stringify(rest);

export function redraw(node, before, bubble, about) {
  if (before && lasting(before) === lasting(bubble)) {
    node.dataset.state = bubble.state;
    node.querySelector("[data-testid=tick]")?.replaceWith(tick(bubble));
    return;
  }
  const fresh = draw(bubble, about);
  fresh.classList.toggle("first", node.classList.contains("first"));
  const focused = node.contains(document.activeElement) && document.activeElement.dataset.testid;
  node.replaceWith(fresh);
  if (focused) fresh.querySelector(`[data-testid="${focused}"]`)?.focus();
}
