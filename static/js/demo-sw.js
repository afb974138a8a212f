// The service worker of the phones page. `make run` reaches no push service of a browser maker, so the page hands it what
// the local stand-in decrypted; from there on everything is as it would be.
import { listen } from "../sdk/pushsaas-sw.js";

const worker = listen({ url: self.location.origin });

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("message", (event) => {
  if (event.data?.type === "push") event.waitUntil(worker.show(event.data.push));
});
