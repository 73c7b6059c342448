// The phone page: a list of customers, one chat at a time, live from the simulator over a WebSocket.

import { setUpAttachments } from "./attach.js";
import { draw, redraw } from "./bubbles.js";
import { setUp, showFaults } from "./drawers.js";
import { plainly } from "./format.js";
import { person } from "./people.js";
import { day, dayOf, identity, make } from "./pieces.js";
import { post, send } from "./send.js";
import { askNumber, askPlace, openMenu, pickRow } from "./sheets.js";

const get = (id) => document.getElementById(id);
const app = get("app");
const log = get("log");
const composer = get("composer");
const narrow = matchMedia("(max-width: 760px)");
const LONGEST_TIMER = 2 ** 31 - 1;

const customers = new Map();
const chats = new Map(); // customer → Map(id → bubble), in order
const drafts = new Map();
let business = { name: "", number: "" };
let active = null;
let live = null;
let connected = true;
let dotsTimer = 0;
let windowTimer = 0;
let quoting = null;

const chatOf = (id) => [...(chats.get(id)?.values() ?? [])];

// ── the list ──

function showPeople() {
  const focused = document.activeElement?.dataset?.customer;
  const order = [...customers.values()].map((customer, index) => [chatOf(customer.id).at(-1)?.at ?? -index, customer]);
  order.sort((a, b) => b[0] - a[0]);
  get("people").replaceChildren(...order.map(([, { id }]) => {
    const current = id === active && (!narrow.matches || app.dataset.pane === "chat");
    return person(customers.get(id), chatOf(id), { current, looking: id === active && visible(), open });
  }));
  if (focused) get("people").querySelector(`[data-customer="${CSS.escape(focused)}"]`)?.focus();
  const unread = document.querySelectorAll("[data-testid=unread]").length;
  document.title = (unread ? `(${unread}) ` : "") + `Phone · ${business.name}`;
}

// ── the chat ──

const REACTIONS = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

const about = {
  business: () => business.name,
  find: (customer, id) => chats.get(customer)?.get(id),
  say: (words) => say(words),
  pick: (bubble) => pickRow(bubble, say),
  place: (bubble) => askPlace(say, bubble.id),
  jump(bubble) {
    const node = document.getElementById(`b-${bubble.id}`);
    node?.scrollIntoView({ block: "center" });
    node?.classList.add("found");
    node?.addEventListener("animationend", () => node.classList.remove("found"), { once: true });
  },
  menu(bubble, anchor) {
    const react = (emoji) => say({ reaction: emoji, reply_to: bubble.id });
    const emoji = REACTIONS.map((text) => {
      const chosen = bubble.own_reaction === text;
      return { text, chosen, label: chosen ? `Take ${text} back` : `React with ${text}`, act: () => react(chosen ? null : text) };
    });
    openMenu(anchor, [
      { text: "Reply", picture: "reply", testid: "bubble-reply", act: () => quote(bubble) },
      { text: "Forward to the business", picture: "forward", testid: "bubble-forward", act: () => say({ forward: true, reply_to: bubble.id }) },
    ], emoji);
  },
};

const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 80;
const toEnd = () => { log.scrollTop = log.scrollHeight; };

// A picture has its height only once it is there; whoever was looking at the end still is.
let following = true;
log.addEventListener("scroll", () => { following = atEnd(); });
log.addEventListener("load", () => following && toEnd(), true);

// Notices, a quotation and a keyboard take room from the log: what is being read stays where it is.
let top = 0;
new ResizeObserver(() => {
  const now = log.getBoundingClientRect().top;
  if (following) toEnd();
  else log.scrollTop += now - top;
  top = now;
}).observe(log);

function append(bubble, before) {
  if (!before || dayOf(before.at) !== dayOf(bubble.at)) log.append(make("div", "day", make("span", "", day(bubble.at))));
  const node = draw(bubble, about);
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
  clearTimeout(windowTimer);
  const left = typeof customer?.window_until === "number" ? customer.window_until - Date.now() : Infinity;
  get("window").hidden = left > 0;
  if (left > 0 && left < LONGEST_TIMER) windowTimer = setTimeout(showHeader, left + 50);
}

