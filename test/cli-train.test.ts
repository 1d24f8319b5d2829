/** The command line for models: train, resume, measure, ask, look inside; exit codes, and what stays on the disk. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { formatIdx } from '../src/io/idx.ts';
import { command, commandHere } from './support/command.ts';
import { suite } from './support/harness.ts';

const test = suite('cli-train', { timeout: 120_000 });

/** Runs with a folder that is removed afterwards. */
async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wgrad-cli-'));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A small network with random numbers of its own, so that a resumed run shows whether they went on. */
const NET = `export default ({ layers, input, sequential }, { inputShape, outputs }) => sequential([
  input({ shape: inputShape }), layers.flatten(), layers.dropout({ rate: 0.2 }), layers.dense({ units: outputs }),
]);\n`;

/** Two measures of flowers, of which one class is wide and the other long, and a column that tells nothing. */
function flowers(folder: string): string {
  const rows = Array.from({ length: 60 }, (_, index) => {
    const wide = index % 2 === 0;
    const [width, length] = wide ? [3 + (index % 7) / 10, 1] : [1, 3 + (index % 5) / 10];
    return `${wide ? 'wide' : 'long'},${width},${length},7`;
  });
  const path = join(folder, 'flowers.csv');
  writeFileSync(path, `kind,width,length,constant\n${rows.join('\n')}\n`);
  return path;
}

const json = (text: string) => JSON.parse(text);

test('train lenet: one line of JSON, the log of Keras on stderr, and the files of a run', () =>
  withFolder(async (folder) => {
    const out = join(folder, 'run');
    const options = ['--limit', '32', '--batch-size', '16', '--epochs', '2'];
    const { code, out: text, err } = await command(['train', 'lenet', ...options, '--out', out, '--json']);
    assert.is(code, 0, err);
    assert.is(text.trimEnd().split('\n').length, 1);
    const { epochs, test: measured, seconds, adapter } = json(text);
    assert.is(epochs.length, 2);
    assert.equal(Object.keys(epochs[0]), ['loss', 'accuracy', 'valLoss', 'valAccuracy']);
    assert.equal(Object.keys(measured), ['loss', 'accuracy']);
    assert.ok(seconds > 0 && adapter.length > 0);
    assert.match(err, /Epoch 1\/2\n - \d+s - loss: \d\.\d{4} - accuracy: .* - val_loss: .* - val_accuracy: /);
    assert.match(err, /generated digits \(32 \+ 4 \+ 8 to train, validate and test\)/);
    assert.match(err, /next: npm run wgrad -- predict /);
    assert.equal(readdirSync(out).sort(), [
      'checkpoints',
      'history.csv',
      'model.json',
      'model.safetensors',
      'run.json',
    ]);
    assert.is(
      readFileSync(join(out, 'history.csv'), 'utf8').split('\n')[0],
      'epoch,loss,accuracy,valLoss,valAccuracy',
    );
    const again = await commandHere('evaluate', out, '--json');
    assert.equal(json(again.out).test, measured);
    const asked = await commandHere('predict', out, '--limit', '3', '--json');
    const { predictions } = json(asked.out);
    assert.equal(Object.keys(predictions[0]), ['index', 'class', 'probability', 'target']);
    assert.is(predictions.length, 3);
  }));

test('Ctrl-C saves, and --resume goes on with the same bits', () =>
  withFolder(async (folder) => {
    const net = join(folder, 'net.mjs');
    writeFileSync(net, NET);
    const options = ['--limit', '300', '--batch-size', '8'];
    const stopped = join(folder, 'stopped');
    let sent = false;
    const first = await command(
      ['train', net, ...options, '--epochs', '10000', '--out', stopped, '--json'],
      (err, kill) => {
        if (sent || !err.includes('Epoch 2/')) return;
        sent = true;
        setTimeout(() => kill('SIGINT'), 50);
      },
    );
    assert.is(first.code, 130, first.err);
    assert.is(first.out, '');
    assert.match(first.err, new RegExp(`interrupted; .* train ${net} --out ${stopped} --resume`));
    assert.not(existsSync(join(stopped, 'model.safetensors')));
    const [last] = readdirSync(join(stopped, 'checkpoints')).sort().reverse();
    const epochs = String(Number(last?.split('-')[1]) + 2);
    const resumed = await command(['train', net, '--epochs', epochs, '--out', stopped, '--resume', '--json']);
    assert.is(resumed.code, 0, resumed.err);
    const whole = join(folder, 'whole');
    const other = await command(['train', net, ...options, '--epochs', epochs, '--out', whole, '--json']);
    assert.equal(json(resumed.out).epochs, json(other.out).epochs);
    for (const file of ['model.safetensors', 'history.csv'])
      assert.ok(readFileSync(join(stopped, file)).equals(readFileSync(join(whole, file))), file);
  }));

