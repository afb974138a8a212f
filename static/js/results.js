// Counts of a running campaign as they happen: heard over our own realtime plane, asked for where that does not work.
import { Pushsaas } from "../sdk/pushsaas.js";

// While counts are heard, the rest of the page (charts, reasons) is fetched this seldom.
const REST_MS = 5_000;
const state = document.getElementById("live-state");
const numbers = new Intl.NumberFormat(document.documentElement.lang);
let isHeard = false;
let nextFetch = 0;

const parts = () => document.querySelectorAll("[data-live-part]");

function show(heard) {
  isHeard = heard;
  const pill = state.querySelector(".pill");
  pill.textContent = heard ? state.dataset.heard : state.dataset.asked;
  pill.classList.toggle("good", heard);
  pill.dataset.state = heard ? "live" : "polling";
}

async function authorize({ socketId, channel }) {
  const csrfmiddlewaretoken = state.querySelector("[name=csrfmiddlewaretoken]").value;
  const body = new URLSearchParams({ socket_id: socketId, channel, csrfmiddlewaretoken });
  const response = await fetch(state.dataset.authorize, { method: "POST", body, headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

function write(part, counts) {
  for (const place of part.querySelectorAll("[data-count]")) {
    const count = counts[place.dataset.count];
    if (count !== undefined) place.textContent = numbers.format(count);
  }
  const bar = part.querySelector("progress");
  if (bar) {
    bar.max = counts.planned || 1;
    bar.value = counts.planned - counts.waiting;
  }
}

function heard({ message, counts, ended }) {
  for (const part of parts()) {
    if (part.dataset.message === message) write(part, counts);
    if (!ended) continue;
    nextFetch = 0;
    globalThis.htmx.trigger(part, "ended");
  }
}

// The pages poll by themselves; what is heard makes most of it needless.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.target.matches("[data-live-part]")) return;
  const now = performance.now();
  if (isHeard && now < nextFetch) event.preventDefault();
  else nextFetch = now + REST_MS;
});

document.addEventListener("htmx:afterSettle", () => {
  if (parts().length) return;
  client.disconnect();
  state.hidden = true;
});

const client = new Pushsaas({ key: state.dataset.key, url: state.dataset.origin, authorize, recover: false });
client.on("state", ({ state: now }) => now === "connected" || show(false));
client.subscribe(state.dataset.channel).on("counts", heard).on("pusher:subscription_succeeded", () => show(true)).on("pusher:subscription_error", () => show(false));
client.connect();
