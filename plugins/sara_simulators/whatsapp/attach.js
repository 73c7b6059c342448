// What can be sent besides text: the menu at the paper clip.

import { askCaption, askCard, askPlace, openMenu } from "./sheets.js";

const get = (id) => document.getElementById(id);
const STICKERS = ["😀", "🎉", "🙏", "🥐", "❤️", "🐈"];

function drawn(emoji) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 512, height: 512 });
  const brush = canvas.getContext("2d");
  brush.font = "400px sans-serif";
  brush.textAlign = "center";
  brush.textBaseline = "middle";
  brush.fillText(emoji, 256, 280);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/webp", 0.8); });
}

const kindOf = (file) => (file.type.startsWith("image/") ? "image" : file.type.startsWith("video/") ? "video" : "document");

// `about` gives what belongs to the message (customer, quote) and takes what was sent.
export function setUpAttachments({ say, give }) {
  const chosen = (input, kind) => input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = "";
    if (file) offer(file, kind ?? kindOf(file));
  });
  const offer = (file, kind) => askCaption(file, kind, (caption) => give(file, { kind, caption, name: kind === "document" ? file.name : "" }));
  chosen(get("pick-media"));
  chosen(get("pick-document"), "document");

  const stickers = () => openMenu(get("attach"), [], STICKERS.map((emoji) => ({
    text: emoji, label: `Sticker ${emoji}`, act: async () => give(await drawn(emoji), { kind: "sticker" }),
  })));

  get("attach").addEventListener("click", () => openMenu(get("attach"), [
    { text: "Photo or video", picture: "image", testid: "attach-media", act: () => get("pick-media").click() },
    { text: "Document", picture: "page", testid: "attach-document", act: () => get("pick-document").click() },
    { text: "Voice message", picture: "mic", testid: "attach-voice", act: () => give(new Blob(["-"]), { kind: "audio", voice: "1", sample: "1" }) },
    { text: "Sticker", picture: "smile", testid: "attach-sticker", act: stickers },
    { text: "Location", picture: "pin", testid: "attach-location", act: () => askPlace(say) },
    { text: "Contact", picture: "person", testid: "attach-contact", act: () => askCard(say) },
  ]));

  get("composer").addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (!file) return;
    event.preventDefault();
    offer(file, kindOf(file));
  });
}
