// Reads {privateKey, auth, bodies: [base64url]} on stdin, writes the plaintexts that http_ece finds in them.
const crypto = require("node:crypto");
const ece = require("http_ece");

let input = "";
process.stdin.on("data", (chunk) => (input += chunk));
process.stdin.on("end", () => {
  const { privateKey, auth, bodies } = JSON.parse(input);
  const keys = crypto.createECDH("prime256v1");
  keys.setPrivateKey(Buffer.from(privateKey, "base64url"));
  const texts = bodies.map((body) =>
    ece.decrypt(Buffer.from(body, "base64url"), { version: "aes128gcm", privateKey: keys, authSecret: auth }).toString("utf8"),
  );
  process.stdout.write(JSON.stringify(texts));
});
