/** Systems and factors against literals; what cannot be solved is NaN; sizes beyond a GPU's kernel are refused. */
import * as assert from 'uvu/assert';
import {
  add,
  cholesky,
  type Device,
  eye,
  grad,
  inverse,
  matmul,
  mul,
  randomUniform,
  scope,
  setDefaultDevice,
  solve,
  solveTriangular,
  sub,
  sum,
  type Tensor,
  tensor,
  transpose,
  zeros,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { close, fails, resultOf } from './support/values.ts';

const NAN = Number.NaN;

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`linalg, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  test('cholesky', async () => {
    const a = [
      [4, 12, -16],
      [12, 37, -43],
      [-16, -43, 98],
    ];
    close(
      await resultOf(() => cholesky(tensor(a))),
      [
        [2, 0, 0],
        [6, 1, 0],
        [-8, 5, 3],
      ],
      1e-5,
    );
    // Only the lower triangle is read.
    close(
      await resultOf(() =>
        cholesky(
          tensor([
            [4, 99],
            [2, 5],
          ]),
        ),
      ),
      [
        [2, 0],
        [1, 2],
      ],
    );
    // The second matrix is not positive definite.
    close(
      await resultOf(() =>
        cholesky(
          tensor([
            [
              [4, 2],
              [2, 5],
            ],
            [
              [1, 2],
              [2, 1],
            ],
          ]),
        ),
      ),
      [
        [
          [2, 0],
          [1, 2],
        ],
        [
          [NAN, NAN],
          [NAN, NAN],
        ],
      ],
    );
    close(await resultOf(() => cholesky(tensor([[0]]))), [[NAN]]);
    scope(() => fails(() => cholesky(tensor([[1, 2]])), 'shape', /cholesky/, /\(1, 2\)/));
  });

  test('the gradient of cholesky is symmetric, as in PyTorch', async () => {
    // ln det a = 2 Σ ln L[i,i] has the gradient a⁻¹; here through L[0,0] + L[1,1] of [[4, 2], [2, 5]]:
    // L00 = √a00, L11 = √(a11 − a10²/a00).
    const gradient = await resultOf(() => {
      const a = tensor(
        [
          [4, 2],
          [2, 5],
        ],
        { requiresGrad: true },
      );
      return grad(sum(mul(cholesky(a), eye(2))), [a])[0] as Tensor;
    });
    // ∂/∂a00 = 1/4 + (a10²/a00²)/4 = 5/16; ∂/∂a10 = −(a10/a00)/2 = −1/4, half of it on either side; ∂/∂a11 = 1/4
    close(
      gradient,
      [
        [5 / 16, -1 / 8],
        [-1 / 8, 1 / 4],
      ],
      1e-5,
    );
  });

  test('solve', async () => {
    close(
      await resultOf(() =>
        solve(
          tensor([
            [0, 2],
            [3, 1],
          ]),
          tensor([4, 5]),
        ),
      ),
      [1, 2],
    );
    close(
      await resultOf(() =>
        solve(
          tensor([
            [2, 0],
            [0, 4],
          ]),
          tensor([
            [2, 4],
            [4, 8],
          ]),
        ),
      ),
      [
        [1, 2],
        [1, 2],
      ],
    );
    // One of a batch is singular.
    close(
      await resultOf(() =>
        solve(
          tensor([
            [
              [1, 1],
              [1, 2],
            ],
            [
              [1, 0],
              [1, 0],
            ],
          ]),
          tensor([3, 5]),
        ),
      ),
      [
        [1, 2],
        [NAN, NAN],
      ],
    );
    scope(() => {
      fails(
        () =>
          solve(
            tensor([
              [1, 2],
              [3, 4],
            ]),
            tensor([1, 2, 3]),
          ),
        'shape',
        /solve/,
        /\(2, 2\)/,
        /\(3,\)/,
      );
      fails(() => solve(eye(2), tensor([1, 2], { dtype: 'int32' })), 'dtype', /solve/);
    });
    assert.equal(await resultOf(() => solve(zeros([0, 0]), zeros([0, 3]))), []);
  });

  test('solveTriangular', async () => {
    const a = [
      [2, 99],
      [1, 4],
    ];
    close(await resultOf(() => solveTriangular(tensor(a), tensor([2, 9]))), [1, 2]);
    close(await resultOf(() => solveTriangular(tensor(a), tensor([4, 8]), { transposeA: true })), [1, 2]);
    const upper = (): Tensor =>
      tensor([
        [2, 1],
        [99, 4],
      ]);
    close(await resultOf(() => solveTriangular(upper(), tensor([4, 8]), { lower: false })), [1, 2]);
    close(
      await resultOf(() =>
        solveTriangular(
          tensor([
            [1, 0],
            [1, 0],
          ]),
          tensor([1, 1]),
        ),
      ),
      [NAN, NAN],
    );
  });

  test('inverse', async () => {
    close(
      await resultOf(() =>
        inverse(
          tensor([
            [1, 2],
            [3, 4],
          ]),
        ),
      ),
      [
        [-2, 1],
        [1.5, -0.5],
      ],
      1e-5,
    );
    close(
      await resultOf(() =>
        inverse(
          tensor([
            [1, 2],
            [0, 0],
          ]),
        ),
      ),
      [
        [NAN, NAN],
        [NAN, NAN],
      ],
    );
  });

  test('64 rows, in a batch: the product with the inverse is the identity', async () => {
    const worst = await resultOf(() => {
      const noise = randomUniform([3, 64, 64], -0.5, 0.5);
      const a = add(noise, mul(eye(64), 8));
      const error = sub(matmul(a, inverse(a)), eye(64));
      const spd = add(matmul(noise, noise, { transposeB: true }), eye(64));
      const l = cholesky(spd);
      const residual = sub(matmul(l, transpose(l, [0, 2, 1])), spd);
      return sum(add(mul(error, error), mul(residual, residual)));
    });
    // 24,576 elements, each with an error of some 1e-5 at most.
    assert.ok((worst as number) < 24_576 * 1e-10, `squared errors sum to ${worst}`);
  });

  test('more than 64 rows work on the CPU and are refused on a GPU', async () => {
    const device = await open();
    if (device.kind === 'cpu') {
      close(await resultOf(() => sum(inverse(mul(eye(65), 2)))), 32.5);
      return;
    }
    scope(() => {
      fails(() => inverse(eye(65)), 'limit', /inverse/, /65/, /64/);
      fails(() => cholesky(eye(65)), 'limit', /cholesky/);
      fails(() => solve(eye(65), zeros([65])), 'limit', /solve/);
    });
  });
}
