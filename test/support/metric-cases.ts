/** Data for metrics: the same numbers as scripts/oracles/metrics_sklearn.py makes, and what scikit-learn says of them. */
import { readFileSync } from 'node:fs';

type Answer = number | null | string | readonly Answer[];

interface Literals {
  readonly random: readonly Readonly<Record<string, Answer>>[];
  readonly edges: readonly {
    readonly name: string;
    readonly args: readonly (readonly number[])[];
    readonly options: object;
    readonly result: Answer;
    readonly note?: string;
  }[];
}

export const literals = JSON.parse(
  readFileSync(new URL('../literals/metrics-sklearn.json', import.meta.url), 'utf8'),
) as Literals;

/** NaN for null, in all depths. */
export const nanForNull = <T>(value: T): T => {
  if (value === null) return Number.NaN as T;
  return Array.isArray(value) ? (value.map(nanForNull) as T) : value;
};

/** Draws whole numbers below k from the upper 24 bits of a linear congruential generator. */
function draw(seed: number): (k: number) => number {
  let state = (Math.imul(seed, 2654435761) + 12345) >>> 0;
  const below = (k: number): number => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return (state >>> 8) % k;
  };
  for (let i = 0; i < 4; i++) below(2);
  return below;
}

export interface MetricCase {
  readonly seed: number;
  readonly n: number;
  readonly classes: number;
  readonly outputs: number;
  /** 0 or 1. */
  readonly binary: number[];
  /** In [0, 1]. */
  readonly score: number[];
  readonly labels: number[];
  readonly predicted: number[];
  /** Rows of probabilities. */
  readonly shares: number[][];
  readonly target: number[][];
  readonly guess: number[][];
  readonly weight: number[] | undefined;
}

const rows = (values: readonly number[], width: number): number[][] =>
  Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width));

export function metricCase(seed: number): MetricCase {
  const below = draw(seed);
  const many = (count: number, k: number): number[] => Array.from({ length: count }, () => below(k));
  const [n, classes, outputs, weighted] = [1 + below(24), 2 + below(4), 1 + below(3), below(2) === 1];
  const binary = many(n, 2);
  const levels = below(2) ? 8 : 1024;
  const score = many(n, levels + 1).map((v) => v / levels);
  const labels = many(n, classes);
  const right = many(n, 2);
  const others = many(n, classes);
  const predicted = right.map((hit, i) => (hit ? labels[i] : others[i]) as number);
  const counts = rows(
    many(n * classes, 8).map((v) => v + 1),
    classes,
  );
  const shares = counts.map((row) => row.map((v) => v / row.reduce((a, b) => a + b, 0)));
  const target = many(n * outputs, 64).map((v) => v / 16);
  const noise = many(n * outputs, 64).map((v) => v / 32);
  const guess = target.map((v, i) => v + (noise[i] as number) - 1);
  const weights = many(n, 8).map((v) => (v + 1) / 4);
  return {
    seed,
    n,
    classes,
    outputs,
    binary,
    score,
    labels,
    predicted,
    shares,
    target: rows(target, outputs),
    guess: rows(guess, outputs),
    weight: weighted ? weights : undefined,
  };
}

/** What `body` prints as warnings; they do not reach the console. */
export async function warningsOf(body: () => unknown): Promise<string[]> {
  const found: string[] = [];
  const original = console.warn;
  console.warn = (message: unknown) => {
    found.push(String(message));
  };
  try {
    await body();
  } finally {
    console.warn = original;
  }
  return found;
}
