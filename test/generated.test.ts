/** Data sets that are made from a seed. */
import * as assert from 'uvu/assert';
import { data, setSeed } from '../src/node.ts';
import { suite } from './support/harness.ts';
import { fails } from './support/values.ts';

const test = suite('generated');

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

const sets: Record<string, (options: { samples: number; seed: number }) => ReturnType<typeof data.twoMoons>> =
  {
    addingProblem: data.addingProblem,
    blobs: data.blobs,
    circles: data.circles,
    copyTask: data.copyTask,
    digits: data.digits,
    line: data.line,
    sineWaves: data.sineWaves,
    spirals: data.spirals,
    twoMoons: data.twoMoons,
    xor: data.xor,
  };

for (const [name, make] of Object.entries(sets)) {
  test(`${name}: the same from the same seed, another from another, finite`, async () => {
    const of = (samples: number, from: number) => make({ samples, seed: from }).arrays();
    const [a, same, other] = [await of(24, 1), await of(24, 1), await of(24, 2)];
    assert.equal(a, same);
    assert.not.equal([...a.x.data], [...other.x.data]);
    assert.is(a.x.shape[0], 24);
    assert.is(a.y.shape[0], 24);
    assert.ok([...a.x.data, ...a.y.data].every(Number.isFinite));
    setSeed(5);
    const drawn = await make({ samples: 6 } as never).arrays();
    assert.not.equal([...drawn.x.data], [...(await make({ samples: 6 } as never).arrays()).x.data]);
    setSeed(5);
    assert.equal(await make({ samples: 6 } as never).arrays(), drawn);
    fails(() => make({ samples: 0, seed: 1 }), 'argument', new RegExp(`^${name}: samples is 0`));
    fails(() => make({ sample: 5 } as never), 'argument', new RegExp(`^${name}`), /'sample'/);
    fails(() => make({ samples: 4, seed: 0.5 }), 'argument', /seed 0\.5/);
  });
}

