/** What the commands that run a model share: the device, and where their text goes. */
import type { Device } from '../runtime/device.ts';
import type { AdapterChoice } from '../runtime/init.ts';
import { init } from '../runtime/node/init.ts';

export interface SessionOptions {
  readonly adapter?: AdapterChoice;
  readonly json?: boolean;
}

export interface Session {
  readonly device: Device;
  /** Text for people; it gives way to `--json` on stdout. */
  readonly say: (text: string) => void;
}

/** Opens the device, and gives it back whatever happens, so that the process can end. */
export async function withSession<T>(
  { adapter, json = false }: SessionOptions,
  body: (session: Session) => Promise<T>,
): Promise<T> {
  const device = await init(adapter === undefined ? {} : { adapter });
  try {
    return await body({ device, say: (text) => (json ? console.error(text) : console.log(text)) });
  } finally {
    device.destroy();
  }
}
