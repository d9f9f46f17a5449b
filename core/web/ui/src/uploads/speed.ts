// How fast bytes go, smoothed: what is shown may not jump with each packet.

/** How much the newest measurement counts. */
const WEIGHT = 0.25;
/** Shorter times measure only how bytes come in lumps. */
const MEASURED_MS = 400;

export class Speed {
  #bytesPerSecond = 0;
  #offset: number;
  #at: number;

  constructor(offset: number, now: number) {
    this.#offset = offset;
    this.#at = now;
  }

  /** Takes note of how far it is, and says how fast it goes. */
  note(offset: number, now: number): number {
    const elapsed = now - this.#at;
    if (elapsed < MEASURED_MS) return this.#bytesPerSecond;
    const measured = (1000 * Math.max(0, offset - this.#offset)) / elapsed;
    this.#bytesPerSecond =
      this.#bytesPerSecond === 0 ? measured : WEIGHT * measured + (1 - WEIGHT) * this.#bytesPerSecond;
    this.#offset = offset;
    this.#at = now;
    return this.#bytesPerSecond;
  }
}
