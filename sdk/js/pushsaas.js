// A small client of the Pusher protocol, version 7. An ES module without dependencies; one file is the whole of it.
//
//   const client = new Pushsaas({ key, url: "wss://push.example", authorize, authenticate });
//   client.on("state", ({ state, reason }) => …);           // connecting connected waiting disconnected refused
//   client.subscribe("news").on("hello", (data) => …);      // "*" hears every event as (data, name)
//   client.signIn(); client.user.on("notification", (data) => …);
//   client.connect();
//
// authorize({ socketId, channel }) and authenticate({ socketId }) ask your server for a signature and resolve to
// { auth, channel_data } and { auth, user_data }. Both are asked again after each reconnect.
//
// With tokens instead: token() resolves to a connection token, channelToken({ channel }) to one that covers the channel; both
// are asked again before the last one runs out. batch.js authorises many channels with one request.
//
// After a reconnect a channel resumes where it stood: what was published meanwhile comes in order, before what is live.
// Where that cannot be done the channel emits "pusher:messages_lost": load your state. `channel.position` may be kept,
// say over a page load, and given to subscribe(name, { position }); subscribe(name, { rewind: 10 }) begins with the newest ten.

const VERSION = "0.1.0";
const PONG_MS = 30_000;
const BACKOFF_MS = 1_000;
const BACKOFF_LIMIT_MS = 30_000;

class Emitter {
  #handlers = new Map();

  on(event, handler) {
    if (!this.#handlers.has(event)) this.#handlers.set(event, new Set());
    this.#handlers.get(event).add(handler);
    return this;
  }

  off(event, handler) {
    this.#handlers.get(event)?.delete(handler);
    return this;
  }

  emit(event, data, name = event) {
    for (const handler of this.#handlers.get(event) ?? []) handler(data, name);
    if (event !== "*") for (const handler of this.#handlers.get("*") ?? []) handler(data, event);
  }
}

export class Channel extends Emitter {
  constructor(client, name, { position = null, rewind = 0 } = {}) {
    super();
    Object.assign(this, { client, name, position, rewind });
    this.isSubscribed = false;
    this.members = new Map();
  }

  get needsAuth() {
    return /^(private|presence)-/.test(this.name);
  }

  // A client event: only on a private or presence channel that is subscribed. Returns whether it was sent.
  trigger(event, data) {
    return this.isSubscribed && this.client.send(event, data, this.name);
  }

  // What a subscription asks for.
  get wish() {
    const { name: channel, position, rewind } = this;
    if (!this.client.recover) return { channel };
    return position || !rewind ? { channel, position: position ?? true } : { channel, rewind };
  }

  receive(event, data, { epoch, offset, message_id: id, recovered } = {}) {
    if (epoch) this.position = { epoch, offset, message_id: id };
    if (event === "pusher_internal:subscription_succeeded") {
      this.isSubscribed = true;
      this.members = new Map(Object.entries(data?.presence?.hash ?? {}));
      this.emit("pusher:subscription_succeeded", this.members);
      if (recovered === false) this.emit("pusher:messages_lost", this.position);
    } else if (event === "pusher:messages_lost") {
      this.emit(event, this.position);
    } else if (event === "pusher_internal:member_added") {
      this.members.set(data.user_id, data.user_info);
      this.emit("pusher:member_added", data);
    } else if (event === "pusher_internal:member_removed") {
      this.members.delete(data.user_id);
      this.emit("pusher:member_removed", data);
    } else if (event !== "pusher_internal:position") {
      this.emit(event.replace(/^pusher_internal:/, "pusher:"), data);
    }
  }
}

export class Pushsaas extends Emitter {
  #socket = null;
  #timer = 0;
  #failures = 0;
  #signingIn = false;
  #channels = new Map();

  constructor({ key, url, authorize, authenticate, token, channelToken, recover = true, random = Math.random }) {
    super();
    Object.assign(this, { key, authorize, authenticate, token, channelToken, recover, random });
    this.url = url.replace(/^http/, "ws").replace(/\/$/, "");
    this.state = "disconnected";
    this.socketId = null;
    this.user = new Emitter();
    this.userId = null;
    globalThis.addEventListener?.("online", () => this.state === "waiting" && this.connect());
  }

  connect() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    this.#enter("connecting");
    const socket = new WebSocket(`${this.url}/app/${encodeURIComponent(this.key)}?protocol=7&client=pushsaas-js&version=${VERSION}`);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#socket === socket && this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#socket === socket && this.#closed(code, reason);
  }

  disconnect() {
    clearTimeout(this.#timer);
    this.#drop();
    this.#failures = 0;
    this.#enter("disconnected");
  }

  subscribe(name, options) {
    if (!this.#channels.has(name)) {
      const channel = new Channel(this, name, options);
      this.#channels.set(name, channel);
      if (this.state === "connected") this.#join(channel);
    }
    return this.#channels.get(name);
  }

  unsubscribe(name) {
    if (this.#channels.delete(name)) this.send("pusher:unsubscribe", { channel: name });
  }

  signIn() {
    this.#signingIn = true;
    if (this.state === "connected") this.#authenticate();
  }

  send(event, data, channel) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify({ event, data, channel }));
    return true;
  }

  #receive(text) {
    this.#rest();
    const message = JSON.parse(text);
    const { event, channel } = message;
    const data = decoded(message.data);
    if (event === "pusher:connection_established") this.#established(data);
    else if (event === "pusher:ping") this.send("pusher:pong", {});
    else if (event === "pusher:pong") return;
    else if (event === "pusher:error") this.emit("error", data);
    else if (event === "pusher:signin_success") this.#signedIn(data);
    else if (event === "pusher:token_expiring") this.#refresh(channel);
    else if (channel?.startsWith("#server-to-user-")) this.#forUser(event, data);
    else if (channel) this.#channels.get(channel)?.receive(event, data, message);
    else this.emit(event, data);
  }

  #established({ socket_id: socketId, activity_timeout: seconds }) {
    this.socketId = socketId;
    this.quietMs = Math.min(seconds || 120, 120) * 1_000;
    this.#failures = 0;
    this.#enter("connected");
    this.#rest();
    if (this.#signingIn) this.#authenticate();
    for (const channel of this.#channels.values()) this.#join(channel);
  }

  async #join(channel) {
    const socketId = this.socketId;
    try {
      const proof = channel.needsAuth ? await this.#proof(socketId, channel.name) : {};
      // The answer may belong to a connection that is gone by now; the next one asks again.
      if (socketId === this.socketId && this.#channels.has(channel.name)) {
        this.send("pusher:subscribe", { ...channel.wish, ...proof });
      }
    } catch (error) {
      channel.emit("pusher:subscription_error", { type: "AuthError", error: error.message });
    }
  }

  async #proof(socketId, channel) {
    return this.channelToken ? { token: await this.channelToken({ channel }) } : this.authorize({ socketId, channel });
  }

