import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// `npm run dev` serves the page with hot reload in front of a running `orderbell dev`.
const origin = process.env['ORDERBELL_ORIGIN'] ?? 'http://localhost:8080';

/** What a browser loads before it shows the orders, in bytes of compressed JavaScript. */
const firstLoadLimit = 150 * 1024;

/** Fails the build if the entry and all that it imports statically is larger than a tablet should wait for. */
function firstLoadBudget(): Plugin {
  return {
    name: 'first-load-budget',
    apply: 'build',
    generateBundle(_options, bundle) {
      const chunks = new Map(
        Object.values(bundle).flatMap((c) => (c.type === 'chunk' ? [[c.fileName, c]] : [])),
      );
      const first = new Set<string>();
      const add = (name: string): void => {
        if (first.has(name)) return;
        first.add(name);
        for (const imported of chunks.get(name)?.imports ?? []) add(imported);
      };
      for (const chunk of chunks.values())
        if (chunk.isEntry && chunk.fileName !== serviceWorker) add(chunk.fileName);
      const size = [...first].reduce((sum, name) => sum + gzipSync(chunks.get(name)?.code ?? '').length, 0);
      const kib = `${(size / 1024).toFixed(1)} KiB of ${String(firstLoadLimit / 1024)} KiB`;
      if (size > firstLoadLimit) this.error(`the first load is ${kib}: load more of it later`);
      this.info(`first load: ${kib}, gzip`);
    },
  };
}

const serviceWorker = 'sw.js';

/** Tells the service worker which files make up this build: it fetches them before it serves the page. */
function listFiles(): Plugin {
  return {
    name: 'service-worker-files',
    apply: 'build',
    enforce: 'post',
    generateBundle(_options, bundle) {
      const worker = bundle[serviceWorker];
      const page = bundle['index.html'];
      if (worker?.type !== 'chunk' || page?.type !== 'asset')
        this.error(`no ${serviceWorker} or no index.html`);
      if (worker.imports.length > 0) this.error(`${serviceWorker} imports ${worker.imports.join(', ')}`);
      const files = [
        '/',
        '/boot.js',
        ...Object.keys(bundle)
          .filter((name) => name.startsWith('assets/'))
          .map((name) => `/${name}`),
      ];
      const version = createHash('sha256')
        .update(page.source)
        .update(files.join())
        .digest('hex')
        .slice(0, 12);
      worker.code = `self.orderbellBuild=${JSON.stringify({ version, files })};\n${worker.code}`;
    },
  };
}

export default defineConfig({
  plugins: [react(), firstLoadBudget(), listFiles()],
  server: { proxy: { '/api': origin, '/dev': origin, '/config.json': origin } },
  build: {
    target: 'es2023',
    rollupOptions: {
      input: { index: 'index.html', sw: 'src/worker/sw.ts' },
      // A service worker's address stays the same; its content says which build it belongs to.
      output: { entryFileNames: ({ name }) => (name === 'sw' ? serviceWorker : 'assets/[name]-[hash].js') },
    },
  },
  test: {
    testTimeout: 30_000, // two cores are shared with the rest of the suite
    restoreMocks: true,
    projects: [
      { extends: true, test: { name: 'logic', include: ['src/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'components',
          include: ['src/**/*.test.tsx'],
          environment: 'jsdom',
          setupFiles: ['src/testing/setup.ts'],
        },
      },
    ],
  },
});
