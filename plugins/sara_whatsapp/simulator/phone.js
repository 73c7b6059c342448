// The phone page: a list of customers, one chat at a time, live from the simulator over a WebSocket.

import { send, setUp, showFaults } from "./drawers.js";
import { formatted, onlyEmoji, plainly } from "./format.js";
import { avatar, clock, day, dayOf, identity, make, tick } from "./pieces.js";

const get = (id) => document.getElementById(id);
const app = get("app");
const log = get("log");
const composer = get("composer");
const narrow = matchMedia("(max-width: 760px)");
const ANSWER_EXPECTED = 25_000; // so long the dots show after the daemon took a message

const customers = new Map();
const chats = new Map(); // customer → Map(id → bubble), in order
const drafts = new Map();
let business = { name: "", number: "" };
let active = null;
let live = null;
let connected = true;
let dotsTimer = 0;

const chatOf = (id) => [...(chats.get(id)?.values() ?? [])];

// ── the list ──

function person(customer) {
  const chat = chatOf(customer.id);
  const last = chat.at(-1);
  const unread = customer.id === active && visible() ? 0 : chat.filter((bubble) => bubble.side === "business" && !bubble.seen).length;
  const typing = customer.typing_until > Date.now();
  const lower = make("span", "lower");
  if (last?.side === "customer" && !typing) lower.append(tick(last));
  const words = make("span", typing ? "words typing" : "words", typing ? "typing…" : last ? plainly(last.text) : "No messages yet");
  lower.append(words);
  if (unread) {
    const badge = make("span", "badge", String(unread), make("span", "hidden", " unread"));
    badge.dataset.testid = "unread";
    lower.append(badge);
  }
  const upper = make("span", "upper", make("b", "", customer.name), make("time", unread ? "new" : "", last ? clock(last.at) : ""));
  const button = make("button", "person", avatar(customer), make("span", "lines", upper, lower));
  button.type = "button";
  button.title = identity(customer);
  button.dataset.testid = "customer";
  button.dataset.customer = customer.id;
  if (customer.id === active && (!narrow.matches || app.dataset.pane === "chat")) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => open(customer.id));
  return make("li", "", button);
}

function showPeople() {
  const focused = document.activeElement?.dataset?.customer;
  const order = [...customers.values()].map((customer, index) => [chatOf(customer.id).at(-1)?.at ?? -index, customer]);
  order.sort((a, b) => b[0] - a[0]);
  get("people").replaceChildren(...order.map(([, customer]) => person(customer)));
  if (focused) get("people").querySelector(`[data-customer="${CSS.escape(focused)}"]`)?.focus();
  const unread = document.querySelectorAll("[data-testid=unread]").length;
  document.title = (unread ? `(${unread}) ` : "") + `Phone · ${business.name}`;
}

// ── the chat ──

function quoted(bubble) {
  const original = chats.get(bubble.customer)?.get(bubble.reply_to);
  if (!original) return null;
  const name = original.side === "customer" ? "You" : business.name;
  return make("div", "quoted", make("b", "", name), make("span", "", plainly(original.text)));
}

function buttons(bubble) {
  const row = make("div", "choices");
  for (const choice of bubble.choices) {
    const button = make("button", "choice", choice.title);
    button.type = "button";
    button.addEventListener("click", () => say({ customer: bubble.customer, tapped: choice, reply_to: bubble.id }));
    row.append(button);
  }
  return row;
}

function draw(bubble) {
  const own = bubble.side === "customer";
  const node = make("article", `bubble ${own ? "out" : "in"}`);
  node.id = `b-${bubble.id}`;
  node.dataset.testid = own ? "bubble-out" : "bubble-in";
  node.dataset.state = bubble.state;
  const quote = quoted(bubble);
  if (quote) node.append(quote);
  const text = make("div", onlyEmoji(bubble.text) ? "text big" : "text", formatted(bubble.text));
  const meta = make("span", "meta", make("time", "", clock(bubble.at)), tick(bubble));
  text.append(meta);
  node.append(make("span", "hidden", own ? "You: " : `${business.name}: `), text);
  if (bubble.reaction) node.append(make("span", "reaction", bubble.reaction));
  if (bubble.choices?.length) node.append(buttons(bubble));
  return node;
}

const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 80;
const toEnd = () => { log.scrollTop = log.scrollHeight; };

function append(bubble, before) {
  if (!before || dayOf(before.at) !== dayOf(bubble.at)) log.append(make("div", "day", make("span", "", day(bubble.at))));
  const node = draw(bubble);
  if (!before || before.side !== bubble.side || dayOf(before.at) !== dayOf(bubble.at)) node.classList.add("first");
  log.append(node);
}

function showChat() {
  const customer = customers.get(active);
  app.classList.toggle("nobody", !customer);
  if (!customer) return;
  const chat = chatOf(active);
  log.replaceChildren();
  if (!chat.length) {
    log.append(make("p", "empty", make("b", "", `You are ${customer.name}.`), ` Write to ${business.name} as a customer would.`));
  }
  chat.forEach((bubble, index) => append(bubble, chat[index - 1]));
  showDots();
  toEnd();
}

function showHeader() {
  const customer = customers.get(active);
  get("business").textContent = business.name;
  const typing = customer && customer.typing_until > Date.now();
  get("presence").textContent = !customer ? "" : typing ? "typing…" : `You are ${customer.name} · ${identity(customer)}`;
  get("presence").classList.toggle("typing", Boolean(typing));
}

