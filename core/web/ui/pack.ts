// Packs what was built, so that the server has nothing to compress, and holds the first page to its size.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** What the first page may load, in KiB of packed script. */
const FIRST_PAGE_KIB_MAX = 200;
/** Shorter files gain nothing that a packet would notice. */
const BYTES_MIN = 1024;

export function pack(folder: string): Plugin {
  return {
    name: "pack",
    apply: "build",
    closeBundle() {
      const sizes = new Map<string, number>();
      for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        if (!/\.(html|js|css|svg)$/.test(entry)) continue;
        const bytes = readFileSync(join(folder, entry));
        if (bytes.length < BYTES_MIN) continue;
        const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
        writeFileSync(join(folder, `${entry}.br`), brotli);
        const gzip = gzipSync(bytes, { level: 9 });
        writeFileSync(join(folder, `${entry}.gz`), gzip);
        sizes.set(entry, gzip.length);
      }
      const page = readFileSync(join(folder, "index.html"), "utf8");
      const first = [...page.matchAll(/\/(assets\/[^"]+\.js)/g)].map(([, path]) => sizes.get(path ?? "") ?? 0);
      const kib = first.reduce((sum, size) => sum + size, 0) / 1024;
      this.info(`the first page loads ${kib.toFixed(0)} KiB of packed script (gzip)`);
      if (kib > FIRST_PAGE_KIB_MAX) this.error(`that is more than ${FIRST_PAGE_KIB_MAX} KiB`);
    },
  };
}
