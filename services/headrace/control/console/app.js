// The console: a list of streams that is asked for every two seconds, and the one that is looked at.
// It knows what the API tells it and keeps nothing but keys that were just made, until the page is left.

import { allStreams, call } from "./api.js";
import { Player } from "./player.js";

const POLL_MS = 2000;
const FIGURES_MS = 500;
const STATES = { live: "Live", ending: "Ending", idle: "Idle" };

const at = (id) => document.getElementById(id);
const player = new Player(at("video"));
const freshKeys = new Map();
const items = new Map();
let streams = [];
let selected = location.hash.startsWith("#s-") ? location.hash.slice(3) : null;
let polling = 0;

// --- what is shown

function show(view) {
  at("login").hidden = view !== "login";
  at("console").hidden = view !== "console";
  at("logout").hidden = view !== "console";
  if (view === "login") player.stop();
}

function text(id, value) {
  if (at(id).textContent !== value) at(id).textContent = value;
}

function badge(element, state) {
  element.className = `badge ${state}`;
  if (element.textContent !== STATES[state]) element.textContent = STATES[state];
}

function profileName(profile) {
  if (typeof profile === "string") return profile;
  return profile.name || `ladder of ${profile.rungs.length}`;
}

function renderList() {
  const list = at("streams");
  const known = new Set(streams.map((stream) => stream.id));
  for (const [id, item] of items) {
    if (!known.has(id)) {
      item.remove();
      items.delete(id);
    }
  }
  streams.forEach((stream, index) => {
    if (!items.has(stream.id)) items.set(stream.id, newItem(stream.id));
    const item = items.get(stream.id);
    const [button] = item.children;
    button.setAttribute("aria-current", String(stream.id === selected));
    button.children[0].textContent = stream.name;
    badge(button.children[1], stream.state);
    button.children[2].textContent = profileName(stream.profile);
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] || null);
  });
}

function newItem(id) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.append(...["strong", "span", "small"].map((tag) => document.createElement(tag)));
  button.addEventListener("click", () => select(id));
  item.append(button);
  return item;
}

function renderStream() {
  const stream = streams.find((one) => one.id === selected);
  at("nothing").hidden = streams.length > 0;
  at("stream").hidden = !stream;
  if (!stream) return player.stop();
  const key = freshKeys.get(stream.id);
  text("name", stream.name);
  badge(at("badge"), stream.state);
  text("about", stream.live ? `${profileName(stream.profile)} · since ${clock(stream.live.since)}` : profileName(stream.profile));
  text("server", stream.ingest.rtmp_url);
  text("key", key || `••••••••${stream.key_hint}`);
  at("copy-key").disabled = !key;
  at("copy-key").title = key ? "" : "Only shown when it was made. Reset it to get a new one.";
  at("key-once").hidden = !key;
  at("stream").classList.toggle("fresh", Boolean(key) && stream.state === "idle" && !player.hasPicture);
  text("ffmpeg", "ffmpeg -re -stream_loop -1 -i FILE -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60 "
    + `-c:a aac -f flv ${stream.ingest.rtmp_url}/${key || "STREAM_KEY"}`);
  text("hls", stream.playback.hls_url);
  renderPlayer(stream);
}

function renderPlayer(stream) {
  if (stream.state === "live") player.play(reachable(stream.playback.hls_url), stream.live.run);
  else if (stream.state === "idle" && !player.hasPicture) player.stop();
  const covers = {
    live: ["The picture is on its way", "A publisher is connected; the first segments are being made."],
    ending: ["The publisher is gone", "The broadcast ends unless something is still to come."],
    idle: ["Nobody is publishing", "Enter server and key below in OBS, or run the FFmpeg line."],
  };
  const [title, explanation] = covers[stream.state];
  at("cover").hidden = player.hasPicture;
  at("cover").classList.toggle("waiting", stream.state === "live");
  text("cover-title", title);
  text("cover-text", explanation);
}

