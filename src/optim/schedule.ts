/** What a schedule is: a function of the step that can be written as JSON. */

/** A schedule as JSON: its name and its options. */
export interface ScheduleJson {
  readonly schedule: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** The learning rate of a step. */
export interface Schedule {
  (step: number): number;
  toJSON(): ScheduleJson;
}

/** A schedule that writes itself as JSON; schedules among its options do, too. */
export function scheduleOf(name: string, options: object, rate: (step: number) => number): Schedule {
  const plain = Object.entries(options).map(([key, value]: [string, unknown]) => [
    key,
    typeof value === 'function' && 'toJSON' in value ? (value as Schedule).toJSON() : value,
  ]);
  const json: ScheduleJson = { schedule: name, options: Object.fromEntries(plain) };
  return Object.assign(rate, { toJSON: () => json });
}

/** From 1 at 0 down to 0 at 1, along half a cosine. */
export const cosine = (fraction: number): number => 0.5 * (1 + Math.cos(Math.PI * fraction));
