import { StripeCore } from '../../src/pure/core.ts'
import { run } from './run.ts'
import { scenarioOf } from './scenario.ts'
const out: string[] = []
let h = 0
const c = process.cpuUsage()
for (let seed = 1; seed <= Number(process.argv[2]); seed++) {
  const o = run(scenarioOf(seed), (options, now) => new StripeCore(options, now))
  h = (Math.imul(h, 31) + o.trace + o.events) | 0
  out.push(`${seed} ${o.trace} ${o.events} ${o.rule ?? ''}`)
}
import { writeFileSync } from 'node:fs'
writeFileSync(process.argv[3]!, out.join('\n'))
const d = process.cpuUsage(c)
console.log(h, (d.user + d.system) / 1e6)
