// Keeps the status page fresh without reloading it: a lost appliance is said in words, not by an error.
"use strict";

(() => {
  const look = async () => {
    let fresh = null;
    try {
      const answer = await fetch("/status", { cache: "no-store" });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        fresh = page.getElementById("status");
      }
    } catch {
      // away
    }
    if (fresh) document.getElementById("status").replaceWith(fresh);
    document.getElementById("silent").hidden = fresh !== null;
    setTimeout(look, 5000);
  };
  setTimeout(look, 5000);
})();
