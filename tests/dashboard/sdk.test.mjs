// The SDK against a WebSocket that the test plays. Run by test_sdk.py with `node --test`.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Pushsaas } from "../../sdk/js/pushsaas.js";

let sockets;

class Socket {
  static OPEN = 1;
  static CLOSING = 2;
  readyState = 1;
  sent = [];

  constructor(url) {
    this.url = url;
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  receive(event, data, channel, position) {
    this.onmessage({ data: JSON.stringify({ event, data: JSON.stringify(data), channel, ...position }) });
  }

  establish(id = "1.2") {
    this.receive("pusher:connection_established", { socket_id: id, activity_timeout: 30 });
  }
}

const settled = () => new Promise((resolve) => { process.nextTick(() => process.nextTick(resolve)); });

function newClient(options = {}) {
  const client = new Pushsaas({ key: "k", url: "http://push.test/", random: () => 0.5, ...options });
  client.states = [];
  client.on("state", ({ state }) => client.states.push(state));
  return client;
}

beforeEach(() => {
  sockets = [];
  globalThis.WebSocket = Socket;
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("a public channel hears its events, and only its own", () => {
  const client = newClient();
  const heard = [];
  client.subscribe("news").on("hello", (data) => heard.push(data));
  client.connect();
  assert.match(sockets[0].url, /^ws:\/\/push\.test\/app\/k\?protocol=7/);
  sockets[0].establish();
  return settled().then(() => {
    assert.deepEqual(sockets[0].sent, [{ event: "pusher:subscribe", data: { channel: "news", position: true } }]);
    sockets[0].receive("hello", { n: 1 }, "news");
    sockets[0].receive("hello", { n: 2 }, "other");
    assert.deepEqual(heard, [{ n: 1 }]);
  });
});

test("a private channel is signed anew for each connection", async () => {
  const asked = [];
  const client = newClient({ authorize: async (question) => { asked.push(question); return { auth: "k:s" }; } });
  client.subscribe("private-x");
  client.connect();
  sockets[0].establish("1.1");
  await settled();
  sockets[0].onclose({ code: 4200, reason: "" });
  mock.timers.tick(0);
  sockets[1].establish("2.2");
  await settled();
  assert.deepEqual(asked.map(({ socketId }) => socketId), ["1.1", "2.2"]);
  assert.deepEqual(sockets[1].sent[0].data, { channel: "private-x", position: true, auth: "k:s" });
});

test("a proof for a connection that is gone is thrown away", async () => {
  let answer;
  const client = newClient({ authorize: () => new Promise((resolve) => { answer = resolve; }) });
  client.subscribe("private-x");
  client.connect();
  sockets[0].establish("1.1");
  const late = answer;
  sockets[0].onclose({ code: 1006, reason: "" });
  late({ auth: "k:old" });
  await settled();
  assert.deepEqual(sockets[0].sent, []);
});

test("a refused signature is told to the channel", async () => {
  const client = newClient({ authorize: async () => { throw new Error("no"); } });
  const errors = [];
  client.subscribe("private-x").on("pusher:subscription_error", (error) => errors.push(error.error));
  client.connect();
  sockets[0].establish();
  await settled();
  assert.deepEqual(errors, ["no"]);
});

test("a signed-in user hears their own channel", async () => {
  const client = newClient({ authenticate: async () => ({ auth: "k:s", user_data: '{"id":"alice"}' }) });
  const heard = [];
  client.user.on("notification", (data) => heard.push(data.title));
  client.signIn();
  client.connect();
  sockets[0].establish();
  await settled();
  assert.equal(sockets[0].sent[0].event, "pusher:signin");
  sockets[0].receive("pusher:signin_success", { user_data: '{"id":"alice"}' });
  assert.deepEqual(sockets[0].sent[1].data, { channel: "#server-to-user-alice", auth: "" });
  sockets[0].receive("notification", { title: "Hi" }, "#server-to-user-alice");
  assert.deepEqual(heard, ["Hi"]);
});

test("a code of the 40xx kind is final", () => {
  const client = newClient();
  client.connect();
  sockets[0].onclose({ code: 4001, reason: "no such app" });
  mock.timers.tick(120_000);
  assert.deepEqual([client.states.at(-1), sockets.length], ["refused", 1]);
});

test("pauses between attempts grow with full jitter", () => {
  const client = newClient();
  client.connect();
  for (const pause of [500, 1_000, 2_000]) {
    const before = sockets.length;
    sockets.at(-1).onclose({ code: 1006, reason: "" });
    mock.timers.tick(pause - 1);
    assert.equal(sockets.length, before);
    mock.timers.tick(1);
    assert.equal(sockets.length, before + 1);
  }
});

test("silence is asked about, and a dead connection replaced", () => {
  const client = newClient();
  client.connect();
  sockets[0].establish();
  mock.timers.tick(30_000);
  assert.equal(sockets[0].sent.at(-1).event, "pusher:ping");
  mock.timers.tick(30_000);
  mock.timers.tick(0);
  assert.deepEqual([sockets[0].readyState, sockets.length], [3, 2]);
});

test("presence members come and go", () => {
  const client = newClient({ authorize: async () => ({}) });
  const channel = client.subscribe("presence-room");
  client.connect();
  sockets[0].establish();
  sockets[0].receive("pusher_internal:subscription_succeeded", { presence: { count: 1, ids: ["a"], hash: { a: {} } } }, "presence-room");
  sockets[0].receive("pusher_internal:member_added", { user_id: "b", user_info: {} }, "presence-room");
  sockets[0].receive("pusher_internal:member_removed", { user_id: "a" }, "presence-room");
  assert.deepEqual([...channel.members.keys()], ["b"]);
});

test("disconnecting is final until somebody connects", () => {
  const client = newClient();
  client.connect();
  sockets[0].establish();
  client.disconnect();
  mock.timers.tick(600_000);
  assert.deepEqual([client.states.at(-1), sockets.length], ["disconnected", 1]);
});

const place = (offset) => ({ epoch: "e", offset, message_id: `id${offset}` });
const ack = "pusher_internal:subscription_succeeded";

test("a channel resumes where it stood, and says what is lost", async () => {
  const client = newClient();
  const heard = [];
  client.subscribe("news").on("*", (data, name) => heard.push(name));
  client.connect();
  sockets[0].establish("1.1");
  await settled();
  sockets[0].receive(ack, {}, "news", place(1));
  sockets[0].receive("hello", {}, "news", place(2));
  sockets[0].receive("pusher_internal:position", {}, "news", place(3));
  sockets[0].onclose({ code: 4200, reason: "" });
  mock.timers.tick(0);
  sockets[1].establish("2.2");
  await settled();
  assert.deepEqual(sockets[1].sent[0].data, { channel: "news", position: place(3) });
  sockets[1].receive(ack, {}, "news", { ...place(3), recovered: true });
  assert.deepEqual(heard.splice(0), ["pusher:subscription_succeeded", "hello", "pusher:subscription_succeeded"]);
  sockets[1].receive(ack, {}, "news", { ...place(9), recovered: false });
  sockets[1].receive("pusher:messages_lost", {}, "news", place(12));
  assert.deepEqual(heard, ["pusher:subscription_succeeded", "pusher:messages_lost", "pusher:messages_lost"]);
  assert.deepEqual(client.subscribe("news").position, place(12));
});

test("a kept position and a rewind are asked for once, and plain protocol 7 on demand", async () => {
  const client = newClient();
  client.subscribe("kept", { position: place(7) });
  client.subscribe("recent", { rewind: 5 });
  client.connect();
  sockets[0].establish();
  await settled();
  assert.deepEqual(sockets[0].sent.map(({ data }) => data), [{ channel: "kept", position: place(7) }, { channel: "recent", rewind: 5 }]);
  const plain = newClient({ recover: false });
  plain.subscribe("news");
  plain.connect();
  sockets[1].establish();
  await settled();
  assert.deepEqual(sockets[1].sent[0].data, { channel: "news" });
});

test("tokens sign in, subscribe and are refreshed before they run out", async () => {
  let number = 0;
  const client = newClient({
    token: async () => `user-${++number}`,
    channelToken: async ({ channel }) => `${channel}-${++number}`,
  });
  client.signIn();
  client.subscribe("private-x");
  client.connect();
  sockets[0].establish();
  await settled();
  assert.deepEqual(sockets[0].sent.map(({ event, data }) => [event, data.token]), [
    ["pusher:signin", "user-1"], ["pusher:subscribe", "private-x-2"],
  ]);
  sockets[0].receive("pusher:token_expiring", { expires_in: 30 });
  await settled();
  sockets[0].receive("pusher:token_expiring", { expires_in: 30 }, "private-x");
  await settled();
  assert.deepEqual(sockets[0].sent.slice(2).map(({ event, data }) => [event, data.token]), [
    ["pusher:refresh_token", "user-3"], ["pusher:refresh_token", "private-x-4"],
  ]);
});

test("a token that comes too late for its connection is not sent on the next one", async () => {
  let give;
  const client = newClient({ token: () => new Promise((resolve) => { give = resolve; }) });
  client.connect();
  sockets[0].establish();
  sockets[0].receive("pusher:token_expiring", { expires_in: 30 });
  sockets[0].onclose({ code: 4200, reason: "" });
  mock.timers.tick(0);
  sockets[1].establish("3.4");
  give("late");
  await settled();
  assert.deepEqual(sockets[1].sent, []);
});
