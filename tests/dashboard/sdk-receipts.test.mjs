// Receipts and the inbox against a fetch that the test plays. Run by test_sdk.py with `node --test`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Inbox } from "../../sdk/js/inbox.js";
import { Receipts } from "../../sdk/js/receipts.js";

function newReceipts(...statuses) {
  const calls = [];
  const fetch = async (url, { method, body }) => {
    calls.push({ url, method, ...JSON.parse(body) });
    const status = statuses.shift() ?? 200;
    if (status === 0) throw new TypeError("no network");
    return { status };
  };
  return { receipts: new Receipts({ url: "https://push.test/", fetch, now: () => 1_700_000_000_000 }), calls };
}

test("a push's receipt is reported with the time it happened", async () => {
  const { receipts, calls } = newReceipts();
  assert.equal(await receipts.report({ receipt: "t1" }, "opened"), true);
  assert.deepEqual(calls, [
    { url: "https://push.test/r", method: "POST", receipts: [{ token: "t1", kind: "opened", at: 1_700_000_000_000 }] },
  ]);
});

test("a conversion has a worth", async () => {
  const { receipts, calls } = newReceipts();
  await receipts.report("t1", "converted", { amount: "19.90", currency: "EUR" });
  const [{ amount, currency }] = calls[0].receipts;
  assert.deepEqual([amount, currency], ["19.90", "EUR"]);
});

test("what could not be sent goes with the next report, and nothing twice", async () => {
  const { receipts, calls } = newReceipts(0, 503, 429, 200);
  for (const token of ["a", "b", "c"]) assert.equal(await receipts.report(token, "received"), false);
  assert.equal(await receipts.report("d", "received"), true);
  assert.deepEqual(calls.at(-1).receipts.map(({ token }) => token), ["a", "b", "c", "d"]);
  assert.equal(await receipts.flush(), true);
  assert.equal(calls.length, 4);
});

test("what is refused is not sent again", async () => {
  const { receipts, calls } = newReceipts(400);
  assert.equal(await receipts.report("a", "received"), true);
  await receipts.flush();
  assert.equal(calls.length, 1);
});

test("a push without a token reports nothing", async () => {
  const { receipts, calls } = newReceipts();
  assert.equal(await receipts.report({}, "opened"), false);
  assert.deepEqual(calls, []);
});

function newInbox(status, answer) {
  const calls = [];
  const unread = [];
  const fetch = async (url, { method, headers, body }) => {
    calls.push({ url, method, auth: headers.Authorization, body: body && JSON.parse(body) });
    return { ok: status < 400, status, json: async () => answer };
  };
  const inbox = new Inbox({ url: "https://push.test", token: async () => "jwt", fetch });
  inbox.onunread = (count) => unread.push(count);
  return { inbox, calls, unread };
}

test("every call carries the person's token and tells what is unread", async () => {
  const { inbox, calls, unread } = newInbox(200, { data: [], next: null, unread: 2 });
  await inbox.list({ cursor: "c", limit: 5 });
  await inbox.read(["i"]);
  await inbox.readAll();
  await inbox.archive(["i"]);
  await inbox.delete("i/j");
  assert.deepEqual(calls.map(({ method, url, auth, body }) => [method, url.replace("https://push.test/client/inbox", ""), auth, body]), [
    ["GET", "?limit=5&cursor=c", "Bearer jwt", undefined],
    ["POST", "/read", "Bearer jwt", { ids: ["i"] }],
    ["POST", "/read", "Bearer jwt", { all: true }],
    ["POST", "/archive", "Bearer jwt", { ids: ["i"] }],
    ["DELETE", "/i%2Fj", "Bearer jwt", undefined],
  ]);
  assert.deepEqual(unread, [2, 2, 2, 2, 2]);
});

test("a refusal is an error with its code", async () => {
  const { inbox, unread } = newInbox(401, { code: "subscriber_unauthenticated", detail: "no" });
  await assert.rejects(inbox.list(), { code: "subscriber_unauthenticated", status: 401 });
  assert.deepEqual(unread, []);
});

test("a followed client tells the count, and asks again after signing in", async () => {
  const { inbox, calls, unread } = newInbox(200, { data: [], next: null, unread: 4 });
  const handlers = {};
  const client = { user: { on: (name, handler) => { handlers[`user ${name}`] = handler; } }, on: (name, handler) => { handlers[name] = handler; } };
  inbox.follow(client);
  handlers["user inbox"]({ unread: 3 });
  await handlers.signed_in();
  assert.deepEqual(unread, [3, 4]);
  assert.equal(calls[0].url, "https://push.test/client/inbox?limit=1");
});

// A connected client whose server answers, or not.
function newSocket(answers) {
  const handlers = new Set();
  const sent = [];
  return {
    sent,
    state: "connected",
    on: (_event, handler) => handlers.add(handler),
    off: (_event, handler) => handlers.delete(handler),
    send(event, data) {
      sent.push({ event, ...data });
      if (answers) queueMicrotask(() => [...handlers].forEach((handler) => handler({ count: data.receipts.length })));
      return answers !== null;
    },
  };
}

test("while the socket is connected receipts go over it, and not by HTTP", async () => {
  const { receipts, calls } = newReceipts();
  receipts.client = newSocket(true);
  assert.equal(await receipts.report("t1", "received"), true);
  assert.deepEqual(receipts.client.sent, [{ event: "pusher:receipts", receipts: [{ token: "t1", kind: "received", at: 1_700_000_000_000 }] }]);
  assert.deepEqual(calls, []);
});

test("a socket that takes nothing, or is away, leaves it to HTTP", async () => {
  for (const client of [newSocket(null), { ...newSocket(true), state: "waiting" }]) {
    const { receipts, calls } = newReceipts();
    receipts.client = client;
    assert.equal(await receipts.report("t1", "received"), true);
    assert.equal(calls.length, 1);
  }
});

test("a worth is told by HTTP", async () => {
  const { receipts, calls } = newReceipts();
  receipts.client = newSocket(true);
  await receipts.report("t1", "converted", { amount: "19.90", currency: "EUR" });
  assert.equal(calls[0].receipts[0].amount, "19.90");
  assert.deepEqual(receipts.client.sent, []);
});
