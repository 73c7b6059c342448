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
