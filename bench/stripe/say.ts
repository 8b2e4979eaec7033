// How a child of the bench speaks to it: an object a line, as JSON.

/** Says something to the bench. */
export function say(what: object): void {
  process.stdout.write(JSON.stringify(what) + '\n')
}
