// An HTTP/2 server on nghttp2, as Node has it. Argument: the file with key and certificate. Prints its port.
// The path says how it answers.
"use strict";
const fs = require("fs");
const http2 = require("http2");

const pem = fs.readFileSync(process.argv[2]);
const settings = { maxConcurrentStreams: 5, initialWindowSize: 1000, headerTableSize: 0, maxFrameSize: 20000 };
const server = http2.createSecureServer({ key: pem, cert: pem, settings });
let refused = 0;

server.on("session", (session) => session.ping(() => {}));
server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  const what = headers[":path"].split("/")[1];
  if (what === "refuse" && refused++ < 3) {
    stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    return;
  }
  if (what === "reset") {
    stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  if (what === "early") stream.additionalHeaders({ ":status": 103, link: "</a>" });
  let size = 0;
  stream.on("data", (piece) => { size += piece.length; });
  stream.on("end", () => {
    const status = what === "gone" ? 410 : 200;
    stream.respond({ ":status": status, "x-size": String(size), "x-long": "y".repeat(what === "long" ? 40000 : 1) },
      { waitForTrailers: what === "trailers" });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-end": "1" }));
    stream.end(what === "large" ? "z".repeat(200000) : JSON.stringify({ path: headers[":path"] }));
    if (what === "goodbye") stream.session.goaway(0, stream.id, Buffer.from('{"reason":"Shutdown"}'));
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
