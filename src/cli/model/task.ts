/** What a network is to learn, as far as its ends are concerned. */
export interface Task {
  readonly kind: 'classification' | 'regression';
  /** The shape of an example. */
  readonly inputShape: readonly number[];
  /** Classes, or the numbers that are to be predicted. */
  readonly outputs: number;
}

/** The task of the commands that need no data. */
export const DIGITS: Task = { kind: 'classification', inputShape: [28, 28, 1], outputs: 10 };
