// Web Push in a service worker: shows what comes, and reports what became of it. An ES module without dependencies.
//
//   // sw.js, registered with navigator.serviceWorker.register("/sw.js", { type: "module" })
//   import { listen } from "https://push.example/static/sdk/pushsaas-sw.js";
//   listen({
//     url: "https://push.example",                  // this product; receipts go there
//     register: "/push/register",                   // yours: told { subscription, old } when the browser changes it
//     icon: "/icon.png", badge: "/badge.png",       // optional
//   });
//
// A push shows its title, body and image; a click opens its `url`. Buttons are in its data, the first two are shown:
//   { "actions": [{ "action": "buy", "title": "Buy", "url": "https://shop.example/buy" }] }
//
// Reported with the push's own token: received, opened, clicked (a button), dismissed. What could not be sent is kept in
// the browser's cache storage, and sent again with the next event or by background sync where the browser has it.

const STORE = "pushsaas-receipts";
const MAX_SENT = 100;
const SYNC = "pushsaas-receipts";

// scope: the service worker's global object; for tests. Resolves nothing: it adds the listeners.
export function listen({ url = "", register = null, icon, badge, fallbackTitle = "Notification" } = {}, scope = self) {
  const worker = new Worker({ url: url.replace(/\/$/, ""), register, icon, badge, fallbackTitle }, scope);
  scope.addEventListener("push", (event) => event.waitUntil(worker.show(read(event.data))));
  scope.addEventListener("notificationclick", (event) => event.waitUntil(worker.clicked(event.notification, event.action)));
  scope.addEventListener("notificationclose", (event) => event.waitUntil(worker.report(event.notification.data?.receipt, "dismissed")));
  scope.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(worker.resubscribe(event)));
  scope.addEventListener("sync", (event) => event.tag === SYNC && event.waitUntil(worker.flush()));
  return worker;
}

class Worker {
  constructor(options, scope) {
    Object.assign(this, options);
    this.scope = scope;
  }

  // Every push must show something: browsers take the permission away from those that do not.
  async show(push) {
    const data = push.data ?? {};
    const actions = Array.isArray(data.actions) ? data.actions : [];
    await this.scope.registration.showNotification(push.title || this.fallbackTitle, {
      body: push.body ?? "",
      icon: this.icon,
      badge: this.badge,
      image: push.image_url ?? undefined,
      tag: push.id ?? undefined, // a repeat replaces what is shown
      actions: actions.slice(0, 2).map(({ action, title }) => ({ action, title })),
      data: { url: push.url, receipt: push.receipt, links: Object.fromEntries(actions.map((one) => [one.action, one.url])) },
    });
    await this.report(push.receipt, "received");
  }

  async clicked(notification, action) {
    const { url, receipt, links } = notification.data ?? {};
    notification.close();
    const target = (action && links?.[action]) || url;
    await Promise.all([target && this.#open(target), this.report(receipt, action || target ? "clicked" : "opened", action)]);
  }

  // An open page at that address is brought to the front; only addresses of the web are opened.
  async #open(target) {
    const address = new URL(target, this.scope.registration.scope);
    if (!/^https?:$/.test(address.protocol)) return;
    const pages = await this.scope.clients.matchAll({ type: "window", includeUncontrolled: true });
    const known = pages.find((page) => page.url === address.href);
    await (known ? known.focus() : this.scope.clients.openWindow(address.href));
  }

  // Never rejects: a receipt must not break what it reports on.
  // button: of a click, the name of the one that was pressed.
  async report(token, kind, button = "") {
    if (!token) return false;
    const receipt = { token, kind, at: Date.now(), ...(button && { button }) };
    if (await this.#post([receipt])) return this.flush();
    await this.#keep(receipt);
    await this.scope.registration.sync?.register(SYNC).catch(() => {});
    return false;
  }

  // Sends what was kept. Resolves to whether nothing is left.
  async flush() {
    try {
      const store = await this.scope.caches.open(STORE);
      const kept = (await store.keys()).slice(0, MAX_SENT);
      if (!kept.length) return true;
      const receipts = await Promise.all(kept.map(async (key) => (await store.match(key)).json()));
      if (!(await this.#post(receipts))) return false;
      await Promise.all(kept.map((key) => store.delete(key)));
      return kept.length < MAX_SENT || this.flush();
    } catch {
      return false;
    }
  }

  async #keep(receipt) {
    try {
      const store = await this.scope.caches.open(STORE);
      const key = `/receipt/${receipt.kind}/${encodeURIComponent(receipt.token)}`;
      await store.put(key, new Response(JSON.stringify(receipt)));
    } catch {
      // Storage is full or forbidden: this receipt is lost, the push is not.
    }
  }

  // What the server refuses it would refuse again; only a wait or a silence is worth another try.
  async #post(receipts) {
    try {
      const answer = await this.scope.fetch(`${this.url}/r`, { method: "POST", body: JSON.stringify({ receipts }), keepalive: true });
      return answer.status !== 429 && answer.status < 500;
    } catch {
      return false;
    }
  }

  // The browser gave the subscription up or made another: the old address is dead, so the new one is told at once.
  async resubscribe({ oldSubscription: old, newSubscription: fresh }) {
    const options = old?.options ?? fresh?.options;
    const subscription = fresh ?? (options && (await this.scope.registration.pushManager.subscribe(options)));
    if (!subscription || !this.register) return;
    const told = { subscription: subscription.toJSON(), old: old?.endpoint ?? null };
    if (typeof this.register === "function") await this.register(told);
    else await this.scope.fetch(this.register, { method: "POST", credentials: "include", headers: { "Content-Type": "application/json" }, body: JSON.stringify(told) });
  }
}

function read(data) {
  try {
    return data?.json() ?? {};
  } catch {
    return { body: data.text() };
  }
}
