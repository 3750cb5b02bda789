// The administration: what the cameras see while somebody asks for it, and why faces are not
// recognised, as it happens.
"use strict";

(() => {
  const { make } = session;
  const words = {
    "too-small": "too small: the person is too far away, or the camera's picture is too coarse",
    blurred: "blurred: movement, a dirty lens, or focus",
    turned: "turned away",
    "bad-light": "too dark, too bright, or against the light",
    cut: "at the edge of the picture",
    "below-threshold": "below the threshold: a stranger, or a member who should enrol again",
    "no-margin": "no margin: like two members at once",
    "switched-off": "recognition is switched off",
  };
  session.follow("/admin/events", {
    doubts(doubts) {
      document.getElementById("no-doubts").hidden = doubts.length > 0;
      document.getElementById("doubts").replaceChildren(
        ...doubts.map((doubt) => {
          const row = make("tr");
          row.dataset.why = doubt.why;
          const time = new Date(doubt.at).toLocaleTimeString();
          for (const text of [time, doubt.camera, doubt.zone, words[doubt.why], `${doubt.width} px`])
            row.append(make("td", "", text));
          return row;
        }),
      );
    },
  });

  // --- the cameras, only while somebody watches -------------------------------------------------

  const button = document.getElementById("watch");
  const area = document.getElementById("pictures");
  let pictures = null;
  let source = null;
  const rest = () => {
    source?.close();
    source = null;
    area.hidden = true;
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Watch the cameras";
  };
  const watch = () => {
    const picture = (figure) => [figure.dataset.camera, new LivePicture(figure)];
    pictures ??= new Map([...area.querySelectorAll("figure")].map(picture));
    area.hidden = false;
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Stop watching";
    source = new EventSource("/admin/live/events");
    source.addEventListener("tracks", (event) => {
      const news = JSON.parse(event.data);
      pictures.get(news.camera)?.news(news);
    });
  };
  button.addEventListener("click", () => (source ? rest() : watch()));
  // nobody looks at a hidden page: the appliance need not make pictures for it
  document.addEventListener("visibilitychange", () => document.hidden && rest());
})();
