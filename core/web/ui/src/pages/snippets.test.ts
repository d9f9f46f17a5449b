import { describe, expect, it } from "vitest";
import { snippet, TOOLS, type Use } from "./snippets.ts";

const use: Use = {
  origin: "https://boxes.example.com",
  organization: "acme",
  box: "debian",
  version: undefined,
  provider: "libvirt",
  architecture: "arm64",
  isPublic: true,
};

describe("snippet", () => {
  it("names only what is not the default", () => {
    expect(snippet("vagrant", use)).toBe(
      "export VAGRANT_SERVER_URL=https://boxes.example.com\nvagrant init acme/debian\nvagrant up --provider libvirt",
    );
    expect(snippet("vagrantfile", use)).not.toContain("box_version");
  });

  it("names a version that was chosen, for every tool", () => {
    for (const tool of TOOLS) expect(snippet(tool, { ...use, version: "1.2.0" })).toContain("1.2.0");
  });

  it("gives access to a private box, where the tool can", () => {
    expect(snippet("vagrant", { ...use, isPublic: false })).toContain("VAGRANT_CLOUD_TOKEN");
    expect(snippet("curl", { ...use, isPublic: false })).toContain("Authorization: Bearer");
  });

  it("fetches the very file", () => {
    expect(snippet("curl", { ...use, version: "1.0.0" })).toContain(
      "https://boxes.example.com/acme/boxes/debian/versions/1.0.0/providers/libvirt/arm64/vagrant.box",
    );
  });
});