// Three dots while the business says that it is typing, and fainter ones while it has the message and owes an answer.
function showDots() {
  clearTimeout(dotsTimer);
  log.querySelector(".dots")?.remove();
  const customer = customers.get(active);
  if (!customer) return;
  const last = chatOf(active).at(-1);
  const expected = last?.side === "customer" && ["delivered", "read"].includes(last.state) ? last.at + ANSWER_EXPECTED : 0;
  const until = Math.max(customer.typing_until, expected);
  if (until > Date.now()) {
    const typing = customer.typing_until > Date.now();
    const dots = make("div", `bubble in first dots ${typing ? "" : "faint"}`, make("i"), make("i"), make("i"), make("span", "hidden", "An answer is being written"));
    dots.dataset.testid = "typing";
    dots.dataset.kind = typing ? "typing" : "waiting";
    const stay = atEnd();
    log.append(dots);
    if (stay) toEnd();
    dotsTimer = setTimeout(() => { showDots(); showHeader(); showPeople(); }, Math.min(until - Date.now(), typing ? customer.typing_until - Date.now() : Infinity) + 50);
  }
}

function showBubble(bubble) {
  if (!chats.has(bubble.customer)) chats.set(bubble.customer, new Map());
  const chat = chats.get(bubble.customer);
  const known = chat.has(bubble.id);
  const before = known ? null : [...chat.values()].at(-1);
  chat.set(bubble.id, bubble);
  if (bubble.customer === active) {
    const node = known && document.getElementById(`b-${bubble.id}`);
    const stay = atEnd() || (!known && bubble.side === "customer");
    if (node) {
      const fresh = draw(bubble);
      fresh.classList.toggle("first", node.classList.contains("first"));
      node.replaceWith(fresh);
    } else {
      log.querySelector(".empty")?.remove();
      append(bubble, before);
      log.lastElementChild.classList.add("arrives");
    }
    showDots();
    if (stay) toEnd();
  }
}

// ── what people do ──

const visible = () => document.visibilityState === "visible" && (!narrow.matches || app.dataset.pane === "chat");

function tellPresence() {
  if (live?.readyState === WebSocket.OPEN) live.send(JSON.stringify({ open: visible() ? active : null }));
}

function open(id, focus = true) {
  if (active) drafts.set(active, composer.value);
  active = id;
  app.dataset.pane = "chat";
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  composer.value = drafts.get(id) ?? "";
  grow();
  showChat();
  showHeader();
  showPeople();
  tellPresence();
  if (focus) composer.focus();
}

function back() {
  app.dataset.pane = "list";
  history.replaceState(null, "", "#");
  showPeople();
  tellPresence();
  get("people").querySelector(`[data-customer="${CSS.escape(active ?? "")}"]`)?.focus();
}

function notice(text) {
  get("notice").textContent = text;
  get("notice").hidden = !text;
}

const usual = () => notice(connected ? "" : "No daemon is connected yet. What you write waits until one is.");

async function say(words) {
  try {
    await send("POST", "/phone/say", words);
    usual();
    return true;
  } catch (error) {
    notice(`Not sent: ${error.message}`);
    return false;
  }
}

async function submit() {
  const text = composer.value;
  const customer = active;
  if (!text.trim() || !customer) return;
  composer.value = "";
  grow();
  if (!(await say({ customer, text })) && active === customer && !composer.value) composer.value = text;
}

function grow() {
  composer.style.height = "auto";
  composer.style.height = `${Math.min(composer.scrollHeight, 140)}px`;
}

// ── the live line ──

const events = {
  snapshot(told) {
    business = told.business;
    connected = told.connected;
    customers.clear();
    chats.clear();
    for (const customer of told.customers) customers.set(customer.id, customer);
    for (const bubble of told.bubbles) {
      if (!chats.has(bubble.customer)) chats.set(bubble.customer, new Map());
      chats.get(bubble.customer).set(bubble.id, bubble);
    }
    showFaults(told.faults);
    const wanted = decodeURIComponent(location.hash.slice(1));
    if (!customers.has(active)) active = customers.has(wanted) ? wanted : narrow.matches ? null : customers.keys().next().value ?? null;
    if (active && (customers.has(wanted) || !narrow.matches)) open(active, !narrow.matches && document.activeElement === document.body);
    else { showChat(); showHeader(); showPeople(); }
    usual();
  },
  bubble({ bubble }) { showBubble(bubble); showPeople(); showHeader(); },
  customer({ customer }) { customers.set(customer.id, customer); showPeople(); if (customer.id === active) { showHeader(); showDots(); } },
  faults({ faults }) { showFaults(faults); },
  connected(told) { connected = told.connected; usual(); },
};

function connect(wait = 250) {
  live = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/phone/live`);
  live.addEventListener("open", () => { wait = 250; document.body.dataset.live = "yes"; });
  live.addEventListener("message", ({ data }) => { const told = JSON.parse(data); events[told.kind]?.(told); });
  live.addEventListener("close", () => {
    document.body.dataset.live = "no";
    notice("The simulator cannot be reached. Trying again…");
    setTimeout(() => connect(Math.min(wait * 2, 4_000)), wait);
  });
}

get("form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
composer.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
});
composer.addEventListener("input", grow);
get("back").addEventListener("click", back);
document.addEventListener("visibilitychange", () => { tellPresence(); showPeople(); });
narrow.addEventListener("change", () => { tellPresence(); showPeople(); });
setUp((id) => open(id));
connect();
