// What the page is made of, kept so that it opens without a network. Nothing of what the server
// says (/api) is ever kept.
//
// The server is asked first, so nobody sees an old page while it can be reached, and an upgrade
// needs nothing here: what is kept is only what came last. Files have tags, so asking costs little.

const SHELL = "kqq-shell-1";
const PAGES = ["/", "/manifest.webmanifest"];

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(SHELL).then((cache) => cache.addAll(["/", "/static/catalogue.json"])),
  );
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

async function forgetOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== SHELL).map((name) => caches.delete(name)));
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (!PAGES.includes(pathname) && !pathname.startsWith("/static/")) return;
  event.respondWith(fromServer(request));
});

async function fromServer(request) {
  const cache = await caches.open(SHELL);
  try {
    const response = await fetch(request);
    if (response.ok) {
      await cache.put(request, response.clone());
      return response;
    }
    if (response.status < 500) return response;
    return (await cache.match(request)) ?? response; // a gateway whose server is away
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openTalk(event.notification.data?.uin));
});

async function openTalk(uin) {
  const windows = await self.clients.matchAll({ type: "window" });
  const chat = windows.find(({ url }) => new URL(url).pathname === "/");
  if (!chat) {
    await self.clients.openWindow(Number.isSafeInteger(uin) ? `/#${uin}` : "/");
    return;
  }
  await chat.focus();
  chat.postMessage({ open: uin });
}
