// A small plot that grows to the right.

const most = 4096; // points
const left = 44, right = 6, top = 8, bottom = 18; // margins, in CSS pixels

/**
 * A Plot draws values over time on a canvas, which it redraws at most once a
 * frame. Its shape is "area", or "stems": a line for each value, which is the
 * time since the one before.
 */
export class Plot {
  #points = [];
  #shape;
  #unit;
  #due = false;

  constructor(canvas, { shape, unit, name }) {
    this.canvas = canvas;
    this.#shape = shape;
    this.#unit = unit;
    this.name = name;
    canvas.setAttribute("role", "img");
    new ResizeObserver(() => this.#redraw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
    this.#describe();
  }

  clear() {
    this.#points = [];
    this.#describe();
    this.#redraw();
  }

  /** push adds a value at a time, in milliseconds. Times only grow. */
  push(at, value) {
    if (this.#points.length >= most) this.#points.splice(0, most / 2);
    this.#points.push([at, value]);
    this.#redraw();
  }

  /** end tells those who cannot see the plot what is in it. */
  end() {
    this.#describe();
  }

  #describe() {
    const values = this.#points.map(([, value]) => value);
    const range = values.length ? `${values.length} values, up to ${label(values.reduce((a, b) => Math.max(a, b)))} ${this.#unit}` : "empty";
    this.canvas.setAttribute("aria-label", `${this.name}: ${range}`);
  }

  #redraw() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#draw();
    });
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return; // not shown
    const empty = this.#points.length === 0;
    const scale = devicePixelRatio;
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(this.canvas);
    const colour = (name) => style.getPropertyValue(name);
    const [first, gap] = this.#points[0] ?? [0, 0];
    const from = this.#shape === "stems" ? first - gap : first;
    const until = Math.max(this.#points.at(-1)?.[0] ?? 0, from + 100);
    const high = ceiling(this.#points.reduce((high, [, value]) => Math.max(high, value), 0));
    const x = (at) => left + ((at - from) / (until - from)) * (width - left - right);
    const y = (value) => height - bottom - (value / high) * (height - top - bottom);

    pen.font = `11px ${colour("--mono")}`;
    pen.fillStyle = colour("--soft");
    pen.strokeStyle = colour("--line");
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const value of [0, high / 2, high]) {
      if (!empty) pen.fillText(label(value), left - 6, y(value));
      line(pen, left, y(value), width - right, y(value));
    }
    if (empty) return;
    pen.textBaseline = "bottom";
    pen.fillText(`${(until / 1000).toFixed(1)} s`, width - right, height);
    pen.textAlign = "left";
    pen.fillText(`${(from / 1000).toFixed(1)} s`, left, height);

    pen.fillStyle = pen.strokeStyle = colour("--water");
    if (this.#shape === "stems") this.#stems(pen, x, y);
    else this.#area(pen, x, y);
  }

  #stems(pen, x, y) {
    for (const [at, value] of this.#points) {
      pen.globalAlpha = 0.45;
      line(pen, x(at), y(0), x(at), y(value));
      pen.globalAlpha = 1;
      pen.fillRect(x(at) - 1, y(value) - 1, 2, 2);
    }
  }

  #area(pen, x, y) {
    pen.beginPath();
    for (const [at, value] of this.#points) pen.lineTo(x(at), y(value));
    pen.lineWidth = 1.5;
    pen.lineJoin = "round";
    pen.stroke();
    pen.lineTo(x(this.#points.at(-1)[0]), y(0));
    pen.lineTo(x(this.#points[0][0]), y(0));
    pen.globalAlpha = 0.18;
    pen.fill();
    pen.globalAlpha = 1;
  }
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

/** ceiling returns the next of 1, 2, 5, 10, 20 … that is not below the value. */
function ceiling(value) {
  const ten = 10 ** Math.floor(Math.log10(Math.max(value, 0.1)));
  return [1, 2, 5, 10].map((n) => n * ten).find((n) => n >= value);
}

const label = (value) => (value >= 10_000 ? `${+(value / 1000).toPrecision(3)}k` : `${+value.toPrecision(3)}`);
