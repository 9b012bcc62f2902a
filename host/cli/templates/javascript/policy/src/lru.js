// A cache policy: what was used last stays longest.

/** The plugin. */
export class Lru {
  /** Sizes in bytes by slot. A Map keeps the order in which slots were put: the one used longest ago is first. */
  #slots = new Map();
  #bytesMax = Infinity;

  constructor(settings) {
    settings.finish();
  }

  resize({ bytesMax }) {
    this.#bytesMax = bytesMax;
  }

  observe({ removed, inserted, hits }) {
    for (const slot of removed) this.#slots.delete(slot);
    for (const { slot, bytes } of inserted) this.#renew(slot, bytes);
    for (const slot of hits) {
      // A hit may tell of a slot that was freed since.
      const bytes = this.#slots.get(slot);
      if (bytes !== undefined) this.#renew(slot, bytes);
    }
  }

  admit(candidates) {
    return candidates.map(({ bytes }) => bytes <= this.#bytesMax);
  }

  victims(bytes, max) {
    const victims = [];
    let freed = 0;
    for (const [slot, size] of this.#slots) {
      if (freed >= bytes || victims.length === max) break;
      freed += size;
      victims.push(slot);
    }
    return victims;
  }

  #renew(slot, bytes) {
    this.#slots.delete(slot);
    this.#slots.set(slot, bytes);
  }
}
