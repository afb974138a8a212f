// laravel-echo on top of the pusher-js client that driver.cjs connected.
"use strict";

module.exports = (say, connected) => {
  let echo;
  const channels = {};

  return {
    async echo({ broadcaster }) {
      const { default: Echo } = await import("laravel-echo");
      const { client, key } = connected();
      echo = new Echo({ broadcaster, key, client });
      return echo.socketId();
    },
    // how: channel, private, encryptedPrivate or join, as Echo calls them.
    echoOn({ how, channel, event }) {
      const tell = (what, facts) => say("echo", { channel, what, ...facts });
      const on = (channels[channel] = echo[how](channel));
      on.subscribed(() => tell("subscribed"));
      on.error((error) => tell("error", { status: error.status }));
      if (how === "join") {
        on.here((users) => tell("here", { users: users.map((user) => user.name).sort() }));
        on.joining((user) => tell("joining", { user: user.name }));
        on.leaving((user) => tell("leaving", { user: user.name }));
      }
      on.listen(event, (data) => tell("heard", { data }));
      if (how === "join" || how === "private") on.listenForWhisper("typing", (data) => tell("whispered", { data }));
    },
    echoWhisper({ channel, data }) {
      channels[channel].whisper("typing", data);
    },
    echoLeave({ channel }) {
      echo.leave(channel);
    },
  };
};
