// One request to your server authorises all the channels that are asked for at the same time.
//
//   new Pusher(key, { channelAuthorization: { customHandler: batchAuthorizer({ endpoint: "/realtime/auth" }) } });   // pusher-js
//   new Pushsaas({ key, url, authorize: batched(postBatch({ endpoint: "/realtime/auth" })) });                      // our own
//
// The endpoint gets {"socket_id": …, "channels": ["private-a", …]} and answers {"private-a": {"auth": …, "channel_data": …}, …}.
// A channel that it leaves out, or answers with {"error": …}, is refused; the others are not touched.

// ask({ socketId, channels }) resolves to such an answer. Waits `delay` ms for neighbours and asks for `limit` at once at most.
export function batched(ask, { delay = 10, limit = 100 } = {}) {
  const waiting = new Map();

  async function flush(socketId) {
    const group = waiting.get(socketId) ?? [];
    waiting.delete(socketId);
    for (let at = 0; at < group.length; at += limit) answer(socketId, group.slice(at, at + limit));
  }

  async function answer(socketId, asked) {
    try {
      const proofs = await ask({ socketId, channels: [...new Set(asked.map(({ channel }) => channel))] });
      for (const { channel, resolve, reject } of asked) {
        const proof = Object.hasOwn(proofs, channel) ? proofs[channel] : null;
        if (proof && !proof.error) resolve(proof);
        else reject(new Error(proof?.error ?? `${channel} was not authorised`));
      }
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }

  return ({ socketId, channel }) => new Promise((resolve, reject) => {
    if (!waiting.has(socketId)) {
      waiting.set(socketId, []);
      setTimeout(flush, delay, socketId);
    }
    waiting.get(socketId).push({ channel, resolve, reject });
  });
}

export function postBatch({ endpoint, headers = {} }) {
  return async ({ socketId, channels }) => {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify({ socket_id: socketId, channels }),
    });
    if (!response.ok) throw new Error(`${endpoint} answered ${response.status}`);
    return response.json();
  };
}

// What pusher-js calls for each channel. `ask` may be given in place of an endpoint.
export function batchAuthorizer({ ask, delay, limit, ...where }) {
  const authorize = batched(ask ?? postBatch(where), { delay, limit });
  return ({ socketId, channelName }, callback) => {
    authorize({ socketId, channel: channelName }).then((proof) => callback(null, proof), (error) => callback(error, null));
  };
}
