/** The entry of sw.js: vite.config.ts puts the build's files before it. */
import { type Asked, type Build, shell } from './shell';

/** The part of ServiceWorkerGlobalScope that is used: its types and those of a window exclude each other. */
interface Scope {
  readonly orderbellBuild: Build;
  readonly location: Location;
  readonly clients: {
    claim(): Promise<void>;
    matchAll(of: { type: 'window' }): Promise<readonly Page[]>;
    openWindow(address: string): Promise<unknown>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', on: (event: Waiting) => void): void;
  addEventListener(type: 'fetch', on: (event: Fetching) => void): void;
  addEventListener(type: 'notificationclick', on: (event: Pressed) => void): void;
}

interface Page {
  focus(): Promise<unknown>;
  navigate(address: string): Promise<unknown>;
}

interface Pressed extends Waiting {
  readonly notification: { readonly data: { readonly path: string }; close(): void };
}

interface Waiting {
  waitUntil(work: Promise<unknown>): void;
}

interface Fetching {
  readonly request: Asked;
  respondWith(answer: Promise<Response>): void;
}

const scope = globalThis as unknown as Scope;
const own = shell({
  build: scope.orderbellBuild,
  origin: scope.location.origin,
  caches,
  fetch: (request) => fetch(request),
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
});

// It takes over at once: open pages find the scripts of their own build in the remaining caches.
scope.addEventListener('install', (event) => event.waitUntil(own.install().then(() => scope.skipWaiting())));
scope.addEventListener('activate', (event) =>
  event.waitUntil(own.activate().then(() => scope.clients.claim())),
);
scope.addEventListener('fetch', (event) => {
  const answer = own.answer(event.request);
  if (answer !== undefined) event.respondWith(answer);
});

// A press on a notification of the browser (store/alerts.ts) leads to its order.
scope.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(open(`/#${event.notification.data.path}`));
});

async function open(address: string): Promise<void> {
  const [page] = await scope.clients.matchAll({ type: 'window' });
  if (page === undefined) {
    await scope.clients.openWindow(address);
    return;
  }
  await page.focus();
  await page.navigate(address);
}
