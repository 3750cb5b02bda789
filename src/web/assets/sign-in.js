// Signing in: sends name and secret once, and goes where the role works.
"use strict";

(() => {
  const problem = document.getElementById("problem");
  document.getElementById("sign-in").addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    const secret = document.getElementById("secret");
    try {
      const answer = await fetch("/sign-in", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: document.getElementById("name").value, secret: secret.value }),
      });
      const said = await answer.json();
      if (answer.ok) return location.assign(new URLSearchParams(location.search).get("to")?.match(/^\/(staff|admin)$/)?.[0] ?? said.to);
      problem.textContent = said.errors.map((e) => `${e.error}. ${e.remedy}`).join(" ");
    } catch {
      problem.textContent = "The appliance does not answer. Try again in a moment.";
    }
    secret.value = "";
    secret.focus();
  });
  document.getElementById("name").focus();
})();
