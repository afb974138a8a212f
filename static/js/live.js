// The live page: one connection, one channel, one signed-in subscriber, and a card for everything that arrives.
import { Pushsaas } from "../sdk/pushsaas.js";

const MAX_CARDS = 50;
const MAX_BODY = 2_000;
const element = (id) => document.getElementById(id);
const live = element("live").dataset;
const texts = element("live-texts").dataset;
const form = element("live-form");
const TONES = { connected: "good", connecting: "info", waiting: "warn", disconnected: "", refused: "bad" };
const language = document.documentElement.lang;
const clock = (date, seconds) => date.toLocaleTimeString(language, { hour: "numeric", minute: "2-digit", ...(seconds && { second: "2-digit" }) });
let client = null;
let received = 0;

async function ask(url, fields) {
  const body = new URLSearchParams({ ...fields, csrfmiddlewaretoken: form.csrfmiddlewaretoken.value });
  const response = await fetch(url, { method: "POST", body, headers: { Accept: "application/json" } });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer;
}

function problem(text) {
  element("live-problem").textContent = text;
  element("live-problem").hidden = !text;
}

function showState({ state, reason }) {
  const pill = element("live-state");
  pill.textContent = texts[state];
  pill.className = `pill ${TONES[state]}`;
  pill.dataset.state = state;
  element("live-state-long").textContent = [texts[state], reason].filter(Boolean).join(": ");
  element("live-socket").textContent = client.socketId ?? "—";
  if (state !== "connected") element("live-joined").textContent = element("live-signed").textContent = "—";
  else problem("");
}

function addCard({ source, title, body }) {
  const card = element("live-card").content.firstElementChild.cloneNode(true);
  const part = (name) => card.querySelector(`[data-part=${name}]`);
  const now = new Date();
  part("source").textContent = source;
  part("title").textContent = title;
  part("body").textContent = body.length > MAX_BODY ? `${body.slice(0, MAX_BODY)}…` : body;
  part("time").textContent = clock(now, true);
  part("time").dateTime = now.toISOString();
  const cards = element("live-cards");
  cards.prepend(card);
  while (cards.children.length > MAX_CARDS) cards.lastElementChild.remove();
  element("live-empty").hidden = true;
  element("live-count").textContent = ++received;
}

const written = (data) => (typeof data === "string" ? data : JSON.stringify(data ?? null, null, 2));

function showNotification(data, name) {
  const isNotification = name === "notification" && data && typeof data === "object";
  addCard({
    source: texts.notification,
    title: String((isNotification && data.title) || name),
    body: String((isNotification && data.body) || (isNotification ? "" : written(data))),
  });
}

function listen(channelName, userId) {
  client?.disconnect();
  client = new Pushsaas({
    key: live.key,
    url: live.origin,
    authorize: ({ socketId, channel }) => ask(live.authorize, { socket_id: socketId, channel, user_id: userId }),
    authenticate: ({ socketId }) => ask(live.authenticate, { socket_id: socketId, user_id: userId }),
  });
  client.on("state", showState);
  client.on("error", (error) => problem(error?.message ?? ""));
  client.on("signed_in", (who) => { element("live-signed").textContent = who.userId; });
  client.user.on("*", showNotification);
  client.subscribe(channelName).on("*", (data, event) => {
    if (event === "pusher:subscription_succeeded") element("live-joined").textContent = channelName;
    else if (event === "pusher:subscription_error") problem(data?.error ?? event);
    else if (event === "pusher:member_added" || event === "pusher:member_removed") addCard({ source: channelName, title: event.slice(7), body: data.user_id });
    else if (!event.startsWith("pusher:")) addCard({ source: channelName, title: event, body: written(data) });
  });
  if (userId) client.signIn();
  client.connect();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const [channel, user] = [form.channel.value, form.user.value.trim()];
  history.replaceState(null, "", `?${new URLSearchParams({ channel, user })}`);
  problem("");
  listen(channel, user);
});

element("live-clock").textContent = clock(new Date());
setInterval(() => { element("live-clock").textContent = clock(new Date()); }, 10_000);
listen(form.channel.value, form.user.value.trim());
