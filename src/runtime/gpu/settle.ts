/**
 * Waiting for the GPU. Dawn's Node binding spins a whole core while a promise is pending, and a software adapter needs
 * that core for the work itself: there we nap between looks (1.4–2.4× faster kernels). Elsewhere it is a plain await.
 */
export type Settle = <T>(promise: Promise<T>) => Promise<T>;

export const settlePlainly: Settle = (promise) => promise;

const NAP_MILLISECONDS = 0.3;

/** Waits in naps; needs `setImmediate` and a thread that may block, that is, Node. */
export const settleInNaps: Settle = async (promise) => {
  let done = false;
  const finish = () => {
    done = true;
  };
  promise.then(finish, finish);
  const cell = new Int32Array(new SharedArrayBuffer(4));
  await new Promise<void>((resolve) => setImmediate(resolve));
  while (!done) {
    Atomics.wait(cell, 0, 0, NAP_MILLISECONDS);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return promise;
};
