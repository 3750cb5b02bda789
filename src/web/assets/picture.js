// One camera of the live view: fetches the newest picture and draws the tracks that belong to it.
// The next picture is asked for only when the last one is drawn, so a slow link shows fewer, not older.
"use strict";

class LivePicture {
  constructor(figure) {
    this.camera = figure.dataset.camera;
    this.from = figure.dataset.pictures ?? "/live";
    this.canvas = figure.querySelector("canvas");
    this.waiting = figure.querySelector(".waiting");
    this.rate = figure.querySelector(".rate");
    this.tracks = new Map();
    this.drawn = 0;
    this.busy = false;
    this.times = [];
  }

  /** The appliance has a new picture, with these tracks. */
  async news(message) {
    this.tracks.set(message.number, message);
    if (this.tracks.size > 16) this.tracks.delete(this.tracks.keys().next().value);
    if (this.busy || document.hidden) return;
    this.busy = true;
    try {
      const answer = await fetch(`${this.from}/${this.camera}.jpg?after=${this.drawn}`);
      if (answer.status === 200) {
        const number = Number(answer.headers.get("x-picture"));
        const picture = await createImageBitmap(await answer.blob());
        this.draw(picture, this.tracks.get(number));
        picture.close();
        this.drawn = number;
      }
    } catch {
      // away: the page's stream says so
    } finally {
      this.busy = false;
    }
  }

  draw(picture, message) {
    const { canvas } = this;
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      canvas.width = picture.width;
      canvas.height = picture.height;
    }
    const pen = canvas.getContext("2d");
    pen.drawImage(picture, 0, 0);
    this.waiting.hidden = true;
    if (message) {
      const scale = canvas.width / message.width;
      for (const track of message.tracks) this.frame(pen, track, scale);
    }
    const now = performance.now();
    this.times = this.times.filter((t) => now - t < 4000).concat(now);
    const span = (now - this.times[0]) / 1000;
    this.rate.textContent = span > 1 ? `${((this.times.length - 1) / span).toFixed(1)} pictures a second` : "";
  }

  frame(pen, track, scale) {
    const { kind, alias } = track.label;
    const colour = { member: "#4fd08a", stranger: "#d9d2c3", undecided: "#f0b552" }[kind];
    const [x, y, w, h] = [track.bbox.x, track.bbox.y, track.bbox.w, track.bbox.h].map((v) => v * scale);
    let text = kind === "member" ? alias : kind === "stranger" ? "stranger" : "…";
    if (kind === "member" && track.score !== null) text += `  ${track.score.toFixed(2)}`;
    pen.lineWidth = 2.5;
    pen.strokeStyle = colour;
    pen.strokeRect(x, y, w, h);
    pen.font = "600 15px sans-serif";
    const wide = pen.measureText(text).width + 12;
    const top = y >= 24 ? y - 22 : y + h + 1;
    const left = Math.min(Math.max(0, x - 1), pen.canvas.width - wide);
    pen.fillStyle = colour;
    pen.fillRect(left, top, wide, 22);
    pen.fillStyle = "#1b1916";
    pen.fillText(text, left + 6, top + 16);
  }
}