test('generated sets are what they say', async () => {
  const points = async (set: ReturnType<typeof data.twoMoons>) => {
    const { x, y } = await set.arrays();
    const width = (x.shape[1] ?? 1) as number;
    return numbers(x.shape[0] as number).map((row) => ({
      at: [...x.data.subarray(row * width, (row + 1) * width)],
      label: y.data[row] as number,
    }));
  };
  for (const {
    at: [a = 0, b = 0],
    label,
  } of await points(data.circles({ samples: 50, noise: 0, seed: 1, factor: 0.3 })))
    assert.ok(Math.abs(Math.hypot(a, b) - (label ? 0.3 : 1)) < 1e-6);
  for (const {
    at: [a = 0, b = 0],
    label,
  } of await points(data.twoMoons({ samples: 50, noise: 0, seed: 1 }))) {
    const [u, v] = label ? [1 - a, 0.5 - b] : [a, b];
    assert.ok(Math.abs(Math.hypot(u, v) - 1) < 1e-6 && v > -1e-6, `${a} ${b} ${label}`);
  }
  for (const {
    at: [a = 0, b = 0],
    label,
  } of await points(data.xor({ samples: 50, noise: 0.1, seed: 1 })))
    assert.is(a > 0 !== b > 0, label === 1);
  for (const {
    at: [a = 0],
    label,
  } of await points(data.line({ samples: 50, noise: 0, seed: 1, slope: -3, intercept: 0.5 })))
    assert.ok(Math.abs(label - (0.5 - 3 * a)) < 1e-6);
  for (const {
    at: [a = 0, b = 0],
    label,
  } of await points(
    data.blobs({
      samples: 60,
      seed: 1,
      std: 0.1,
      centers: [
        [0, 0],
        [5, 5],
        [0, 5],
      ],
    }),
  ))
    assert.is(label, a > 2.5 ? 1 : b > 2.5 ? 2 : 0);
  const spirals = await points(data.spirals({ samples: 90, classes: 3, noise: 0, seed: 1 }));
  assert.equal([...new Set(spirals.map(({ label }) => label))], [0, 1, 2]);
  for (const {
    at: [a = 0, b = 0],
    label,
  } of spirals) {
    // The arm goes around 1.5 times for a radius of 1, so radius and class tell the angle.
    const turn = Math.atan2(b, a) / (2 * Math.PI) - 1.5 * Math.hypot(a, b) - label / 3;
    assert.ok(Math.abs(turn - Math.round(turn)) < 1e-5, String(turn));
  }

  const adding = await data.addingProblem({ samples: 30, length: 7, seed: 1 }).arrays();
  for (let row = 0; row < 30; row++) {
    let sum = 0;
    const marks: number[] = [];
    for (let step = 0; step < 7; step++) {
      const mark = adding.x.data[row * 14 + 2 * step + 1] as number;
      if (mark === 1) marks.push(step);
      sum += mark * (adding.x.data[row * 14 + 2 * step] as number);
    }
    assert.ok(marks.length === 2 && (marks[0] as number) < 3 && (marks[1] as number) >= 3, marks.join());
    assert.is(adding.y.data[row], Math.fround(sum));
  }
  const copies = await data.copyTask({ samples: 10, length: 4, symbols: 3, alphabet: 2, seed: 1 }).arrays();
  assert.equal(copies.x.shape, [10, 10]);
  for (let row = 0; row < 10; row++) {
    const [x, y] = [copies.x, copies.y].map(({ data: all }) => [
      ...all.subarray(row * 10, row * 10 + 10),
    ]) as [number[], number[]];
    assert.ok(x.slice(0, 3).every((symbol) => symbol === 1 || symbol === 2));
    assert.equal(x.slice(3), [0, 0, 0, 3, 0, 0, 0]);
    assert.equal(y, [0, 0, 0, 0, 0, 0, 0, ...x.slice(0, 3)]);
  }
  const waves = await data.sineWaves({ samples: 5, length: 12, seed: 1 }).arrays();
  for (let row = 0; row < 5; row++) {
    const wave = [...waves.x.data.subarray(row * 12, row * 12 + 12), waves.y.data[row] as number];
    // sin(a + 2h) + sin(a) = 2·cos(h)·sin(a + h), with one cos(h) for the whole wave.
    const ratio = (at: number): number =>
      ((wave[at + 1] as number) + (wave[at - 1] as number)) / (wave[at] as number);
    const steady = numbers(11)
      .slice(1)
      .filter((at) => Math.abs(wave[at] as number) > 0.3);
    for (const at of [...steady, 11].filter((step) => Math.abs(wave[step] as number) > 0.3))
      assert.ok(Math.abs(ratio(at) - ratio(steady[0] as number)) < 1e-5);
  }
  fails(() => data.circles({ factor: 1 }), 'argument', /factor is 1/);
  fails(() => data.spirals({ classes: 0 }), 'argument', /classes is 0/);
  fails(() => data.spirals({ turns: Number.NaN }), 'argument', /turns/);
  fails(() => data.blobs({ centers: [[1], [1, 2]] }), 'argument', /equal length/);
  fails(() => data.blobs({ std: -1 }), 'argument', /std is -1/);
  fails(() => data.addingProblem({ length: 1 }), 'argument', /length is 1/);
  fails(() => data.twoMoons({ noise: Number.NaN }), 'argument', /noise/);
});

test('digits: ink in the middle of black, ten classes in turn, more samples begin the same', async () => {
  const { x, y } = await data.digits({ samples: 200, seed: 4 }).arrays();
  assert.equal([x.shape, x.dtype, x.scale], [[200, 28, 28, 1], 'uint8', 1 / 255]);
  assert.equal(
    [...y.data],
    numbers(200).map((index) => index % 10),
  );
  for (let row = 0; row < 200; row++) {
    const image = x.data.subarray(row * 784, (row + 1) * 784);
    let [ink, right, down] = [0, 0, 0];
    image.forEach((value, at) => {
      ink += value;
      right += value * (at % 28);
      down += value * Math.floor(at / 28);
    });
    // MNIST's digits cover 2.8 to 34 % of the picture.
    assert.ok(ink / 255 / 784 > 0.028 && ink / 255 / 784 < 0.34, `${row}: ${ink / 255 / 784}`);
    // The bar of a tall 7 is heavy, and the rim stops it from moving down.
    assert.ok(Math.abs(right / ink - 13.5) < 4 && Math.abs(down / ink - 13.5) < 4, String(row));
    const rim = numbers(28).flatMap((at) => [at, 756 + at, 28 * at, 28 * at + 27]);
    assert.ok(
      rim.every((at) => image[at] === 0),
      `the rim of ${row} is not black`,
    );
  }
  const fewer = await data.digits({ samples: 5, seed: 4 }).arrays();
  assert.equal([...fewer.x.data], [...x.data.subarray(0, 5 * 784)]);
  const noisy = await data.digits({ samples: 1, seed: 4, noise: 0.2 }).arrays();
  assert.ok([...noisy.x.data].filter((value) => value > 0).length > 300);
  fails(() => data.digits({ noise: -1 }), 'argument', /noise is -1/);
});
