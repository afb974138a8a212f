// The inbox, for pages and phones. An ES module without dependencies; the socket is not needed.
//
//   const inbox = new Inbox({ url: "https://push.example", token: async () => (await fetch("/inbox-token")).text() });
//   const { data, next, unread } = await inbox.list();
//   await inbox.read([item.id]);  await inbox.readAll();  await inbox.archive([item.id]);  await inbox.delete(item.id);
//   inbox.follow(client);  inbox.onunread = (unread) => …;   // client: a signed-in Pushsaas; told by every change

export class Inbox {
  onunread = () => {};

  constructor({ url, token, fetch = globalThis.fetch.bind(globalThis) }) {
    Object.assign(this, { url: `${url.replace(/\/$/, "")}/client/inbox`, token, fetch });
  }

  // Newest first. cursor: `next` of the page before. Resolves to { data, next, unread }.
  list({ cursor = "", limit = 50 } = {}) {
    const query = new URLSearchParams({ limit, ...(cursor && { cursor }) });
    return this.#ask("GET", `?${query}`);
  }

  read(ids) {
    return this.#ask("POST", "/read", { ids });
  }

  readAll() {
    return this.#ask("POST", "/read", { all: true });
  }

  archive(ids) {
    return this.#ask("POST", "/archive", { ids });
  }

  delete(id) {
    return this.#ask("DELETE", `/${encodeURIComponent(id)}`);
  }

  // Hears of every change, made here or elsewhere. After a reconnect something may have been missed, so it asks.
  follow(client) {
    client.user.on("inbox", ({ unread }) => this.onunread(unread));
    client.on("signed_in", () => this.list({ limit: 1 }).catch(() => {}));
    return this;
  }

  async #ask(method, path, body) {
    const token = typeof this.token === "function" ? await this.token() : this.token;
    const answer = await this.fetch(this.url + path, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...(body && { "Content-Type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const told = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(told.detail ?? answer.statusText), { code: told.code, status: answer.status });
    this.onunread(told.unread);
    return told;
  }
}
