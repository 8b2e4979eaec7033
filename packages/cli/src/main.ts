#!/usr/bin/env node
// The command `striper`.

import { main } from './command.ts'

// A reader that goes away (`| head`) must not take the program with it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

const exitCode = await main(process.argv.slice(2), {
  out: line => void process.stdout.write(`${line}\n`),
  err: line => void process.stderr.write(`${line}\n`),
  env: process.env,
})
// A second signal has said already how it ends.
process.exitCode ??= exitCode
