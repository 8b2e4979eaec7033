import { conformance } from '@striper/testkit'
import { describe } from 'vitest'
import { memoryLanes, openStripes, tcpLanes } from './scene.ts'

const outlives = { outlivesBelow: true }

describe('stripe', () => {
  for (const count of [1, 4]) {
    const of = count === 1 ? 'of 1 lane' : `of ${count} lanes`
    conformance(`${of} in memory`, () => openStripes(memoryLanes(count)), outlives)
    conformance(`${of}, framed, over TCP`, async () => openStripes(await tcpLanes(count)), outlives)
  }
})
