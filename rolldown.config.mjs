import { defineConfig } from 'rolldown';

const common = {
  external: [/^node:/, 'webgpu', '@sparticuz/chromium', 'commander', 'nanotar'],
  moduleTypes: { '.wgsl': 'text' },
};

export default defineConfig([
  {
    ...common,
    input: { index: 'src/index.ts', node: 'src/node.ts', wgrad: 'src/cli/main.ts' },
    platform: 'node',
    output: { dir: 'dist', format: 'esm', sourcemap: true, cleanDir: true },
  },
]);
