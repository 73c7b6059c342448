// Turns a message's text into DOM nodes: *bold*, _italic_, ~strike~, `code`, ```blocks```, lists, quotes and links.
// Text only ever becomes text nodes, so that nothing anybody writes can become markup.

const STYLES = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;
const LINK = /https?:\/\/[^\s<>"`]+/y;
const BULLET = /^[-*•] +(?=\S)/;
const NUMBER = /^(\d{1,3})\. +(?=\S)/;

const element = (name, ...children) => {
  const node = document.createElement(name);
  node.append(...children);
  return node;
};

function link(address) {
  const node = element("a", address);
  node.href = address;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  return node;
}

function addressAt(text, at) {
  if (at > 0 && WORD.test(text[at - 1])) return "";
  LINK.lastIndex = at;
  let found = LINK.exec(text)?.[0] ?? "";
  while (/[.,;:!?'"]$/.test(found) || (found.endsWith(")") && !found.includes("("))) found = found.slice(0, -1);
  return found;
}

// Where the style that opens at `at` ends; -1 if the marker is only a character.
function closing(text, at) {
  const marker = text[at];
  if (at > 0 && WORD.test(text[at - 1])) return -1;
  if (at + 1 >= text.length || /\s/.test(text[at + 1]) || text[at + 1] === marker) return -1;
  for (let end = at + 2; end < text.length && text[end] !== "\n"; end += 1) {
    if (text[end] !== marker || /\s/.test(text[end - 1])) continue;
    if (end + 1 === text.length || !WORD.test(text[end + 1])) return end;
  }
  return -1;
}

function inline(text) {
  const nodes = [];
  let plain = "";
  const put = (node) => {
    if (plain) nodes.push(document.createTextNode(plain));
    plain = "";
    nodes.push(node);
  };
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "`") {
      const end = text.indexOf("`", at + 1);
      if (end > at + 1 && !text.slice(at, end).includes("\n")) {
        put(element("code", text.slice(at + 1, end)));
        at = end;
        continue;
      }
    } else if (STYLES[sign]) {
      const end = closing(text, at);
      if (end > 0) {
        put(element(STYLES[sign], ...inline(text.slice(at + 1, end))));
        at = end;
        continue;
      }
    } else if (sign === "h") {
      const address = addressAt(text, at);
      if (address) {
        put(link(address));
        at += address.length - 1;
        continue;
      }
    }
    plain += sign;
  }
  if (plain) nodes.push(document.createTextNode(plain));
  return nodes;
}

// What a line belongs to, and what is left of it without its mark.
function kindOf(line) {
  if (line.startsWith("> ")) return ["blockquote", line.slice(2)];
  if (BULLET.test(line)) return ["ul", line.replace(BULLET, "")];
  if (NUMBER.test(line)) return ["ol", line.replace(NUMBER, ""), Number(NUMBER.exec(line)[1])];
  return ["p", line];
}

function blocks(text) {
  const nodes = [];
  let open = null;
  for (const line of text.split("\n")) {
    const [kind, rest, number] = kindOf(line);
    if (open?.kind !== kind) {
      open = { kind, node: document.createElement(kind) };
      if (kind === "ol") open.node.start = number;
      nodes.push(open.node);
    } else if (kind === "p" || kind === "blockquote") {
      open.node.append("\n");
    }
    if (kind === "ul" || kind === "ol") open.node.append(element("li", ...inline(rest)));
    else open.node.append(...inline(rest));
  }
  return nodes;
}

export function formatted(text) {
  const fragment = document.createDocumentFragment();
  text.split(/```([^]*?)```/).forEach((piece, index) => {
    if (index % 2) fragment.append(element("pre", piece.replace(/^\n|\n$/g, "")));
    else if (piece.trim()) fragment.append(...blocks(piece.replace(/^\n|\n$/g, "")));
  });
  return fragment;
}

export const plainly = (text) => text.replace(/`+|(?<![\p{L}\p{N}])[*_~](?=\S)|(?<=\S)[*_~](?![\p{L}\p{N}])/gu, "").replace(/\s+/g, " ");
export const onlyEmoji = (text) => /^(\p{Extended_Pictographic}(\uFE0F|\u200D|\p{Emoji_Modifier})*){1,3}$/u.test(text.trim());
