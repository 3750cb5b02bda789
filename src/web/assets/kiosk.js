// The kiosk's page: one scene at a time, one shopper at a time. Whatever is of a person lives in
// `visit` and in the scene #member; leave() throws both away. The camera runs only between a
// shopper's own press and leave().
"use strict";

(() => {
  const { kiosk, version, language } = document.body.dataset;
  const hasCamera = document.body.dataset.camera === "true";
  const mostFacts = Number(document.body.dataset.mostFacts);
  const hasMap = document.body.dataset.map === "true";
  const words = JSON.parse(document.body.dataset.words);
  const base = `/kiosk/${kiosk}`;
  const by = (id) => document.getElementById(id);
  const say = (key, facts = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");

  const clock = new ApplianceClock();
  let screen = new Screen(clock);
  /** The present shopper: session, how they are known ("face", "card" or none), their list. */
  let visit = null;
  let left = -Infinity;

  const make = (tag, name, text) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const button = (name, text, press) => {
    const element = make("button", name, text);
    element.type = "button";
    element.addEventListener("click", press);
    return element;
  };

  // --- scenes ---------------------------------------------------------------------------------

  const scenes = [...document.querySelectorAll(".scene")];
  const shown = () => scenes.find((scene) => !scene.hidden).id;

  const show = (id) => {
    for (const scene of scenes) scene.hidden = scene.id !== id;
    by("language").hidden = id !== "idle";
    by("home").hidden = id === "idle";
    scrollTo(0, 0);
    by(id).querySelector("h1").focus({ preventScroll: true });
  };

  /** Fills the member's scene; what was in it is gone. */
  const member = (kind, title, body, actions) => {
    by("member").dataset.kind = kind;
    by("member-title").textContent = title;
    by("member-body").replaceChildren(...body);
    by("member-actions").replaceChildren(...actions);
    if (shown() !== "member") show("member");
    else by("member-title").focus({ preventScroll: true });
  };

  /** Back to the first scene: nothing of whoever was here stays. */
  const leave = (byItself = false) => {
    const before = visit;
    visit = null;
    left = performance.now();
    camera.stop();
    if (before) send({ do: "end", session: before.session }).catch(() => {});
    screen = new Screen(clock);
    for (const id of ["member-title", "member-body", "member-actions", "card-problem", "terms-problem", "look-hint", "joining-hint"])
      by(id).replaceChildren();
    delete by("member").dataset.kind;
    by("card-form").reset();
    by("old-enough").checked = false;
    document.querySelector("#terms details").open = false;
    by("still").hidden = true;
    show("idle");
    // whoever comes next meets the shop's own language
    if (byItself && connected && location.search) location.replace(base);
  };

  // --- asking the appliance -------------------------------------------------------------------

  const send = async (act) => {
    const answer = await fetch(`${base}/do`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(act),
    });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.json();
  };

  /** Asks within the session; null when it is over, or did not work, which the page then says. */
  const ask = async (act) => {
    const mine = visit;
    if (!mine) return null;
    try {
      const answer = await send({ ...act, session: mine.session });
      if (visit !== mine) return null;
      if (answer.is === "ended") {
        leave(true);
        return null;
      }
      return answer;
    } catch {
      if (visit === mine) notice(say("failed"));
      return null;
    }
  };

  const begin = async () => {
    if (visit) return true;
    try {
      const answer = await send({ do: "begin" });
      visit = {
        session: answer.session,
        every: answer.every_ms,
        timeout: answer.timeout_ms,
        touched: performance.now(),
        told: performance.now(),
        known: null,
        list: new Set(),
        places: new Map(),
        shown: new Set(),
      };
      return true;
    } catch {
      notice(say("failed"));
      return false;
    }
  };

  const notice = (text) => {
    const toast = make("p", "toast", text);
    toast.setAttribute("role", "alert");
    document.body.append(toast);
    setTimeout(() => toast.remove(), 6000);
  };

  const code = (source, label) => {
    const image = make("img", "code");
    image.src = source;
    image.alt = label;
    return image;
  };

  // --- the camera -----------------------------------------------------------------------------

  const camera = {
    stream: null,
    video: null,
    canvas: null,
    run: 0,

    /** Opens it and posts frames; `onAnswer` gets what the appliance says of each. */
    async start(view, onAnswer) {
      const run = ++this.run;
      if (!this.stream) {
        if (!navigator.mediaDevices) return false;
        let stream;
        try {
          stream = await navigator.mediaDevices.getUserMedia({
            video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } },
          });
        } catch {
          return false;
        }
        if (run !== this.run || !visit) {
          stream.getTracks().forEach((track) => track.stop());
          return false;
        }
        this.stream = stream;
        this.video = make("video");
        Object.assign(this.video, { muted: true, playsInline: true, srcObject: stream });
        this.video.setAttribute("aria-hidden", "true");
        this.canvas = make("canvas");
        await this.video.play().catch(() => {});
      }
      if (run !== this.run) return false;
      view.replaceChildren(this.video);
      this.video.play().catch(() => {});
      this.post(run, onAnswer);
      return true;
    },

    async post(run, onAnswer) {
      while (run === this.run && visit) {
        const began = performance.now();
        const blob = await this.frame();
        if (run !== this.run || !visit) return;
        if (blob) {
          const mine = visit;
          try {
            const answer = await fetch(`${base}/frame?session=${encodeURIComponent(mine.session)}`, {
              method: "POST",
              headers: { "content-type": "image/jpeg" },
              body: blob,
            });
            const said = answer.ok ? await answer.json() : null;
            if (run !== this.run || visit !== mine) return;
            if (said && said.is === "ended") return leave(true);
            if (said) onAnswer(said);
          } catch {
            // away: the stream of events says so, and this goes on
          }
        }
        if (!visit) return;
        const pause = Math.max(30, visit.every - (performance.now() - began));
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    },

    async frame() {
      const { videoWidth: width, videoHeight: height } = this.video;
      if (!width || !height) return null;
      const scale = Math.min(1, 960 / width);
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
      this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
      return new Promise((resolve) => this.canvas.toBlob(resolve, "image/jpeg", 0.88));
    },

    stop() {
      this.run += 1;
      if (this.stream) this.stream.getTracks().forEach((track) => track.stop());
      if (this.video) {
        this.video.srcObject = null;
        this.video.remove();
      }
      if (this.canvas) this.canvas.width = this.canvas.height = 0;
      this.stream = this.video = this.canvas = null;
    },
  };

  // --- by card --------------------------------------------------------------------------------

  const askForCard = async () => {
    if (!(await begin())) return;
    camera.stop();
    by("card-problem").textContent = "";
    if (by("card-view")) by("card-view").hidden = true;
    if (by("card-camera")) by("card-camera").hidden = false;
    show("card");
  };

  const carded = (answer) => {
    if (answer.is === "carded") {
      camera.stop();
      visit.known = "card";
      slate();
    } else if (answer.is === "unknown-card") by("card-problem").textContent = say("card-unknown");
    else if (answer.is === "wait") by("card-problem").textContent = say("card-wait");
  };

  by("use-card").addEventListener("click", askForCard);
  by("look-card").addEventListener("click", askForCard);
  by("card-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const typed = by("card-code").value.trim();
    by("card-problem").textContent = "";
    if (!typed) return by("card-code").focus();
    const answer = await ask({ do: "card", code: typed });
    if (answer) carded(answer);
  });
  by("card-camera")?.addEventListener("click", async () => {
    if (!(await ask({ do: "read" }))) return;
    const view = by("card-view");
    view.hidden = false;
    by("card-camera").hidden = true;
    if (!(await camera.start(view, carded)) && visit) {
      view.hidden = true;
      by("card-problem").textContent = say("camera-none");
    }
  });

  // --- by face --------------------------------------------------------------------------------

  by("recognise")?.addEventListener("click", async () => {
    if (!(await begin()) || !(await ask({ do: "look" }))) return;
    show("look");
    const began = performance.now();
    const opened = await camera.start(by("look-view"), (answer) => {
      if (answer.is !== "looking") return;
      if (answer.recognised) {
        visit.touched = performance.now();
        if (shown() === "look" && personal()) {
          visit.known = "face";
          slate();
        }
      } else if (shown() === "look" && performance.now() - began > 6000) by("look-hint").textContent = say("look-stranger");
    });
    if (!opened && visit) by("look-hint").textContent = say("camera-none");
  });

  // --- joining --------------------------------------------------------------------------------

  by("join").addEventListener("click", async () => {
    if (!(await begin())) return;
    by("terms-problem").textContent = "";
    show("terms");
  });

  const agree = async (scope) => {
    const problem = by("terms-problem");
    problem.textContent = "";
    const answer = await ask({ do: "agree", scope, language, old_enough: by("old-enough").checked });
    if (!answer) return;
    if (answer.is === "too-young") {
      problem.textContent = problem.dataset.young;
      by("old-enough").focus();
    } else if (answer.is === "joined") joined(answer);
    else if (answer.is === "joining") {
      progress(0);
      by("joining-hint").textContent = say("hint-look-here");
      show("joining");
      if (!(await camera.start(by("joining-view"), gathering)) && visit)
        by("joining-hint").textContent = say("camera-none");
    }
  };
  by("agree-card").addEventListener("click", () => agree("card"));
  by("agree-face")?.addEventListener("click", () => agree("face"));

  const progress = (good) =>
    [...by("progress").children].forEach((step, n) => step.classList.toggle("good", n < good));

  const hints = {
    good: () => say("hint-good"),
    hold: () => say("hint-hold"),
    nearer: () => say("hint-nearer"),
    light: () => say("hint-light"),
    "look-here": () => say("hint-look-here"),
    alone: () => say("hint-alone"),
    still: () => say("hint-still"),
    middle: () => say("hint-middle"),
    again: () => say("hint-again"),
  };

  const gathering = (answer) => {
    if (answer.is === "joining") {
      progress(answer.good);
      by("joining-hint").textContent = hints[answer.hint]();
    } else if (answer.is === "known") {
      camera.stop();
      by("joining-hint").textContent = say("known");
    } else if (answer.is === "joined") {
      camera.stop();
      joined(answer);
    }
  };

  const joined = ({ card, qr, face }) => {
    visit.known = "card";
    const holder = make("div", "membership");
    holder.append(code(qr, `${say("card-number")} ${card}`), make("p", "number", card.replace(/(.{5})(?=.)/g, "$1 ")));
    const text = make("div", "beside");
    text.append(
      make("p", "lead", face ? say("joined-face") : say("joined-card")),
      make("p", "", say("joined-keep")),
    );
    const columns = make("div", "columns");
    columns.append(holder, text);
    member("card", say("joined-title"), [columns], [
      button("", say("print"), () => print()),
      button("main", say("to-slate"), slate),
      button("", say("mine"), mine),
      button("", say("done"), () => leave()),
    ]);
  };

  // --- the slate ------------------------------------------------------------------------------

  const personal = () => {
    const present = screen.present();
    return present && present.audience === "personal" ? present : null;
  };

  /** What can be done with a product: where it is, more like it, onto the list, not for me. */
  const item = (product, { back, unwanted }) => {
    const card = make("article", "product");
    const choices = make("p", "choices-small");
    const offer = (text, press) => {
      const made = button("", text, press);
      made.setAttribute("aria-label", `${text}: ${product.name}`);
      choices.append(made);
      return made;
    };
    const head = make("div", "head");
    head.append(make("h2", "", product.name), make("p", "price", product.price));
    card.append(head);
    if (product.common?.length) card.append(make("p", "common", say("alike-common", { what: product.common.join(" · ") })));
    if (product.reason) card.append(make("p", "reason", product.reason));
    if (product.place) {
      // A slate that comes anew while somebody looks at the map leaves it open.
      const known = [language, product.sku, product.place].join("\n");
      const place = visit.places.get(known) ?? make("div", "where");
      if (!visit.places.has(known)) {
        place.hidden = true;
        place.append(make("p", "place", product.place));
        visit.places.set(known, place);
      }
      const where = offer(say("where"), () => {
        place.hidden = !place.hidden;
        where.setAttribute("aria-expanded", String(!place.hidden));
        if (!place.hidden && place.children.length === 1) drawMap(place, product.place);
      });
      where.setAttribute("aria-expanded", String(!place.hidden));
      card.append(place);
    }
    offer(say("alike"), () => alike(product, back));
    const listed = () => visit.list.has(product.sku);
    const list = offer(listed() ? say("list-remove") : say("list-add"), () => {
      if (!visit.list.delete(product.sku)) visit.list.add(product.sku);
      list.textContent = listed() ? say("list-remove") : say("list-add");
      list.setAttribute("aria-label", `${list.textContent}: ${product.name}`);
      list.setAttribute("aria-pressed", String(listed()));
    });
    list.setAttribute("aria-pressed", String(listed()));
    if (unwanted) offer(say("not-for-me"), unwanted);
    card.append(choices);
    return card;
  };

  /** The shop's map with a place marked, where the configuration draws one. */
  const drawMap = async (box, place) => {
    if (!hasMap) return;
    const asked = new URLSearchParams({ place, lang: language });
    const answer = await fetch(`${base}/map?${asked}`).catch(() => null);
    if (answer?.status !== 200) return;
    const map = make("img", "map");
    map.alt = say("map-alt", { place });
    const address = URL.createObjectURL(await answer.blob());
    map.addEventListener("load", () => URL.revokeObjectURL(address));
    map.src = address;
    box.append(map);
  };

  const alike = async (product, back) => {
    const answer = await ask({ do: "like", sku: product.sku, language });
    if (!answer) return;
    const again = () => alike(product, back);
    const body = [make("p", "lead", product.name)];
    if (answer.items.length) {
      const products = make("div", "products");
      products.append(...answer.items.map((other) => item(other, { back: again })));
      body.push(products);
    } else body.push(make("p", "", say("alike-none")));
    member("alike", say("alike"), body, [
      button("main", say("back"), back),
      button("", say("list"), shoppingList),
      button("", say("done"), () => leave()),
    ]);
  };

  const tell = (word) =>
    fetch(`/display/${kiosk}/ack`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(word),
    }).catch(() => {});

  const slate = () => {
    const present = personal();
    const items = present ? present.items : [];
    const body = items.length
      ? [make("div", "products")]
      : [make("p", "lead", say("slate-none"))];
    const unwanted = (product) => () => {
      screen.dismiss(present, product.sku);
      tell({ slate: present.id, kind: "dismissed", sku: product.sku });
      slate();
    };
    if (items.length)
      body[0].append(...items.map((product) => item(product, { back: slate, unwanted: unwanted(product) })));
    member("slate", present?.greeting || say("slate-title"), body, [
      button("main", say("list"), shoppingList),
      button("", say("mine"), mine),
      button("", say("done"), () => leave()),
    ]);
    visit.slate = present?.id ?? "";
    if (present && !visit.shown.has(present.id)) {
      visit.shown.add(present.id);
      tell({ slate: present.id, kind: "shown" });
    }
  };

  const shoppingList = async () => {
    const present = personal();
    const all = present ? present.items.map((i) => i.sku) : [];
    const skus = (visit.list.size ? [...visit.list] : all).slice(0, 24);
    if (!skus.length) return slate();
    const made = await ask({ do: "list", skus });
    if (!made) return;
    const columns = make("div", "columns");
    const text = make("div", "beside");
    text.append(make("p", "lead", say("list-text")));
    const list = make("ul", "list");
    list.append(...made.lines.map((line) => make("li", "", line)));
    text.append(list);
    if (made.left_out) text.append(make("p", "problem", say("list-cut", { n: made.left_out })));
    columns.append(code(made.qr, say("list")), text);
    member("list", say("list"), [columns], [
      button("main", say("back"), slate),
      button("", say("done"), () => leave()),
    ]);
  };

  // --- my data --------------------------------------------------------------------------------

  const mine = async () => {
    const answer = await ask({ do: "mine", language });
    const told = answer && (await ask({ do: "facts", language }));
    if (!told) return;
    const facts = make("dl", "facts");
    const fact = (name, value) => {
      const row = make("div");
      row.append(make("dt", "", name), make("dd", "", value));
      facts.append(row);
    };
    fact(say("mine-since"), answer.since);
    fact(say("mine-card"), `… ${answer.card.slice(-4)}`);
    fact(say("mine-face"), answer.templates ? say("mine-face-yes", { n: answer.templates }) : say("mine-face-no"));
    const agreed = answer.consents.map(
      (c) => `${c.face ? say("mine-agreed-face") : say("mine-agreed-card")} (${c.at}, ${c.version})`,
    );
    fact(say("mine-agreed"), agreed.join("; "));
    const declared = told.offered.filter((offer) => offer.on).map((offer) => offer.text);
    fact(say("mine-told"), declared.join(" · ") || say("mine-told-none"));
    const knows = make("ul", "knows");
    knows.append(...answer.knows.map((line) => make("li", "", line)));
    const pause = button("", answer.paused ? say("resume") : say("pause"), async () => {
      const done = await ask({ do: "pause", on: !answer.paused });
      if (!done) return;
      visit.known = "card";
      notice(done.on ? say("paused") : say("resumed"));
      mine();
    });
    member("mine", say("mine"), [facts, make("h2", "", say("mine-knows")), knows], [
      button("main", say("back"), slate),
      button("", say("facts"), () => declare(told.offered)),
      ...(answer.templates ? [pause] : []),
      button("", say("export"), copy),
      button("danger", say("forget"), forget),
      button("", say("done"), () => leave()),
    ]);
  };

  /** What a member says of themselves: ticked, corrected, taken back. */
  const declare = (offered) => {
    const body = [make("p", "lead", say("facts-text"))];
    const groups = { "leaves-out": say("facts-leaves-out"), likes: say("facts-likes"), categories: say("facts-categories"), brands: say("facts-brands") };
    for (const [group, title] of Object.entries(groups)) {
      const offers = offered.filter((offer) => offer.group === group);
      if (!offers.length) continue;
      const set = make("fieldset", "facts-set");
      set.append(make("legend", "", title));
      for (const offer of offers) {
        const label = make("label", "fact");
        const box = make("input");
        box.type = "checkbox";
        box.value = offer.fact;
        box.checked = offer.on;
        label.append(box, make("span", "", offer.text));
        set.append(label);
      }
      body.push(set);
    }
    if (!offered.length) body.push(make("p", "", say("facts-none")));
    const problem = make("p", "problem");
    problem.setAttribute("role", "alert");
    body.push(problem);
    const save = async () => {
      const told = [...document.querySelectorAll(".fact input:checked")].map((box) => box.value);
      problem.textContent = told.length > mostFacts ? say("facts-many", { n: mostFacts }) : "";
      if (problem.textContent) return;
      const done = await ask({ do: "declare", facts: told, language });
      if (!done) return;
      notice(say("facts-saved"));
      mine();
    };
    member("facts", say("facts-title"), body, [
      ...(offered.length ? [button("main", say("facts-save"), save)] : []),
      button("", say("back"), mine),
      button("", say("done"), () => leave()),
    ]);
  };

  const copy = async () => {
    const answer = await ask({ do: "export", origin: location.origin });
    if (!answer) return;
    const columns = make("div", "columns");
    const text = make("div", "beside");
    text.append(make("p", "lead", say("export-text", { n: answer.minutes })));
    // no link: a copy opened here would stay on a screen that everybody uses
    const image = code(answer.qr, say("export"));
    image.dataset.path = answer.path;
    columns.append(image, text);
    member("copy", say("export"), [columns], [
      button("main", say("back"), mine),
      button("", say("done"), () => leave()),
    ]);
  };

  const forget = () =>
    member("forget", say("forget"), [make("p", "lead", say("forget-sure"))], [
      button("main", say("forget-no"), mine),
      button("danger", say("forget-yes"), async () => {
        const done = await ask({ do: "forget" });
        if (!done) return;
        camera.stop();
        visit.known = "gone";
        member("forgotten", say("forgotten"), [make("p", "lead receipt", say("forgotten-text", done))], [
          button("main", say("done"), () => leave()),
        ]);
      }),
    ]);

  // --- leaving by itself ----------------------------------------------------------------------

  const touch = () => {
    if (!visit) return;
    visit.touched = performance.now();
    by("still").hidden = true;
    if (visit.touched - visit.told > 5000 && visit.known !== "gone") {
      visit.told = visit.touched;
      ask({ do: "touch" });
    }
  };
  addEventListener("pointerdown", touch, true);
  addEventListener("keydown", touch, true);
  by("still-yes").addEventListener("click", touch);
  by("home").addEventListener("click", () => leave());
  for (const back of document.querySelectorAll(".back")) back.addEventListener("click", () => leave());

  setInterval(() => {
    if (!visit) return;
    // whoever was recognised and walked away
    if (visit.known === "face" && screen.personalFor() === 0) return leave(true);
    const remaining = visit.timeout - (performance.now() - visit.touched);
    if (remaining <= 0) return leave(true);
    if (remaining < 15_000 && remaining < visit.timeout / 2) {
      by("still-text").textContent = say("still-there", { n: Math.ceil(remaining / 1000) });
      if (by("still").hidden) {
        by("still").hidden = false;
        by("still-yes").focus();
      }
    } else by("still").hidden = true;
  }, 300);

  // --- following the appliance ----------------------------------------------------------------

  let connected = false;
  let source = null;
  let lastHeard = performance.now();
  let wait = 1000;
  let again = 0;

  const heard = (now) => {
    lastHeard = performance.now();
    clock.heard(now);
    connected = true;
    wait = 1000;
    by("away").hidden = true;
  };

  const lost = () => {
    if (source) source.close();
    source = null;
    connected = false;
    by("away").hidden = false;
    clearTimeout(again);
    again = setTimeout(connect, wait * (0.75 + Math.random() / 2));
    wait = Math.min(wait * 2, 15_000);
  };

  const follow = async () => {
    const present = personal();
    if (!present) return;
    if (visit?.known && by("member").dataset.kind === "slate" && present.id !== visit.slate) slate();
    else if (!visit && !hasCamera && performance.now() - left > 3000 && shown() === "idle") {
      // a fixed camera of the shop recognised someone here
      if (!(await begin())) return;
      visit.known = "face";
      slate();
    }
  };

  const connect = () => {
    let first = true;
    lastHeard = performance.now();
    const stream = new EventSource(`/display/${kiosk}/events?lang=${language}`);
    source = stream;
    stream.addEventListener("screen", (event) => {
      if (source !== stream) return;
      const state = JSON.parse(event.data);
      if (first) clock.restart();
      first = false;
      heard(state.now);
      screen.take(state);
      follow();
      if (state.page !== version && !visit) location.reload();
    });
    stream.addEventListener("beat", (event) => source === stream && heard(JSON.parse(event.data).now));
    stream.onerror = () => source === stream && lost();
  };

  setInterval(() => {
    if (source && performance.now() - lastHeard > 10_500) lost();
    // nobody's data stays on a screen that the appliance cannot end
    if (!connected && visit && performance.now() - lastHeard > 20_000) leave();
  }, 1000);

  connect();
})();
