/** `wgrad evaluate` and `wgrad predict`: what a trained model is worth, and what it says. */
import { ArgumentError } from '../core/errors.ts';
import type { Column } from '../data/batch.ts';
import { fromArrays } from '../data/create.ts';
import type { Model } from '../models/model.ts';
import { type Examples, type ExamplesOptions, examplesFor } from './data/for-model.ts';
import { compileFor, endsInSoftmax } from './model/compile.ts';
import { locateModel, resolveModel, savedFile } from './model/resolve.ts';
import { readCard } from './run-folder.ts';
import { type Session, type SessionOptions, withSession } from './session.ts';
import { table } from './text.ts';
import { testText } from './train.ts';

export interface EvaluateArguments extends SessionOptions, ExamplesOptions {
  readonly batchSize?: number;
}

export interface PredictArguments extends EvaluateArguments {
  readonly limit?: number;
}

/** What `predict --json` prints of each example. */
export interface Prediction {
  readonly index: number;
  /** The number of the most likely class, what it means, and its probability. */
  readonly class?: number;
  readonly label?: string;
  readonly probability?: number;
  /** The number that a model of numbers predicts, in the unit of the table. */
  readonly value?: number;
  /** The right answer, where the data tell it. */
  readonly target?: number | string;
}

/** Opens the device, the model and its examples; all are given back. */
function withModel(
  op: string,
  given: string,
  args: EvaluateArguments,
  body: (model: Model, examples: Examples, session: Session) => Promise<void>,
): Promise<number> {
  locateModel(op, given);
  return withSession(args, async (session) => {
    const file = savedFile(given);
    const examples = await examplesFor(op, file ? await readCard(file) : null, args);
    const model = await resolveModel(op, given, examples.task);
    try {
      if (file === null) session.say(`${given} is a fresh model, which was not trained; pass a saved one.`);
      await body(model, examples, session);
      return 0;
    } finally {
      model.dispose();
    }
  });
}

export function evaluateCommand(given: string, args: EvaluateArguments): Promise<number> {
  return withModel('evaluate', given, args, async (model, examples, { device, say }) => {
    const { x, y, task, title } = examples;
    if (!y)
      throw new ArgumentError(
        `evaluate: ${title} holds no answers to compare with; call predict, or pass data with a target.`,
      );
    compileFor(model, task, null);
    say(`device: ${device.description}\ndata: ${title}`);
    const { batchSize = 64 } = args;
    const logs = await model.evaluate({ x, y }, { batchSize });
    const count = x.shape[0] as number;
    say(testText(logs, count, examples));
    if (args.json) console.log(JSON.stringify({ test: logs, examples: count, adapter: device.description }));
  });
}

/** exp(v − max) / Σ, for models that end in logits. */
function probabilities(row: readonly number[]): number[] {
  const most = Math.max(...row);
  const powers = row.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function predictionOf(
  index: number,
  row: readonly number[],
  answer: number | undefined,
  { task, classes, table: format }: Examples,
): Prediction {
  if (task.kind === 'regression') {
    const { mean, deviation } = format?.scale ?? { mean: 0, deviation: 1 };
    const own = (value: number): number => mean + deviation * value;
    return {
      index,
      value: own(row[0] as number),
      ...(answer !== undefined && { target: Number(own(answer).toPrecision(9)) }),
    };
  }
  const best = row.indexOf(Math.max(...row));
  const label = classes?.[best];
  return {
    index,
    class: best,
    ...(label !== undefined && { label }),
    probability: row[best] as number,
    ...(answer !== undefined && { target: classes?.[answer] ?? answer }),
  };
}

/** A table for people. */
function listOf(predictions: readonly Prediction[]): string {
  const answers = predictions.some(({ target }) => target !== undefined);
  const rows = predictions.map(({ index, class: own, label, probability, value, target }) => [
    String(index),
    ...(value === undefined
      ? [String(label ?? own), (probability as number).toFixed(4)]
      : [String(Number(value.toPrecision(6)))]),
    ...(answers ? [String(target)] : []),
  ]);
  const [one] = predictions;
  const head = [
    'example',
    ...(one?.value === undefined ? ['class', 'probability'] : ['value']),
    ...(answers ? ['target'] : []),
  ];
  return table([head, ...rows]);
}

export function predictCommand(given: string, args: PredictArguments): Promise<number> {
  return withModel('predict', given, args, async (model, examples, { say }) => {
    const { limit = args.json ? (examples.x.shape[0] as number) : 20, batchSize = 64 } = args;
    const all = fromArrays<string>({ x: examples.x, ...(examples.y && { y: examples.y }) });
    const { x, y } = (await all.take(limit).arrays()) as { x: Column; y?: Column };
    const output = await model.predict(x, { batchSize });
    const rows = (await output.array()) as number[][];
    output.dispose();
    const classes = examples.task.kind === 'classification';
    const logits = classes && !endsInSoftmax(model);
    const predictions = rows.map((row, index) =>
      predictionOf(index, logits ? probabilities(row) : row, y?.data[index], examples),
    );
    say(`data: ${examples.title}\n${listOf(predictions)}`);
    const left = (examples.x.shape[0] as number) - predictions.length;
    if (left > 0) say(`${left.toLocaleString('en')} more; --limit tells how many to show`);
    if (args.json) console.log(JSON.stringify({ predictions }));
  });
}
