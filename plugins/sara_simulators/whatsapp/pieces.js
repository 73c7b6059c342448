// The small pieces of the page: nodes, ticks, times, faces.

export const make = (name, className = "", ...children) => {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children);
  return node;
};

function svg(className, ...paths) {
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  picture.setAttribute("viewBox", "0 0 20 14");
  picture.setAttribute("class", className);
  picture.setAttribute("aria-hidden", "true");
  for (const d of paths) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", d);
    picture.append(path);
  }
  return picture;
}

const ICONS = {
  clip: "M8 12l6-6a3 3 0 0 1 4 4l-8 8a5 5 0 0 1-7-7l8-8",
  page: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01",
  mic: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM6 11a6 6 0 0 0 12 0M12 17v4",
  note: "M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-.01 0M19 16a2.5 2.5 0 1 1-.01 0",
  pin: "M12 21s7-6.5 7-11.5a7 7 0 0 0-14 0C5 14.5 12 21 12 21zM12 7a2.5 2.5 0 1 0 .01 0",
  person: "M12 4a4 4 0 1 0 .01 0M4 20c1-4 4-6 8-6s7 2 8 6",
  list: "M5 7h.01M9 7h10M5 12h.01M9 12h10M5 17h.01M9 17h10",
  out: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  forward: "M13 5l7 6-7 6v-4C8 13 5 15 3 19c0-6 4-10 10-10z",
  reply: "M11 5l-7 6 7 6v-4c5 0 8 2 10 6 0-6-4-10-10-10z",
  smile: "M12 3a9 9 0 1 0 .01 0M8.5 10h.01M15.5 10h.01M8 14c2 3 6 3 8 0",
  down: "M7 10l5 5 5-5",
  clock: "M12 4a8 8 0 1 0 .01 0M12 8v4l3 2",
  phone: "M7 3h10v18H7zM11 18h2",
  eye: "M3 12c4-7 14-7 18 0-4 7-14 7-18 0zM12 9.5a2.5 2.5 0 1 0 .01 0",
};

export function icon(name) {
  const node = svg("icon-line", ICONS[name]);
  node.setAttribute("viewBox", "0 0 24 24");
  return node;
}

const ONE = "M4.5 7.5l3.2 3.3L14.5 3.5";
const TWO = ["M1.5 7.5l3.2 3.3L11.5 3.5", "M9 9.9l.9.9L17 3.5"];
const PICTURES = {
  accepted: ["M10 2.2a4.8 4.8 0 1 0 .01 0M10 4.4V7l1.8 1.2"],
  sent: [ONE], delivered: TWO, read: TWO,
  failed: ["M10 1.8a5.2 5.2 0 1 0 .01 0M10 4.2v3.4M10 9.6v.2"],
};
const MEANINGS = {
  customer: { sent: "Sent, not taken yet", delivered: "Taken by the daemon", read: "Read", failed: "The daemon never took it" },
  business: { accepted: "Accepted, nothing reported yet", sent: "Reported: sent", delivered: "Reported: delivered", read: "Reported: read", failed: "Reported: failed" },
};

export function tick(bubble) {
  const meaning = MEANINGS[bubble.side][bubble.state];
  const node = make("span", "tick", svg("ticks", ...PICTURES[bubble.state]), make("span", "hidden", meaning));
  node.dataset.testid = "tick";
  node.dataset.state = bubble.state;
  node.title = meaning;
  return node;
}

export const clock = (at) => new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }).format(at);
export const dayOf = (at) => new Date(at).toDateString();

export function day(at) {
  const days = Math.round((new Date(dayOf(Date.now())) - new Date(dayOf(at))) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return new Intl.DateTimeFormat(undefined, { weekday: days < 7 ? "long" : undefined, day: "numeric", month: "long", year: "numeric" }).format(at);
}

export function avatar(customer) {
  let hash = 7;
  for (const sign of customer.id) hash = (hash * 31 + sign.charCodeAt(0)) % 3600;
  const letters = customer.name.replace(/^\+/, "").split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? "").join("").toUpperCase();
  const node = make("span", `avatar hue-${hash % 8}`, letters || "?");
  node.setAttribute("aria-hidden", "true");
  return node;
}

const address = (customer) => (customer.phone ? `+${customer.phone}` : "number hidden");
export const identity = (customer) => (customer.username ? `@${customer.username} · ` : "") + address(customer);
