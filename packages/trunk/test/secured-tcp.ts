// A trunk and a gatherer over TCP and TLS, as a tunnel has them, with faults below the TLS or above
// it, at either end of each dial.

import { type BytePipe, type Layer, stack } from '@striper/core'
import { frame } from '@striper/frame'
import type { StripePipe } from '@striper/stripe'
import { connect, listen, type TcpPipe, type TcpServer } from '@striper/tcp'
import { newSecret, tlsClient, tlsServer } from '@striper/tls'
import { type Gatherer, type GatherOptions, trunk, type TrunkPipe } from '@striper/trunk'
import { listening } from './scene.ts'

/** Layers on the bytes of one connection. */
export interface Places {
  /** At the dialling end, below its TLS and below its greeting. */
  near?: Layer
  /** There, between TLS and frame. */
  nearClear?: Layer
  /** At the listening end, below its greeting. */
  far?: Layer
  /** There, between TLS and frame. */
  farClear?: Layer
}

export interface TcpScene {
  near: TrunkPipe
  /** The session at the listening end, once a lane has opened it. */
  far: Promise<StripePipe>
  gatherer: Gatherer
  server: TcpServer
  /** Every connection that was dialled, in its order. */
  dialled: TcpPipe[]
}

const fair: Layer = bytes => bytes as BytePipe

/** `places` of each connection: they are counted from 0, at both ends, in the order in which they
 *  are dialled and in which they come. */
export async function overTcp(
  lanes: number,
  places: (connection: number) => Places = () => ({}),
  options: Partial<GatherOptions> = {},
): Promise<TcpScene> {
  const key = newSecret()
  let came = 0
  const clear = new Map<unknown, Layer>()
  const { gatherer, far } = listening({
    layers: bytes => {
      const layer = clear.get(bytes.below[0]) ?? fair
      return stack(bytes, tlsServer({ keys: key }), layer, frame())
    },
    ...options,
  })
  const server = await listen({ host: '127.0.0.1', port: 0 }, connection => {
    const { far: layer = fair, farClear = fair } = places(came++)
    const bytes = layer(connection)
    clear.set(bytes, farClear)
    bytes.once('close', () => clear.delete(bytes))
    gatherer.accept(bytes)
  })
  const dialled: TcpPipe[] = []
  const near = trunk({
    lanes: Array.from({ length: lanes }, () => greet => {
      const { near: layer = fair, nearClear = fair } = places(dialled.length)
      const pipe = connect({ host: '127.0.0.1', port: server.port })
      dialled.push(pipe)
      return stack(stack(pipe, layer, greet, tlsClient({ key })), nearClear, frame())
    }),
    random: () => 0,
  })
  return { near, far, gatherer, server, dialled }
}
