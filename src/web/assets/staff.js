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

  /** Offers what could stand in a product's place; one press puts it there. */
  const swap = (about, visit, product, row) => {
    const button = make("button", "", "Swap");
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", async () => {
      const open = row.querySelector(".instead");
      if (open) open.remove();
      button.setAttribute("aria-expanded", String(!open));
      if (open) return;
      const box = make("div", "instead");
      row.append(box);
      try {
        const { instead } = await session.ask("/staff/do", { do: "instead", visit, display: about.display, sku: product.sku });
        const offer = (other) => {
          const put = make("button", "");
          put.type = "button";
          put.append(make("strong", "", other.name), make("span", "price", other.price));
          const stock = other.stock === null ? "not counted" : `${other.stock} in stock`;
          put.append(make("span", "why", [stock, other.place, other.common.length ? `also ${other.common.join(", ")}` : ""].filter(Boolean).join(" · ")));
          put.append(make("span", "why", other.reason));
          put.addEventListener("click", async () => {
            const { done } = await session.ask("/staff/do", { do: "swap", ...about, with: other.sku }).catch(() => ({}));
            if (!done) box.replaceChildren(make("p", "problem", "That slate is over: nothing was changed."));
          });
          return put;
        };
        box.replaceChildren(...(instead.length ? instead.map(offer) : [make("p", "none", "There is nothing to put in its place.")]));
      } catch (error) {
        box.replaceChildren(make("p", "problem", error.message));
      }
    });
    return button;
  };

  const item = (slate, visit, product) => {
    const row = make("li", "item");
    const text = make("div");
    text.append(make("strong", "", product.name), make("span", "price", product.price));
    text.append(make("p", "why", product.reason));
    if (product.place) text.append(make("p", "place", product.place));
    const choices = make("div", "item-acts");
    const about = { display: slate.display, slate: slate.id, sku: product.sku };
    choices.append(
      act("main", "Sold", { do: "sold", ...about }),
      act("", "Not wanted", { do: "dismissed", ...about }),
      swap(about, visit, product, row),
    );
    for (const press of choices.children) press.setAttribute("aria-label", `${press.textContent}: ${product.name}`);
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
      list.append(...slate.items.map((product) => item(slate, one.visit, product)));
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
      const print = make("button", "", "Print a copy for them");
      print.type = "button";
      print.addEventListener("click", () => copy(card, print));
      found.replaceChildren(make("strong", "", member.alias), make("p", "why", `member since ${member.since}`), list, print, make("p", "none", "This goes away after a minute."));
      // a member's data does not stay on a screen behind a counter
      setTimeout(() => found.replaceChildren(), 60_000);
    } catch (error) {
      found.replaceChildren(make("p", "problem", error.message));
    }
    by("card").value = "";
  });

  // --- a member's copy: on paper, never on this screen ----------------------------------------------

  const named = (key) => key.charAt(0).toUpperCase() + key.slice(1).replaceAll("_", " ");
  const written = (value) => (value === true ? "yes" : value === false ? "no" : value === null ? "" : String(value));

  const table = (rows) => {
    const made = make("table");
    const line = (cells, tag) => {
      const row = make("tr");
      row.append(...cells.map((cell) => make(tag, "", written(cell))));
      return row;
    };
    made.append(line(Object.keys(rows[0]).map(named), "th"), ...rows.map((row) => line(Object.values(row), "td")));
    return made;
  };

  const listed = (values) => {
    if (!values.length) return make("p", "", "None.");
    return typeof values[0] === "object" ? table(values) : make("p", "", values.map(written).join(", "));
  };

  const copy = async (card, button) => {
    button.disabled = true;
    try {
      const said = await session.ask("/staff/do", { do: "copy", card });
      const facts = make("dl");
      const lists = [];
      for (const [key, value] of Object.entries(said.copy)) {
        if (Array.isArray(value))
          lists.push(make("h2", "", named(key)), listed(value));
        else if (value !== null) facts.append(make("dt", "", named(key)), make("dd", "", written(value)));
      }
      by("copy").replaceChildren(make("h1", "", "All that this shop keeps about you"), facts, ...lists);
      document.body.dataset.printing = "";
      print();
      setTimeout(printed, 60_000);
    } catch (error) {
      by("member-found").append(make("p", "problem", error.message));
    }
    button.disabled = false;
  };
  const printed = () => {
    delete document.body.dataset.printing;
    by("copy").replaceChildren();
  };
  addEventListener("afterprint", printed);

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
