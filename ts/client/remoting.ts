import type { RemotingClient } from '../remoting/remoting-client.js'

/** What clients need of a {@link RemotingClient}; tests put their own in its place. */
export type Remoting = Pick<
  RemotingClient,
  | 'invoke'
  | 'invokeOneway'
  | 'sendTemplate'
  | 'send'
  | 'sendOneway'
  | 'pull'
  | 'setRequestHandler'
  | 'setCloseHandler'
  | 'leave'
  | 'close'
>
