// A client that is generated from the API document: signs in, makes a box, uploads, releases, finds and downloads it.
// The compiler checks every path, parameter, body and answer against the document; running it checks the document
// against the server. Arguments: the server's URL, a user name, a password, and the file to upload.
import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Box = components["schemas"]["BoxView"];
type Failure = components["schemas"]["ErrorEnvelope"];

const [baseUrl, username, password, path] = process.argv.slice(2) as [string, string, string, string];
const api = createClient<paths>({ baseUrl });

/** The data of an answer, or an end with what the server said. */
function expect<T>(answer: { data?: { data: T }; error?: Failure; response: Response }): T {
  if (!answer.data) {
    throw new Error(`${answer.response.status}: ${answer.error?.error.code} ${answer.error?.message}`);
  }
  return answer.data.data;
}

const refused = await api.POST("/api/auth/signin", { body: { username, password: `${password}?` } });
if (refused.error?.error.code !== "SIGN_IN_FAILED") {
  throw new Error(`a wrong password was answered with ${JSON.stringify(refused.error)}`);
}
const session = expect(await api.POST("/api/auth/signin", { body: { username, password, stayLoggedIn: false } }));
api.use({
  onRequest({ request }) {
    request.headers.set("authorization", `Bearer ${session.accessToken}`);
    return request;
  },
});

const organization = "typed";
const architecture = {
  organization,
  box: "web",
  version: "1.0.0",
  provider: "virtualbox",
  architecture: "amd64",
};
const { box, version, provider } = architecture;
expect(await api.POST("/api/organization", { body: { name: organization } }));
const made: Box = expect(
  await api.POST("/api/organization/{organization}/box", {
    params: { path: { organization } },
    body: { name: box, isPublic: true, shortDescription: "made by a typed client", tags: ["typed"] },
  }),
);
expect(
  await api.POST("/api/organization/{organization}/box/{box}/version", {
    params: { path: { organization, box } },
    body: { versionNumber: version },
  }),
);
expect(
  await api.POST("/api/organization/{organization}/box/{box}/version/{version}/provider", {
    params: { path: { organization, box, version } },
    body: { name: provider },
  }),
);
expect(
  await api.POST(
    "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture",
    { params: { path: { organization, box, version, provider } }, body: { name: "amd64" } },
  ),
);

const file = await readFile(path);
const uploaded = expect(
  await api.PUT(
    "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/upload",
    {
      params: { path: architecture },
      // bytes are a string to the generator
      body: file as unknown as string,
      bodySerializer: (bytes) => bytes as unknown as Uint8Array<ArrayBuffer>,
      headers: { "content-type": "application/octet-stream" },
    },
  ),
);
expect(
  await api.PUT("/api/organization/{organization}/box/{box}/version/{version}/release", {
    params: { path: { organization, box, version } },
  }),
);

const found = await api.GET("/api/discover", {
  params: { query: { q: "typed client", tag: "typed", order: "desc", visibility: "public" } },
});
const names = found.data?.data.map((item) => `${item.organization}/${item.name}`);
const downloaded = await api.GET(
  "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/download",
  { params: { path: architecture }, parseAs: "arrayBuffer" },
);
const same = downloaded.data && file.equals(Buffer.from(downloaded.data));
console.log(JSON.stringify({ id: made.id, checksum: uploaded.checksum, names, total: found.data?.page.total, same }));
