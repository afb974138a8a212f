// The service worker's helper in a scope that the test plays. Run by test_sdk.py with `node --test`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { listen } from "../../sdk/js/pushsaas-sw.js";

const PUSH = {
  id: "p1", title: "Sale", body: "Today", image_url: "https://shop.test/i.png", url: "https://shop.test/sale", receipt: "t1",
  data: { actions: [{ action: "buy", title: "Buy", url: "https://shop.test/buy" }, { action: "later", title: "Later" }, { action: "x", title: "X" }] },
};

class Caches {
  kept = new Map();
  async open() { return this; }
  async keys() { return [...this.kept.keys()]; }
  async match(key) { return this.kept.get(key).clone(); }
  async put(key, response) { this.kept.set(key, response); }
  async delete(key) { return this.kept.delete(key); }
}

function newWorker(options = {}, ...statuses) {
  const handlers = {};
  const seen = { shown: [], reports: [], opened: [], focused: [], calls: [], synced: [] };
  const scope = {
    addEventListener: (name, handler) => { handlers[name] = handler; },
    registration: {
      scope: "https://shop.test/",
      showNotification: async (title, shown) => { seen.shown.push({ title, ...shown }); },
      sync: { register: async (tag) => { seen.synced.push(tag); } },
      pushManager: { subscribe: async ({ applicationServerKey }) => ({ toJSON: () => ({ key: applicationServerKey }) }) },
    },
    clients: {
      matchAll: async () => [{ url: "https://shop.test/open", focus: async () => { seen.focused.push("open"); } }],
      openWindow: async (url) => { seen.opened.push(url); },
    },
    caches: new Caches(),
    fetch: async (url, { body, keepalive }) => {
      seen.calls.push({ url, keepalive, body: JSON.parse(body) });
      const status = statuses.shift() ?? 200;
      if (status === 0) throw new TypeError("no network");
      if (status < 400) seen.reports.push(...(JSON.parse(body).receipts ?? []).map(({ token, kind }) => `${token} ${kind}`));
      return { status };
    },
  };
  const worker = listen({ url: "https://push.test/", ...options }, scope);
  const fire = async (name, event) => {
    const waits = [];
    handlers[name]({ ...event, waitUntil: (promise) => waits.push(promise) });
    await Promise.all(waits);
  };
  return { worker, scope, seen, fire };
}

const pushed = (json) => ({ data: { json: () => json, text: () => String(json) } });
const notified = (push, action = "") => ({ action, notification: { data: push, close() {} } });

test("a push is shown with image, two buttons and a tag, and reported as received", async () => {
  const { seen, fire } = newWorker();
  await fire("push", pushed(PUSH));
  const [{ title, body, image, tag, actions }] = seen.shown;
  assert.deepEqual([title, body, image, tag], ["Sale", "Today", "https://shop.test/i.png", "p1"]);
  assert.deepEqual(actions, [{ action: "buy", title: "Buy" }, { action: "later", title: "Later" }]);
  assert.deepEqual(seen.reports, ["t1 received"]);
  assert.deepEqual([seen.calls[0].url, seen.calls[0].keepalive], ["https://push.test/r", true]);
});

test("what is no JSON is shown all the same", async () => {
  const { seen, fire } = newWorker();
  await fire("push", { data: { json: () => { throw new SyntaxError("no"); }, text: () => "plain" } });
  assert.deepEqual([seen.shown[0].title, seen.shown[0].body, seen.reports], ["Notification", "plain", []]);
  await fire("push", { data: null });
  assert.equal(seen.shown.length, 2);
});

test("a click opens the link, a button its own, and both are clicks", async () => {
  const { seen, fire } = newWorker();
  const data = { url: PUSH.url, receipt: "t1", links: { buy: "https://shop.test/buy" } };
  await fire("notificationclick", notified(data));
  await fire("notificationclick", notified(data, "buy"));
  await fire("notificationclick", notified({ ...data, url: "https://shop.test/open" }));
  assert.deepEqual(seen.opened, ["https://shop.test/sale", "https://shop.test/buy"]);
  assert.deepEqual(seen.focused, ["open"]);
  assert.deepEqual(seen.reports, ["t1 clicked", "t1 clicked", "t1 clicked"]);
  const told = seen.calls.map((call) => call.body.receipts[0].button);
  assert.deepEqual(told, [undefined, "buy", undefined]);
});

test("without a link it is opened, and no other scheme is followed", async () => {
  const { seen, fire } = newWorker();
  await fire("notificationclick", notified({ receipt: "t1" }));
  await fire("notificationclick", notified({ receipt: "t2", url: "javascript:alert(1)" }));
  assert.deepEqual([seen.opened, seen.reports], [[], ["t1 opened", "t2 clicked"]]);
});

test("closing is dismissing", async () => {
  const { seen, fire } = newWorker();
  await fire("notificationclose", notified({ receipt: "t1" }));
  assert.deepEqual(seen.reports, ["t1 dismissed"]);
});

test("what could not be sent is kept, and goes with the next event or by background sync", async () => {
  const { seen, fire, scope } = newWorker({}, 0, 503, 429);
  await fire("push", pushed(PUSH));
  await fire("push", pushed({ ...PUSH, receipt: "t2" }));
  await fire("push", pushed({ ...PUSH, receipt: "t3" }));
  assert.deepEqual([seen.reports, scope.caches.kept.size, seen.synced.length], [[], 3, 3]);
  await fire("sync", { tag: "pushsaas-receipts" });
  assert.deepEqual(seen.reports, ["t1 received", "t2 received", "t3 received"]);
  assert.equal(scope.caches.kept.size, 0);
  await fire("sync", { tag: "of somebody else" });
  assert.equal(seen.calls.length, 4);
});

test("what is refused is not kept", async () => {
  const { fire, scope } = newWorker({}, 400);
  await fire("push", pushed(PUSH));
  assert.equal(scope.caches.kept.size, 0);
});

test("a changed subscription is made again with its key and told", async () => {
  const { seen, fire } = newWorker({ register: "/push/register" });
  const old = { endpoint: "https://old.test/1", options: { applicationServerKey: "k" } };
  await fire("pushsubscriptionchange", { oldSubscription: old, newSubscription: null });
  assert.deepEqual(seen.calls, [{ url: "/push/register", keepalive: undefined, body: { subscription: { key: "k" }, old: "https://old.test/1" } }]);
  const told = [];
  const other = newWorker({ register: async (change) => { told.push(change); } });
  await other.fire("pushsubscriptionchange", { oldSubscription: null, newSubscription: { options: {}, toJSON: () => ({ n: 1 }) } });
  assert.deepEqual(told, [{ subscription: { n: 1 }, old: null }]);
});
