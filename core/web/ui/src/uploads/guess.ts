// What the name of a file tells of its provider and architecture, so that often nothing has to be chosen.

const PROVIDERS: [string, RegExp][] = [
  ["virtualbox", /virtual-?box|vbox/],
  ["libvirt", /libvirt|kvm/],
  ["vmware_desktop", /vmware/],
  ["hyperv", /hyper-?v/],
  ["parallels", /parallels/],
  ["qemu", /qemu/],
  ["docker", /docker/],
];
const ARCHITECTURES: [string, RegExp][] = [
  ["arm64", /arm64|aarch64/],
  ["amd64", /amd64|x86_64|x64/],
  ["i386", /i[3-6]86/],
];

const find = (words: [string, RegExp][], name: string) => words.find(([, pattern]) => pattern.test(name))?.[0];

export function guess(fileName: string): { provider: string | undefined; architecture: string | undefined } {
  const name = fileName.toLowerCase();
  return { provider: find(PROVIDERS, name), architecture: find(ARCHITECTURES, name) };
}
