// Asks the simulator to do something.

export const STOPPED = "the demo has stopped";

// `fetch` fails only where nobody answers at all; browsers have different words for that.
const asked = (path, options) => fetch(path, options).catch(() => { throw new Error(STOPPED); });

async function told(answer) {
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error || `the simulator answered ${answer.status}`);
  return body;
}

export const send = async (method, path, body) =>
  told(await asked(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));

// A file with what is to be known about it; what is empty is left out.
export async function post(file, about) {
  const query = new URLSearchParams(Object.entries(about).filter(([, value]) => value));
  const headers = { "Content-Type": file.type || "application/octet-stream" };
  return told(await asked(`/phone/file?${query}`, { method: "POST", headers, body: file }));
}
