import { describe, expect, it } from "vitest";
import { guess } from "./guess.ts";
import { Speed } from "./speed.ts";

describe("guess", () => {
  it.each([
    ["debian-12_virtualbox_amd64.box", "virtualbox", "amd64"],
    ["Ubuntu-VBox-x86_64.box", "virtualbox", "amd64"],
    ["alma9.aarch64.libvirt.box", "libvirt", "arm64"],
    ["win2025-hyper-v.box", "hyperv", undefined],
    ["plain.box", undefined, undefined],
  ])("%s", (name, provider, architecture) => {
    expect(guess(name)).toEqual({ provider, architecture });
  });
});

describe("speed", () => {
  it("is what was measured, smoothed", () => {
    const speed = new Speed(0, 0);
    expect(speed.note(1_000_000, 1_000)).toBe(1_000_000);
    const slower = speed.note(1_500_000, 2_000);
    expect(slower).toBeLessThan(1_000_000);
    expect(slower).toBeGreaterThan(500_000);
  });

  it("does not jump with each packet, nor fall below nothing", () => {
    const speed = new Speed(0, 0);
    expect(speed.note(1_000_000, 10)).toBe(0);
    // the server had less of it than was sent
    expect(speed.note(0, 1_000)).toBe(0);
  });
});
