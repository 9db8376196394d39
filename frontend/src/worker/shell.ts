/**
 * The work of the service worker: the page opens without a network, and an open page keeps the scripts of its own build
 * after the server has another one. It stores only the page's files, never an answer of an API.
 */

/** The files of one build of the page: `/` and everything under /assets/, whose names carry a hash of the content. */
export interface Build {
  readonly version: string;
  readonly files: readonly string[];
}

export interface Shell {
  /** Fetches all files of this build; fails, so that the browser tries again later, unless it gets each. */
  install(): Promise<void>;
  /** Drops the files of builds that no page should be using any more. */
  activate(): Promise<void>;
  /** The answer to a request of the page, or undefined if the browser must ask the network as usual. */
  answer(request: Asked): Promise<Response> | undefined;
}

/** The part of a Request that decides. */
export type Asked = Pick<Request, 'method' | 'mode' | 'url'>;

export interface ShellOptions {
  readonly build: Build;
  readonly origin: string;
  readonly caches: Pick<CacheStorage, 'open' | 'keys' | 'delete' | 'match'>;
  readonly fetch: (request: RequestInfo) => Promise<Response>;
  /** Ends after so many milliseconds. */
  readonly wait: (ms: number) => Promise<void>;
}

const prefix = 'orderbell.page ';
/** A till that has been open since the build before the last two reloads (main.tsx); its half-typed order is kept. */
const builds = 3;
/** Milliseconds to wait for the network when the page opens: the device may have a network that reaches no server. */
const patience = 4000;

export function shell({ build, origin, caches, fetch, wait }: ShellOptions): Shell {
  const name = prefix + build.version;

  return {
    async install() {
      const cache = await caches.open(name);
      // The files under /assets/ never change, the page does: it is not taken from the browser's cache.
      await cache.addAll(
        build.files.map((file) => new Request(new URL(file, origin), { cache: 'no-cache' })),
      );
    },
    async activate() {
      const others = (await caches.keys()).filter((key) => key.startsWith(prefix) && key !== name);
      for (const key of others.slice(0, Math.max(0, others.length - (builds - 1)))) await caches.delete(key);
    },
    answer(request) {
      const url = new URL(request.url);
      if (request.method !== 'GET' || url.origin !== origin) return undefined;
      if (url.pathname.startsWith('/assets/')) return file(request);
      if (request.mode !== 'navigate' || isOfServer(url.pathname)) return undefined;
      return page(request);
    },
  };

  /** A name always has the same content. */
  async function file(request: Asked): Promise<Response> {
    return (await caches.match(request.url, { ignoreVary: true })) ?? fetch(request as Request);
  }

  /** The current page, otherwise the stored one. */
  async function page(request: Asked): Promise<Response> {
    const kept = async () => (await caches.open(name)).match(new URL('/', origin), { ignoreVary: true });
    const asked = fetch(request as Request).then(
      (response) => (response.status < 500 ? response : undefined),
      () => undefined,
    );
    const quick = await Promise.race([asked, wait(patience)]);
    return quick ?? (await kept()) ?? (await asked) ?? Response.error();
  }
}

function isOfServer(path: string): boolean {
  return ['/api/', '/dev/'].some((start) => path.startsWith(start));
}
