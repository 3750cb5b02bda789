// What pages of people who are signed in share: asking with the session's second token, signing out,
// and following a stream that comes back by itself.
"use strict";

const session = {
  async ask(path, body) {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf": document.body.dataset.csrf },
      body: JSON.stringify(body),
    });
    if (answer.status === 401) location.assign(`/sign-in?to=${location.pathname}`);
    const said = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error((said.errors ?? []).map((e) => `${e.error}. ${e.remedy}`).join(" ") || answer.status);
    return said;
  },

  /** Follows the events of `path`; says quietly when it has to connect again. */
  follow(path, events) {
    const away = document.getElementById("away");
    let wait = 1000;
    let last = performance.now();
    let source = null;
    const connect = () => {
      source = new EventSource(path);
      const mine = source;
      for (const [name, take] of Object.entries(events)) {
        mine.addEventListener(name, (event) => {
          last = performance.now();
          wait = 1000;
          away.hidden = true;
          take(JSON.parse(event.data));
        });
      }
      mine.addEventListener("beat", () => {
        last = performance.now();
        away.hidden = true;
      });
      mine.onerror = lost;
    };
    const lost = async () => {
      source.close();
      away.hidden = false;
      last = Infinity;
      const signedIn = await fetch(location.pathname, { redirect: "manual", headers: { accept: "text/html" } }).catch(() => null);
      if (signedIn?.type === "opaqueredirect") return location.assign(`/sign-in?to=${location.pathname}`);
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 15_000);
    };
    setInterval(() => performance.now() - last > 10_500 && lost(), 1000);
    connect();
  },

  make(tag, name, text) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  },
};

document.getElementById("sign-out").addEventListener("click", async () => {
  await fetch("/sign-out", { method: "POST" }).catch(() => {});
  location.assign("/sign-in");
});
