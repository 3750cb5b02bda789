// Keeps the last good copy of a display's page and its assets, so that a reload while the appliance
// is away shows the page and not the browser's error. What to show is never kept here.
"use strict";

const CACHE = `shopguide-display-${VERSION}`;

const kept = (url) =>
  url.origin === location.origin &&
  (url.pathname.startsWith("/assets/") || /^\/display\/[a-z0-9-]{1,32}$/.test(url.pathname));

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
      await self.clients.claim();
      // the page that installed this was loaded without it: fetch it once more into the cache
      const cache = await caches.open(CACHE);
      for (const client of await self.clients.matchAll({ type: "window" })) {
        if (!kept(new URL(client.url))) continue;
        try {
          const page = await fetch(client.url);
          if (!page.ok) continue;
          const assets = [...(await page.clone().text()).matchAll(/"(\/assets\/[^"]+)"/g)].map((m) => m[1]);
          await cache.put(client.url, page);
          await cache.addAll(assets);
        } catch {
          // away: next time
        }
      }
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || !kept(url)) return;
  event.respondWith(
    (async () => {
      const cache = await caches.open(CACHE);
      try {
        const answer = await fetch(event.request);
        if (answer.ok) await cache.put(event.request.url, answer.clone());
        return answer;
      } catch (error) {
        const copy = await cache.match(event.request.url);
        if (copy) return copy;
        throw error;
      }
    })(),
  );
});
