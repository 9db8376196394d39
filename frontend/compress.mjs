// Writes a .br and a .gz beside each file of dist/assets that they make smaller. The origin sends these files unchanged. Names in that
// folder have a hash of the content, so that a compressed file never belongs to another build.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const assets = new URL('dist/assets/', import.meta.url);
for (const name of readdirSync(assets)) {
  if (!/\.(js|css|svg|json)$/.test(name)) continue;
  const content = readFileSync(new URL(name, assets));
  const brotli = brotliCompressSync(content, {
    params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
  });
  const gzip = gzipSync(content, { level: 9 });
  if (brotli.length < content.length) writeFileSync(new URL(`${name}.br`, assets), brotli);
  if (gzip.length < content.length) writeFileSync(new URL(`${name}.gz`, assets), gzip);
}