test('a table of classes: any column may be the target, and others are read as in training', () =>
  withFolder(async (folder) => {
    const data = flowers(folder);
    const out = join(folder, 'run');
    const options = ['--target', 'kind', '--epochs', '30', '--learning-rate', '0.02', '--out', out, '--json'];
    const trained = await commandHere('train', 'mlp', '--data', data, ...options);
    assert.is(trained.code, 0, trained.err);
    assert.match(trained.err, /60 rows, 2 classes; 42 \+ 9 \+ 9 to train/);
    assert.is(json(trained.out).test.accuracy, 1);
    assert.equal(json((await commandHere('evaluate', out, '--json')).out).examples, 9);
    const rows = join(folder, 'new.csv');
    writeFileSync(rows, 'length,constant,width\n1,7,3.2\n3.1,7,1\n');
    const { predictions } = json((await commandHere('predict', out, '--data', rows, '--json')).out);
    assert.equal(
      predictions.map(({ label }: { label: string }) => label),
      ['wide', 'long'],
    );
    const unknown = join(folder, 'unknown.csv');
    writeFileSync(unknown, 'kind,width,length,constant\nround,1,1,7\n');
    const refused = await commandHere('evaluate', out, '--data', unknown);
    assert.is(refused.code, 1);
    assert.match(refused.err, /'round', a class that the model was not trained on/);
    assert.match((await commandHere('evaluate', out, '--data', rows)).err, /no answers to compare with/);
  }));

test('a table of numbers without a header: predictions in the unit of the target', () =>
  withFolder(async (folder) => {
    const data = join(folder, 'line.csv');
    const rows = Array.from(
      { length: 80 },
      (_, index) => `${index},${(index * 7) % 5},${1000 + 2.5 * index}`,
    );
    writeFileSync(data, rows.join('\n'));
    const out = join(folder, 'run');
    const trained = await commandHere(
      'train',
      'mlp',
      '--data',
      data,
      '--epochs',
      '40',
      '--out',
      out,
      '--json',
    );
    assert.is(trained.code, 0, trained.err);
    assert.match(trained.err, /numbers in column '2'/);
    assert.equal(Object.keys(json(trained.out).epochs[0]), ['loss', 'mae', 'valLoss', 'valMae']);
    const { predictions } = json((await commandHere('predict', out, '--json')).out);
    for (const { value, target } of predictions)
      assert.ok(Math.abs(value - target) < 40, `${value} for ${target}`);
  }));

test('a failing run harms nothing that was saved', () =>
  withFolder(async (folder) => {
    const data = flowers(folder);
    const out = join(folder, 'run');
    const options = ['--target', 'kind', '--epochs', '2', '--out', out];
    assert.is((await commandHere('train', 'mlp', '--data', data, ...options)).code, 0);
    const files = ['model.safetensors', 'model.json', 'run.json', 'history.csv'];
    const contents = () => files.map((file) => readFileSync(join(out, file), 'utf8'));
    const before = contents();
    const broken = join(folder, 'broken.csv');
    writeFileSync(broken, 'kind,width,length\nwide,3,1\nlong,,3\n');
    const missing = await commandHere('train', 'mlp', '--data', broken, ...options);
    assert.is(missing.code, 1);
    assert.match(missing.err, /broken\.csv: csv: row 2 \(line 3\), column 'width': the value is missing/);
    const unfit = await commandHere('train', 'lenet', '--data', data, ...options);
    assert.is(unfit.code, 1);
    assert.match(unfit.err, /lenet: it sorts pictures of shape \(28, 28, 1\)/);
    assert.equal(contents(), before);
    const spoilt = await commandHere(
      'train',
      'mlp',
      '--data',
      data,
      ...options,
      '--optimizer',
      'sgd',
      '--learning-rate',
      '1e300',
    );
    assert.is(spoilt.code, 1);
    assert.match(spoilt.err, /stopped by .*(NaN|Infinity)/);
    assert.equal(contents().slice(0, 2), before.slice(0, 2), 'the model and its card');
    assert.is(readFileSync(join(out, 'previous', 'history.csv'), 'utf8'), before[3]);
    assert.is((await commandHere('train', 'mlp', '--data', data, ...options)).code, 0);
    assert.not(existsSync(join(out, 'previous')), 'a run that ends well replaces the last one');
    assert.equal(contents(), before, 'the same seed gives the same model');
  }));

