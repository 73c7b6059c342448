// The drawer with the faults, and the sheet for a new customer.

import { send } from "./send.js";

const get = (id) => document.getElementById(id);

const make = (name, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
};

// ── faults ──

const rows = new Map();

function faultRow(fault) {
  const id = `fault-${fault.name}`;
  const toggle = make("input", { type: "checkbox", id, className: "switch" });
  toggle.setAttribute("role", "switch");
  toggle.dataset.testid = id;
  const times = make("input", { type: "number", min: 1, placeholder: "∞", className: "small", ariaLabel: `${fault.label}: how many times` });
  times.dataset.testid = `${id}-times`;
  let value = null;
  if (fault.kind === "number") value = make("input", { type: "number", min: 0, className: "medium", ariaLabel: `${fault.label}: value` });
  if (fault.kind === "choice") {
    value = make("select", { className: "medium", ariaLabel: `${fault.label}: form` }, ...fault.choices.map((choice) => make("option", { value: choice }, choice)));
  }
  if (value) value.dataset.testid = `${id}-value`;
  const struck = make("span", { className: "struck" });
  const apply = () => {
    const wanted = { active: toggle.checked };
    if (times.value) wanted.times = Number(times.value);
    if (value?.value) wanted.value = fault.kind === "number" ? Number(value.value) : value.value;
    send("PUT", `/phone/faults/${fault.name}`, wanted).catch((error) => { struck.textContent = error.message; });
  };
  toggle.addEventListener("change", apply);
  for (const field of [times, value]) field?.addEventListener("change", () => toggle.checked && apply());
  const settings = make("div", { className: "with" });
  if (value) settings.append(make("label", {}, fault.kind === "choice" ? "as " : "", value));
  settings.append(make("label", {}, "next ", times, " times"), struck);
  const row = make("li", {}, make("label", { htmlFor: id }, make("b", {}, fault.label), make("small", {}, fault.hint)), toggle, settings);
  return { row, update(now) {
    toggle.checked = now.active;
    row.classList.toggle("on", now.active);
    if (document.activeElement !== times) times.value = now.times ?? "";
    if (value && document.activeElement !== value) value.value = now.value;
    struck.textContent = now.hits ? `struck ${now.hits}×` : "";
  } };
}

export function showFaults(faults) {
  for (const fault of faults) {
    if (!rows.has(fault.name)) {
      rows.set(fault.name, faultRow(fault));
      get("faults").append(rows.get(fault.name).row);
    }
    rows.get(fault.name).update(fault);
  }
  get("faults-on").hidden = !faults.some((fault) => fault.active);
}

// ── opening and closing ──

function closable(dialog) {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

export function setUp(added) {
  const settings = get("settings");
  const add = get("add");
  closable(settings);
  closable(add);
  get("settings-open").addEventListener("click", () => settings.showModal());
  get("settings-close").addEventListener("click", () => settings.close());
  get("faults-off").addEventListener("click", () => {
    for (const name of rows.keys()) send("PUT", `/phone/faults/${name}`, { active: false }).catch(() => {});
  });
  get("add-open").addEventListener("click", () => {
    get("add-form").reset();
    get("add-error").textContent = "";
    add.showModal();
  });
  get("add-cancel").addEventListener("click", () => add.close());
  get("add-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const { id } = await send("POST", "/phone/customers", Object.fromEntries(new FormData(event.target)));
      add.close();
      added(id);
    } catch (error) {
      get("add-error").textContent = error.message;
    }
  });
}
