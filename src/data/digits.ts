/**
 * Digits that look handwritten, drawn from a seed: a pen follows splines through a glyph that was bent, slanted, turned
 * and scaled at random, and leaves ink of random width. As in MNIST, 28×28 grey pixels, light ink on black, the digit
 * within about 20×20 pixels around its centre of mass.
 */
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { checkOptions } from '../ops/options.ts';
import { fromColumns } from './create.ts';
import type { Examples } from './generated.ts';
import { GLYPHS, type Point, type Stroke } from './glyphs.ts';
import { PURPOSE, type Seed, type Stream, seedOf, streamOf } from './random.ts';

/** Pixels along an edge. */
const SIDE = 28;
/** Height of an upright digit in pixels. */
const HEIGHT = 19;
/** Line segments between two points of a glyph. */
const STEPS = 8;

/** A smooth curve through the points (Catmull and Rom), as short line segments. */
function curve(points: Stroke): Point[] {
  const at = (index: number): Point => points[Math.min(Math.max(index, 0), points.length - 1)] as Point;
  const closed = points.length > 2 && at(0)[0] === at(points.length)[0] && at(0)[1] === at(points.length)[1];
  // A closed curve goes on where it began, so that it has no corner there.
  const before = closed ? at(points.length - 2) : at(0);
  const after = closed ? at(1) : at(points.length);
  const line: Point[] = [at(0)];
  for (let span = 0; span + 1 < points.length; span++) {
    const p0 = span === 0 ? before : at(span - 1);
    const [p1, p2] = [at(span), at(span + 1)];
    const p3 = span + 2 === points.length ? after : at(span + 2);
    for (let step = 1; step <= STEPS; step++) {
      const t = step / STEPS;
      const blend = (axis: 0 | 1): number =>
        0.5 *
        (2 * p1[axis] +
          t * (p2[axis] - p0[axis]) +
          t * t * (2 * p0[axis] - 5 * p1[axis] + 4 * p2[axis] - p3[axis]) +
          t * t * t * (3 * p1[axis] - p0[axis] - 3 * p2[axis] + p3[axis]));
      line.push([blend(0), blend(1)]);
    }
  }
  return line;
}

/** A random, smooth bend of the plane: strokes that meet still meet afterwards. */
function bend({ uniform, normal }: Stream): (point: Point) => Point {
  const mild = (): number => Math.max(-1.5, Math.min(1.5, normal()));
  const waves = Array.from({ length: 4 }, (_, index) => ({
    axis: index % 2,
    size: 0.035 * mild(),
    fx: 0.7 * mild(),
    fy: 0.7 * mild(),
    phase: 2 * Math.PI * uniform(),
  }));
  return ([x, y]) => {
    const moved: [number, number] = [x, y];
    for (const { axis, size, fx, fy, phase } of waves) {
      const shift = size * Math.sin(2 * Math.PI * (fx * x + fy * y) + phase);
      if (axis === 0) moved[0] += shift;
      else moved[1] += shift;
    }
    return moved;
  };
}

/** From the unit square to pixels around (0, 0): slant, then turn. */
function place({ uniform, normal }: Stream): (point: Point) => Point {
  const height = HEIGHT * (0.94 + 0.12 * uniform());
  const width = height * (0.72 + 0.36 * uniform());
  const slant = Math.max(-0.3, Math.min(0.5, 0.1 + 0.16 * normal()));
  const angle = 0.09 * Math.max(-2, Math.min(2, normal()));
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return ([x, y]) => {
    const v = (y - 0.5) * height;
    const u = (x - 0.5) * width - slant * v;
    return [cos * u - sin * v, sin * u + cos * v];
  };
}

/** Adds the ink of a line from a to b: full within `radius`, fading over a pixel. */
function ink(image: Float32Array, a: Point, b: Point, radius: number): void {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const squared = Math.max(dx * dx + dy * dy, 1e-12);
  const reach = radius + 0.5;
  const from = (axis: 0 | 1): number => Math.max(0, Math.floor(Math.min(a[axis], b[axis]) - reach));
  const to = (axis: 0 | 1): number => Math.min(SIDE - 1, Math.ceil(Math.max(a[axis], b[axis]) + reach));
  for (let row = from(1); row <= to(1); row++) {
    for (let column = from(0); column <= to(0); column++) {
      const along = ((column - a[0]) * dx + (row - a[1]) * dy) / squared;
      const t = Math.max(0, Math.min(1, along));
      const distance = Math.hypot(column - a[0] - t * dx, row - a[1] - t * dy);
      const at = row * SIDE + column;
      image[at] = Math.max(image[at] as number, Math.min(1, Math.max(0, reach - distance)));
    }
  }
}

