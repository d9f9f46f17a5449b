import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { pack } from "./pack.ts";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
/** The server that `npm run dev` and `npm run preview` show the pages of. */
const server = process.env.BOXVAULT_URL ?? "http://127.0.0.1:5000";
const proxy = Object.fromEntries(["/api", "/api-docs", "/badge", "/health"].map((path) => [path, server]));

export default defineConfig({
  plugins: [react(), pack(dist)],
  build: {
    outDir: dist,
    emptyOutDir: true,
    // the content security policy allows no `data:` but for pictures, and hashed files are kept anyway
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: { proxy },
  preview: { proxy },
});
