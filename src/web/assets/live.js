// The live view: follows one stream of events and paints lists from it.
"use strict";

(() => {
  const at = (id) => document.getElementById(id);
  const pictures = new Map(
    [...document.querySelectorAll("figure[data-camera]")].map((f) => [f.dataset.camera, new LivePicture(f)]),
  );
  let here = [];
  let offset = 0;

  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const clockTime = (time) => new Date(time).toLocaleTimeString([], { hour12: false });
  const seconds = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);
  const long = (ms) => {
    const s = Math.max(0, Math.round(ms / 1000));
    return s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`;
  };

  const sentence = (e) => {
    switch (e.kind) {
      case "entered":
        return `${e.alias} was recognised in ${e.zone} (${e.votes} votes, ${e.score.toFixed(2)})`;
      case "slate":
        return `${e.items} ${e.items === 1 ? "product" : "products"} for ${e.alias} sent to ${e.display}`;
      case "acked": {
        const what = { shown: "shows the slate", dismissed: "had a suggestion dismissed", taken: "had a suggestion taken" };
        return `${e.display} ${what[e.ack]}${e.latency_ms === null ? "" : `, ${seconds(e.latency_ms)} after the camera saw it`}`;
      }
      case "left":
        return `${e.alias} left ${e.zone}${e.stayed_ms === null ? "" : ` after ${long(e.stayed_ms)}`}`;
      default:
        return "";
    }
  };

  const paintHere = () => {
    const now = Date.now() + offset;
    at("here").replaceChildren(
      ...here.map((person) => {
        const row = make("li");
        row.append(make("strong", person.alias), make("span", `${person.zone}, for ${long(now - person.since)}`));
        return row;
      }),
    );
    at("nobody").hidden = here.length > 0;
  };

  const story = (news) => {
    here = news.here;
    paintHere();
    at("events").replaceChildren(
      ...news.events.map((e) => {
        const row = make("li");
        const time = make("time", clockTime(e.at));
        time.dateTime = e.at;
        row.append(time, make("span", sentence(e)));
        return row;
      }),
    );
    at("nothing").hidden = news.events.length > 0;
    at("p50").textContent = news.p50 === null ? "–" : seconds(news.p50);
    at("p95").textContent = news.p95 === null ? "–" : seconds(news.p95);
    at("count").textContent = news.count;
  };

  const shows = ({ display, slate, alias }) => {
    const article = document.querySelector(`[data-screen="${display}"]`);
    if (!article) return;
    const personal = slate !== null && slate.audience === "personal";
    article.classList.toggle("personal", personal);
    article.querySelector(".for").textContent = slate === null ? "nothing to show yet" : personal ? `for ${alias ?? "a member"}` : "for anybody";
    article.querySelector(".greeting").textContent = slate?.greeting ?? "";
    article.querySelector("ol").replaceChildren(
      ...(slate?.items ?? []).map((item) => {
        const row = make("li");
        row.append(make("strong", item.name), make("span", item.price), make("span", item.reason, "why"));
        return row;
      }),
    );
    clearTimeout(article.expiry);
    if (personal) {
      const left = slate.valid_until - (Date.now() + offset);
      article.expiry = setTimeout(() => article.classList.remove("personal"), Math.max(0, left));
    }
  };

  let source = null;
  let lastHeard = 0;
  let wait = 1000;
  const heard = () => {
    lastHeard = performance.now();
    wait = 1000;
    at("silent").hidden = true;
  };
  const lost = () => {
    source?.close();
    source = null;
    at("silent").hidden = false;
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 15_000);
  };
  const connect = () => {
    const stream = new EventSource("/live/events");
    source = stream;
    lastHeard = performance.now();
    const on = (name, act) =>
      stream.addEventListener(name, (event) => {
        heard();
        act(JSON.parse(event.data));
      });
    on("beat", ({ now }) => (offset = now - Date.now()));
    on("story", story);
    on("shows", shows);
    on("tracks", (news) => pictures.get(news.camera)?.news(news));
    stream.onerror = () => source === stream && lost();
  };

  setInterval(() => {
    if (source && performance.now() - lastHeard > 10_500) lost();
    paintHere();
  }, 1000);
  connect();
})();
