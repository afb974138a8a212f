// The plain broadcast of Node's `ws`: one server, N clients, the same text to each in turn. argv: PORT N PAYLOAD
"use strict";
const { WebSocketServer } = require(process.env.BENCH_WS_MODULE);
const [port, count, size] = process.argv.slice(2).map(Number);
const text = "x".repeat(size);
const server = new WebSocketServer({ host: "127.0.0.1", port, perMessageDeflate: false });

function broadcast() {
  for (const client of server.clients) client.send(text);
  // Not before the sockets have taken it: ws queues without a bound.
  const busy = [...server.clients].some((client) => client.bufferedAmount > 1 << 16);
  busy ? setTimeout(broadcast, 1) : setImmediate(broadcast);
}
server.on("connection", () => { if (server.clients.size === count) setTimeout(broadcast, 300); });
