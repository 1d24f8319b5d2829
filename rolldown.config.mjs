import { defineConfig } from 'rolldown';

const moduleTypes = { '.wgsl': 'text' };
const output = { dir: 'dist', format: 'esm', sourcemap: true };

export default defineConfig([
  // One file for browsers, which imports nothing.
  {
    input: { index: 'src/index.ts' },
    moduleTypes,
    platform: 'browser',
    output: { ...output, cleanDir: true },
  },
  {
    input: { node: 'src/node.ts', wgrad: 'src/cli/main.ts' },
    moduleTypes,
    platform: 'node',
    external: [/^node:/, 'webgpu', '@sparticuz/chromium', 'commander', 'nanotar'],
    output,
  },
]);
