import { WebsocketChannels } from '../operations/websocket-channels.ts';
import { dial, type Peer } from './dial.ts';
import type { Channels } from './source.ts';

/** How long an operation waits for its websockets, as LXD does. */
const patienceMs = 10_000;

/** The two ways to get the websockets of a migration: dialling the peer's, or waiting for somebody who dials ours. */
export type Meeting =
  { readonly kind: 'dial'; readonly peer: Peer } | { readonly kind: 'wait'; readonly channels: WebsocketChannels };

export function waitingMeeting(): Extract<Meeting, { kind: 'wait' }> {
  return { kind: 'wait', channels: new WebsocketChannels(['control', 'fs']) };
}

export async function meet(meeting: Meeting, signal: AbortSignal): Promise<Channels> {
  if (meeting.kind === 'wait') {
    const [control, fs] = await Promise.all([
      meeting.channels.opened('control', patienceMs, signal),
      meeting.channels.opened('fs', patienceMs, signal),
    ]);
    return { control, fs };
  }
  const control = await dial(meeting.peer, 'control', signal);
  try {
    return { control, fs: await dial(meeting.peer, 'fs', signal) };
  } catch (error) {
    control.close();
    throw error;
  }
}
