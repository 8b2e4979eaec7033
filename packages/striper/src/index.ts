// striper: everything for users, from one import. docs/architecture.md says what is where.

export * from '@striper/core'
export * from '@striper/tcp'
export * from '@striper/tls'
export * from '@striper/frame'
export * from '@striper/reassemble'
export * from '@striper/mux'
export * from '@striper/stripe'
export * from '@striper/trunk'
export * from '@striper/bridge'
export * as net from './net/index.ts'
