/**
 * Every error that wgrad raises on purpose. `code` is stable and meant for programs; the message is meant for
 * people and names the op, the shapes and the way out.
 */
export class WgradError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Shapes that do not fit together, an axis that does not exist, an extent that is not a whole number ≥ 0. */
export class ShapeError extends WgradError {
  constructor(message: string) {
    super('shape', message);
  }
}

/** A dtype that the op does not take. */
export class DTypeError extends WgradError {
  constructor(message: string) {
    super('dtype', message);
  }
}

/** An argument outside of what the function takes. */
export class ArgumentError extends WgradError {
  constructor(message: string) {
    super('argument', message);
  }
}

/**
 * An index outside of its axis, found at the call, or on the GPU and then reported by the next readback. At the call and
 * on the CPU device it is the first one in row-major order. A GPU looks at all indices at once and keeps one: that of
 * the earliest op since the last readback, but of several in one op whichever is seen first.
 */
export class IndexError extends WgradError {
  /** Where the index stands among the indices, counted in row-major order; for `slice`, its axis. */
  readonly position: number;
  /** The index as it was given. */
  readonly value: number;
  /** The lowest valid index: −limit where negative indices count from the end, else 0. */
  readonly lowest: number;
  /** What a valid index stays below, the extent of the axis; where it is 0, no index is valid. */
  readonly limit: number;

  constructor(op: string, position: number, value: number, lowest: number, limit: number) {
    const out = `${op}: index ${value} at position ${position} is out of range`;
    super(
      'index',
      limit > 0
        ? `${out}; valid are ${lowest} to ${limit - 1}. Check the indices, or clip them first.`
        : `${out}; there is no valid index, since the extent that it points into is 0. Check the shapes, or pass no indices.`,
    );
    this.position = position;
    this.value = value;
    this.lowest = lowest || 0; // −limit of an empty axis is −0.
    this.limit = limit;
  }
}

/** What the elements of a tensor must lie in. Made once: a device's error record tells ranges apart by identity. */
export interface ValueRange {
  /** What the caller knows the tensor as. */
  readonly of: string;
  readonly lowest: number;
  readonly highest: number;
  /** What to do about an element outside: the message's last clause. */
  readonly remedy: string;
}

/** An element outside of the range that an op asks for, which is reported like an `IndexError`. NaN is none. */
export class ValueRangeError extends WgradError {
  /** Where the element stands, counted in row-major order. */
  readonly position: number;
  readonly value: number;
  /** The ends of the range, which belong to it. */
  readonly lowest: number;
  readonly highest: number;

  constructor(op: string, position: number, value: number, { of, lowest, highest, remedy }: ValueRange) {
    const shown = Number(value.toPrecision(7)); // Of 1.7 in float32 the rest is rounding.
    super(
      'value-range',
      `${op}: element ${position} of ${of} is ${shown}, outside of [${lowest}, ${highest}]; ${remedy}.`,
    );
    this.position = position;
    this.value = value;
    this.lowest = lowest;
    this.highest = highest;
  }
}

/** Tensors that live on different devices. */
export class DeviceMismatchError extends WgradError {
  constructor(message: string) {
    super('device-mismatch', message);
  }
}

/** A tensor whose memory was given back is used again. */
export class DisposedError extends WgradError {
  constructor(message: string) {
    super('disposed', message);
  }
}

/** The device was lost or destroyed. */
export class DeviceLostError extends WgradError {
  constructor(message: string) {
    super('device-lost', message);
  }
}

/** No adapter of the wanted kind. */
export class AdapterError extends WgradError {
  constructor(message: string) {
    super('adapter', message);
  }
}

/** An allocation or a binding that exceeds a limit of the device; nothing was allocated. */
export class LimitError extends WgradError {
  readonly requested: number;
  readonly limit: number;

  constructor(message: string, requested: number, limit: number) {
    super('limit', message);
    this.requested = requested;
    this.limit = limit;
  }
}

/** A WGSL module that does not compile. */
export class ShaderError extends WgradError {
  constructor(message: string) {
    super('shader', message);
  }
}

/** A file that is damaged, cut off, or of a kind that is not read. */
export class FormatError extends WgradError {
  constructor(message: string) {
    super('format', message);
  }
}

/** An error that the GPU's driver reported. */
export class GpuError extends WgradError {
  constructor(message: string) {
    super('gpu', message);
  }
}

/** A misuse of the autograd graph. */
export class AutogradError extends WgradError {}

/** A NaN or an infinity, found by the anomaly mode. */
export class AnomalyError extends WgradError {
  constructor(message: string) {
    super('anomaly', message);
  }
}

/** `gradcheck` cannot judge the function at this point; `code` tells why. */
export class GradcheckRefusal extends WgradError {}

/** A function that returned a promise where only synchronous work makes sense. */
export class AsyncCallbackError extends WgradError {
  constructor(where: string) {
    super(
      'async-callback',
      `${where} got a promise from its callback. Its effect ends when the callback returns, before the ` +
        `awaited part runs. Keep the callback synchronous: return the tensors and await their data outside.`,
    );
  }
}
