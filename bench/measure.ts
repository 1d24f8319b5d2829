/** Deferred benchmarks on `benchmark`: each sample ends with our own wait for the device. */
import Benchmark from 'benchmark';

export interface Measurement {
  /** Seconds per call, the median of the samples. */
  readonly median: number;
  /** Half the distance between the quartiles, relative to the median. */
  readonly spread: number;
  readonly samples: number;
}

/** Runs `body` repeatedly and waits for it each time. */
export function measure(name: string, body: () => Promise<void>, seconds = 2): Promise<Measurement> {
  return new Promise((resolve, reject) => {
    const benchmark = new Benchmark(name, {
      defer: true,
      maxTime: seconds,
      minSamples: 5,
      fn(deferred: { resolve(): void }) {
        body().then(() => deferred.resolve(), reject);
      },
      onComplete() {
        const sorted = [...benchmark.stats.sample].sort((a, b) => a - b);
        const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
        resolve({ median: at(0.5), spread: (at(0.75) - at(0.25)) / 2 / at(0.5), samples: sorted.length });
      },
      onError(event: { target?: { error?: unknown } }) {
        reject(event.target?.error);
      },
    });
    benchmark.run({ async: true });
  });
}
