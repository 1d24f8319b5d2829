// Lets Node run the TypeScript sources as they stand, and import `.wgsl` modules as text.
import { register } from 'node:module';
import { register as registerTypeScript } from 'tsx/esm/api';

registerTypeScript();
register('./wgsl-loader.mjs', import.meta.url);
