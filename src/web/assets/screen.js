// What a display must show, decided without touching the page: the appliance's clock, the order of
// slates, and when a personal one stops being true. Used by display.js.
"use strict";

/**
 * The appliance's clock as this page knows it. A message can only arrive late, so the sample with
 * the least delay (the largest difference to the page's own steady clock) is nearest to the truth.
 */
class ApplianceClock {
  constructor() {
    this.samples = [];
  }

  /** Forgets what an earlier connection said; the appliance's clock may have been set since. */
  restart() {
    this.samples = [];
  }

  /** Notes that a message said it is `now` (Unix ms). */
  heard(now) {
    this.samples.push({ steady: now - performance.now(), wall: now - Date.now() });
    if (this.samples.length > 6) this.samples.shift();
  }

  /**
   * The present (Unix ms). The steady clock may stand still while the machine sleeps and the wall
   * clock may be set back: the later of the two counts, so that nothing is shown too long.
   */
  now() {
    if (this.samples.length === 0) return Infinity;
    const steady = Math.max(...this.samples.map((s) => s.steady)) + performance.now();
    const wall = Math.max(...this.samples.map((s) => s.wall)) + Date.now();
    return Math.max(steady, wall);
  }
}

/** The slates of one display. */
class Screen {
  constructor(clock) {
    this.clock = clock;
    this.store = null;
    this.personal = null;
    this.highest = { store: 0, personal: 0 };
    this.dismissed = new Set();
  }

  /** Takes the present state; a slate older than one seen before is ignored. */
  take(state) {
    for (const audience of ["store", "personal"]) {
      const slate = state[audience];
      if (slate && slate.sequence < this.highest[audience]) continue;
      if (slate) this.highest[audience] = slate.sequence;
      // what was dismissed of a slate is of no use after it
      if (audience === "personal" && slate?.id !== this.personal?.id) this.dismissed.clear();
      if (slate || audience === "personal") this[audience] = slate;
    }
  }

  /** Someone said "not for me" of one item of the personal slate. */
  dismiss(slate, sku) {
    this.dismissed.add(slate.id + "\n" + sku);
  }

  /** Milliseconds for which the personal slate stays true; 0 when there is none. */
  personalFor() {
    return this.personal ? Math.max(0, this.personal.valid_until - this.clock.now()) : 0;
  }

  /** The slate to show now, with what was dismissed taken out; null when there is none. */
  present() {
    if (this.personalFor() > 0) {
      const items = this.personal.items.filter((i) => !this.dismissed.has(this.personal.id + "\n" + i.sku));
      if (items.length > 0) return { ...this.personal, items };
    }
    return this.store && this.store.items.length > 0 ? this.store : null;
  }
}
