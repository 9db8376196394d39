import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// `npm run dev` serves the page with hot reload in front of a running `orderbell dev`.
const origin = process.env['ORDERBELL_ORIGIN'] ?? 'http://localhost:8080';

// The page loads and talks to its own origin only. Not while developing: Vite's client injects styles.
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'";

export default defineConfig({
  plugins: [
    react(),
    {
      name: 'content-security-policy',
      apply: 'build',
      transformIndexHtml: () => [
        {
          tag: 'meta',
          attrs: { 'http-equiv': 'Content-Security-Policy', content: policy },
          injectTo: 'head-prepend',
        },
      ],
    },
  ],
  server: { proxy: { '/api': origin, '/dev': origin } },
  build: { target: 'es2023', sourcemap: true },
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
