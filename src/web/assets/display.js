// The shelf display's page: follows the appliance, paints the present slate, says what it painted.
// It never navigates by itself unless the appliance answers, so it cannot end in a browser's error.
"use strict";

(() => {
  const { display, version, title, notForMe, place: placeWord } = document.body.dataset;
  // electronic paper: one change a minute at most, and nothing that moves
  const paper = document.body.dataset.layout === "paper";
  const PAPER_PAUSE = 60_000;
  let painted = -Infinity;
  const base = `/display/${display}`;
  const stage = document.getElementById("stage");
  const away = document.getElementById("away");
  const clock = new ApplianceClock();
  const screen = new Screen(clock);
  const memory = `shopguide-store-slate-${display}`;

  // --- painting -------------------------------------------------------------------------------

  const make = (tag, name, text) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  const SVG = "http://www.w3.org/2000/svg";
  const pin = () => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", placeWord);
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", "M12 2a7 7 0 0 0-7 7c0 5 7 13 7 13s7-8 7-13a7 7 0 0 0-7-7zm0 9.6A2.6 2.6 0 1 1 12 6.4a2.6 2.6 0 0 1 0 5.2z");
    svg.append(path);
    return svg;
  };

  const card = (slate, item) => {
    const article = make("article", "card");
    const head = make("div", "head");
    head.append(make("h2", "name", item.name));
    const facts = make("div", "facts");
    facts.append(make("p", "price", item.price));
    if (item.place) {
      const place = make("p", "place");
      place.append(pin(), make("span", "", item.place));
      facts.append(place);
    }
    const why = make("div", "why");
    why.append(make("p", "reason", item.reason));
    if (slate.audience === "personal") {
      const button = make("button", "dismiss", "×");
      button.type = "button";
      button.title = notForMe;
      button.setAttribute("aria-label", `${notForMe}: ${item.name}`);
      button.addEventListener("click", () => {
        screen.dismiss(slate, item.sku);
        say({ slate: slate.id, kind: "dismissed", sku: item.sku });
        refresh();
      });
      why.append(button);
    }
    article.append(head, facts, why);
    return article;
  };

  const layout = (count) => {
    if (count === 1) return "one";
    if (count === 2) return "two";
    if (count <= 3) return "three";
    return count <= 6 ? "six" : "many";
  };

  const paint = (slate) => {
    const layer = make("section", `layer ${slate.audience} ${layout(slate.items.length)}`);
    layer.dataset.slate = slate.id;
    const band = make("header", "band");
    band.append(make("p", "greeting", slate.greeting || title));
    if (slate.greeting) band.append(make("p", "title", title));
    layer.append(band);
    const cards = make("div", "cards");
    cards.dataset.count = slate.items.length;
    cards.append(...slate.items.slice(0, 12).map((item) => card(slate, item)));
    layer.append(cards);
    return layer;
  };

  const below = (inner, outer) => inner.getBoundingClientRect().bottom > outer.getBoundingClientRect().bottom + 1;
  const wide = (element) => element.scrollWidth > element.clientWidth + 1;
  const overflows = (card) =>
    card.scrollHeight > card.clientHeight + 1 ||
    below(card.querySelector(".name"), card.querySelector(".head")) ||
    [...card.querySelectorAll(".name, .price, .place, .reason")].some(wide);

  // The largest of a few type sizes at which every card holds its text; the same for all cards.
  const fit = (layer) => {
    const cards = [...layer.querySelectorAll(".card")];
    layer.classList.remove("tight");
    const roomy = cards.length === 1 ? [] : ["1.3", "1.15"];
    for (const size of [...roomy, "1", "0.9", "0.8", "0.7", "0.6", "0.5"]) {
      layer.style.setProperty("--fit", size);
      if (!cards.some(overflows)) return;
    }
    // the last resort: long texts end in an ellipsis, after as many lines as there is room for
    layer.classList.add("tight");
    for (const [name, reason] of [[6, 3], [5, 3], [4, 3], [3, 3], [3, 2], [2, 2], [1, 2], [1, 1]]) {
      layer.style.setProperty("--name-lines", name);
      layer.style.setProperty("--reason-lines", reason);
      if (!cards.some(overflows)) return;
    }
  };

  const welcome = stage.querySelector(".empty");
  let current = welcome;
  let currentKey = "";

  const others = () => [...stage.querySelectorAll(".layer")].filter((layer) => layer !== current);
  const sweep = () => others().forEach((layer) => layer !== welcome && layer.remove());
  let sweeping = 0;

  const show = (layer, key, settled) => {
    current = layer;
    currentKey = key;
    if (!layer.isConnected) stage.append(layer);
    fit(layer);
    document.body.classList.toggle("personal", layer.classList.contains("personal"));
    // two frames: the first starts the fade, after the second the slate is on the glass
    requestAnimationFrame(() => {
      if (current !== layer) return;
      layer.classList.add("now");
      // all others: one that was overtaken before it was painted must not leave an older one behind
      for (const other of others()) other.classList.remove("now");
      clearTimeout(sweeping);
      sweeping = setTimeout(sweep, 700);
      requestAnimationFrame(() => current === layer && settled());
    });
  };

  const shown = new Set();
  let expiry = 0;
  let drawn = null;

  const refresh = () => {
    clearTimeout(expiry);
    const left = screen.personalFor();
    if (left > 0 && left < Infinity) expiry = setTimeout(refresh, Math.min(left, 60_000) + 5);
    const slate = screen.present();
    const key = slate ? `${slate.id}\n${slate.items.map((i) => i.sku).join("\n")}` : "";
    if (key === currentKey && drawn !== null) return;
    const rests = painted + PAPER_PAUSE - performance.now();
    if (paper && rests > 0) {
      expiry = setTimeout(refresh, rests + 5);
      return;
    }
    // the welcome that stands there when the page opens was painted by nobody: the first slate may follow at once
    if (slate || drawn !== null) painted = performance.now();
    drawn = key;
    if (!slate) {
      show(welcome, "", () => {});
      return;
    }
    show(paint(slate), key, () => {
      if (shown.has(slate.id) || document.hidden || slate.remembered) return;
      shown.add(slate.id);
      if (shown.size > 500) shown.delete(shown.values().next().value);
      say({ slate: slate.id, kind: "shown" });
    });
  };

  addEventListener("resize", () => fit(current));
  if (document.fonts) document.fonts.ready.then(() => fit(current));

  // --- what the page says ---------------------------------------------------------------------

  const unsaid = [];
  let saying = false;

  const say = (word) => {
    unsaid.push(word);
    if (unsaid.length > 50) unsaid.shift();
    speak();
  };

  const speak = async () => {
    if (saying || !connected) return;
    saying = true;
    try {
      while (unsaid.length > 0 && connected) {
        const answer = await fetch(`${base}/ack`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(unsaid[0]),
        });
        // busy: once more later; refused for good: nobody can mend it here
        if (answer.status >= 500) break;
        unsaid.shift();
      }
    } catch {
      // away: what is unsaid waits for the next connection
    } finally {
      saying = false;
    }
  };

  // --- following the appliance ----------------------------------------------------------------

  let connected = false;
  let source = null;
  let lastHeard = performance.now();
  let wait = 1000;
  let again = 0;
  let sign = 0;

  const heard = (now) => {
    lastHeard = performance.now();
    clock.heard(now);
    if (!connected) {
      connected = true;
      wait = 1000;
      clearTimeout(sign);
      sign = 0;
      away.hidden = true;
    }
    speak();
  };

  const lost = () => {
    if (source) source.close();
    source = null;
    connected = false;
    if (!sign) sign = setTimeout(() => (away.hidden = false), 1500);
    clearTimeout(again);
    again = setTimeout(connect, wait * (0.75 + Math.random() / 2));
    wait = Math.min(wait * 2, 15_000);
    refresh();
  };

  const connect = () => {
    let first = true;
    lastHeard = performance.now();
    const stream = new EventSource(`${base}/events`);
    source = stream;
    stream.addEventListener("screen", (event) => {
      if (source !== stream) return;
      const state = JSON.parse(event.data);
      // only now: until here the old samples say when a personal slate ends
      if (first) clock.restart();
      first = false;
      heard(state.now);
      screen.take(state);
      remember(screen.store);
      scheduleRefresh();
      update(state.page);
    });
    stream.addEventListener("beat", (event) => {
      if (source !== stream) return;
      heard(JSON.parse(event.data).now);
      refresh();
    });
    stream.onerror = () => source === stream && lost();
  };

  // Messages that waited in a sleeping page arrive in one burst: only their end is painted.
  let scheduled = false;
  const scheduleRefresh = () => {
    if (scheduled) return;
    scheduled = true;
    setTimeout(() => {
      scheduled = false;
      refresh();
    });
  };

  setInterval(() => {
    if (source && performance.now() - lastHeard > 10_500) lost();
  }, 1000);

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    drawn = null; // what came while nobody could see it is confirmed now
    refresh();
  });

  // --- surviving a reload, and an update -------------------------------------------------------

  // Only what is for anybody is kept: never a personal slate.
  const remember = (slate) => {
    try {
      if (slate) localStorage.setItem(memory, JSON.stringify(slate));
    } catch {
      // no storage: the page merely starts empty next time
    }
  };
  const recall = () => {
    try {
      const slate = JSON.parse(localStorage.getItem(memory));
      if (slate && slate.audience === "store" && Array.isArray(slate.items)) {
        screen.store = { ...slate, remembered: true };
      }
    } catch {
      // nothing kept
    }
  };

  // A new version of the page is loaded only when the appliance has just proved that it serves it.
  const update = async (page) => {
    if (page === version || sessionStorage.getItem("updated-to") === page) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok || screen.personalFor() > 0) return;
      sessionStorage.setItem("updated-to", page);
      location.reload();
    } catch {
      // away again: later
    }
  };

  if ("serviceWorker" in navigator) {
    navigator.serviceWorker.register("/display/worker.js", { scope: "/display/" }).catch(() => {});
  }

  // The same picture for years would stay in the glass: it moves by a few pixels every three minutes.
  if (!paper) {
    let step = 0;
    const round = [[0, 0], [4, 0], [4, 3], [0, 4], [-4, 3], [-4, 0], [-3, -4], [3, -4]];
    setInterval(() => {
      step = (step + 1) % round.length;
      stage.style.translate = `${round[step][0]}px ${round[step][1]}px`;
    }, 180_000);
  }

  // the pointer of a mouse disappears when it rests
  let rest = 0;
  addEventListener("pointermove", () => {
    document.body.classList.add("pointing");
    clearTimeout(rest);
    rest = setTimeout(() => document.body.classList.remove("pointing"), 3000);
  });

  recall();
  refresh();
  connect();
})();
