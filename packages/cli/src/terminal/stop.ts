// Two ways to stop: the first SIGINT or SIGTERM asks, the second insists.

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const // what a shell expects of who died of it

/** Calls `gently` at the first signal and `atOnce` at the second, and sets the exit code of the
 *  second. A third is the system's affair. Gives a function that listens no more. */
export function onStop(gently: () => void, atOnce: () => void): () => void {
  let asked = false
  const names = Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]
  const listener = (name: NodeJS.Signals) => {
    if (!asked) {
      asked = true
      gently()
      return
    }
    unlisten()
    process.exitCode = SIGNALS[name as keyof typeof SIGNALS]
    atOnce()
  }
  const unlisten = () => {
    for (const name of names) process.off(name, listener)
  }
  for (const name of names) process.on(name, listener)
  return unlisten
}
