// One customer in the list: face, name, last words, and how much is unread.

import { plainly } from "./format.js";
import { avatar, clock, identity, make, tick } from "./pieces.js";

export function person(customer, chat, { current, looking, open }) {
  const last = chat.at(-1);
  const unread = looking ? 0 : chat.filter((bubble) => bubble.side === "business" && !bubble.seen).length;
  const typing = customer.typing_until > Date.now();
  const lower = make("span", "lower");
  if (last?.side === "customer" && last.kind !== "system" && !typing) lower.append(tick(last));
  lower.append(make("span", typing ? "words typing" : "words", typing ? "typing…" : last ? plainly(last.text) : "No messages yet"));
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
  if (current) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => open(customer.id));
  return make("li", "", button);
}
