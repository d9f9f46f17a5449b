// An OpenID provider for one test: npm's oidc-provider over TLS, with people, and a certificate that one must trust.
//
// Prints its issuer, the file of its authority, a client and its secret, a socket, and where it listens, in one line. Then it does what a line on its standard input or at the socket says, and answers each with a line; README of the
// words in `commands`. Ends when its standard input does.
//
// It listens at 127.0.0.1. Another address after the folder is the one that it goes by: whoever wants to reach it there
// has to bring a way, but for the browsers of its people, who have one.

import { execFileSync } from "node:child_process";
import { createHmac, createPublicKey, createSign, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, request } from "node:https";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modules, host = "127.0.0.1"] = process.argv.slice(2);
const part = (path) => import(pathToFileURL(join(modules, "node_modules/oidc-provider/lib", path)).href);
// what it has to say is for somebody who builds a provider
console.info = console.warn = () => {};
const { default: Provider } = await part("index.js");
const { default: MemoryAdapter } = await part("adapters/memory_adapter.js");

const CLIENT = "boxvault";
const SECRET = randomBytes(24).toString("base64url") + "+/: %";
const PASSWORD = "correct horse";
const HOUR = 3600;
const PEOPLE = {
  ann: { name: "Ann Example", email: "ann@example.org", email_verified: true, groups: ["staff", "builders"] },
  bob: { name: "Bob Example", email: "bob@example.org", email_verified: false, groups: [] },
  // has an address that may be somebody else's here, and says nothing of groups
  eve: { name: "Eve", email: "root@example.com", email_verified: true },
};

