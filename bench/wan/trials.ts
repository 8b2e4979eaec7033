// Trials: a scenario measured. In each trial first one plain TCP on each lane alone, which makes S;
// then each contender, one after the other, on the same links. So a machine that is slow for a
// while is slow for all.

import { sum } from '../lib/figures.ts'
import type { Ask, Pass } from './ask.ts'
import { steadyGoodput } from './measure.ts'
import { type Field, type Network, Players } from './network.ts'
import { type Contender, CONTENDERS, type Reference, type Scenario } from './rows.ts'
const NO_REFERENCE: Reference = { S: NaN, later: NaN, best: NaN }
/** What a full-size packet carries of its 1500 bytes. */
const PAYLOAD = 1448 / 1500

export interface Trial {
  links: readonly string[]
  reference: Reference
  /** Of each contender, where it came to an end; of plain TCP, on the best lane. */
  passes: Partial<Record<Contender, Pass>>
}

export interface Settings {
  rounds: number
  without: readonly Contender[]
  /** Told before each pass what is to come. */
  onProgress: (what: string) => void
  /** Told of a pass that came to nothing. */
  onFailure: (what: string) => void
  /** Told of each trial when it is done. */
  onTrial: (scenario: Scenario, trial: Trial) => void
}

/** Measures a scenario: `rounds` times, or once each of its lists of links where it has many. */
export async function measure(scenario: Scenario, network: Network, settings: Settings) {
  const { links } = scenario
  const lists = links.length > 1 ? links : Array.from({ length: settings.rounds }, () => links[0]!)
  const field = await network.open(lists[0]!)
  const players = new Players(field)
  const trials: Trial[] = []
  try {
    for (const [index, list] of lists.entries()) {
      const title = `${scenario.name} ${index + 1}/${lists.length}`
      const here = { ...settings, title, scenario, network, field, players, links: list }
      const trial = await new Round(here).run()
      if (trial === undefined) continue
      trials.push(trial)
      settings.onTrial(scenario, trial)
    }
  } finally {
    players.stop()
    await field.close()
  }
  return trials
}

interface Scene extends Settings {
  title: string
  scenario: Scenario
  network: Network
  field: Field
  players: Players
  links: readonly string[]
}

class Round {
  readonly #scene: Scene

  constructor(scene: Scene) {
    this.#scene = scene
  }

  /** Undefined where there is nothing to hold the contenders against. */
  async run(): Promise<Trial | undefined> {
    const { scenario, network, links, without } = this.#scene
    this.#restore()
    const found = await this.#refer()
    if (found === undefined) return undefined
    const { reference, tcp } = found
    const passes: Trial['passes'] = {}
    if (tcp && !scenario.events && !scenario.reset) passes.tcp = tcp
    for (const contender of CONTENDERS) {
      if (contender === 'tcp' || without.includes(contender)) continue
      if (contender === 'mptcp' && scenario.noMptcp !== undefined) continue
      if (network.lacks(contender) !== undefined) continue
      const pass = await this.#contend(contender)
      if (pass) passes[contender] = pass
    }
    return { links, reference, passes }
  }

  /** Plain TCP on each lane alone, those whose links are alike once; or, where plain TCP is not
   *  wanted, what the links' rates should give. Undefined where TCP failed. */
  async #refer(): Promise<{ reference: Reference; tcp?: Pass } | undefined> {
    const { scenario, links, without } = this.#scene
    const measured = !without.includes('tcp')
    if (scenario.questions) {
      // They are held against the first lane, which is the best.
      const tcp = measured ? await this.#alone(0, links[0]!) : undefined
      return tcp ? { reference: NO_REFERENCE, tcp } : { reference: NO_REFERENCE }
    }
    const later = statesAfter(scenario, links)
    const passes = new Map<string, Pass>()
    for (const [index, state] of [...links, ...later].entries()) {
      if (!measured || state === undefined || passes.has(state)) continue
      const pass = await this.#alone(index % links.length, state)
      if (pass === undefined) return undefined
      passes.set(state, pass)
    }
    const alone = (state: string | undefined) => {
      if (state === undefined) return 0
      const pass = passes.get(state)
      return pass ? steadyGoodput(pass, scenario) : nominal(state)
    }
    const each = scenario.lanesEach ?? 1
    const goodputs = links.map(alone)
    const best = Math.max(...goodputs)
    const reference = { S: each * sum(goodputs), later: each * sum(later.map(alone)), best }
    const tcp = passes.get(links[goodputs.indexOf(best)]!)
    return tcp ? { reference, tcp } : { reference }
  }

  /** Plain TCP over a link in some state. */
  async #alone(link: number, state: string): Promise<Pass | undefined> {
    const { scenario, field, links } = this.#scene
    const { questions } = scenario
    const seconds = questions ? scenario.seconds : Math.min(scenario.seconds, 8)
    if (state !== links[link]) field.change(link, state)
    const lanes = [field.lane(link)]
    const ask = { lanes, seconds, questions }
    const pass = await this.#pass('tcp', `tcp alone on '${state}'`, ask, () => undefined)
    this.#restore()
    return pass
  }

  async #contend(contender: Contender): Promise<Pass | undefined> {
    const { scenario, field, links } = this.#scene
    const { lanesEach = 1, events = [], seconds, questions, windowBytes, reset } = scenario
    const lanes = links.flatMap((_, link) =>
      Array.from({ length: lanesEach }, () => field.lane(link)),
    )
    const ask = { lanes, seconds, questions, windowBytes, reset }
    const timers: NodeJS.Timeout[] = []
    const pass = await this.#pass(contender, contender, ask, () => {
      for (const { at, link, to } of events) {
        timers.push(setTimeout(() => field.change(link, to), at * 1000))
      }
    })
    for (const timer of timers) clearTimeout(timer)
    this.#restore()
    return pass
  }

  async #pass(
    contender: Contender,
    what: string,
    ask: Omit<Ask, 'port' | 'id'>,
    onStart: () => void,
  ): Promise<Pass | undefined> {
    const { title, players, links, onProgress, onFailure } = this.#scene
    onProgress(`${title} ${what}`)
    try {
      const ends = await players.get(contender)
      const pass = await ends.pass(ask, onStart)
      await new Promise(resolve => setTimeout(resolve, deepestQueueMs(links)))
      return pass
    } catch (error) {
      players.drop(contender)
      onFailure(`${title} ${what}: ${(error as Error).message}`)
      return undefined
    }
  }

  #restore(): void {
    const { field, links } = this.#scene
    for (const [link, words] of links.entries()) field.change(link, `${words} on`)
  }
}

/** The words of each link when all events are over; undefined for one that is off. */
function statesAfter({ events = [] }: Scenario, links: readonly string[]): (string | undefined)[] {
  return links.map((words, link) => {
    const mine = events.filter(event => event.link === link).map(event => event.to)
    if (mine.at(-1) === 'off') return undefined
    const changes = mine.filter(to => to !== 'off' && to !== 'on')
    return [words, ...changes].join(' ')
  })
}

/** What a lane over such a link should carry, in Mbit/s, where it was not measured. */
function nominal(words: string): number {
  return (
    PAYLOAD *
    Math.min(...[...words.matchAll(/(?:rate|cap)=([\d.]+)/g)].map(([, rate]) => Number(rate)))
  )
}

/** What the last pass may have left on the way is gone after so long. */
function deepestQueueMs(links: readonly string[]): number {
  return Math.max(...links.map(words => Number(/ queue=([\d.]+)/.exec(words)?.[1] ?? 100)))
}