  async #refresh(channel) {
    const socketId = this.socketId;
    try {
      const token = await (channel ? this.channelToken({ channel }) : this.token());
      if (socketId === this.socketId) this.send("pusher:refresh_token", { token });
    } catch (error) {
      this.emit("error", { message: error.message });
    }
  }

  async #authenticate() {
    const socketId = this.socketId;
    try {
      const proof = this.token ? { token: await this.token() } : await this.authenticate({ socketId });
      if (socketId === this.socketId) this.send("pusher:signin", proof);
    } catch (error) {
      this.emit("error", { message: error.message });
    }
  }

  #signedIn({ user_data: userData }) {
    this.userId = JSON.parse(userData).id;
    this.send("pusher:subscribe", { channel: `#server-to-user-${this.userId}`, auth: "" });
    this.emit("signed_in", { userId: this.userId });
  }

  #forUser(event, data) {
    if (!event.startsWith("pusher_internal:")) this.user.emit(event, data);
  }

  // After silence the client asks; no answer means that the connection is dead, whatever the socket believes.
  #rest() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.send("pusher:ping", {});
      this.#timer = setTimeout(() => this.#closed(4201, "no pong"), PONG_MS);
    }, this.quietMs ?? 120_000);
  }

  #closed(code, reason) {
    this.#drop();
    if (code >= 4000 && code < 4100) {
      this.#enter("refused", `${code} ${reason}`.trim());
      return;
    }
    const pause = code >= 4200 && code < 4300 ? 0 : this.#backoff();
    this.#enter("waiting", reason);
    this.#timer = setTimeout(() => this.connect(), pause);
  }

  // Full jitter: a server that comes back is not met by everybody at once.
  #backoff() {
    const limit = Math.min(BACKOFF_LIMIT_MS, BACKOFF_MS * 2 ** this.#failures);
    this.#failures += 1;
    return this.random() * limit;
  }

  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = this.socketId = this.userId = null;
    for (const channel of this.#channels.values()) channel.isSubscribed = false;
    if (socket && socket.readyState < WebSocket.CLOSING) socket.close();
  }

  #enter(state, reason = "") {
    this.state = state;
    this.emit("state", { state, reason });
  }
}

function decoded(data) {
  if (typeof data !== "string") return data;
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

export default Pushsaas;