// The playlist on this page's own origin: through a tunnel or from another machine the public one may be out of reach.
function reachable(url) {
  return location.origin + new URL(url).pathname;
}

function clock(iso) {
  return new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function select(id) {
  if (id !== selected) player.stop();
  selected = id;
  if (id) history.replaceState(null, "", `#s-${id}`);
  renderList();
  renderStream();
}

// --- what goes on

async function refresh() {
  clearTimeout(polling);
  try {
    streams = await allStreams();
    at("offline").hidden = true;
    show("console");
    if (!streams.some((stream) => stream.id === selected)) {
      select((streams.find((stream) => stream.state === "live") || streams[0] || {}).id || null);
    }
    renderList();
    renderStream();
  } catch (error) {
    if (error.status === 401) return show("login");
    at("offline").hidden = false;
  }
  clearTimeout(polling);
  polling = setTimeout(refresh, document.hidden ? 5 * POLL_MS : POLL_MS);
}

function sure(title, explanation, yes) {
  text("sure-title", title);
  text("sure-text", explanation);
  text("sure-yes", yes);
  const dialog = at("sure");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function openCreate() {
  at("create-form").reset();
  at("create-error").hidden = true;
  at("create").showModal();
}

async function create(event) {
  event.preventDefault();
  const profile = new FormData(at("create-form")).get("profile");
  try {
    const stream = await call("POST", "/v1/streams", { name: at("create-name").value, profile });
    freshKeys.set(stream.id, stream.stream_key);
    at("create").close();
    streams.unshift(stream);
    select(stream.id);
    refresh();
  } catch (error) {
    text("create-error", error.message);
    at("create-error").hidden = false;
  }
}

async function resetKey() {
  const id = selected;
  if (!await sure("Reset the stream key?", "The old key stops working for new publishes. Who publishes now goes on.", "Reset key")) return;
  const stream = await call("POST", `/v1/streams/${id}/key`);
  freshKeys.set(id, stream.stream_key);
  refresh();
}

async function remove() {
  const id = selected;
  const { name } = streams.find((stream) => stream.id === id);
  if (!await sure(`Delete “${name}”?`, "Its key stops working, and a broadcast that is live ends now.", "Delete")) return;
  await call("DELETE", `/v1/streams/${id}`);
  streams = streams.filter((stream) => stream.id !== id);
  select((streams[0] || {}).id || null);
  refresh();
}

async function login(event) {
  event.preventDefault();
  try {
    await call("POST", "/console/login", { api_key: at("api-key").value.trim() });
    at("login-form").reset();
    at("login-error").hidden = true;
    await refresh();
  } catch (error) {
    text("login-error", error.message);
    at("login-error").hidden = false;
  }
}

async function copy(button) {
  const source = at(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } catch {
    // No clipboard without TLS or permission: leave the text marked.
    getSelection().selectAllChildren(source);
  }
}

function renderFigures() {
  if (at("stream").hidden) return;
  for (const [name, value] of Object.entries(player.figures())) text(`f-${name}`, value);
  at("cover").hidden = player.hasPicture;
}

const orOffline = (action) => () => action().catch(() => { at("offline").hidden = false; });

at("new").addEventListener("click", openCreate);
at("first").addEventListener("click", openCreate);
at("create-form").addEventListener("submit", create);
at("reset").addEventListener("click", orOffline(resetKey));
at("delete").addEventListener("click", orOffline(remove));
at("login-form").addEventListener("submit", login);
at("logout").addEventListener("click", orOffline(async () => {
  await call("POST", "/console/logout");
  freshKeys.clear();
  clearTimeout(polling);
  show("login");
}));
for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button));
for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close(""));
}
document.addEventListener("visibilitychange", () => { if (!document.hidden && !at("console").hidden) refresh(); });
if (location.hash === "#used") {
  history.replaceState(null, "", "/");
  text("login-why", "This login link was used before. Start Headrace again for a new one, or paste the API key.");
}
setInterval(renderFigures, FIGURES_MS);
refresh();
