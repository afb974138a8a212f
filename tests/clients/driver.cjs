// Drives the official clients: one JSON command per line on stdin, one JSON report per line on stdout.
// Commands carry {id, do, …}; each is answered by {kind: "done", id, value} or {kind: "failed", id, message}.
"use strict";

const crypto = require("node:crypto");
const readline = require("node:readline");
const Client = require("pusher-js");
const Server = require("pusher");

const say = (kind, facts) => process.stdout.write(JSON.stringify({ kind, ...facts }) + "\n");
let client, server, app;

const signed = (text) => app.key + ":" + crypto.createHmac("sha256", app.secret).update(text).digest("hex");

// What a customer's own backend would answer.
function authorizeChannel({ socketId, channelName }, callback) {
  if (channelName.startsWith("presence-")) {
    const channelData = JSON.stringify({ user_id: app.user, user_info: { name: app.user } });
    callback(null, { auth: signed(`${socketId}:${channelName}:${channelData}`), channel_data: channelData });
    return;
  }
  if (channelName.startsWith("private-encrypted-")) {
    callback(null, server.authorizeChannel(socketId, channelName));
    return;
  }
  callback(null, { auth: app.wrong ? app.key + ":00" : signed(`${socketId}:${channelName}`) });
}

// The same answers, for many channels with one question; "private-closed" is the one it refuses.
async function batchAuthorizer() {
  const { batchAuthorizer: authorizer } = await import("../../sdk/js/batch.js");
  return authorizer({
    ask: async ({ socketId, channels }) => {
      say("asked", { channels });
      const open = channels.filter((channel) => channel !== "private-closed");
      return Object.fromEntries(open.map((channel) => [channel, { auth: signed(`${socketId}:${channel}`) }]));
    },
  });
}

function authenticateUser({ socketId }, callback) {
  const userData = JSON.stringify({ id: app.user, user_info: { name: app.user }, watchlist: app.watchlist });
  callback(null, { auth: signed(`${socketId}::user::${userData}`), user_data: userData });
}

const commands = {
  use(given) {
    app = given;
    server = new Server({ appId: app.appId, key: app.key, secret: app.secret, host: "127.0.0.1", port: app.port, useTLS: false,
      encryptionMasterKeyBase64: Buffer.alloc(32, "x").toString("base64") });
  },
  async connect() {
    client = new Client(app.key, {
      cluster: "x", wsHost: "127.0.0.1", wsPort: app.port, httpHost: "127.0.0.1", httpPort: app.port, forceTLS: false,
      enabledTransports: [app.transport ?? "ws"],
      channelAuthorization: { customHandler: app.batch ? await batchAuthorizer() : authorizeChannel },
      userAuthentication: { customHandler: authenticateUser },
    });
    client.connection.bind("state_change", ({ current }) => say("state", { state: current, socket: client.connection.socket_id }));
    client.connection.bind("error", (error) => say("error", { error: error.data ?? error.error?.data ?? null }));
  },
  subscribe({ channel }) {
    const subscribed = client.subscribe(channel);
    subscribed.bind_global((event, data) => say("event", { channel, event, data }));
    subscribed.bind("client-here", (data, { user_id }) => say("sender", { channel, user: user_id }));
  },
  subscribeAll({ channels }) {
    for (const channel of channels) commands.subscribe({ channel });
  },
  report({ receipts }) {
    client.bind("pusher:receipts_noted", (data) => say("noted", data));
    return client.send_event("pusher:receipts", { receipts });
  },
  unsubscribe({ channel }) {
    client.unsubscribe(channel);
  },
  members({ channel }) {
    const { count, members } = client.channel(channel).members;
    return { count, members };
  },
  async signin() {
    client.user.bind_global((event, data) => say("user", { event, data }));
    for (const name of ["online", "offline"]) {
      client.user.watchlist.bind(name, ({ user_ids }) => say("watched", { name, users: user_ids }));
    }
    client.signin();
    // pusher-js tells nobody when the user's own channel is subscribed.
    while (!client.user.serverToUserChannel?.subscribed) await new Promise((again) => setTimeout(again, 5));
  },
  clientEvent({ channel, event, data }) {
    return client.channel(channel).trigger(event, data);
  },
  transport() {
    return client.connection.connection.transport.name;
  },
  disconnect() {
    client.disconnect();
  },
  // What the SDK makes of a call to a customer's server; null when it does not believe it.
  webhook({ headers, rawBody }) {
    const hook = server.webhook({ headers, rawBody });
    return hook.isValid() ? { events: hook.getEvents(), time: hook.getTime().getTime() } : null;
  },
  async server({ method, given }) {
    const answer = await server[method](...given);
    return answer?.json ? { status: answer.status, body: await answer.json() } : null;
  },
};

Object.assign(commands, require("./echo.cjs")(say, () => ({ client, key: app.key })));

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const command = JSON.parse(line);
  try {
    say("done", { id: command.id, value: (await commands[command.do](command)) ?? null });
  } catch (error) {
    say("failed", { id: command.id, message: String(error.message), status: error.status ?? null, body: error.body ?? null });
  }
}).on("close", () => process.exit(0));
