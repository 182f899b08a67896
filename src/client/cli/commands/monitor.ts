import type { Event, EventType } from '#api/event.ts';
import { eventTypes } from '#api/event.ts';
import { ApiError } from '#api/error.ts';
import { command, type CommandSpec, flag, list, text } from '../command.ts';
import type { Session } from '../session.ts';

const levels = ['debug', 'info', 'warning', 'error'] as const;

export const commands: readonly CommandSpec[] = [
  command({
    path: 'monitor',
    usage: '[<remote>:]',
    summary: 'Watch the events of a server',
    examples: [
      ['monitor', 'Show all events until interrupted.'],
      ['monitor --type=lifecycle', 'Only what happens to objects.'],
      ['monitor --pretty --type=logging --loglevel=info', 'The log of the daemon, for people.'],
    ],
    options: {
      allProjects: flag('--all-projects', 'Show events from all projects'),
      format: text('-f,--format', 'Format (json|pretty|yaml)', 'yaml', ['json', 'pretty', 'yaml']),
      loglevel: text('--loglevel', 'Minimum level for log messages (with --pretty)'),
      pretty: flag('--pretty', 'Pretty rendering (short for --format=pretty)'),
      type: list('--type', 'Event type to listen for'),
    },
    run: async (session, [target = ''], options) => {
      const types = options.type.flatMap(type => type.split(','));
      for (const type of types) {
        if (!eventTypes.includes(type as EventType)) {
          throw new ApiError(
            'invalid-argument',
            `Invalid event type "${type}": must be one of ${eventTypes.join(', ')}`,
          );
        }
      }
      const format = options.pretty ? 'pretty' : options.format;
      const { client } = await session.at(target);
      const stopped = new AbortController();
      process.once('SIGINT', () => stopped.abort());
      const events = client.events({
        types: types as EventType[],
        allProjects: options.allProjects,
        signal: stopped.signal,
      });
      for await (const event of events) await show(session, event, format, options.loglevel);
      if (!stopped.signal.aborted) throw new ApiError('unavailable', 'The server closed the stream of events');
    },
  }),
];

async function show(session: Session, event: Event, format: string, least: string | undefined): Promise<void> {
  if (format === 'json') session.line(JSON.stringify(event));
  else if (format === 'yaml') session.out(`${(await import('../output/yaml.ts')).renderYaml(event)}\n\n`);
  else {
    const line = prettyLine(event, least);
    if (line !== undefined) session.line(line);
  }
}

/** One line for people, or undefined for a log message below the level wanted. */
export function prettyLine(event: Event, least: string | undefined): string | undefined {
  const time = event.timestamp.replace(/\.\d+/, '').replace('T', ' ');
  if (event.type === 'logging') {
    const { level, message, context } = (event as Event<'logging'>).metadata;
    if (least !== undefined && levels.indexOf(level) < levels.indexOf(least as (typeof levels)[number]))
      return undefined;
    return `${level.toUpperCase().padEnd(7)} [${time}] ${message} ${fields(context)}`.trimEnd();
  }
  if (event.type === 'lifecycle') {
    const { action, source, context, requestor } = (event as Event<'lifecycle'>).metadata;
    const by = requestor?.username ? ` by ${requestor.username}` : '';
    return `INFO    [${time}] ${action} ${source}${by} ${fields(context ?? {})}`.trimEnd();
  }
  const { id, description, status, err } = (event as Event<'operation'>).metadata;
  return `INFO    [${time}] ${description}: ${status}${err ? `: ${err}` : ''} (${id})`;
}

function fields(context: Readonly<Record<string, unknown>>): string {
  return Object.entries(context)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
}
