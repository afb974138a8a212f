// The phones of the demo: what the stand-ins of the push networks took, shown as the phones would, and tapped.
import { Receipts } from "../sdk/receipts.js";

const POLL_MS = 1_000;
const MAX_CARDS = 20;
const element = (id) => document.getElementById(id);
const page = element("phones").dataset;
const texts = element("phones-texts").dataset;
const language = document.documentElement.lang;
const receipts = new Receipts({ url: location.origin });
let registration = null;
let next = 0;

function phoneOf({ device_id: id, person, platform, network }) {
  const known = document.querySelector(`[data-phone="${CSS.escape(id)}"]`);
  if (known) return known;
  const made = element("phone-template").content.firstElementChild.cloneNode(true);
  made.dataset.phone = id;
  made.querySelector("[data-part=person]").textContent = person;
  made.querySelector("[data-part=network]").textContent = `${platform} · ${network}`;
  element("phone-list").append(made);
  return made;
}

function addCard(notice) {
  const phone = phoneOf(notice);
  const card = element("phone-card").content.firstElementChild.cloneNode(true);
  const part = (name) => card.querySelector(`[data-part=${name}]`);
  const at = new Date(notice.at * 1_000);
  part("time").textContent = at.toLocaleTimeString(language, { hour: "numeric", minute: "2-digit" });
  part("time").dateTime = at.toISOString();
  part("title").textContent = notice.title;
  part("body").textContent = notice.body;
  part("link").textContent = [notice.image && texts.image, notice.url].filter(Boolean).join(" · ");
  part("tap").addEventListener("click", () => answer(card, notice, "clicked"));
  part("dismiss").addEventListener("click", () => answer(card, notice, "dismissed"));
  notice.buttons.forEach((title) => {
    const button = part("tap").cloneNode();
    button.textContent = title;
    button.addEventListener("click", () => answer(card, notice, "clicked"));
    part("dismiss").before(button);
  });
  const cards = phone.querySelector("[data-part=cards]");
  cards.prepend(card);
  while (cards.children.length > MAX_CARDS) cards.lastElementChild.remove();
  phone.querySelector("[data-part=empty]").hidden = true;
}

async function answer(card, notice, kind) {
  card.querySelector("[data-part=actions]").remove();
  const told = await receipts.report(notice.receipt, kind);
  card.querySelector("[data-part=done]").textContent = told ? texts[kind] : texts.unreported;
}

async function take(notice) {
  addCard(notice);
  if (!notice.is_fresh) return;
  const ours = notice.device_id === localStorage.getItem("pushsaas-browser");
  if (ours && registration?.active) registration.active.postMessage({ type: "push", push: notice.payload });
  else await receipts.report(notice.receipt, "received");
}

async function poll() {
  try {
    const answer = await fetch(`${page.feed}?after=${next}`, { headers: { Accept: "application/json" } });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.message);
    // What came before the page was opened is shown, but was reported then.
    for (const notice of told.notices) await take({ ...notice, is_fresh: next > 0 || Date.now() - notice.at * 1_000 < 5_000 });
    next = told.next;
    problem("");
  } catch (error) {
    problem(error.message);
  }
  setTimeout(poll, POLL_MS);
}

function problem(text) {
  element("phones-problem").textContent = text;
  element("phones-problem").hidden = !text;
}

async function subscribe(event) {
  event.preventDefault();
  const form = event.currentTarget;
  if ((await Notification.requestPermission()) !== "granted") return problem(texts.denied);
  registration = await worker();
  const body = new FormData(form);
  if (page.push === "real") {
    const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: page.key });
    body.set("subscription", JSON.stringify(subscription));
  }
  const answer = await fetch(page.browser, { method: "POST", body, headers: { Accept: "application/json" } });
  const told = await answer.json();
  if (!answer.ok) return problem(told.message);
  localStorage.setItem("pushsaas-browser", told.device_id);
  element("browser-state").textContent = texts.subscribed;
  phoneOf(told);
}

async function worker() {
  const found = await navigator.serviceWorker.register(page.worker, { type: "module" });
  while (!found.active) await new Promise((resolve) => { setTimeout(resolve, 50); });
  return found;
}

element("browser-form")?.addEventListener("submit", (event) => subscribe(event).catch((error) => problem(error.message)));
const known = JSON.parse(page.known);
for (const phone of known) phoneOf(phone);
if (known.some((phone) => phone.device_id === localStorage.getItem("pushsaas-browser")) && "serviceWorker" in navigator) {
  worker().then((found) => { registration = found; element("browser-state").textContent = texts.subscribed; }, () => {});
}
poll();
