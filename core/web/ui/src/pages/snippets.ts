// The lines that use a box, for each tool. What is not the default is named: another version, a private box.

export interface Use {
  origin: string;
  organization: string;
  box: string;
  /** Nothing for the latest. */
  version: string | undefined;
  provider: string | undefined;
  architecture: string | undefined;
  isPublic: boolean;
}

export type Tool = "vagrant" | "vagrantfile" | "packer" | "curl";
export const TOOLS: Tool[] = ["vagrant", "vagrantfile", "packer", "curl"];

export function snippet(tool: Tool, use: Use): string {
  const name = `${use.organization}/${use.box}`;
  switch (tool) {
    case "vagrant":
      return [
        `export VAGRANT_SERVER_URL=${use.origin}`,
        ...(use.isPublic ? [] : ["export VAGRANT_CLOUD_TOKEN=YOUR_TOKEN"]),
        `vagrant init ${name}${use.version ? ` --box-version ${use.version}` : ""}`,
        `vagrant up${use.provider ? ` --provider ${use.provider}` : ""}`,
      ].join("\n");
    case "vagrantfile":
      return [
        `ENV["VAGRANT_SERVER_URL"] = "${use.origin}"`,
        "",
        'Vagrant.configure("2") do |config|',
        `  config.vm.box = "${name}"`,
        ...(use.version ? [`  config.vm.box_version = "${use.version}"`] : []),
        "end",
      ].join("\n");
    case "packer":
      return [
        'source "vagrant" "box" {',
        `  source_path  = "${name}"`,
        ...(use.version ? [`  box_version  = "${use.version}"`] : []),
        `  provider     = "${use.provider ?? "virtualbox"}"`,
        '  communicator = "ssh"',
        "}",
      ].join("\n");
    case "curl": {
      const version = use.version ?? "VERSION";
      const file = `${use.organization}/boxes/${use.box}/versions/${version}/providers/${use.provider ?? "PROVIDER"}`;
      return [
        "curl --fail --location --remote-name \\",
        ...(use.isPublic ? [] : ['  --header "Authorization: Bearer $TOKEN" \\']),
        `  ${use.origin}/${file}/${use.architecture ?? "ARCHITECTURE"}/vagrant.box`,
      ].join("\n");
    }
  }
}
