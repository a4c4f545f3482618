// When things arrived.

// How many arrivals are kept for figures and plots.
const kept = 4096;

/** A Meter counts arrivals and knows the gaps between them. Times are milliseconds since the request began. */
export class Meter {
  constructor() {
    this.clear();
  }

  clear() {
    this.count = 0;
    this.first = null;
    this.last = null;
    this.times = [];
    this.gaps = [];
  }

  /** add counts an arrival, and returns the gap to the one before; null for the first. */
  add(at) {
    const gap = this.count ? at - this.last : null;
    if (this.count++ === 0) this.first = at;
    this.last = at;
    keep(this.times, at);
    if (gap !== null) keep(this.gaps, gap);
    return gap;
  }

  /** rate is how many arrived each second, after the first. */
  get rate() {
    return this.count > 1 && this.last > this.first ? ((this.count - 1) * 1000) / (this.last - this.first) : null;
  }

  /** rateNow is the rate of the last second. */
  get rateNow() {
    const from = Math.max(this.last - 1000, this.first);
    let n = 0;
    for (let i = this.times.length - 1; i >= 0 && this.times[i] > from; i--) n++;
    return this.last > from ? (n * 1000) / (this.last - from) : null;
  }

  /** gap returns the gap that this share of the gaps is not longer than: 0.5 is the median, 1 the longest. */
  gap(share) {
    const sorted = this.gaps.toSorted((a, b) => a - b);
    return sorted.length ? sorted[Math.ceil(share * sorted.length) - 1] : null;
  }
}

function keep(list, value) {
  if (list.length >= kept) list.splice(0, kept / 2);
  list.push(value);
}
