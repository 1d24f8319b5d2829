/** Deferred benchmarks on `benchmark`: each sample ends with the contender's own wait for the device. */
import Benchmark from 'benchmark';

export interface Measurement {
  /** Seconds per call, the median of the samples. */
  readonly median: number;
  /** Half the distance between the quartiles, relative to the median. */
  readonly spread: number;
  readonly samples: number;
  /** Calls between two waits. */
  readonly batch: number;
}

/** Does a thing this many times and waits until the device is done with all of it. */
export type Repeat = (times: number) => Promise<void>;

/** A batch lasts at least this long, so that the wait at its end, with its naps, weighs little. */
const BATCH_MILLISECONDS = 15;
const MAX_BATCH = 1024;

/** The number of calls that fill a batch; warms up on the way. */
async function batchOf(repeat: Repeat): Promise<{ batch: number; milliseconds: number }> {
  await repeat(1);
  for (let batch = 1; ; batch *= 2) {
    const start = performance.now();
    await repeat(batch);
    const milliseconds = performance.now() - start;
    if (milliseconds >= BATCH_MILLISECONDS || batch >= MAX_BATCH) return { batch, milliseconds };
  }
}

/**
 * Times `repeat` for about this many seconds, and at least three samples. What needs more than twice that time for one
 * call is taken from that call alone, its second: the peers' large products on a software adapter last for half a minute.
 */
export async function measure(name: string, repeat: Repeat, seconds: number): Promise<Measurement> {
  const { batch, milliseconds } = await batchOf(repeat);
  if (milliseconds > 2000 * seconds) {
    return { median: milliseconds / 1e3 / batch, spread: Number.NaN, samples: 1, batch };
  }
  return new Promise((resolve, reject) => {
    const benchmark = new Benchmark(name, {
      defer: true,
      maxTime: seconds,
      minSamples: milliseconds > 250 * seconds ? 3 : 5,
      fn(deferred: { resolve(): void }) {
        repeat(batch).then(() => deferred.resolve(), reject);
      },
      onComplete() {
        const sorted = benchmark.stats.sample.map((sample) => sample / batch).sort((a, b) => a - b);
        const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
        const median = at(0.5);
        const spread = (at(0.75) - at(0.25)) / 2 / median;
        resolve({ median, spread, samples: sorted.length, batch });
      },
      onError(event: { target?: { error?: unknown } }) {
        reject(event.target?.error);
      },
    });
    benchmark.run({ async: true });
  });
}
