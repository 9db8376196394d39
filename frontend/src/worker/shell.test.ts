import { describe, expect, it } from 'vitest';
import { type Build, shell } from './shell';

const origin = 'https://shop.example';

/** Caches in memory, as far as the service worker uses them. */
class Caches {
  readonly all = new Map<string, Map<string, Response>>();
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  async open(name: string): Promise<Cache> {
    const kept = this.all.get(name) ?? new Map<string, Response>();
    this.all.set(name, kept);
    return {
      addAll: async (requests: Request[]) => {
        const answers = await Promise.all(requests.map((request) => this.#server.fetch(request.url)));
        if (!answers.every((answer) => answer.ok)) throw new TypeError('a file is missing');
        for (const [i, request] of requests.entries()) kept.set(request.url, answers[i] as Response);
      },
      match: async (url: URL) => kept.get(String(url))?.clone(),
    } as unknown as Cache;
  }

  async keys(): Promise<string[]> {
    return [...this.all.keys()];
  }

  async delete(name: string): Promise<boolean> {
    return this.all.delete(name);
  }

  async match(url: RequestInfo | URL): Promise<Response | undefined> {
    for (const kept of this.all.values()) {
      const found = kept.get(String(url));
      if (found !== undefined) return found.clone();
    }
    return undefined;
  }
}

/** A server that has one build; `isDown` and `isSilent` are its faults. */
class Server {
  isDown = false;
  isSilent = false;
  status = 200;
  #files = new Map<string, string>();
  readonly asked: string[] = [];

  release(build: Build): void {
    this.#files = new Map(build.files.map((file) => [file, `${file} of ${build.version}`]));
  }

  readonly fetch = async (request: RequestInfo): Promise<Response> => {
    const url = new URL(typeof request === 'string' ? request : request.url);
    this.asked.push(url.pathname);
    if (this.isDown) throw new TypeError('no network');
    if (this.isSilent) return new Promise(() => undefined);
    if (this.status !== 200) return new Response('', { status: this.status });
    const file =
      this.#files.get(url.pathname) ?? (url.pathname.includes('.') ? undefined : this.#files.get('/'));
    return file === undefined ? new Response('', { status: 404 }) : new Response(file);
  };
}

function aBuild(version: string): Build {
  return { version, files: ['/', `/assets/page-${version}.js`] };
}

function setup() {
  const server = new Server();
  const caches = new Caches(server);
  const worker = (version: string) =>
    shell({
      build: aBuild(version),
      origin,
      caches,
      fetch: server.fetch,
      wait: () => (server.isSilent ? Promise.resolve() : new Promise(() => undefined)),
    });
  async function deploy(version: string) {
    server.release(aBuild(version));
    const own = worker(version);
    await own.install();
    await own.activate();
    return own;
  }
  return { server, caches, worker, deploy };
}

function get(path: string, mode: RequestMode = 'cors') {
  return { method: 'GET', mode, url: origin + path };
}

async function textOf(answer: Promise<Response> | undefined): Promise<string> {
  return (await answer)?.text() ?? 'the network’s';
}

describe('the service worker', () => {
  it.each(['isDown', 'isSilent'] as const)(
    'opens the page from its cache while the server %s',
    async (fault) => {
      const { server, deploy } = setup();
      const own = await deploy('a');
      server[fault] = true;
      expect(await textOf(own.answer(get('/', 'navigate')))).toBe('/ of a');
      expect(await textOf(own.answer(get('/signed-in?code=1', 'navigate')))).toBe('/ of a');
      expect(await textOf(own.answer(get('/assets/page-a.js')))).toBe('/assets/page-a.js of a');
    },
  );

  it('opens the page from its cache while the origin has no page', async () => {
    const { server, deploy } = setup();
    const own = await deploy('a');
    server.status = 503;
    expect(await textOf(own.answer(get('/', 'navigate')))).toBe('/ of a');
  });

  it('opens the newest page while the server is there', async () => {
    const { server, deploy } = setup();
    const own = await deploy('a');
    server.release(aBuild('b'));
    expect(await textOf(own.answer(get('/', 'navigate')))).toBe('/ of b');
  });

  it('leaves APIs, other origins and everything but GET to the network', async () => {
    const { deploy } = setup();
    const own = await deploy('a');
    expect(own.answer(get('/api/orders/snapshot'))).toBeUndefined();
    expect(own.answer(get('/api/unsubscribe/x', 'navigate'))).toBeUndefined();
    expect(own.answer(get('/dev/users'))).toBeUndefined();
    expect(own.answer(get('/config.json'))).toBeUndefined();
    expect(own.answer({ ...get('/', 'navigate'), method: 'POST' })).toBeUndefined();
    expect(own.answer({ ...get('/'), url: 'https://id.example/assets/a.js' })).toBeUndefined();
  });

  it('gives a page that is open the scripts of its own build, two updates later too', async () => {
    const { deploy, caches } = setup();
    await deploy('a');
    await deploy('b');
    const newest = await deploy('c');
    expect(await textOf(newest.answer(get('/assets/page-a.js')))).toBe('/assets/page-a.js of a');
    await deploy('d');
    expect([...caches.all.keys()]).toEqual(['orderbell.page b', 'orderbell.page c', 'orderbell.page d']);
  });

  it('is not installed by half', async () => {
    const { server, worker } = setup();
    server.release(aBuild('b'));
    await expect(worker('a').install()).rejects.toThrow();
  });
});