test('what cannot be run is refused with exit code 1, and says what would be right', () =>
  withFolder(async (folder) => {
    const refused = async (pattern: RegExp, ...argv: string[]): Promise<void> => {
      const { code, err } = await commandHere(...argv);
      assert.is(code, 1, argv.join(' '));
      assert.match(err, pattern);
    };
    await refused(/no model 'lenett'\. Did you mean 'lenet'\?/, 'train', 'lenett');
    await refused(/no file net\.safetensors/, 'evaluate', 'net.safetensors');
    await refused(/no file or folder \/nowhere/, 'train', 'mlp', '--data', '/nowhere');
    await refused(/holds no run to resume/, 'train', 'mlp', '--out', folder, '--resume');
    await refused(/--target names a column of a table/, 'train', 'mlp', '--target', 'x');
    await refused(/holds neither train-images-idx3-ubyte/, 'train', 'mlp', '--data', folder);
    const pictures = formatIdx({ data: new Uint8Array(4 * 9), shape: [4, 3, 3], dtype: 'uint8' });
    const labels = formatIdx({ data: Uint8Array.of(0, 1, 0, 1), shape: [4], dtype: 'uint8' });
    for (const set of ['train', 't10k']) {
      writeFileSync(join(folder, `${set}-images-idx3-ubyte`), pictures);
      writeFileSync(join(folder, `${set}-labels-idx1-ubyte`), labels.subarray(0, -1));
    }
    await refused(/train-labels-idx1-ubyte.*it is cut off/, 'train', 'mlp', '--data', folder);
    const empty = join(folder, 'empty.mjs');
    writeFileSync(empty, 'export default 3;\n');
    await refused(/default export of empty\.mjs is 3/, 'summary', empty);
  }));

test('wrong usage has exit code 2', async () => {
  for (const argv of [
    ['train'],
    ['train', 'mlp', '--epochs', '0'],
    ['train', 'mlp', '--learning-rate', '-1'],
    ['train', 'mlp', '--optimizer', 'adma'],
    ['train', 'mlp', '--adapter', 'tpu'],
    ['gradcheck', 'mlp', '--op', 'add'],
    ['gradcheck', 'mlp', '--device', 'gpu'],
    ['gradcheck', '--samples', '3'],
    ['evaluat', 'mlp'],
  ]) {
    const { code, err } = await commandHere(...argv);
    assert.is(code, 2, argv.join(' '));
    assert.match(err, /^error: [\s\S]*\n\(--help tells what there is\.\)/);
  }
});

test('pictures of another size than MNIST, from IDX files', () =>
  withFolder(async (folder) => {
    const count = 44;
    const data = Uint8Array.from({ length: count * 9 }, (_, index) => (Math.floor(index / 9) % 2) * 255);
    const labels = Uint8Array.from({ length: count }, (_, index) => index % 2);
    mkdirSync(join(folder, 'idx'));
    for (const set of ['train', 't10k']) {
      const file = (name: string): string => join(folder, 'idx', `${set}-${name}-ubyte`);
      writeFileSync(file('images-idx3'), formatIdx({ data, shape: [count, 3, 3], dtype: 'uint8' }));
      writeFileSync(file('labels-idx1'), formatIdx({ data: labels, shape: [count], dtype: 'uint8' }));
    }
    const out = join(folder, 'run');
    const source = ['--data', join(folder, 'idx')];
    const trained = await commandHere(
      'train',
      'mlp',
      ...source,
      '--epochs',
      '8',
      '--batch-size',
      '8',
      '--out',
      out,
      '--json',
    );
    assert.is(trained.code, 0, trained.err);
    assert.match(trained.err, /40 \+ 4 \+ 44 to train/);
    assert.is(json(trained.out).test.accuracy, 1);
    const one = join(folder, 'idx', 't10k-images-idx3-ubyte');
    const { predictions } = json(
      (await commandHere('predict', out, '--data', one, '--limit', '2', '--json')).out,
    );
    assert.equal(
      predictions.map(({ class: own }: { class: number }) => own),
      [0, 1],
    );
  }));

test('summary, gradcheck and profile look inside a model', () =>
  withFolder(async (folder) => {
    const net = join(folder, 'net.mjs');
    writeFileSync(net, NET);
    const summary = await commandHere('summary', 'lenet');
    assert.is(summary.code, 0);
    assert.match(summary.out, /conv2d_1 \(Conv2d\).*2,416/);
    const checked = await commandHere('gradcheck', net, '--samples', '3', '--json');
    assert.is(checked.code, 0, checked.err);
    assert.is(json(checked.out).ok, true);
    assert.match(checked.err, /dense +kernel +3 of 7840/);
    const profiled = await commandHere('profile', net, '--batch-size', '4', '--steps', '2', '--json');
    assert.is(profiled.code, 0, profiled.err);
    const { how, ops, layers, memory, millisecondsPerStep } = json(profiled.out);
    assert.match(how, /timestamp|wall clock/);
    assert.ok(millisecondsPerStep > 0);
    assert.equal(
      layers.map(({ name }: { name: string }) => name),
      ['dropout', 'dense', 'loss', 'optimizer'],
    );
    const phases = (op: string): string[] =>
      ops.flatMap((own: { op: string; phase: string }) => (own.op === op ? [own.phase] : []));
    assert.ok(phases('matmul').includes('forward') && phases('matmul').includes('backward'));
    assert.equal(phases('adam'), ['update']);
    assert.is(memory.weights % 7850, 0);
    assert.is(memory.gradients, memory.weights);
    assert.is(memory.optimizer, 2 * memory.weights, 'the two moments of adam');
    assert.ok(memory.peak >= memory.weights + memory.gradients + memory.optimizer);
    assert.match(profiled.err, /layer \(ms\) +calls +forward/);
  }));
