/** The commands that look at a model and need no data: `summary`, `gradcheck MODEL` and `profile`. */

import type { Tensor } from '../autograd/tensor.ts';
import { setSeed } from '../core/generator.ts';
import { tensorsOf } from '../data/stages.ts';
import { type GradcheckRow, gradcheckModel } from '../models/gradcheck-model.ts';
import type { Model } from '../models/model.ts';
import { compileFor } from './model/compile.ts';
import { locateModel, resolveModel, savedFile } from './model/resolve.ts';
import { syntheticBatch } from './model/synthetic.ts';
import { DIGITS } from './model/task.ts';
import { collect } from './profile/collect.ts';
import { profileText, sharesBy } from './profile/report.ts';
import { readCard } from './run-folder.ts';
import { type Session, type SessionOptions, withSession } from './session.ts';
import { table } from './text.ts';

export interface ProfileArguments extends SessionOptions {
  readonly batchSize?: number;
  readonly steps?: number;
}

export interface ModelGradcheckArguments extends SessionOptions {
  /** Elements of each weight and input. */
  readonly samples?: number;
}

/** Opens the device and the model, made for digits where it is a built-in one; both are given back. */
function withModel(
  op: string,
  given: string,
  args: SessionOptions,
  body: (model: Model, session: Session) => Promise<number>,
): Promise<number> {
  locateModel(op, given);
  return withSession(args, async (session) => {
    setSeed(1);
    const file = savedFile(given);
    const task = (file ? await readCard(file) : null)?.task ?? DIGITS;
    const model = await resolveModel(op, given, task);
    try {
      if (op !== 'summary') compileFor(model, task, null);
      return await body(model, session);
    } finally {
      model.dispose();
    }
  });
}

export function summaryCommand(given: string, args: SessionOptions): Promise<number> {
  return withModel('summary', given, args, async (model) => {
    if (args.json) console.log(JSON.stringify(model.toJSON()));
    else console.log(model.summary());
    return 0;
  });
}

export function profileCommand(given: string, args: ProfileArguments): Promise<number> {
  const { batchSize = 64, steps = 10, json } = args;
  return withModel('profile', given, args, async (model, { device, say }) => {
    const profile = await collect(model, syntheticBatch('profile', model, batchSize), batchSize, steps);
    say(`device: ${device.description}\nmodel: ${model.name}`);
    say(profileText(profile));
    if (json) {
      const layers = sharesBy(profile.ops, ({ layer }) => layer);
      console.log(JSON.stringify({ adapter: device.description, ...profile, layers }));
    }
    return 0;
  });
}

/** Examples of a gradient check: two, so that what mixes them is seen. */
const CHECKED = 2;

const figure = (value: number): string => (value === 0 ? '0' : value.toExponential(1));

const verdict = ({ passed, note }: GradcheckRow): string =>
  passed ? (note ?? 'ok') : `FAILED${note ? `: ${note}` : ''}`;

function gradcheckTable(rows: readonly GradcheckRow[]): string {
  const cells = rows.map((row) => [
    row.path || row.layer,
    row.weight,
    `${row.checked} of ${row.size}`,
    figure(row.maxError),
    verdict(row),
  ]);
  return table([['layer', 'gradient of', 'checked', 'max abs error', 'ok'], ...cells]);
}

export function modelGradcheckCommand(given: string, args: ModelGradcheckArguments): Promise<number> {
  const { samples = 10, json } = args;
  return withModel('gradcheck', given, args, async (model, { device, say }) => {
    const { x, y } = syntheticBatch('gradcheck', model, CHECKED);
    const inputs = Object.values(x).map((column) => tensorsOf(column, device) as Tensor);
    const target = tensorsOf(y, device) as Tensor;
    try {
      const result = await gradcheckModel(model, inputs, target, { samples });
      say(gradcheckTable(result.rows));
      say(
        result.first
          ? `\nthe gradient of ${result.first.weight} in layer ${result.first.path || result.first.layer} is wrong`
          : `\nall ${result.rows.length} gradients agree with differences in float64`,
      );
      if (json) console.log(JSON.stringify(result));
      return result.ok ? 0 : 1;
    } finally {
      for (const tensor of [...inputs, target]) tensor.dispose();
    }
  });
}
