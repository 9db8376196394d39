/** The entry of sw.js: vite.config.ts puts the build's files before it. */
import { type Asked, type Build, shell } from './shell';

/** The part of ServiceWorkerGlobalScope that is used: its types and those of a window exclude each other. */
interface Scope {
  readonly orderbellBuild: Build;
  readonly location: Location;
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', on: (event: Waiting) => void): void;
  addEventListener(type: 'fetch', on: (event: Fetching) => void): void;
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

// It takes over at once: open pages find the scripts of their own build in the caches that are left.
scope.addEventListener('install', (event) => event.waitUntil(own.install().then(() => scope.skipWaiting())));
scope.addEventListener('activate', (event) =>
  event.waitUntil(own.activate().then(() => scope.clients.claim())),
);
scope.addEventListener('fetch', (event) => {
  const answer = own.answer(event.request);
  if (answer !== undefined) event.respondWith(answer);
});
