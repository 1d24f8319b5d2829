/** Tables of text: real ones, odd ones, and broken ones. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { data } from '../src/node.ts';
import { isLong, seed, suite } from './support/harness.ts';
import { rejects } from './support/values.ts';

const test = suite('csv');

test('a header, columns by name, class names', async () => {
  const text = 'a, b ,kind\n1,2.5,cat\n-3e-2,.5,"dog, large"\n+4,5., cat \n';
  const { x, y, rows, columns, classes, dataset } = await data.csv(text);
  assert.is(rows, 3);
  assert.equal(columns, ['a', 'b']);
  assert.equal([x.shape, x.dtype, [...x.data]], [[3, 2], 'float64', [1, 2.5, -0.03, 0.5, 4, 5]]);
  assert.equal([y?.shape, y?.dtype, [...(y?.data ?? [])]], [[3], 'int32', [0, 1, 0]]);
  assert.equal(classes, ['cat', 'dog, large']);
  assert.is(dataset.size, 3);
  const swapped = await data.csv(text, { columns: ['b', 0], target: 'kind' });
  assert.equal([...swapped.x.data], [2.5, 1, 0.5, -0.03, 5, 4]);
  assert.equal(swapped.columns, ['b', 'a']);
});

test('a numeric target is numbers unless classes are asked for', async () => {
  const text = '1,10\n2,9\n3,10\n';
  const numbers = await data.csv(text, { header: false });
  assert.equal(
    [numbers.y?.dtype, [...(numbers.y?.data ?? [])], numbers.classes],
    ['float64', [10, 9, 10], null],
  );
  const classes = await data.csv(text, { header: false, labels: 'classes' });
  assert.equal(
    [classes.y?.dtype, [...(classes.y?.data ?? [])], classes.classes],
    ['int32', [1, 0, 1], ['9', '10']],
  );
  const first = await data.csv(text, { header: false, target: 0 });
  assert.equal(
    [[...first.x.data], [...(first.y?.data ?? [])]],
    [
      [10, 9, 10],
      [1, 2, 3],
    ],
  );
  const none = await data.csv(text, { header: false, target: null });
  assert.equal([none.x.shape, none.y, Object.keys(await none.dataset.arrays())], [[3, 2], null, ['x']]);
});

test('line ends, marks, empty lines, delimiters and comments', async () => {
  const expected = [1, 2, 3, 4];
  const same = [
    'a;b\n1;2\n3;4',
    '\ufeffa;b\r\n1;2\r\n3;4\r\n',
    'a;b\r1;2\r3;4\r',
    'a;b\r\n1;2\n3;4\r\n',
    '# note\na;b\n\n1;2\n  \n# more; notes; here\n3;4\n\n',
    '"a";"b"\n"1";"2"\n"3";"4"',
  ];
  for (const text of same) {
    const { x, columns } = await data.csv(text, { delimiter: ';', comments: '#', target: null });
    assert.equal([[...x.data], columns], [expected, ['a', 'b']], JSON.stringify(text));
  }
  const text = same[1] as string;
  const bytes = new TextEncoder().encode(text);
  const end = text.slice(-8);
  const whole = bytes.length - new TextEncoder().encode(end).length;
  async function* parts() {
    yield bytes.subarray(0, 2);
    yield bytes.subarray(2, whole);
    yield end;
  }
  for (const source of [
    bytes,
    new Uint8Array(gzipSync(bytes)),
    new Blob([bytes]),
    new Response(bytes),
    parts(),
  ]) {
    const { x } = await data.csv(source, { delimiter: ';', target: null });
    assert.equal([...x.data], expected);
  }
});

test('numbers survive the way through text', async () => {
  const table = fc
    .integer({ min: 1, max: 5 })
    .chain((width) =>
      fc.array(
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: width, maxLength: width }),
        { minLength: 1, maxLength: 10 },
      ),
    );
  await fc.assert(
    fc.asyncProperty(
      table,
      fc.constantFrom(',', ';', '\t', '|'),
      fc.boolean(),
      async (rows, delimiter, quoted) => {
        const cell = (value: number): string => (quoted ? `"${value}"` : String(value));
        const text = rows.map((row) => row.map(cell).join(delimiter)).join('\n');
        const { x } = await data.csv(text, { header: false, target: null, delimiter });
        assert.equal(
          [...x.data],
          rows.flat().map((value) => Number(String(value))),
        );
      },
    ),
    { seed, numRuns: isLong ? 500 : 50 },
  );
});

test('class names survive quoting', async () => {
  const name = fc
    .string({ minLength: 1 })
    .filter((text) => text.trim() === text && !/^(\?|-|na|n\/a|nan|null|none)?$/i.test(text));
  await fc.assert(
    fc.asyncProperty(fc.array(name, { minLength: 1, maxLength: 8 }), async (names) => {
      const text = names.map((label, row) => `${row},"${label.replaceAll('"', '""')}"`).join('\n');
      const { y, classes } = await data.csv(text, { header: false, labels: 'classes' });
      assert.equal(
        [...(y?.data ?? [])].map((index) => classes?.[index]),
        names,
      );
    }),
    { seed, numRuns: isLong ? 500 : 50 },
  );
});

test('a value that is missing or no number is named by row, line and column', async () => {
  for (const cell of ['', ' ', '?', 'NA', 'NaN', 'null']) {
    await rejects(
      data.csv(`a,b,y\n1,2,0\n\n3,${cell},1`),
      'format',
      /row 2 \(line 4\), column 'b'/,
      /missing/,
    );
  }
  for (const cell of ['x', '1.2.3', '0x10', '1e', '3,5', 'Infinity', '1 2', '--1']) {
    await rejects(
      data.csv(`a;b;y\n1;${cell};0`, { delimiter: ';' }),
      'format',
      /row 1 \(line 2\), column 'b'/,
      /no number/,
    );
  }
  await rejects(data.csv('a,y\n1e999,0'), 'format', /beyond float64/);
  await rejects(data.csv('a,y\n1,0\n2,'), 'format', /row 2 \(line 3\), column 'y'/, /missing/);
  await rejects(data.csv('a,y\n1,0\n2,x'), 'format', /column 'y'/, /labels: 'classes'/);
  await rejects(data.csv('a,y\n1,dog\n2,?'), 'format', /row 2 \(line 3\), column 'y'/, /label is missing/);
  await rejects(
    data.csv('a,b,y\n1,2,3', { header: false }),
    'format',
    /row 1 \(line 1\), column '0'/,
    /header: true/,
  );
  // A quoted cell with line breaks, and comments, move the lines.
  await rejects(data.csv('"a\nb",y\n#\n1,2\n#\n#\nx,2', { comments: '#' }), 'format', /row 2 \(line 7\)/);
});

test('what is no table', async () => {
  await rejects(data.csv(''), 'format', /no rows/);
  await rejects(data.csv('\n \n'), 'format', /no rows/);
  await rejects(data.csv('a,b\n'), 'format', /header/);
  await rejects(data.csv('1,2\n3,4'), 'format', /header: false/);
  await rejects(
    data.csv('a,b\n1,2,3'),
    'format',
    /row 2 \(line 2\) has 3 cells, the first row has 2/,
    /delimiter/,
  );
  await rejects(data.csv('a,b\n1,"2\n3,4'), 'format', /row 2 \(from line 2\)/, /unterminated/);
  await rejects(data.csv('a,b\n1,"2"x\n3,4'), 'format', /row 2/, /quote/);
  await rejects(data.csv(Uint8Array.of(0x61, 0xff)), 'format', /UTF-8/);
  await rejects(data.csv(new Uint8Array(gzipSync('a,b\n1,2')).subarray(0, 20)), 'format', /gzip/);
});

test('wrong calls', async () => {
  const text = 'a,b,b\n1,2,3';
  const wrong = (value: unknown): never => value as never;
  await rejects(data.csv(text, { target: 'z' }), 'argument', /target/, /'z'/, /a, b, b/);
  await rejects(data.csv(text, { target: 'b' }), 'argument', /two columns/);
  await rejects(data.csv(text, { target: 3 }), 'argument', /0 to 2/);
  await rejects(data.csv(text, { columns: [1.5] }), 'argument', /columns/, /1\.5/);
  await rejects(data.csv(text, { columns: [] }), 'argument', /no column is left/);
  await rejects(data.csv(text, { columns: wrong('a') }), 'argument', /columns/);
  await rejects(data.csv('a\n1'), 'argument', /target: null/);
  await rejects(data.csv(text, { delimiter: '' }), 'argument', /delimiter/);
  await rejects(data.csv(text, { delimiter: '"' }), 'argument', /delimiter/);
  await rejects(data.csv(text, { comments: '' }), 'argument', /comments/);
  await rejects(data.csv(text, { header: wrong(1) }), 'argument', /header/);
  await rejects(data.csv(text, { labels: wrong('class') }), 'argument', /labels/);
  await rejects(data.csv(text, wrong({ sep: ',' })), 'argument', /'sep'/, /delimiter/);
  await rejects(data.csv(wrong(5)), 'argument', /source/, /readFile/);
});

const folder = fileURLToPath(new URL('../../shared/data/', import.meta.url));

/** File, options, and what is known about it. */
const REAL: [
  file: string,
  options: data.CsvOptions,
  rows: number,
  columns: number,
  classes: string[] | null,
][] = [
  ['tabular/iris.csv', { header: false }, 150, 4, ['Iris-setosa', 'Iris-versicolor', 'Iris-virginica']],
  ['tabular/wine.csv', { header: false, labels: 'classes' }, 178, 13, ['1', '2', '3']],
  ['tabular/banknote_authentication.csv', { header: false, labels: 'classes' }, 1372, 4, ['0', '1']],
  ['tabular/ionosphere.csv', { header: false }, 351, 34, ['b', 'g']],
  ['tabular/pima-indians-diabetes.csv', { header: false, labels: 'classes' }, 768, 8, ['0', '1']],
  ['tabular/housing.csv', { header: false }, 506, 13, null],
  ['tabular/winequality-red.csv', { header: false }, 1599, 11, null],
  ['series/airline-passengers.csv', { columns: ['Passengers'], target: null }, 144, 1, null],
  ['series/daily-min-temperatures.csv', { columns: ['Temp'], target: null }, 3650, 1, null],
  ['series/monthly-sunspots.csv', { columns: ['Sunspots'], target: null }, 2820, 1, null],
];
for (const [file, options, rows, columns, classes] of REAL) {
  if (!existsSync(folder + file)) test.skip(`real: ${file}`, `${folder}${file} is not there`);
  else {
    test(`real: ${file}`, async () => {
      const table = await data.csv(readFileSync(folder + file), options);
      assert.equal([table.x.shape, table.classes], [[rows, columns], classes]);
    });
  }
}
