// When things arrived.

const kept = 4096; // gaps, for their median
const fine = 10; // ms between two marks

/** A Meter counts arrivals and knows the gaps between them. Times are milliseconds since the request began. */
export class Meter {
  #gaps = [];
  #marks = []; // [a time, how many had arrived by then], those of the last second

  constructor() {
    this.clear();
  }

  clear() {
    this.count = 0;
    this.first = null;
    this.last = null;
    this.longest = null; // gap
    this.#gaps = [];
    this.#marks = [];
  }

  /** add counts an arrival, and returns the gap to the one before; null for the first. */
  add(at) {
    const gap = this.count ? at - this.last : null;
    this.first ??= at;
    this.last = at;
    this.count++;
    this.#mark(at);
    if (gap !== null) this.#keep(gap);
    return gap;
  }

  #keep(gap) {
    if (this.#gaps.length >= kept) this.#gaps.splice(0, kept / 2);
    this.#gaps.push(gap);
    this.longest = Math.max(this.longest, gap);
  }

  #mark(at) {
    const last = this.#marks.at(-1);
    if (last?.[0] === at) last[1] = this.count;
    else if (!last || at - last[0] >= fine) this.#marks.push([at, this.count]);
    while (this.#marks.length > 1 && this.#marks[1][0] <= at - 1000) this.#marks.shift();
  }

  /** rate is how many arrived each second, after the first. */
  get rate() {
    return this.count > 1 && this.last > this.first ? ((this.count - 1) * 1000) / (this.last - this.first) : null;
  }

  /** rateNow is the rate of the last second. */
  get rateNow() {
    const [from, before] = this.#marks[0] ?? [];
    return this.last > from ? ((this.count - before) * 1000) / (this.last - from) : null;
  }

  /** median returns the middle one of the latest gaps. */
  get median() {
    const sorted = this.#gaps.toSorted((a, b) => a - b);
    return sorted.length ? sorted[Math.ceil(sorted.length / 2) - 1] : null;
  }
}