const folder = mkdtempSync(join(tmpdir(), "boxvault-oidc-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const at = (name) => join(folder, name);

function makeCertificates() {
  const openssl = (...words) => execFileSync("openssl", words, { stdio: "ignore" });
  const key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];
  openssl("req", "-x509", ...key, "-subj", "/CN=Test authority", "-keyout", at("ca.key"), "-out", at("ca.pem"));
  openssl("req", ...key, "-subj", "/CN=localhost", "-keyout", at("server.key"), "-out", at("server.csr"));
  writeFileSync(at("names"), `subjectAltName=DNS:localhost,IP:127.0.0.1,IP:${host}\n`);
  const signed = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", at("names")];
  openssl("x509", "-req", "-in", at("server.csr"), ...signed, "-out", at("server.pem"));
}

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const kid = randomBytes(6).toString("hex");
  return { privateKey, kid, jwk: { ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" } };
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (text) => JSON.parse(Buffer.from(text, "base64url").toString());
const now = () => Math.floor(Date.now() / 1000);

/** A token with these claims: signed by a key, or with a secret, or not at all. */
function sign(claims, { key, kid = key?.kid, alg = "RS256", secret, typ } = {}) {
  const text = `${encode({ alg, kid, typ })}.${encode(claims)}`;
  if (alg === "none") return `${text}.`;
  if (secret) return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
  return `${text}.${createSign("RSA-SHA256").update(text).sign(key.privateKey).toString("base64url")}`;
}

let key = newKey();
/** The one before. */
let retired = newKey();
const stranger = newKey();
const publicPem = () => createPublicKey(key.privateKey).export({ type: "spki", format: "pem" });

/** What becomes of the ID tokens and claims that the provider gives, one at a time. */
const TWISTS = {
  none: (claims, token) => token,
  expired: (claims) => sign({ ...claims, iat: now() - 2 * HOUR, exp: now() - HOUR }, { key }),
  early: (claims) => sign({ ...claims, iat: now() + HOUR, exp: now() + 2 * HOUR }, { key }),
  notyet: (claims) => sign({ ...claims, nbf: now() + HOUR }, { key }),
  endless: ({ exp, ...claims }) => sign(claims, { key }),
  foreign: (claims) => sign(claims, { key: stranger, kid: key.kid }),
  unknown: (claims) => sign(claims, { key: stranger }),
  // by the key that was taken back
  retired: (claims) => sign(claims, { key: retired }),
  nameless: (claims) => sign(claims, { key, kid: null }),
  tampered: (claims, token) => token.replace(/\.[^.]+\./, `.${encode({ ...claims, sub: "bob" })}.`),
  unsigned: (claims) => sign(claims, { alg: "none" }),
  secret: (claims) => sign(claims, { alg: "HS256", secret: SECRET }),
  confused: (claims) => sign(claims, { alg: "HS256", secret: publicPem(), kid: key.kid }),
  nonce: (claims) => sign({ ...claims, nonce: "another" }, { key }),
  nononce: ({ nonce, ...claims }) => sign(claims, { key }),
  audience: (claims) => sign({ ...claims, aud: "another" }, { key }),
  party: (claims) => sign({ ...claims, aud: [CLIENT, "another"], azp: "another" }, { key }),
  noparty: (claims) => sign({ ...claims, aud: [CLIENT, "another"] }, { key }),
  issuer: (claims) => sign({ ...claims, iss: "https://other.example.org" }, { key }),
  nosubject: ({ sub, ...claims }) => sign(claims, { key }),
  garbage: () => "no.token.atall",
  notoken: () => undefined,
  stranger: (claims, token) => token,
};
let twist = "none";

/** Keys that a client may have, and whether a certificate lies beside them. */
const CLIENT_KEYS = {
  rsa: ["rsa", { modulusLength: 2048 }],
  "rsa-pkcs1": ["rsa", { modulusLength: 2048 }, "pkcs1"],
  "rsa-short": ["rsa", { modulusLength: 1024 }],
  certified: ["rsa", { modulusLength: 2048 }],
  p256: ["ec", { namedCurve: "P-256" }],
  "p256-sec1": ["ec", { namedCurve: "P-256" }, "sec1"],
  p384: ["ec", { namedCurve: "P-384" }],
  ed25519: ["ed25519", {}],
};

/** How the client proves who it is: a secret, unless it has a key. */
let proof = { client_secret: SECRET };

/** Makes a key for the client, and knows it by its public half from now on. */
function newClientKey(kind) {
  const [type, options, format = "pkcs8"] = CLIENT_KEYS[kind];
  const { privateKey, publicKey } = generateKeyPairSync(type, options);
  const kid = randomBytes(6).toString("hex");
  const file = at(`client-${kid}.pem`);
  writeFileSync(file, privateKey.export({ type: format, format: "pem" }), { mode: 0o600 });
  if (kind === "certified") {
    execFileSync("openssl", ["req", "-x509", "-key", file, "-subj", "/CN=client", "-days", "2", "-out", at("client.pem")]);
    writeFileSync(file, readFileSync(at("client.pem")), { flag: "a" });
  }
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, use: "sig" };
  proof = { token_endpoint_auth_method: "private_key_jwt", jwks: { keys: [jwk] } };
  return `${file} ${kid}`;
}

/** The client as it is known now. */
let client = { redirect_uris: ["https://boxvault.invalid/auth/callback/corp"] };

function provider(issuer) {
  const made = new Provider(issuer, {
    adapter: (model) =>
      model === "Client"
        ? { find: async (id) => (id === CLIENT ? { client_id: CLIENT, ...proof, ...client } : undefined) }
        : new MemoryAdapter(model),
    claims: { openid: ["sub"], profile: ["preferred_username", "name", "groups", "realm_access"], email: ["email", "email_verified"] },
    cookies: { keys: ["a key of a test"] },
    enabledJWA: { clientAuthSigningAlgValues: ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"] },
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        logoutSource: async (ctx, form) => {
          ctx.body = page(`<h1>Sign out here, too?</h1>${form}<button form="op.logoutForm" name="logout" value="yes">Yes, sign me out</button>`);
        },
      },
    },
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    findAccount: async (ctx, id) =>
      PEOPLE[id] && {
        accountId: id,
        claims: async () => ({ sub: id, preferred_username: id, realm_access: { roles: [`${id}-role`] }, ...PEOPLE[id] }),
      },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    jwks: { keys: [key.jwk] },
    loadExistingGrant: async (ctx) => {
      const { clientId } = ctx.oidc.client;
      // as a browser has several sign-ins on their way: another grant would take the codes of the one before with it
      const known = ctx.oidc.session.grantIdFor(clientId);
      const found = known && (await ctx.oidc.provider.Grant.find(known));
      if (found) return found;
      const grant = new ctx.oidc.provider.Grant({ clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid profile email");
      await grant.save();
      return grant;
    },
    pkce: { required: () => true },
    renderError: async (ctx, out) => {
      ctx.body = page(`<h1>${out.error}</h1><p>${out.error_description ?? ""}</p>`);
    },
  });
  made.use(async (ctx, next) => {
    await next();
    if (ctx.path === "/token" && ctx.body?.id_token) {
      const token = ctx.body.id_token;
      ctx.body.id_token = TWISTS[twist](decode(token.split(".")[1]), token);
    }
    if (ctx.path === "/me" && twist === "stranger") ctx.body = { ...ctx.body, sub: "bob" };
  });
  return made;
}

const page = (body) =>
  `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Test provider</title><main>${body}</main></html>`;

const form = (uid) =>
  page(`<h1>Who are you?</h1><form method="post" action="/interaction/${uid}">
    <label>Name <input name="login" required></label> <label>Password <input name="password" type="password" required></label>
    <button>Continue</button></form>`);

async function interact(req, res) {
  const uid = req.url.split("/").pop();
  const answer = (status, text) => res.writeHead(status, { "content-type": "text/html" }).end(text);
  if (req.method !== "POST") return answer(200, form(uid));
  let body = "";
  for await (const piece of req) body += piece;
  const fields = new URLSearchParams(body);
  const login = fields.get("login");
  if (login === "nobody") return oidc.interactionFinished(req, res, { error: "access_denied" });
  if (!PEOPLE[login] || fields.get("password") !== PASSWORD) return answer(401, form(uid));
  return oidc.interactionFinished(req, res, { login: { accountId: login } });
}

const asked = {};
let server;
let port = 0;
let oidc;

async function start() {
  if (server?.listening) return;
  const tls = { key: readFileSync(at("server.key")), cert: readFileSync(at("server.pem")) };
  server = createServer(tls, (req, res) => {
    const path = new URL(req.url, "https://x").pathname;
    asked[path] = (asked[path] ?? 0) + 1;
    if (path.startsWith("/interaction/")) interact(req, res).catch((error) => res.writeHead(500).end(String(error)));
    else oidc.callback()(req, res);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  port = server.address().port;
  oidc ??= provider(`https://${host}:${port}`);
}

async function stop() {
  if (!server.listening) return;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** Cookies by person: a browser that stays signed in at the provider. */
const jars = {};

async function go(jar, url, fields) {
  const headers = { host: new URL(url).host, cookie: Object.entries(jar).map(([name, value]) => `${name}=${value}`).join("; ") };
  const body = fields && new URLSearchParams(fields).toString();
  if (body) headers["content-type"] = "application/x-www-form-urlencoded";
  const agent = new Agent({ ca: readFileSync(at("ca.pem")) });
  return new Promise((resolve, reject) => {
    const sent = request(url, { hostname: "127.0.0.1", method: body ? "POST" : "GET", headers, agent }, async (res) => {
      let text = "";
      for await (const piece of res) text += piece;
      for (const line of res.headers["set-cookie"] ?? []) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        if (value) jar[name] = value;
        else delete jar[name];
      }
      const { location } = res.headers;
      resolve({ status: res.statusCode, text, location: location && new URL(location, url).href });
    });
    sent.on("error", reject).end(body);
  });
}

const isHere = (url) => url.startsWith(oidc.issuer);

/** As somebody's browser: to an address of the provider, and on to where it sends them in the end. */
async function visit(who, url) {
  const jar = (jars[who] ??= {});
  let next = url;
  for (let hops = 0; hops < 12; hops += 1) {
    const isForm = new URL(next).pathname.startsWith("/interaction/");
    const { status, location, text } = await go(jar, next, isForm ? { login: who, password: PASSWORD } : undefined);
    if (!location) return `status-${status}-${/<h1>(.*?)<\/h1>/.exec(text)?.[1] ?? ""}`.replaceAll(" ", "_");
    if (!isHere(location)) return location;
    next = location;
  }
  return "lost";
}

/** As somebody's browser: signs out at the provider, and tells where that leads. */
async function leave(who, url) {
  const jar = (jars[who] ??= {});
  const { text, status } = await go(jar, url);
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(text)?.[1];
  if (!xsrf) return `status-${status}`;
  const { location } = await go(jar, /action="([^"]+)"/.exec(text)[1], { xsrf, logout: "yes" });
  return location ?? "nowhere";
}

const EVENTS = { "http://schemas.openid.net/event/backchannel-logout": {} };

/** Logout tokens, right and wrong. */
const NOTICES = {
  good: (claims) => sign(claims, { key, typ: "logout+jwt" }),
  expired: (claims) => sign({ ...claims, exp: now() - HOUR }, { key }),
  old: ({ exp, ...claims }) => sign({ ...claims, iat: now() - 2 * HOUR }, { key }),
  early: (claims) => sign({ ...claims, iat: now() + HOUR }, { key }),
  foreign: (claims) => sign(claims, { key: stranger, kid: key.kid }),
  unknown: (claims) => sign(claims, { key: stranger }),
  unsigned: (claims) => sign(claims, { alg: "none" }),
  secret: (claims) => sign(claims, { alg: "HS256", secret: SECRET }),
  audience: (claims) => sign({ ...claims, aud: "another" }, { key }),
  issuer: (claims) => sign({ ...claims, iss: "https://other.example.org" }, { key }),
  nonce: (claims) => sign({ ...claims, nonce: "x" }, { key }),
  noevent: ({ events, ...claims }) => sign(claims, { key }),
  otherevent: (claims) => sign({ ...claims, events: { "https://example.org/other": {} } }, { key }),
  nobody: ({ sub, sid, ...claims }) => sign(claims, { key }),
};

const some = (word) => (word === "-" ? undefined : word);

const commands = {
  stop,
  start,
  // signs with another key from now on; the old one is gone
  rotate: () => {
    [retired, key] = [key, newKey()];
    oidc = provider(oidc.issuer);
  },
  twist: (kind) => {
    if (!TWISTS[kind]) return "unknown";
    twist = kind;
  },
  // what the client is: where it is called back, told of ended sessions, and after signing out
  client: (callback, backchannel, after) => {
    client = { redirect_uris: [callback], post_logout_redirect_uris: some(after) ? [after] : [] };
    if (some(backchannel)) {
      Object.assign(client, { backchannel_logout_uri: backchannel, backchannel_logout_session_required: true });
    }
  },
  // the client has another key from now on: its file, and how the key is named
  clientkey: newClientKey,
  visit,
  // as the browser of somebody who does not sign in
  decline: (url) => visit("nobody", url),
  leave,
  // forgets what somebody's browser knows
  fresh: (who) => void delete jars[who],
  notice: (kind, sub, sid) => {
    const claims = { iss: oidc.issuer, aud: CLIENT, iat: now(), exp: now() + 120, jti: randomBytes(8).toString("hex") };
    if (!NOTICES[kind]) return "unknown";
    return NOTICES[kind]({ ...claims, events: EVENTS, sub: some(sub), sid: some(sid) });
  },
  // how often a path was asked for
  count: (path) => asked[path] ?? 0,
};

async function obey(input, output) {
  for await (const line of createInterface({ input })) {
    const [word, ...rest] = line.trim().split(" ");
    let answer;
    try {
      answer = commands[word] ? ((await commands[word](...rest)) ?? "done") : "unknown";
    } catch (error) {
      answer = `failed: ${error.message}`;
    }
    output.write(`${String(answer).replaceAll("\n", " ")}\n`);
  }
}

makeCertificates();
await start();
const orders = createSocket((socket) => obey(socket.on("error", () => socket.destroy()), socket));
await new Promise((resolve) => orders.listen(at("orders"), resolve));
const told = [oidc.issuer, at("ca.pem"), CLIENT, encodeURIComponent(SECRET), at("orders"), `127.0.0.1:${port}`];
console.log(told.join(" "));
await obey(process.stdin, process.stdout);
process.exit();
