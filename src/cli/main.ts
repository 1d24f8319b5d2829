#!/usr/bin/env node
/** The command `wgrad`. */
import { run } from './program.ts';

process.exitCode = await run(process.argv.slice(2));
