// The staff's page: who is here, what they are shown and why, and what staff do about it.
"use strict";

(() => {
  const { make } = session;
  const by = (id) => document.getElementById(id);
  const guests = by("guests");
  let ahead = 0; // the appliance's clock before ours, ms

  const act = (name, text, what) => {
    const button = make("button", name, text);
    button.type = "button";
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await session.ask("/staff/do", what);
        if (what.do === "sold") button.textContent = "Sold ✓";
        day();
      } catch (error) {
        button.disabled = false;
        button.title = error.message;
      }
    });
    return button;
  };

  const item = (slate, product) => {
    const row = make("li", "item");
    const text = make("div");
    text.append(make("strong", "", product.name), make("span", "price", product.price));
    text.append(make("p", "why", product.reason));
    if (product.place) text.append(make("p", "place", product.place));
    const choices = make("div", "item-acts");
    const about = { display: slate.display, slate: slate.id, sku: product.sku };
    for (const [name, word, does] of [["main", "Sold", "sold"], ["", "Not wanted", "dismissed"], ["", "Swap", "swap"]]) {
      const button = act(name, word, { do: does, ...about });
      button.setAttribute("aria-label", `${word}: ${product.name}`);
      choices.append(button);
    }
    row.append(text, choices);
    return row;
  };

  const guest = (one) => {
    const card = make("article", "guest");
    card.dataset.visit = one.visit;
    const head = make("header");
    const who = make("div");
    who.append(make("h3", "", one.alias));
    const since = make("p", "since");
    since.dataset.since = one.since;
    since.dataset.text = [`zone ${one.zone}`, one.joined && `member since ${one.joined}`, one.score ? `score ${one.score.toFixed(2)}` : "by card"].filter(Boolean).join(" · ");
    who.append(since);
    head.append(who, act("danger", "Not this person", { do: "not-them", visit: one.visit }));
    card.append(head);
    for (const slate of one.slates) {
      card.append(make("p", "shown-on", `On display ${slate.display}`));
      const list = make("ul", "items");
      list.append(...slate.items.map((product) => item(slate, product)));
      card.append(list);
    }
    if (!one.slates.length) card.append(make("p", "none", "Nothing is shown to them now."));
    return card;
  };

  const times = () => {
    for (const since of document.querySelectorAll(".since")) {
      const seconds = Math.max(0, Math.round((Date.now() + ahead - since.dataset.since) / 1000));
      const time = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
      since.textContent = `${since.dataset.text} · here for ${time}`;
    }
  };
  setInterval(times, 1000);

  let shown = "";
  session.follow("/staff/events", {
    here({ now, guests: here }) {
      ahead = now - Date.now();
      by("nobody").hidden = here.length > 0;
      // only what changed is made anew, so that a button is never taken from under a finger
      const key = (one) => JSON.stringify([one.visit, one.slates.map((s) => [s.id, s.items])]);
      const next = here.map(key).join("\n");
      if (next === shown) return;
      shown = next;
      const old = new Map([...guests.children].map((card) => [card.dataset.key, card]));
      guests.replaceChildren(
        ...here.map((one) => {
          const known = old.get(key(one));
          if (known) return known;
          const card = guest(one);
          card.dataset.key = key(one);
          return card;
        }),
      );
      times();
    },
  });

  by("search").addEventListener("submit", async (event) => {
    event.preventDefault();
    const words = by("words").value.trim();
    if (!words) return;
    const found = by("found");
    try {
      const said = await session.ask("/staff/do", { do: "search", words });
      const row = (p) => {
        const line = make("li");
        line.append(make("strong", "", p.name), make("span", "price", p.price));
        const stock = p.stock === null ? "not counted" : `${p.stock} in stock`;
        line.append(make("p", p.stock === 0 ? "why out" : "why", [stock, p.place, p.sku].filter(Boolean).join(" · ")));
        return line;
      };
      found.replaceChildren(...(said.found.length ? said.found.map(row) : [make("li", "none", "Nothing found.")]));
    } catch (error) {
      found.replaceChildren(make("li", "problem", error.message));
    }
  });

  by("member").addEventListener("submit", async (event) => {
    event.preventDefault();
    const card = by("card").value.trim();
    if (!card) return;
    const found = by("member-found");
    try {
      const { member } = await session.ask("/staff/do", { do: "member", card });
      const list = make("ul");
      list.append(...member.knows.map((line) => make("li", "", line)));
      found.replaceChildren(make("strong", "", member.alias), make("p", "why", `member since ${member.since}`), list);
      // a member's data does not stay on a screen behind a counter
      setTimeout(() => found.replaceChildren(), 60_000);
    } catch (error) {
      found.replaceChildren(make("p", "problem", error.message));
    }
    by("card").value = "";
  });

  const names = {
    visits: "visits of members", members: "members came", shown: "slates shown", taken: "sold from a slate",
    dismissed: "not wanted", bought: "bought after being shown", receipts: "receipts", member_receipts: "of members",
    joined: "joined", refused: "not this person",
  };
  const day = async () => {
    const { day } = await session.ask("/staff/do", { do: "day" }).catch(() => ({}));
    if (!day) return;
    by("day").replaceChildren(
      ...Object.entries(names).map(([key, name]) => {
        const row = make("div");
        row.append(make("dd", "", day[key]), make("dt", "", name));
        return row;
      }),
    );
  };
  day();
  setInterval(day, 30_000);
})();
