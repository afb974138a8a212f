// Receipts, for pages, service workers and phones. An ES module without dependencies; the socket is not needed.
//
//   const receipts = new Receipts({ url: "https://push.example" });
//   receipts.report(notification, "received");              // notification: what a push brought; or its `receipt`
//   receipts.report(notification, "clicked", { button: "buy" });   // button: the action of the one that was pressed
//   receipts.report(notification, "converted", { amount: "19.90", currency: "EUR" });
//
//   new Receipts({ url, client });                          // client: a Pushsaas; while it is connected nothing goes by HTTP
//
// A receipt counts once however often it is sent, so what could not be sent is kept and sent again: with the next report,
// when the network is back, and as a beacon when the page goes away.

const MAX_KEPT = 500;
const MAX_SENT = 100;
const MAX_ON_SOCKET = 50;
const ANSWER_MS = 5_000;

export class Receipts {
  #kept = [];
  #sending = null;

  constructor({ url, client = null, fetch = globalThis.fetch.bind(globalThis), now = Date.now }) {
    Object.assign(this, { url: `${url.replace(/\/$/, "")}/r`, client, fetch, now });
    globalThis.addEventListener?.("online", () => this.flush());
    globalThis.addEventListener?.("pagehide", () => this.#beacon());
  }

  // Resolves to whether everything that was kept is sent. Never rejects: a receipt must not break what it reports on.
  report(notification, kind, { amount, currency, button } = {}) {
    const token = typeof notification === "string" ? notification : notification?.receipt;
    if (!token) return Promise.resolve(false);
    this.#kept.push({ token, kind, at: this.now(), ...(amount === undefined ? {} : { amount, currency }), ...(button && { button }) });
    this.#kept.splice(0, this.#kept.length - MAX_KEPT);
    return this.flush();
  }

  flush() {
    this.#sending ??= this.#send().finally(() => { this.#sending = null; });
    return this.#sending;
  }

  async #send() {
    while (this.#kept.length) {
      const isConnected = this.client?.state === "connected" && !this.#kept.some((receipt) => "amount" in receipt);
      const onSocket = isConnected && this.#kept.slice(0, MAX_ON_SOCKET);
      const batch = onSocket && (await this.#overSocket(onSocket)) ? onSocket : this.#kept.slice(0, MAX_SENT);
      if (batch !== onSocket && !(await this.#post(batch))) return false;
      this.#kept = this.#kept.filter((receipt) => !batch.includes(receipt));
    }
    return true;
  }

  // Whether the server said that it has them. Batches go one after another, so an answer belongs to the last one.
  #overSocket(receipts) {
    return new Promise((resolve) => {
      const end = (noted) => {
        clearTimeout(timer);
        this.client.off("pusher:receipts_noted", heard);
        resolve(noted);
      };
      const heard = () => end(true);
      const timer = setTimeout(() => end(false), ANSWER_MS);
      this.client.on("pusher:receipts_noted", heard);
      if (!this.client.send("pusher:receipts", { receipts: receipts.map(({ token, kind, at }) => ({ token, kind, at })) })) end(false);
    });
  }

  // What the server refuses it would refuse again; only a wait or a silence is worth another try.
  async #post(receipts) {
    try {
      const { status } = await this.fetch(this.url, { method: "POST", body: JSON.stringify({ receipts }), keepalive: true });
      return status !== 429 && status < 500;
    } catch {
      return false;
    }
  }

  #beacon() {
    if (!this.#kept.length || !globalThis.navigator?.sendBeacon) return;
    const body = JSON.stringify({ receipts: this.#kept.slice(0, MAX_SENT) });
    if (navigator.sendBeacon(this.url, body)) this.#kept.splice(0, MAX_SENT);
  }
}
