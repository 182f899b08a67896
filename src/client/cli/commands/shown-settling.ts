import type { Client } from '../../client.ts';
import { settleIn } from '../../moving-in/settle-in.ts';
import type { Session } from '../session.ts';

/** Makes a system that moved in fit to start, and tells what was changed. */
export async function settleShown(session: Session, target: Client, name: string): Promise<void> {
  for (const change of await settleIn(target.instances.files(name))) session.line(`Changed ${change}`);
}