/** One digit as 784 bytes. */
function render(digit: number, random: Stream, noise: number): Uint8Array {
  const variants = GLYPHS[digit] as (typeof GLYPHS)[number];
  const glyph = variants[random.below(variants.length)] as readonly Stroke[];
  const bent = bend(random);
  const placed = place(random);
  const radius = 0.75 + 0.75 * random.uniform();
  const lines = glyph.map((stroke) => curve(stroke).map((point) => placed(bent(point))));

  // The centre of the ink, for which the segments' middles stand, weighted by length.
  let [weight, sumX, sumY] = [0, 0, 0];
  const segments = lines.flatMap((line) =>
    line.slice(1).map((b, index) => [line[index] as Point, b] as const),
  );
  for (const [a, b] of segments) {
    const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
    weight += length;
    sumX += (length * (a[0] + b[0])) / 2;
    sumY += (length * (a[1] + b[1])) / 2;
  }
  const reach = 1.15 * radius + 0.5;
  const shift = [0, 1].map((axis) => {
    const along = lines.flatMap((line) => line.map((point) => point[axis as 0 | 1]));
    const wanted = (SIDE - 1) / 2 - (axis ? sumY : sumX) / weight + 0.4 * random.normal();
    // The rim stays black.
    return Math.max(1 + reach - Math.min(...along), Math.min(SIDE - 2 - reach - Math.max(...along), wanted));
  }) as [number, number];
  const moved = ([x, y]: Point): Point => [x + shift[0], y + shift[1]];

  const image = new Float32Array(SIDE * SIDE);
  // Pressure comes and goes along the way.
  const [phase, rate] = [2 * Math.PI * random.uniform(), 0.1 + 0.1 * random.uniform()];
  segments.forEach(([a, b], index) => {
    ink(image, moved(a), moved(b), radius * (1 + 0.15 * Math.sin(phase + rate * index)));
  });
  const bytes = new Uint8Array(SIDE * SIDE);
  for (let at = 0; at < bytes.length; at++) {
    const level = image[at] as number;
    const grain = level > 0 ? 0.06 * random.uniform() : 0;
    const value = level * (1 - grain) + (noise > 0 ? noise * random.normal() : 0);
    bytes[at] = Math.round(255 * Math.max(0, Math.min(1, value)));
  }
  return bytes;
}

export interface DigitsOptions {
  /** How many digits. Default: 1000. */
  samples?: number;
  /** Default: drawn from the default generator, which `setSeed` starts. */
  seed?: number;
  /** Standard deviation of grey noise over the whole picture, as a share of white. Default: 0, a black background. */
  noise?: number;
}

/**
 * Handwritten-looking digits: x (28, 28, 1), bytes that become 0 … 1 on the device, y the digit, 0 to 9 in turn. The
 * first n of a seed are the same whatever `samples` is; take another seed for a test set.
 */
export function digits(options: DigitsOptions = {}): Examples {
  const op = 'digits';
  checkOptions(op, options, ['samples', 'seed', 'noise'], '');
  const { samples = 1000, noise = 0 } = options;
  if (!Number.isSafeInteger(samples) || samples < 1) {
    throw new ArgumentError(`${op}: samples is ${describe(samples)}; pass a whole number ≥ 1.`);
  }
  if (!(noise >= 0 && noise < Infinity)) {
    throw new ArgumentError(`${op}: noise is ${describe(noise)}; pass a standard deviation ≥ 0.`);
  }
  const key: Seed = seedOf(op, options.seed);
  const pixels = new Uint8Array(samples * SIDE * SIDE);
  const labels = Int32Array.from({ length: samples }, (_, index) => index % 10);
  for (let index = 0; index < samples; index++) {
    pixels.set(render(index % 10, streamOf(key, PURPOSE.digits, index), noise), index * SIDE * SIDE);
  }
  return fromColumns({
    x: { data: pixels, shape: [samples, SIDE, SIDE, 1], dtype: 'uint8', scale: 1 / 255 },
    y: { data: labels, shape: [samples], dtype: 'int32' },
  });
}
