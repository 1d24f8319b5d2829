/** The process of one peer: gives it the same adapter and the same way of waiting as wgrad has, and times it. */
import { isSoftware } from '../../src/runtime/gpu/open.ts';
import { settleInNaps, settlePlainly } from '../../src/runtime/gpu/settle.ts';
import { choiceFromEnvironment, findAdapter } from '../../src/runtime/node/adapters.ts';
import { type Job, resultOf, timeJob } from '../contender.ts';
import { type OpenPeer, type Peer, peerModules, type Reply, type Request } from './protocol.ts';

const name = process.argv[2] ?? '';
const send = (reply: Reply): void => void process.send?.(reply);
const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split(/\n| imported from /)[0] as string;

let device: GPUDevice | undefined;
let adapterName = '';
let software = false;

/** `navigator.gpu` for libraries that know browsers only; remembers the device that they open. */
const gpu = {
  async requestAdapter(): Promise<GPUAdapter | null> {
    const { found } = await findAdapter(choiceFromEnvironment());
    if (!found) return null;
    const { adapter } = found;
    adapterName = found.name;
    software = isSoftware(adapter.info);
    const request = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor: GPUDeviceDescriptor = {}) => {
      // TensorFlow.js nests a list in the list.
      const features = [...(descriptor.requiredFeatures ?? [])].flat() as GPUFeatureName[];
      device = await request({ ...descriptor, requiredFeatures: features });
      return device;
    };
    return adapter;
  },
  getPreferredCanvasFormat: () => 'bgra8unorm',
};
Object.defineProperty(globalThis, 'navigator', {
  value: { gpu, userAgent: 'Node', hardwareConcurrency: 2 },
  configurable: true,
});

function deviceNow(): GPUDevice {
  if (!device) throw new Error(`${name} opened no device.`);
  return device;
}

let peer: Peer | undefined;
let job: Job | undefined;

async function prepare(request: Request & { kind: 'check' }): Promise<Reply> {
  job?.dispose();
  job = undefined;
  const prepared = await peer?.prepare(request.task, request.inputs);
  if (!prepared) return { kind: 'unsupported' };
  const settle = software ? settleInNaps : settlePlainly;
  job = {
    ...prepared,
    read: (result) => settle(Promise.resolve(prepared.read(result))),
    wait: async () => {
      peer?.flush?.();
      await settle(deviceNow().queue.onSubmittedWorkDone());
    },
  };
  return { kind: 'result', data: await resultOf(job) };
}

async function answer(request: Request): Promise<Reply> {
  if (request.kind === 'check') return prepare(request);
  if (!job) return { kind: 'failed', reason: 'nothing was checked' };
  return { kind: 'time', measurement: await timeJob(name, job, request.seconds) };
}

/** This process ends with its parent, and on its own when it hears nothing for so long. */
const IDLE_LIMIT_MILLISECONDS = 15 * 60_000;
const alarm = setTimeout(() => process.exit(1), IDLE_LIMIT_MILLISECONDS);
process.on('disconnect', () => process.exit(0));
process.on('message', (request: Request) => {
  alarm.refresh();
  answer(request).then(send, (error: unknown) => send({ kind: 'failed', reason: messageOf(error) }));
});

try {
  const { open } = (await import(peerModules[name] as string)) as { open: OpenPeer };
  peer = await open({ device: deviceNow });
  send({ kind: 'ready', version: peer.version, adapter: adapterName });
} catch (error) {
  send({ kind: 'missing', reason: messageOf(error) });
}
