// An Azure Blob server for one test: Azurite, with an account of its own.
//
// Prints its URL, the account, its key and a container, in one line. Ends when its standard input does, so that it never
// outlives who started it.

import { createHmac, randomBytes } from "node:crypto";
import { createRequire } from "node:module";

const [folder] = process.argv.splice(2);
const account = "boxvault";
const key = randomBytes(64).toString("base64");
const container = "boxes";

process.env.AZURITE_ACCOUNTS = `${account}:${key}`;
process.argv.push("--silent", "--inMemoryPersistence", "--disableTelemetry", "--blobPort", "0");

// It says where it listens, and nowhere else.
const listens = new Promise((resolve) => {
  console.log = (line) => {
    const url = /listens on (http:\S+)/.exec(line)?.[1];
    if (url) resolve(`${url}/${account}`);
  };
});
createRequire(`${folder}/`)("azurite/dist/src/blob/main.js");
const endpoint = await listens;

const date = new Date().toUTCString();
const version = "2022-11-02";
const resource = `/${account}/${account}/${container}\nrestype:container`;
const text = `PUT${"\n".repeat(12)}x-ms-date:${date}\nx-ms-version:${version}\n${resource}`;
const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
const made = await fetch(`${endpoint}/${container}?restype=container`, {
  method: "PUT",
  headers: {
    "x-ms-date": date,
    "x-ms-version": version,
    Authorization: `SharedKey ${account}:${signature}`,
  },
});
if (!made.ok) throw new Error(`no container: ${await made.text()}`);

process.stdout.write(`${endpoint} ${account} ${key} ${container}\n`);
process.stdin.on("end", () => process.exit()).resume();