// Three dots while the business says that it is typing; whoever sends an answer, a notice or nothing more ends them.
function showDots() {
  clearTimeout(dotsTimer);
  log.querySelector(".dots")?.remove();
  const left = (customers.get(active)?.typing_until ?? 0) - Date.now();
  if (left <= 0) return;
  const dots = make("div", "bubble in first dots", make("i"), make("i"), make("i"), make("span", "hidden", "An answer is being written"));
  dots.dataset.testid = "typing";
  const stay = atEnd();
  log.append(dots);
  if (stay) toEnd();
  dotsTimer = setTimeout(() => { showDots(); showHeader(); showPeople(); }, left + 50);
}

function showBubble(bubble) {
  if (!chats.has(bubble.customer)) chats.set(bubble.customer, new Map());
  const chat = chats.get(bubble.customer);
  const former = chat.get(bubble.id);
  const known = Boolean(former);
  const before = known ? null : [...chat.values()].at(-1);
  chat.set(bubble.id, bubble);
  if (bubble.customer === active) {
    const node = known && document.getElementById(`b-${bubble.id}`);
    const stay = atEnd() || (!known && bubble.side === "customer");
    if (node) {
      redraw(node, former, bubble, about);
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
  quote(null);
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

function quote(bubble) {
  quoting = bubble;
  get("quoting").hidden = !bubble;
  if (!bubble) return;
  get("quoting-name").textContent = bubble.side === "customer" ? "You" : business.name;
  get("quoting-text").textContent = plainly(bubble.text);
  composer.focus();
}

async function attempt(doing) {
  try {
    await doing();
    usual();
    return true;
  } catch (error) {
    notice(`Not sent: ${error.message}`);
    return false;
  }
}

// Everything that is said belongs to the open chat, and quotes what is being quoted unless it says so itself.
function addressed(words) {
  const reply_to = words.reply_to ?? quoting?.id;
  quote(null);
  return { customer: active, ...words, ...(reply_to ? { reply_to } : {}) };
}

function say(words) {
  const wanted = addressed(words);
  return attempt(() => send("POST", "/phone/say", wanted));
}

function give(file, words) {
  const wanted = addressed(words);
  return attempt(() => post(file, wanted));
}

function personMenu() {
  const customer = customers.get(active);
  const change = (what, more = {}) => attempt(() => send("PUT", `/phone/customers/${encodeURIComponent(customer.id)}`, { do: what, ...more }));
  openMenu(get("person-open"), [
    { text: "Let 24 hours pass", picture: "clock", testid: "close-window", act: () => change("close_window") },
    customer.phone
      ? { text: "Hide the phone number", picture: "eye", testid: "hide-number", act: () => change("hide_number") }
      : { text: "Show the phone number", picture: "eye", testid: "show-number", act: () => change("show_number") },
    { text: "Change the phone number", picture: "phone", testid: "change-number",
      act: () => (customer.phone ? askNumber((phone) => change("change_number", { phone })) : change("change_number")) },
  ]);
}

async function submit() {
  const text = composer.value;
  const customer = active;
  if (!text.trim() || !customer) return;
  composer.value = "";
  grow();
  if (!(await say({ text })) && active === customer && !composer.value) composer.value = text;
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
  customer({ customer }) {
    const known = customers.has(customer.id);
    customers.set(customer.id, customer);
    showPeople();
    if (customer.id !== active) return;
    // A chat may be opened before this told of its customer: only now is there somebody to write as.
    if (!known) { showChat(); composer.focus(); }
    showHeader();
    showDots();
  },
  faults({ faults }) { showFaults(faults); },
  connected(told) { connected = told.connected; usual(); },
};

function connect(wait = 250) {
  live = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/phone/live`);
  live.addEventListener("open", () => { wait = 250; document.body.dataset.live = "yes"; });
  live.addEventListener("message", ({ data }) => { const told = JSON.parse(data); events[told.kind]?.(told); });
  live.addEventListener("close", () => {
    document.body.dataset.live = "no";
    notice("The demo has stopped. Start it again to go on.");
    setTimeout(() => connect(Math.min(wait * 2, 4_000)), wait);
  });
}

get("form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
composer.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
});
composer.addEventListener("input", grow);
get("back").addEventListener("click", back);
get("person-open").addEventListener("click", personMenu);
get("quoting-off").addEventListener("click", () => { quote(null); composer.focus(); });
document.addEventListener("visibilitychange", () => { tellPresence(); showPeople(); });
narrow.addEventListener("change", () => { tellPresence(); showPeople(); });
setUp((id) => open(id));
setUpAttachments({ say, give });
connect();
